"""What a reader does in an inbox, as IMAP commands (RFC 9051, 6851, 8970) on a connection lent by the pool."""

import imaplib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from imapclient import IMAPClient

from smailor.errors import Conflict, NotFound
from webui.mail import folders as folder_rules
from webui.mail import header
from webui.mail.connection import close, mail_errors
from webui.mail.folders import LABELS, Folder, Role
from webui.mail.header import Mailbox

PAGE = 50
MAX_COUNTED_FOLDERS = 60
_ROW = ["FLAGS", "ENVELOPE", "INTERNALDATE", "PREVIEW", "UID"]
_SEEN, _FLAGGED, _ANSWERED, _DRAFT = b"\\Seen", b"\\Flagged", b"\\Answered", b"\\Draft"


@dataclass(frozen=True, slots=True)
class Row:
    """A message in a list.

    Attributes:
        people: whom to show: the sender, or the recipients in folders of what was sent.
    """

    uid: int
    unread: bool
    flagged: bool
    answered: bool
    attachment: bool
    people: tuple[Mailbox, ...]
    subject: str
    preview: str
    date: datetime | None

    @property
    def sender(self) -> str:
        """The people in one line."""
        return ", ".join(mailbox.label for mailbox in self.people[:3]) or "(nobody)"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a folder, newest message first.

    Attributes:
        number: counted from 1.
        total: messages in the folder, or found.
        validity: the folder's UIDVALIDITY: uids mean something only beside it.
    """

    rows: tuple[Row, ...]
    number: int
    total: int
    validity: int

    @property
    def first(self) -> int:
        """Position of the first row, from 1; 0 on an empty page."""
        return (self.number - 1) * PAGE + 1 if self.rows else 0

    @property
    def last(self) -> int:
        """Position of the last row."""
        return (self.number - 1) * PAGE + len(self.rows)

    @property
    def has_older(self) -> bool:
        """There is a further page."""
        return self.last < self.total


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as it lies in a folder."""

    raw: bytes
    unread: bool
    flagged: bool
    validity: int


