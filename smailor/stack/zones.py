"""The zones that a local service begins with: its own domain, the world's, and the names of loopback. Text only."""

from smailor.stack.layout import INTERNET_MX_NAME, MAIL_NAME, MX_NAME, SERVICE_DOMAIN, SPF_INCLUDE, SRS_DOMAIN, Ports

_HEAD = """\
$TTL 1
@ SOA ns.{domain}. hostmaster.{domain}. 1 3600 600 86400 1
@ NS ns.{domain}.
"""


def base_zones(ports: Ports) -> dict[str, str]:
    """Zone files by name.

    Args:
        ports: of the service; its resolver's own address gets a name, too.
    """
    head = _HEAD.format(domain=SERVICE_DOMAIN)
    own = f"""\
{head}@ A 127.0.0.1
@ MX 10 {MX_NAME}.
@ TXT "v=spf1 include:{SPF_INCLUDE} -all"
{SPF_INCLUDE}. TXT "v=spf1 ip4:127.0.0.1 -all"
_dmarc TXT "v=DMARC1; p=reject"
{SRS_DOMAIN}. MX 10 {MX_NAME}.
{SRS_DOMAIN}. TXT "v=spf1 include:{SPF_INCLUDE} -all"
ns A {ports.resolver_address}
{MX_NAME}. A 127.0.0.1
{MAIL_NAME}. A 127.0.0.1
"""
    # A world of one mail host: 127.0.0.1, or 192.0.2.1 where a message is given an address of its own (XCLIENT).
    world = f"""\
{_HEAD.format(domain="internet.test")}@ A 127.0.0.1
@ MX 10 {INTERNET_MX_NAME}.
@ TXT "v=spf1 ip4:127.0.0.1 ip4:192.0.2.1 -all"
ns A {ports.resolver_address}
{INTERNET_MX_NAME}. A 127.0.0.1
"""
    loopback = f"{head}1.0.0 PTR {MX_NAME}.\n"
    return {f"{SERVICE_DOMAIN}.zone": own, "internet.test.zone": world, "127.in-addr.arpa.zone": loopback}
