"""DMARC aggregate reports as files and as mail (RFC 9990): XML, gzip, names, subject.

Pure: rows and policy in, bytes out. Which rows there are and where reports go to is not decided here.
"""

import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

# Built here, never parsed: nothing of a stranger's XML is read.
from xml.etree import ElementTree as ET

from smailor.authentication.dmarc_record import DmarcRecord
from smailor.authentication.report_row import ReportRow, fit

NAMESPACE = "urn:ietf:params:xml:ns:dmarc-2.0"
GENERATOR = "Smailor"
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports.

    Attributes:
        domain: our own domain, which reports are named after.
        email: whom to ask about a report; their sender.
    """

    domain: str
    email: str


@dataclass(frozen=True, slots=True)
class Report:
    """What one policy's owner is told about one day.

    Attributes:
        day: in UTC.
        policy_domain: where the policy was found.
        record: the policy as it was last seen that day.
        rows: each kind of message with the number of such messages.
    """

    day: date
    policy_domain: str
    record: DmarcRecord
    rows: tuple[tuple[ReportRow, int], ...]

    @property
    def begin(self) -> int:
        """The day's first second, counted from the epoch."""
        return int(datetime.combine(self.day, time(), UTC).timestamp())

    @property
    def end(self) -> int:
        """Its last second."""
        return self.begin + _DAY_SECONDS - 1

    @property
    def messages(self) -> int:
        """How many messages it tells of."""
        return sum(count for _, count in self.rows)


def report_id(report: Report, reporter: Reporter) -> str:
    """Return the report's identifier: the same whenever it is made again (section 3.5.2), letters and digits only."""
    text = f"{reporter.domain} {report.policy_domain} {report.day.isoformat()}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_name(report: Report, reporter: Reporter) -> str:
    """Return the compressed file's name (section 3.5.2)."""
    unique = report_id(report, reporter)
    return f"{reporter.domain}!{report.policy_domain}!{report.begin}!{report.end}!{unique}.xml.gz"


def report_xml(report: Report, reporter: Reporter) -> bytes:
    """Return the report in XML, elements in the order of section 3.1.1 and of the schema in appendix A."""
    feedback = ET.Element(_tag("feedback"))
    _add(feedback, "version", "1.0")
    metadata = _add(feedback, "report_metadata")
    _add(metadata, "org_name", reporter.domain)
    _add(metadata, "email", reporter.email)
    _add(metadata, "report_id", report_id(report, reporter))
    period = _add(metadata, "date_range")
    _add(period, "begin", str(report.begin))
    _add(period, "end", str(report.end))
    _add(metadata, "generator", GENERATOR)
    _add_policy(feedback, report)
    for row, count in report.rows:
        _add_record(feedback, row, count)
    ET.indent(feedback)
    text: bytes = ET.tostring(feedback, encoding="utf-8", xml_declaration=True, default_namespace=NAMESPACE)
    return text + b"\n"


def report_message(report: Report, reporter: Reporter, recipient: str, *, now: datetime) -> bytes:
    """Return the mail that brings a report to its owner (section 3.5.2), CRLF line ends.

    Args:
        report: what to tell.
        reporter: who tells it.
        recipient: address of the owner.
        now: the present moment.
    """
    unique = report_id(report, reporter)
    message = EmailMessage(policy=SMTP)
    message["From"] = f"DMARC reports of {reporter.domain} <{reporter.email}>"
    message["To"] = recipient
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{unique}.{_digest(recipient)}@{reporter.domain}>"
    message["Subject"] = f"Report Domain: {report.policy_domain} Submitter: {reporter.domain} Report-ID: <{unique}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        f"This is a DMARC aggregate report of {reporter.domain} about {report.messages} message(s)\n"
        f"received on {report.day.isoformat()} (UTC) with authors at {report.policy_domain}.\n\n"
        f"It is sent because the DMARC policy of {report.policy_domain} asks for it (rua=).\n"
    )
    data = gzip.compress(report_xml(report, reporter), mtime=report.end)
    message.add_attachment(data, maintype="application", subtype="gzip", filename=file_name(report, reporter))
    return message.as_bytes()


def yesterday(now: datetime) -> date:
    """Return the last day, in UTC, that is over."""
    return now.astimezone(UTC).date() - timedelta(days=1)


def _add_policy(feedback: ET.Element, report: Report) -> None:
    record = report.record
    published = _add(feedback, "policy_published")
    subdomains = record.subdomain_policy or record.policy
    _add(published, "domain", report.policy_domain)
    _add(published, "discovery_method", "treewalk")
    # "Unspecified tags have their default values" (3.1.1.5).
    _add(published, "p", record.policy.value)
    _add(published, "sp", subdomains.value)
    _add(published, "np", (record.absent_policy or subdomains).value)
    _add(published, "fo", fit(record.failure_options))
    _add(published, "adkim", "s" if record.strict_dkim else "r")
    _add(published, "aspf", "s" if record.strict_spf else "r")
    _add(published, "testing", "y" if record.testing else "n")


def _add_record(feedback: ET.Element, row: ReportRow, count: int) -> None:
    record = _add(feedback, "record")
    counted = _add(record, "row")
    _add(counted, "source_ip", row.source_ip)
    _add(counted, "count", str(count))
    evaluated = _add(counted, "policy_evaluated")
    _add(evaluated, "disposition", row.disposition.value)
    _add(evaluated, "dkim", _passed(aligned=row.dkim_aligned))
    _add(evaluated, "spf", _passed(aligned=row.spf_aligned))
    if row.override is not None:
        reason = _add(evaluated, "reason")
        _add(reason, "type", row.override.type.value)
        if row.override.comment:
            _add(reason, "comment", row.override.comment)
    identifiers = _add(record, "identifiers")
    _add(identifiers, "header_from", row.header_from)
    _add(identifiers, "envelope_from", row.envelope_from)
    results = _add(record, "auth_results")
    for fact in row.dkim:
        dkim = _add(results, "dkim")
        _add(dkim, "domain", fact.domain)
        _add(dkim, "selector", fact.selector)
        _add(dkim, "result", fact.result)
    if row.spf is not None:
        spf = _add(results, "spf")
        _add(spf, "domain", row.spf.domain)
        _add(spf, "scope", "mfrom")
        _add(spf, "result", row.spf.result)


def _add(parent: ET.Element, name: str, text: str | None = None) -> ET.Element:
    child = ET.SubElement(parent, _tag(name))
    child.text = text
    return child


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _passed(*, aligned: bool) -> str:
    return "pass" if aligned else "fail"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def in_order(rows: Sequence[tuple[ReportRow, int]]) -> tuple[tuple[ReportRow, int], ...]:
    """Return rows the most frequent first, so that a reader sees first what matters."""
    return tuple(sorted(rows, key=lambda pair: (-pair[1], pair[0].source_ip, pair[0].header_from)))
