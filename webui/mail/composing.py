"""A message from what a person typed: fields checked, MIME built. Pure; `now` and the message's key are arguments.

Line breaks cannot enter a header here: addresses are parsed, names and subjects folded to one line, ids matched.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses

from smailor.address import Address
from smailor.errors import InvalidInput
from webui.mail import filename, header
from webui.mail.header import Mailbox

MAX_RECIPIENTS = 100
MAX_SUBJECT = 900
MAX_TEXT = 500_000
MAX_ATTACHMENTS = 50
MAX_ATTACHMENT_BYTES = 25 * 1024 * 1024
"""All attachments together; a third more once encoded."""
MAX_REFERENCES = 30

# 7bit: what is not ASCII goes as quoted-printable or base64, so that no relay has to recode it and break a signature.
_POLICY = policy.SMTP.clone(cte_type="7bit")
_WORD = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}\Z")
_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to attach."""

    name: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """What stands in the composer, as typed.

    Attributes:
        sender: the address in From.
        to: comma or semicolon between addresses, each with or without a name; so are `cc` and `bcc`.
        in_reply_to: id of the answered message, "" for none.
        references: ids of the conversation, oldest first.
        key: drawn when the composer opened; two sendings of one composer carry the same message id.
    """

    sender: str
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    text: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    key: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message ready for submission.

    Attributes:
        sender: envelope sender.
        recipients: envelope recipients, each once.
        message: the bytes, CRLF line ends, without Bcc.
        message_id: with angle brackets.
    """

    sender: str
    recipients: tuple[str, ...]
    message: bytes
    message_id: str


def new_key() -> str:
    """Return a key for a new composer."""
    return secrets.token_urlsafe(18)


def compose(draft: Draft, *, sender_name: str, uploads: Sequence[Upload] = (), now: datetime) -> Outgoing:
    """Build the message.

    Args:
        draft: what was typed.
        sender_name: display name in From; may be "".
        uploads: files to attach.
        now: the present moment, with a zone.

    Raises:
        InvalidInput: a field cannot be used; `field` is the Draft's name of it, or `attachments`.
    """
    to, cc, bcc = (recipients(kind, getattr(draft, kind)) for kind in ("to", "cc", "bcc"))
    everybody = tuple(dict.fromkeys(mailbox.address for mailbox in (*to, *cc, *bcc)))
    if not everybody:
        raise InvalidInput("to", "Who is it for? Give at least one address.")
    if len(everybody) > MAX_RECIPIENTS:
        raise InvalidInput("to", f"A message has at most {MAX_RECIPIENTS} recipients.")
    _check_sizes(draft, uploads)
    sender = Address.parse(draft.sender)
    message = EmailMessage(policy=_POLICY)
    message["From"] = _header_address(Mailbox(sender_name, str(sender)))
    if to:
        message["To"] = [_header_address(mailbox) for mailbox in to]
    if cc:
        message["Cc"] = [_header_address(mailbox) for mailbox in cc]
    if not to and not cc:
        message["To"] = "undisclosed-recipients:;"
    message["Subject"] = header.one_line(_well_formed(draft.subject))
    message["Date"] = format_datetime(now)
    key = draft.key if _KEY.match(draft.key) else new_key()
    message_id = f"<{key}@{sender.domain}>"
    message.set_content(_lines(draft.text), charset="utf-8", cte="quoted-printable")
    for upload in uploads:
        _attach(message, upload)
    return Outgoing(str(sender), everybody, _identity(draft, message_id) + message.as_bytes(), message_id)


def recipients(field: str, text: str) -> tuple[Mailbox, ...]:
    """Return the addresses in a recipient field, in normal form, each once.

    Args:
        field: its name, for the error.
        text: as typed.

    Raises:
        InvalidInput: something in it is no address.
    """
    folded = " ".join(_well_formed(text).split()).strip(" ,;")
    if not folded:
        return ()
    found: dict[str, Mailbox] = {}
    for piece in _split(folded):
        mailbox = _mailbox(piece)
        if mailbox is None:
            raise InvalidInput(field, f"“{piece[:80]}” is not an e-mail address.")
        found.setdefault(mailbox.address, mailbox)
    return tuple(found.values())


def _split(text: str) -> list[str]:
    """Cut at commas and semicolons that stand outside quotes, comments and angle brackets."""
    pieces, current, quoted, angle, escaped = [], "", False, False, False
    for sign in text:
        if sign in ",;" and not quoted and not angle:
            pieces.append(current)
            current = ""
            continue
        if sign == '"' and not escaped:
            quoted = not quoted
        elif not quoted and sign in "<>":
            angle = sign == "<"
        escaped = sign == "\\" and not escaped
        current += sign
    return [piece.strip() for piece in (*pieces, current) if piece.strip()]


def _mailbox(piece: str) -> Mailbox | None:
    name, bracket, rest = piece.rpartition("<")
    bare = (rest.removesuffix(">") if bracket else piece).strip()
    try:
        domain = Address.parse(bare).domain
    except InvalidInput:
        return None
    # A stranger's local part keeps its case: what it means is for the receiving host to say (RFC 5321 section 2.4).
    address = f"{bare.rpartition('@')[0]}@{domain}"
    pairs = getaddresses([f"{name}<x@example.com>"]) if name.strip() else []
    # Where a name is not a well-formed phrase (`A. B. Smith`, an unbalanced quote) it is taken as it stands.
    display = (
        pairs[0][0] if len(pairs) == 1 and pairs[0][0] and name.strip().startswith('"') else name.strip().strip('"')
    )
    return Mailbox(header.one_line(display), address)


def _header_address(mailbox: Mailbox) -> HeaderAddress:
    local_part, _, domain = mailbox.address.rpartition("@")
    return HeaderAddress(display_name=header.one_line(mailbox.name), username=local_part, domain=domain)


def _check_sizes(draft: Draft, uploads: Sequence[Upload]) -> None:
    if len(draft.subject) > MAX_SUBJECT:
        raise InvalidInput("subject", f"A subject has at most {MAX_SUBJECT} characters.")
    if len(draft.text) > MAX_TEXT:
        raise InvalidInput("text", f"A message has at most {MAX_TEXT:,} characters; send the rest as an attachment.")
    if len(uploads) > MAX_ATTACHMENTS:
        raise InvalidInput("attachments", f"A message has at most {MAX_ATTACHMENTS} attachments.")
    if sum(len(upload.data) for upload in uploads) > MAX_ATTACHMENT_BYTES:
        raise InvalidInput("attachments", f"Attachments have at most {MAX_ATTACHMENT_BYTES // 1024**2} MB together.")


def _lines(text: str) -> str:
    """Line ends as one kind, without NUL, which no mail may hold."""
    return _well_formed(text).replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").rstrip() + "\n"


def _well_formed(text: str) -> str:
    """Lone surrogates, which a form can carry, cannot be encoded."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _attach(message: EmailMessage, upload: Upload) -> None:
    main, _, sub = upload.content_type.partition(";")[0].strip().lower().partition("/")
    # An attached message or multipart would have to be parsed to be written again: it goes as plain bytes instead.
    known = _WORD.match(main) and _WORD.match(sub) and main not in {"message", "multipart"}
    if not known:
        main, sub = "application", "octet-stream"
    name = filename.safe(_well_formed(upload.name), fallback="attachment")
    message.add_attachment(upload.data, maintype=main, subtype=sub, filename=name)


