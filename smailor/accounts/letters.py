"""The letters that the service writes to people about their account, in English and German. Plain text. Pure.

Nothing that a stranger typed stands in a letter to an address that has not been verified: a sign-up form must not be a
way to send somebody else's words. `letter` puts a text of any part of the service under the same head.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256

LANGUAGES = ("en", "de")


@dataclass(frozen=True, slots=True)
class Letterhead:
    """Who writes.

    Attributes:
        service: what the service is called.
        sender: the address that letters come from, an inbox of the service.
        contact: whom people write to.
        public_url: how people reach the service, without a final slash.
    """

    service: str
    sender: str
    contact: str
    public_url: str


def letter(head: Letterhead, *, recipient: str, subject: str, text: str, language: str, now: datetime) -> bytes:
    """Return a letter as a message with CRLF line ends.

    Args:
        head: who writes.
        recipient: to whom, in normal form.
        subject: one line.
        text: the text, with the salutation and without the end, which is the same in all letters.
        language: `en` or `de`; anything else is English.
        now: the message's date.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = HeaderAddress(head.service, addr_spec=head.sender)
    message["To"] = HeaderAddress(addr_spec=recipient)
    message["Subject"] = " ".join(subject.split())
    message["Date"] = format_datetime(now)
    mark = sha256(f"{recipient} {now.isoformat()} {text}".encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{mark}@{head.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{text.strip()}\n\n{_end(head, language)}\n", charset="utf-8", cte="quoted-printable")
    message["Content-Language"] = language if language in LANGUAGES else LANGUAGES[0]
    return message.as_bytes()


def _end(head: Letterhead, language: str) -> str:
    if language == "de":
        return f"-- \n{head.service} · {head.public_url}\nFragen? Schreiben Sie an {head.contact}."
    return f"-- \n{head.service} · {head.public_url}\nQuestions? Write to {head.contact}."


def verify(head: Letterhead, *, recipient: str, token: str, language: str, now: datetime) -> bytes:
    """Return the letter with the link that opens a new account."""
    values = {"service": head.service, "link": f"{head.public_url}/signup/{token}"}
    return _filled(head, recipient, _VERIFY, values, language, now)


def already_registered(head: Letterhead, *, recipient: str, language: str, now: datetime) -> bytes:
    """Return the letter to somebody with whose address an account was asked for, and who has one."""
    values = {"service": head.service, "login": f"{head.public_url}/login", "forgot": f"{head.public_url}/forgot"}
    return _filled(head, recipient, _ALREADY, values, language, now)


def reset(head: Letterhead, *, recipient: str, token: str, language: str, now: datetime) -> bytes:
    """Return the letter with the link that sets a password anew."""
    values = {"service": head.service, "link": f"{head.public_url}/reset/{token}"}
    return _filled(head, recipient, _RESET, values, language, now)


def password_changed(head: Letterhead, *, recipient: str, source: str, language: str, now: datetime) -> bytes:
    """Return the letter that tells of a new password."""
    values = {
        "service": head.service,
        "source": source or "?",
        "when": f"{now:%Y-%m-%d %H:%M} UTC",
        "forgot": f"{head.public_url}/forgot",
        "contact": head.contact,
    }
    return _filled(head, recipient, _CHANGED, values, language, now)


def confirm_address(head: Letterhead, *, recipient: str, token: str, language: str, now: datetime) -> bytes:
    """Return the letter with the link that confirms a new address, to that address."""
    values = {"service": head.service, "link": f"{head.public_url}/account/address/{token}"}
    return _filled(head, recipient, _CONFIRM_ADDRESS, values, language, now)


def address_changed(head: Letterhead, *, recipient: str, new: str, language: str, now: datetime) -> bytes:
    """Return the letter that tells the old address of the new one."""
    values = {"service": head.service, "new": new, "contact": head.contact}
    return _filled(head, recipient, _ADDRESS_CHANGED, values, language, now)


def _filled(
    head: Letterhead,
    recipient: str,
    texts: Mapping[str, tuple[str, str]],
    values: Mapping[str, str],
    language: str,
    now: datetime,
) -> bytes:
    subject, text = texts.get(language, texts[LANGUAGES[0]])
    return letter(
        head,
        recipient=recipient,
        subject=subject.format(**values),
        text=text.format(**values),
        language=language,
        now=now,
    )


_VERIFY = {
    "en": (
        "Open your account at {service}",
        """Hello,

somebody, you most likely, has asked for an account at {service} with this
address. To open it, follow this link within 24 hours:

{link}

It was not you? Then do nothing: without the link there is no account.""",
    ),
    "de": (
        "Ihr Konto bei {service} öffnen",
        """Guten Tag,

jemand, wahrscheinlich Sie, hat mit dieser Adresse ein Konto bei {service}
angefordert. Öffnen Sie es innerhalb von 24 Stunden mit diesem Link:

{link}

Das waren nicht Sie? Dann tun Sie nichts: Ohne den Link entsteht kein Konto.""",
    ),
}
_ALREADY = {
    "en": (
        "You already have an account at {service}",
        """Hello,

somebody, you most likely, has asked for an account at {service} with this
address. You have one already; nothing has changed. Log in here:

{login}

You do not remember the password? Choose a new one:

{forgot}""",
    ),
    "de": (
        "Sie haben schon ein Konto bei {service}",
        """Guten Tag,

jemand, wahrscheinlich Sie, hat mit dieser Adresse ein Konto bei {service}
angefordert. Sie haben schon eines; nichts hat sich geändert. Melden Sie sich
hier an:

{login}

Sie wissen das Passwort nicht mehr? Wählen Sie ein neues:

{forgot}""",
    ),
}
_RESET = {
    "en": (
        "A new password for {service}",
        """Hello,

somebody, you most likely, has forgotten the password for {service}. Choose a
new one within an hour:

{link}

It was not you? Then do nothing: your password stays as it is.""",
    ),
    "de": (
        "Ein neues Passwort für {service}",
        """Guten Tag,

jemand, wahrscheinlich Sie, hat das Passwort für {service} vergessen. Wählen
Sie innerhalb einer Stunde ein neues:

{link}

Das waren nicht Sie? Dann tun Sie nichts: Ihr Passwort bleibt, wie es ist.""",
    ),
}
_CHANGED = {
    "en": (
        "Your password for {service} was changed",
        """Hello,

your password for {service} was changed on {when}, from the network address
{source}. You were logged out everywhere else.

It was not you? Choose a new one at once, and write to {contact}:

{forgot}""",
    ),
    "de": (
        "Ihr Passwort für {service} wurde geändert",
        """Guten Tag,

Ihr Passwort für {service} wurde geändert: {when}, von der Netzadresse
{source}. Überall sonst sind Sie nun abgemeldet.

Das waren nicht Sie? Wählen Sie sofort ein neues und schreiben Sie an
{contact}:

{forgot}""",
    ),
}
_CONFIRM_ADDRESS = {
    "en": (
        "Confirm this address for {service}",
        """Hello,

you want to log in to {service} with this address from now on. Confirm it
within 24 hours, in the browser in which you are logged in:

{link}

It was not you? Then do nothing: nothing changes.""",
    ),
    "de": (
        "Diese Adresse für {service} bestätigen",
        """Guten Tag,

Sie möchten sich bei {service} künftig mit dieser Adresse anmelden. Bestätigen
Sie sie innerhalb von 24 Stunden, in dem Browser, in dem Sie angemeldet sind:

{link}

Das waren nicht Sie? Dann tun Sie nichts: Es ändert sich nichts.""",
    ),
}
_ADDRESS_CHANGED = {
    "en": (
        "Your address for {service} was changed",
        """Hello,

from now on you log in to {service} as {new}; letters go there, too.

It was not you? Write to {contact} at once.""",
    ),
    "de": (
        "Ihre Adresse für {service} wurde geändert",
        """Guten Tag,

bei {service} melden Sie sich von nun an als {new} an; auch Briefe gehen
dorthin.

Das waren nicht Sie? Schreiben Sie sofort an {contact}.""",
    ),
}
