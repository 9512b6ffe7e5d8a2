"""Letters about the ways into an account: one was added, one was taken away, one looks copied. Pure.

They name what has changed and when, never a code or a link that opens anything.
"""

from datetime import datetime
from enum import StrEnum

from smailor.accounts import letters
from smailor.accounts.letters import Letterhead


class Change(StrEnum):
    """What has happened, in the audit trail's words."""

    TOTP_ADDED = "totp.add"
    TOTP_REMOVED = "totp.remove"
    CODES_DRAWN = "recovery-codes.draw"
    CODE_USED = "recovery-codes.use"
    PASSKEY_ADDED = "passkey.add"
    PASSKEY_REMOVED = "passkey.remove"
    PASSKEY_COPIED = "passkey.copied"
    IDENTITY_LINKED = "identity.link"
    IDENTITY_UNLINKED = "identity.unlink"
    CODES_GUESSED = "totp.guessed"


_SAID = {
    "en": {
        Change.TOTP_ADDED: "An authenticator app was added to your account",
        Change.TOTP_REMOVED: "The authenticator app was removed from your account",
        Change.CODES_DRAWN: "New recovery codes were made for your account",
        Change.CODE_USED: "A recovery code was used to log in to your account",
        Change.PASSKEY_ADDED: "A passkey was added to your account",
        Change.PASSKEY_REMOVED: "A passkey was removed from your account",
        Change.PASSKEY_COPIED: "A passkey of your account may have been copied",
        Change.IDENTITY_LINKED: "A log-in by another service was linked to your account",
        Change.IDENTITY_UNLINKED: "A log-in by another service was unlinked from your account",
        Change.CODES_GUESSED: "Somebody with your password is guessing codes",
    },
    "de": {
        Change.TOTP_ADDED: "Ihrem Konto wurde eine Authenticator-App hinzugefügt",
        Change.TOTP_REMOVED: "Die Authenticator-App wurde von Ihrem Konto entfernt",
        Change.CODES_DRAWN: "Für Ihr Konto wurden neue Wiederherstellungscodes erstellt",
        Change.CODE_USED: "Mit einem Wiederherstellungscode wurde sich an Ihrem Konto angemeldet",
        Change.PASSKEY_ADDED: "Ihrem Konto wurde ein Passkey hinzugefügt",
        Change.PASSKEY_REMOVED: "Ein Passkey wurde von Ihrem Konto entfernt",
        Change.PASSKEY_COPIED: "Ein Passkey Ihres Kontos wurde möglicherweise kopiert",
        Change.IDENTITY_LINKED: "Die Anmeldung über einen anderen Dienst wurde mit Ihrem Konto verknüpft",
        Change.IDENTITY_UNLINKED: "Die Anmeldung über einen anderen Dienst wurde von Ihrem Konto gelöst",
        Change.CODES_GUESSED: "Jemand, der Ihr Passwort kennt, probiert Codes aus",
    },
}
_BODY = {
    "en": "{said}{what}, on {when} UTC.\n\nIf that was you, there is nothing to do. If not, log in at {url}, change "
    "your password and look at Account, Security.",
    "de": "{said}{what}, am {when} UTC.\n\nWenn Sie das waren, ist nichts zu tun. Wenn nicht, melden Sie sich unter "
    "{url} an, ändern Sie Ihr Passwort und sehen Sie unter Konto, Sicherheit nach.",
}


def changed(head: Letterhead, change: Change, *, recipient: str, what: str, language: str, now: datetime) -> bytes:
    """Return the letter about a change.

    Args:
        head: who writes.
        change: what has happened.
        recipient: the account's address.
        what: which passkey or service, in its owner's words; empty: there is one only.
        language: `en` or `de`.
        now: when.
    """
    code = language if language in _SAID else "en"
    said = _SAID[code][change]
    named = f" ({' '.join(what.split())})" if what else ""
    text = _BODY[code].format(said=said, what=named, when=f"{now:%Y-%m-%d %H:%M}", url=head.public_url)
    return letters.letter(head, recipient=recipient, subject=said, text=text, language=code, now=now)
