"""The signing milter's knowledge: whose From may leave, what a submission server completes, and the signature.

Two kinds of mail come here, and nothing else may be wired to its socket:

- submitted mail (somebody logged in): its one From mailbox and its envelope sender belong to the login, missing Date
  and Message-ID are added (RFC 6409 section 8), Bcc is removed, what tells where it was sent from is removed or added
  as its workspace wants it, and it leaves signed by the domain of its From or not at all;
- mail that was born on this machine (nobody logged in: bounces, vacation replies): signed where its From is in a domain
  of ours, otherwise passed on as it is. Mail that carries a Received field was not born here but is forwarded, and
  whatever its From says was said by somebody else: it is never signed. (Postfix does not show a milter the Received
  field that it adds itself.)

No protocol here (that is adapter.py's), no database (that is behind `Keys` and `Rights`).
"""

import ipaddress
import logging
import re
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Protocol

from milters import events
from milters.tenant import AddHeader, Arrival, Envelope, HeaderEdit, RemoveHeader, Verdict, accept, refuse, try_later
from smailor.authentication.author import Author, parse_author
from smailor.authentication.dkim import MessageSigner, SigningIdentity
from smailor.errors import InvalidInput, TemporaryFailure

MAX_KEPT_OCTETS = 1024 * 1024
"""Of signed header fields, kept until the end of the message. Postfix's own header_size_limit is a tenth of it."""

_REMOVED = ("bcc", "resent-bcc")
_COUNTED = frozenset({"from", "date", "message-id", "received", *_REMOVED})
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,255}\Z")
_LOG = logging.getLogger(__name__)

_parse_author = lru_cache(maxsize=1024)(parse_author)
"""People send with the same From again and again."""


class Keys(Protocol):
    """Where signing keys come from (`milters.keys.KeyStore`)."""

    def identities(self, domain: str) -> tuple[SigningIdentity, ...]:
        """Return what to sign with, nothing where the domain is not ours; raises TemporaryFailure."""

    def missing(self, domain: str) -> TemporaryFailure:
        """Wake an operator, since a domain of ours has no key; return what its mail waits for."""


class Rights(Protocol):
    """Who may send as what (`milters.keys.SenderRights`)."""

    def may_send_as(self, login: str, address: str) -> bool:
        """Tell whether the login may send as the address; raises TemporaryFailure."""


class Privacy(Protocol):
    """Whose mail hides where it was sent from (`milters.keys.SenderPrivacy`)."""

    def hides_client(self, domain: str) -> bool:
        """Tell whether a domain's mail says nothing of its client; raises TemporaryFailure."""


class SigningTenant:
    """Judges and signs what leaves.

    Args:
        keys: signing keys by domain.
        rights: who may send as what.
        privacy: whose mail hides its client.
        hostname: the MTA's, as it stands in its Received fields.
        now: the present moment.
        draw_id: returns a text that is unique for ever, for a Message-ID's left side.
    """

    def __init__(
        self,
        *,
        keys: Keys,
        rights: Rights,
        privacy: Privacy,
        hostname: str,
        now: Callable[[], datetime],
        draw_id: Callable[[], str],
    ) -> None:
        self.keys = keys
        self.rights = rights
        self.privacy = privacy
        self.hostname = hostname
        # What the MTA leaves of its own fields (submission_header_checks) tells of no client.
        self.is_ours = re.compile(rb"\s*by\s+" + re.escape(hostname.encode()) + rb"\s", re.IGNORECASE).match
        self.now = now
        self.draw_id = draw_id

    def begin(self, arrival: Arrival) -> "SigningConversation":
        """Begin a message; who logged in counts, not from where."""
        del arrival
        return SigningConversation(self)

    def close(self) -> None:
        """Nothing runs beside the messages."""