class Inbox:
    """One inbox over one connection. Every method raises TemporaryFailure when the server is away."""

    def __init__(self, client: IMAPClient) -> None:
        self.client = client

    def alive(self) -> bool:
        """Ask the server for a sign of life."""
        try:
            self.client.noop()
        except (OSError, imaplib.IMAP4.error):
            return False
        return True

    def close(self) -> None:
        """Close the connection."""
        close(self.client)

    def folders(self) -> tuple[Folder, ...]:
        """Return all folders with their counts."""
        with mail_errors():
            listed = [([_text(flag) for flag in flags], name) for flags, _, name in self.client.list_folders()]
            arranged = folder_rules.arrange(listed)
            return tuple(self._counted(folder) for folder in arranged[:MAX_COUNTED_FOLDERS])

    def _counted(self, folder: Folder) -> Folder:
        status = self.client.folder_status(folder.name, ["MESSAGES", "UNSEEN"])
        return Folder(folder.name, folder.role, folder.label, status.get(b"UNSEEN", 0), status.get(b"MESSAGES", 0))

    def state(self, folder: str) -> str:
        """Return a word that changes whenever the folder's list would look different."""
        with mail_errors():
            status = self.client.folder_status(
                folder, ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "HIGHESTMODSEQ"]
            )
        return "-".join(str(status[key]) for key in sorted(status))

    def validity(self, folder: str) -> int:
        """Return the folder's UIDVALIDITY."""
        with mail_errors():
            return int(self.client.folder_status(folder, ["UIDVALIDITY"]).get(b"UIDVALIDITY", 0))

    def page(self, folder: str, *, number: int = 1, search: str = "", sent: bool = False) -> Page:
        """Return one page of a folder.

        Args:
            folder: its name.
            number: from 1; beyond the end gives the last page.
            search: words to find in sender, recipients or subject; "" for all messages.
            sent: show recipients in place of the sender.

        Raises:
            NotFound: no such folder.
        """
        with mail_errors():
            selected = self.client.select_folder(folder, readonly=True)
            total, validity = selected[b"EXISTS"], selected.get(b"UIDVALIDITY", 0)
            uids: list[int] = []
            if search:
                uids = sorted(self.client.search(_criteria(search), charset="UTF-8"), reverse=True)
                total = len(uids)
            number = max(1, min(number, -(-total // PAGE)))
            skip = (number - 1) * PAGE
            if not total:
                return Page((), 1, 0, validity)
            if search:
                fetched = self.client.fetch(uids[skip : skip + PAGE], _ROW)
            else:
                newest = total - skip
                fetched = self._by_position(range(max(1, newest - PAGE + 1), newest + 1))
            entries = [(uid, entry) for uid, entry in fetched.items() if b"ENVELOPE" in entry]
            rows = tuple(
                _row(uid, entry, sent) for uid, entry in sorted(entries, reverse=True, key=lambda pair: pair[0])
            )
            return Page(rows, number, total, validity)

    def _by_position(self, span: range) -> dict[int, dict[bytes, Any]]:
        """FETCH by message sequence number, which pages need; result by UID, in the same order."""
        self.client.use_uid = False
        try:
            fetched = self.client.fetch(list(span), _ROW)
        finally:
            self.client.use_uid = True
        return {entry[b"UID"]: entry for entry in fetched.values() if b"UID" in entry}

    def read(self, folder: str, uid: int, *, mark: bool = False) -> Stored:
        """Return a message.

        Args:
            folder: its folder.
            uid: its UID there.
            mark: set its Seen flag.

        Raises:
            NotFound: no such folder or message.
        """
        with mail_errors():
            selected = self.client.select_folder(folder, readonly=not mark)
            entry = self.client.fetch([uid], ["FLAGS", "BODY.PEEK[]"]).get(uid)
            if entry is None or b"BODY[]" not in entry:
                raise NotFound("there is no such message in this folder (any more)")
            flags = entry[b"FLAGS"]
            unread = _SEEN not in flags
            if mark and unread:
                self.client.add_flags([uid], [_SEEN], silent=True)
            return Stored(entry[b"BODY[]"] or b"", unread, _FLAGGED in flags, selected.get(b"UIDVALIDITY", 0))

    def flag(self, folder: str, uids: Sequence[int], *, validity: int, flag: bytes, on: bool) -> None:
        """Set or clear a flag.

        Raises:
            Conflict: the folder was renumbered since the page was made.
        """
        with mail_errors():
            self._select_same(folder, validity)
            if on:
                self.client.add_flags(uids, [flag], silent=True)
            else:
                self.client.remove_flags(uids, [flag], silent=True)

    def move(self, folder: str, uids: Sequence[int], *, validity: int, to: Role) -> Folder:
        """Move messages to the folder with a role, which is created where it is missing; return that folder.

        Raises:
            Conflict: the folder was renumbered since the page was made.
        """
        target = self.folder_for(to)
        with mail_errors():
            self._select_same(folder, validity)
            self.client.move(uids, target.name)
        return target

    def delete(self, folder: str, uids: Sequence[int], *, validity: int) -> None:
        """Delete messages for good: these and no others (UID EXPUNGE, RFC 4315).

        Raises:
            Conflict: the folder was renumbered since the page was made.
        """
        with mail_errors():
            self._select_same(folder, validity)
            self.client.add_flags(uids, [b"\\Deleted"], silent=True)
            self.client.uid_expunge(uids)

    def append(self, role: Role, message: bytes, *, now: datetime, flags: Iterable[bytes]) -> None:
        """Put a message into the folder with a role."""
        folder = self.folder_for(role)
        with mail_errors():
            self.client.append(folder.name, message, list(flags), now)

    def has_message(self, role: Role, message_id: str) -> bool:
        """Tell whether the folder with this role holds a message with this id."""
        folder = self.folder_for(role)
        with mail_errors():
            self.client.select_folder(folder.name, readonly=True)
            return bool(self.client.search(["HEADER", "Message-ID", message_id]))

    def folder_for(self, role: Role) -> Folder:
        """Return the folder with a role, creating it where the inbox has none."""
        with mail_errors():
            listed = [([_text(flag) for flag in flags], name) for flags, _, name in self.client.list_folders()]
            found = folder_rules.by_role(folder_rules.arrange(listed), role)
            if found is None:
                found = Folder(LABELS[role], role, LABELS[role])
                self.client.create_folder(found.name)
                self.client.subscribe_folder(found.name)
            return found

    def _select_same(self, folder: str, validity: int) -> None:
        if self.client.select_folder(folder).get(b"UIDVALIDITY", 0) != validity:
            raise Conflict("this folder has changed since the page was loaded; look again")


def _criteria(search: str) -> list[str]:
    """Every word somewhere in sender, recipients or subject: header fields only, which Dovecot keeps at hand."""
    words = search.split()[:8]
    fields = ("OR", "FROM", None, "OR", "SUBJECT", None, "OR", "TO", None, "CC", None)
    return [field or word for word in words for field in fields]


def _row(uid: int, entry: dict[bytes, Any], sent: bool) -> Row:
    flags = entry[b"FLAGS"]
    envelope = entry[b"ENVELOPE"]
    people = (envelope.to or envelope.cc or envelope.bcc) if sent else (envelope.from_ or envelope.sender)
    when = envelope.date or entry.get(b"INTERNALDATE")
    arrived = entry.get(b"INTERNALDATE") or when
    return Row(
        uid=uid,
        unread=_SEEN not in flags,
        flagged=_FLAGGED in flags,
        answered=_ANSWERED in flags,
        attachment=b"$HasAttachment" in flags,
        people=tuple(_mailbox(address) for address in (people or ())[:10]),
        subject=header.decode_text(_text(envelope.subject or b"")),
        preview=header.one_line(_text(entry.get(b"PREVIEW") or b""))[:300],
        date=_utc(when if sent else arrived),
    )


def _mailbox(address: Any) -> Mailbox:
    bare = b"@".join(part for part in (address.mailbox, address.host) if part)
    return Mailbox(header.decode_text(_text(address.name or b"")), header.one_line(_text(bare)))


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def _text(value: bytes | str | int) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
