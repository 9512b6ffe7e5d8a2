"""`smailor auth …`: explain what SPF, DKIM, ARC and DMARC say about a message."""

from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import IO, Any

import click

from smailor import clock
from smailor.authentication import AuthenticationResult, authenticate
from smailor.authentication.arc import ArcStatus
from smailor.authentication.dmarc_record import Policy
from smailor.authentication.results import DmarcStatus
from smailor.cli.context import Context
from smailor.cli.output import json_option, show
from smailor.dns.resolver import Resolver
from smailor.errors import InvalidInput

ADVICE = {
    Policy.NONE: "DMARC is no reason to stop it",
    Policy.QUARANTINE: "DMARC sends it to Junk",
    Policy.REJECT: "DMARC refuses it",
}


@click.group()
def auth() -> None:
    """Authentication of received mail."""


@auth.command("check")
@click.argument("file", type=click.File("rb"))
@click.option("--ip", required=True, metavar="ADDRESS", help="The SMTP client's address.")
@click.option("--helo", required=True, metavar="NAME", help="What it said in HELO.")
@click.option("--mail-from", required=True, metavar="ADDRESS", help="The envelope's sender; '' for a bounce.")
@click.option("--resolver", default="", metavar="HOST:PORT", help="Ask this DNS server, not the configured ones.")
@click.option("--authserv-id", default="", metavar="NAME", help="Our name in Authentication-Results.")
@json_option
@click.pass_obj
def auth_check(
    context: Context,
    file: IO[bytes],
    ip: str,
    helo: str,
    mail_from: str,
    resolver: str,
    authserv_id: str,
    as_json: bool,
) -> None:
    """Tell what we find about the message in FILE (- for standard input), as if it came now from this client."""
    client = _resolver(resolver) if resolver else context.resolver
    name = authserv_id or ("localhost" if resolver else context.settings.service.hostname)
    try:
        ip_address(ip)
    except ValueError as error:
        raise InvalidInput("ip", "not an IP address") from error
    with ThreadPoolExecutor(thread_name_prefix="dns") as executor:
        result = authenticate(
            file.read(),
            client_ip=ip,
            helo=helo,
            mail_from=mail_from,
            resolver=client,
            now=clock.now(),
            executor=executor,
        )
    if as_json:
        show(as_mapping(result, name), as_json=True)
        return
    for line in explain(result):
        click.echo(line)
    click.echo(f"\n{result.header(name)}".replace("\r\n", "\n"), nl=False)


def explain(result: AuthenticationResult) -> list[str]:
    """Return the verdicts in words, one line each, and what follows from them."""
    rows = [("SPF", result.spf.status.value, result.spf.reason)]
    if result.spf.explanation:
        rows.append(("", "", f"{result.spf.domain} explains: {result.spf.explanation}"))
    if not result.dkim:
        rows.append(("DKIM", "none", "the message has no signature"))
    rows += [
        ("DKIM", found.status.value, f"{found.domain or 'unknown'}: {found.reason}" if found.domain else found.reason)
        for found in result.dkim
    ]
    rows.append(("ARC", result.arc.status.word, result.arc.reason))
    rows.append(("DMARC", result.dmarc.status.value, result.dmarc.reason))
    lines = [f"{method:<6} {status:<10} {_line(reason)}".rstrip() for method, status, reason in rows]
    return [*lines, "", f"{advice(result)}."]


def advice(result: AuthenticationResult) -> str:
    """Return what follows from the verdicts, a trusted ARC chain or a known forwarder apart."""
    dmarc = result.dmarc
    if dmarc.status is DmarcStatus.TEMPERROR and dmarc.retry:
        return "The sender is asked to try again (451): the DNS still owes an answer that could make it pass"
    return ADVICE[dmarc.disposition]


def as_mapping(result: AuthenticationResult, authserv_id: str) -> dict[str, Any]:
    """Return the verdicts for JSON."""
    spf, arc, dmarc = result.spf, result.arc, result.dmarc
    return {
        "spf": {
            "status": spf.status.value,
            "domain": spf.domain,
            "identity": spf.identity.value,
            "mechanism": spf.mechanism,
            "explanation": spf.explanation,
            "lookups": spf.lookups,
            "reason": spf.reason,
        },
        "dkim": [
            {
                "status": found.status.value,
                "domain": found.domain,
                "selector": found.selector,
                "algorithm": found.algorithm,
                "identity": found.identity,
                "key_bits": found.key_bits,
                "reason": found.reason,
            }
            for found in result.dkim
        ],
        "arc": {
            "status": arc.status.word,
            "temporary": arc.status is ArcStatus.TEMPERROR,
            "instance": arc.instance,
            "sealers": arc.sealers,
            "reason": arc.reason,
        },
        "dmarc": {
            "status": dmarc.status.value,
            "domain": dmarc.domain,
            "domains": dmarc.domains,
            "organizational_domain": dmarc.organizational_domain,
            "policy": dmarc.policy.value if dmarc.policy is not None else None,
            "policy_tag": dmarc.policy_tag,
            "policy_domain": dmarc.policy_domain,
            "testing": dmarc.record is not None and dmarc.record.testing,
            "disposition": dmarc.disposition.value,
            "aligned_by": dmarc.aligned_by,
            "retry": dmarc.retry,
            "record": dmarc.record.text if dmarc.record is not None else "",
            "reason": dmarc.reason,
        },
        "advice": advice(result),
        "header": result.header(authserv_id),
    }


def _resolver(address: str) -> Resolver:
    try:
        return Resolver([address])
    except ValueError as error:
        raise InvalidInput("resolver", "not of the form HOST:PORT") from error


def _line(text: str) -> str:
    """Return strangers' words as one line without control characters, which a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)