class SigningConversation:
    """One message on its way out."""

    __slots__ = ("_authors", "_count", "_foreign", "_kept", "_signer", "_tenant")

    def __init__(self, tenant: SigningTenant) -> None:
        self._tenant = tenant
        self._signer = MessageSigner()
        self._authors: list[bytes] = []
        self._count: dict[str, int] = {}
        self._foreign: list[int] = []
        self._kept = 0

    def header(self, name: str, value: bytes) -> Verdict | None:
        """Take a header field."""
        key = name.rstrip(" \t").lower()
        if key in _COUNTED:
            self._count[key] = self._count.get(key, 0) + 1
            if key == "from":
                self._authors.append(value)
            elif key == "received" and not self._tenant.is_ours(value):
                self._foreign.append(self._count[key])
        self._kept += self._signer.header(key, value)
        if self._kept > MAX_KEPT_OCTETS:
            return refuse("5.6.0", "The header of this message is too large")
        return None

    def body(self, chunk: bytes) -> None:
        """Take the next octets of the body."""
        self._signer.body(chunk)

    def end(self, envelope: Envelope) -> Verdict:
        """Decide and sign."""
        if envelope.login:
            return self._submitted(envelope, envelope.login.lower())
        return self._born_here(envelope)

    def close(self) -> None:
        """Nothing is held."""

    def _submitted(self, envelope: Envelope, login: str) -> Verdict:
        queue_id = envelope.queue_id
        try:
            author = self._author()
            denied = self._denied(login, author, envelope.sender)
            identities = self._tenant.keys.identities(author.address.domain.name)
            hidden = self._tenant.privacy.hides_client(author.address.domain.name)
        except InvalidInput as error:
            return _refused(queue_id, login, f"From may not be used by {login}: {error.message}")
        except TemporaryFailure as error:
            return _deferred(queue_id, login, str(error))
        if denied:
            return _refused(queue_id, login, f"{denied} by {login}")
        if not identities:
            return _deferred(queue_id, login, str(self._tenant.keys.missing(author.address.domain.name)))
        trace = self._untraced() if hidden else self._traced(envelope)
        return accept(*self._completed(author), *trace, *self._signatures(envelope, identities))

    def _born_here(self, envelope: Envelope) -> Verdict:
        if "received" in self._count:
            events.unsigned(_LOG, envelope.queue_id, reason="forwarded")
            return accept(outcome="unsigned")
        try:
            identities = self._tenant.keys.identities(self._author().address.domain.name)
        except InvalidInput as error:
            events.unsigned(_LOG, envelope.queue_id, reason=error.message)
            return accept(outcome="unsigned")
        except TemporaryFailure as error:
            return _deferred(envelope.queue_id, None, str(error))
        if not identities:
            events.unsigned(_LOG, envelope.queue_id, reason="its From is in no domain of ours")
            return accept(outcome="unsigned")
        return accept(*self._signatures(envelope, identities))

    def _author(self) -> Author:
        """Return the one author; raises InvalidInput."""
        if len(self._authors) != 1:
            raise InvalidInput("From", f"there are {len(self._authors)} From fields, and there has to be one")
        return _parse_author(self._authors[0])

    def _denied(self, login: str, author: Author, sender: str) -> str | None:
        """Return what the login uses without right, or None; raises TemporaryFailure."""
        may_send_as = self._tenant.rights.may_send_as
        for address in (str(author.address), *author.claimed):
            if not may_send_as(login, address):
                return f"<{address}> may not be used as From"
        # Postfix has looked at the envelope already; a gap there must not become one here.
        if sender and not may_send_as(login, sender):
            return f"<{sender}> may not be used as envelope sender"
        return None

    def _completed(self, author: Author) -> list[HeaderEdit]:
        """Return the changes that make a submission complete, telling the signer of what is added."""
        edits: list[HeaderEdit] = [
            RemoveHeader(name, occurrence) for name in _REMOVED for occurrence in range(self._count.get(name, 0), 0, -1)
        ]
        added = []
        if "date" not in self._count:
            added.append(AddHeader("Date", f" {format_datetime(self._tenant.now())}"))
        if "message-id" not in self._count:
            added.append(AddHeader("Message-ID", f" <{self._tenant.draw_id()}@{author.address.domain}>"))
        for field in added:
            self._signer.header(field.name, field.value.encode("ascii"))
        return edits + added

    def _untraced(self) -> list[HeaderEdit]:
        """Return the removal of what the client's own network wrote; the MTA's field tells nothing anyway."""
        return [RemoveHeader("received", occurrence) for occurrence in reversed(self._foreign)]

    def _traced(self, envelope: Envelope) -> list[HeaderEdit]:
        """Return what the MTA's Received field leaves out, as one below it (RFC 5321 section 4.4)."""
        try:
            ip = ipaddress.ip_address(envelope.client_ip)
        except ValueError:
            return []
        literal = f"[IPv6:{ip}]" if ip.version == 6 else f"[{ip}]"
        name = envelope.client_name if _HOST.match(envelope.client_name) else "unknown"
        value = (
            f" from {literal} ({name} {literal})\r\n"
            f"\tby {self._tenant.hostname} with ESMTPSA id {envelope.queue_id};\r\n"
            f"\t{format_datetime(self._tenant.now())}"
        )
        return [AddHeader("Received", value, on_top=True, below=1)]

    def _signatures(self, envelope: Envelope, identities: tuple[SigningIdentity, ...]) -> list[AddHeader]:
        """One signature an algorithm, all over the same message: none of them signs another."""
        now = self._tenant.now()
        fields = []
        for identity in identities:
            value = self._signer.signature(identity, now=now)
            events.signed(
                _LOG, envelope.queue_id, domain=identity.domain, selector=identity.selector, login=envelope.login
            )
            fields.append(AddHeader("DKIM-Signature", value, on_top=True))
        return fields


def _refused(queue_id: str, login: str, reason: str) -> Verdict:
    events.refused(_LOG, queue_id, login=login, reason=reason)
    return refuse("5.7.1", reason)


def _deferred(queue_id: str, login: str | None, reason: str) -> Verdict:
    # The client is not told what is wrong in our house; the log is.
    events.deferred(_LOG, queue_id, login=login, reason=reason)
    return try_later("4.3.0", "This message cannot be signed now, please try again later")
