"""Folders by what they are for: RFC 6154 special use first, then the names that other programs gave them. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a folder is for. The value is also the name of its icon."""

    INBOX = "inbox"
    DRAFTS = "drafts"
    SENT = "sent"
    ARCHIVE = "archive"
    JUNK = "junk"
    TRASH = "trash"
    OTHER = "folder"


LABELS = {
    Role.INBOX: "Inbox",
    Role.DRAFTS: "Drafts",
    Role.SENT: "Sent",
    Role.ARCHIVE: "Archive",
    Role.JUNK: "Junk",
    Role.TRASH: "Trash",
}
"""What the folders are called on the page; the same names are used where one has to be created."""

_SPECIAL_USE = {
    "\\drafts": Role.DRAFTS,
    "\\sent": Role.SENT,
    "\\archive": Role.ARCHIVE,
    "\\all": Role.OTHER,
    "\\junk": Role.JUNK,
    "\\trash": Role.TRASH,
}
_NAMES = {
    "drafts": Role.DRAFTS,
    "sent": Role.SENT,
    "sent items": Role.SENT,
    "sent messages": Role.SENT,
    "archive": Role.ARCHIVE,
    "archives": Role.ARCHIVE,
    "junk": Role.JUNK,
    "spam": Role.JUNK,
    "junk e-mail": Role.JUNK,
    "trash": Role.TRASH,
    "deleted items": Role.TRASH,
    "deleted messages": Role.TRASH,
}


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of an inbox.

    Attributes:
        name: as IMAP knows it.
        role: what it is for.
        label: what it is called on the page.
        unread: how many messages are unread.
        total: how many messages it holds.
    """

    name: str
    role: Role
    label: str
    unread: int = 0
    total: int = 0

    @property
    def badge(self) -> int:
        """The number beside it: drafts count as they are, Sent, Junk and Trash never ask for attention."""
        if self.role is Role.DRAFTS:
            return self.total
        return 0 if self.role in {Role.SENT, Role.JUNK, Role.TRASH} else self.unread


def arrange(listed: Iterable[tuple[Sequence[str], str]]) -> tuple[Folder, ...]:
    """Return the folders in the order of a page: the six everybody knows, then the others by name.

    Args:
        listed: (flags, name) of each mailbox from LIST.
    """
    selectable = [
        ({flag.lower() for flag in flags}, name)
        for flags, name in listed
        if not {"\\noselect", "\\nonexistent"} & {flag.lower() for flag in flags}
    ]
    taken: dict[Role, str] = {}
    for flags, name in selectable:
        if name.upper() == "INBOX":
            taken.setdefault(Role.INBOX, name)
        for flag in flags:
            role = _SPECIAL_USE.get(flag, Role.OTHER)
            if role is not Role.OTHER:
                taken.setdefault(role, name)
    for _, name in selectable:
        role = _NAMES.get(name.lower(), Role.OTHER)
        if role is not Role.OTHER and name not in taken.values():
            taken.setdefault(role, name)
    known = {name: role for role, name in taken.items()}
    order = list(Role)
    folders = [
        Folder(name, known.get(name, Role.OTHER), LABELS.get(known.get(name, Role.OTHER), name))
        for _, name in selectable
    ]
    return tuple(sorted(folders, key=lambda folder: (order.index(folder.role), folder.label.casefold())))


def by_role(folders: Iterable[Folder], role: Role) -> Folder | None:
    """Return the folder with this role, None where there is none."""
    return next((folder for folder in folders if folder.role is role), None)


def to_url(name: str) -> str:
    """Return a folder's name as one segment of a URL path."""
    return name.replace("~", "~0").replace("/", "~1")


def from_url(segment: str) -> str:
    """Return the folder's name from its segment."""
    return segment.replace("~1", "/").replace("~0", "~")