def _identity(draft: Draft, message_id: str) -> bytes:
    """Message-ID, In-Reply-To and References, written here: the e-mail package would encode long ids as words."""
    fields = [f"Message-ID: {message_id}"]
    answered = header.message_ids(draft.in_reply_to)[:1]
    if answered:
        fields.append(f"In-Reply-To: {answered[0]}")
        chain = tuple(dict.fromkeys((*header.message_ids(" ".join(draft.references)), answered[0])))
        if len(chain) > MAX_REFERENCES:
            chain = (chain[0], *chain[1 - MAX_REFERENCES :])
        fields.append("References: " + "\r\n ".join(chain))
    return "".join(f"{line}\r\n" for line in fields).encode("ascii")


def draft_message(draft: Draft, *, sender_name: str, now: datetime) -> bytes:
    """Return a draft as a message for the Drafts folder: recipients as far as they can be read, Bcc included.

    Args:
        draft: what was typed.
        sender_name: display name in From.
        now: the present moment.
    """
    message = EmailMessage(policy=_POLICY)
    message["From"] = _header_address(Mailbox(sender_name, draft.sender))
    for kind in ("to", "cc", "bcc"):
        readable = [found for piece in _split(_well_formed(getattr(draft, kind))) if (found := _mailbox(piece))]
        if readable:
            message[kind.capitalize()] = [_header_address(mailbox) for mailbox in readable]
    message["Subject"] = header.one_line(_well_formed(draft.subject[:MAX_SUBJECT]))
    message["Date"] = format_datetime(now)
    message.set_content(_lines(draft.text[:MAX_TEXT]), charset="utf-8", cte="quoted-printable")
    return _identity(draft, f"<{new_key()}@{draft.sender.rpartition('@')[2]}>") + message.as_bytes()


def write(mailbox: Mailbox) -> str:
    """Return a mailbox as a person would type it, so that `recipients` reads the same back."""
    if not mailbox.name or mailbox.name == mailbox.address:
        return mailbox.address
    name = mailbox.name.replace("\\", "").replace('"', "")
    return f'"{name}" <{mailbox.address}>' if re.search(r"[,;<>()@:\[\]]", name) else f"{name} <{mailbox.address}>"
