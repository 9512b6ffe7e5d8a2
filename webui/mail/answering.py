"""Drafts that begin from a message: answers, forwards, and drafts that were saved. Pure."""

import re
from collections.abc import Sequence
from email.utils import format_datetime

from webui.mail.composing import MAX_TEXT, Draft, new_key, write
from webui.mail.message import MessageView

MAX_QUOTE = 20_000
"""Characters of the answered message that are quoted."""

# What mail programs of our neighbours put before a subject, so that it is not put there twice.
_ANSWER = re.compile(r"\s*(?:re|aw|antw|sv|vs|ref|réf)(?:\[\d+\])?\s*:", re.IGNORECASE)
_FORWARD = re.compile(r"\s*(?:fwd?|wg|tr|rv|enc)(?:\[\d+\])?\s*:", re.IGNORECASE)


def reply(view: MessageView, *, own: Sequence[str], everybody: bool, quote: str) -> Draft:
    """Return the draft of an answer.

    Args:
        view: the message to answer.
        own: the addresses of the one who answers, the inbox's own first; left out of the recipients.
        everybody: answer all recipients, not the sender alone.
        quote: the quoted text, from `quoted`.
    """
    mine = {address.lower() for address in own}
    author = view.reply_to or ((view.sender,) if view.sender else ())
    # Answering what one has sent goes on to the same people.
    if author and all(mailbox.address.lower() in mine for mailbox in author):
        author = view.to
    others = tuple(
        mailbox
        for mailbox in ((*view.to, *view.cc) if everybody else ())
        if mailbox.address.lower() not in mine | {mailbox.address.lower() for mailbox in author}
    )
    addressed = [mailbox.address.lower() for mailbox in (*view.to, *view.cc)]
    return Draft(
        sender=next((address for address in addressed if address in mine), own[0]),
        to=", ".join(write(mailbox) for mailbox in author),
        cc=", ".join(write(mailbox) for mailbox in dict.fromkeys(others)),
        subject=view.subject if _ANSWER.match(view.subject) else f"Re: {view.subject}".strip(),
        text=quote,
        in_reply_to=view.message_id,
        references=view.references,
        key=new_key(),
    )


def forward(view: MessageView, *, own: Sequence[str], text: str) -> Draft:
    """Return the draft that passes a message on, its text below a head of who wrote it when.

    Args:
        view: the message.
        own: the addresses of the one who forwards, the inbox's own first.
        text: the message's text.
    """
    head = [
        "---------- Forwarded message ----------",
        f"From: {write(view.sender) if view.sender else ''}",
        f"Date: {format_datetime(view.date) if view.date else ''}",
        f"Subject: {view.subject}",
        f"To: {', '.join(write(mailbox) for mailbox in view.to)}",
    ]
    return Draft(
        sender=own[0],
        subject=view.subject if _FORWARD.match(view.subject) else f"Fwd: {view.subject}".strip(),
        text="\n\n" + "\n".join(head) + "\n\n" + text[: MAX_TEXT // 2],
        key=new_key(),
    )


def reopen(view: MessageView, *, own: Sequence[str], text: str) -> Draft:
    """Return a saved draft as it stood in the composer; attachments are not kept in drafts."""
    return Draft(
        sender=view.sender.address if view.sender and view.sender.address in own else own[0],
        to=", ".join(write(mailbox) for mailbox in view.to),
        cc=", ".join(write(mailbox) for mailbox in view.cc),
        bcc=", ".join(write(mailbox) for mailbox in view.bcc),
        subject=view.subject,
        text=text.rstrip("\n"),
        in_reply_to=view.in_reply_to,
        references=view.references,
        key=new_key(),
    )


def quoted(view: MessageView, text: str) -> str:
    """Return the text of an answered message with `>` before each line and a line above that says whose it is."""
    author = view.sender.label if view.sender else "Somebody"
    when = f"On {view.date:%-d %B %Y at %H:%M}, {author} wrote:" if view.date else f"{author} wrote:"
    body, _, _ = text[:MAX_QUOTE].replace("\r\n", "\n").rstrip().partition("\n-- \n")
    lines = "\n".join(f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in body.split("\n"))
    return f"\n\n{when}\n{lines}\n"
