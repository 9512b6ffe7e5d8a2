"""A domain's owner hears once a day what was found about its mail, through the real service."""

import gzip
import time
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from xml.etree import ElementTree as ET

import dkim
from sqlalchemy import text

from smailor.config import load_settings
from smailor.database.engine import Database
from tests.system.running import Inbox, Kept, Service, letter, token, until

NAMES = {"r": "urn:ietf:params:xml:ns:dmarc-2.0"}
ZONE = """\
$TTL 1
@ SOA ns.internet.test. hostmaster.internet.test. 1 3600 600 86400 1
@ NS ns.internet.test.
@ A 192.0.2.10
@ MX 10 mx.internet.test.
@ TXT "v=spf1 ip4:192.0.2.10 -all"
_dmarc TXT "v=DMARC1; p=reject; rua=mailto:{rua}"
"""


def new_domain(service: Service, rua: str = "") -> str:
    domain = f"{token()[:12]}.test"
    service.drop_zone(domain, ZONE.format(rua=rua or f"reports@{domain}"))
    return domain


def send(service: Service, inbox: Inbox, domain: str, ip: str) -> bool:
    author = f"someone@{domain}"
    message = letter(author, inbox.address, token())
    return service.from_outside(message, sender=author, recipient=inbox.address, ip=ip).accepted


def database(service: Service) -> Database:
    return Database(load_settings(Path(service.endpoints["config"]), environ={}).database.url)


def a_day_passes(service: Service, domain: str, messages: int) -> None:
    """Wait until the messages are counted, and make them yesterday's."""
    store = database(service)

    def counted() -> bool:
        with store.reading() as session:
            query = text("SELECT coalesce(sum(count), 0) FROM dmarc_counts WHERE policy_domain = :domain")
            return session.execute(query, {"domain": domain}).scalar_one() == messages

    until(counted, f"{messages} messages of {domain} counted")
    yesterday = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400))
    with store.transaction() as session:
        query = text(f"UPDATE dmarc_counts SET day = '{yesterday}' WHERE policy_domain = :domain")  # noqa: S608
        session.execute(query, {"domain": domain})
    store.dispose()


def run(service: Service, sender: Inbox) -> dict[str, int]:
    wanted = {
        "SMAILOR_AUTHENTICATION_DMARC_REPORTS": "true",
        "SMAILOR_AUTHENTICATION_DMARC_REPORTS_FROM": sender.address,
    }
    before, service.environment = service.environment, service.environment | wanted
    try:
        return service.operate("jobs", "run", "dmarc-reports")
    finally:
        service.environment = before


def report_in(kept: Kept) -> ET.Element:
    (attachment,) = message_from_bytes(kept.content, policy=default).iter_attachments()
    return ET.fromstring(gzip.decompress(attachment.get_content()))  # noqa: S314 - our own report


def counts_in(root: ET.Element) -> dict[tuple[str, str], int]:
    def of(record: ET.Element, path: str) -> str:
        return record.findtext("/".join(f"r:{name}" for name in path.split("/")), namespaces=NAMES) or ""

    return {
        (of(record, "row/source_ip"), of(record, "row/policy_evaluated/disposition")): int(of(record, "row/count"))
        for record in root.findall("r:record", NAMES)
    }


def test_a_report_arrives_once_with_the_right_counts(service: Service, ada: Inbox) -> None:
    domain = new_domain(service)
    sender = service.new_inbox("dmarc")
    assert [send(service, ada, domain, "192.0.2.10") for _ in range(3)] == [True] * 3
    assert [send(service, ada, domain, "198.51.100.66") for _ in range(2)] == [False] * 2
    a_day_passes(service, domain, 5)
    assert run(service, sender)["sent"] >= 1
    kept = service.outside(f"Report Domain: {domain}")
    assert (kept.envelope["mail_from"], kept.envelope["rcpt_to"]) == (sender.address, [f"reports@{domain}"])
    root = report_in(kept)
    assert root.findtext("r:policy_published/r:domain", namespaces=NAMES) == domain
    assert counts_in(root) == {("192.0.2.10", "pass"): 3, ("198.51.100.66", "reject"): 2}
    assert dkim.verify(kept.content, dnsfunc=service.txt), "it passes DMARC itself, as RFC 9990 wants"
    again = run(service, sender)
    assert (again["sent"], again["waiting"]) == (0, 0)


def test_a_stranger_who_did_not_agree_gets_none(service: Service, ada: Inbox) -> None:
    victim = new_domain(service)
    domain = new_domain(service, rua=f"victim@{victim}")
    sender = service.new_inbox("dmarc")
    assert send(service, ada, domain, "192.0.2.10")
    a_day_passes(service, domain, 1)
    run(service, sender)
    zone = ZONE.format(rua=f"reports@{victim}") + f'{domain}._report._dmarc TXT "v=DMARC1"\n'
    other = new_domain(service, rua=f"agreed@{victim}")
    service.drop_zone(victim, zone + f'{other}._report._dmarc TXT "v=DMARC1"\n')
    until(lambda: service.ask(f"{other}._report._dmarc.{victim}", "TXT"), "the permission in the DNS", 10)
    assert send(service, ada, other, "192.0.2.10")
    a_day_passes(service, other, 1)
    run(service, sender)
    assert service.outside(f"Report Domain: {other}").envelope["rcpt_to"] == [f"agreed@{victim}"]
    assert service.all_outside(f"Report Domain: {domain}") == []


def test_without_the_operators_word_nothing_is_sent(service: Service) -> None:
    done = service.operate("jobs", "run", "dmarc-reports")
    assert (done["enabled"], done["sent"]) == (0, 0)
