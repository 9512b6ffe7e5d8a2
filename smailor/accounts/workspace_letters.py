"""What the service writes to people about workspaces, in English and German: subject and text of each letter. Pure.

An invitation goes to somebody who may never have heard of us, so nothing stands in it that a stranger could fill with
words of their own: the workspace is called by its slug, the inviter by the address that they have shown to be theirs.
"""

from dataclasses import dataclass
from datetime import datetime

from smailor.accounts.permissions import Role

_ROLES_DE = {
    Role.OWNER: "Inhaber",
    Role.ADMIN: "Administrator",
    Role.BILLING: "Abrechnung",
    Role.MEMBER: "Mitglied",
    Role.READ_ONLY: "nur Lesen",
}


@dataclass(frozen=True, slots=True)
class Text:
    """A letter's subject and text."""

    subject: str
    body: str


def invitation(language: str, *, workspace: str, inviter: str, role: Role, link: str, until: datetime) -> Text:
    """Invite somebody to a workspace by a link that works once."""
    if language == "de":
        return Text(
            f"Einladung in den Arbeitsbereich {workspace}",
            f"""Guten Tag,

{inviter} lädt Sie in den Arbeitsbereich „{workspace}“ ein
(Rolle: {_ROLES_DE[role]}). Hier nehmen Sie an:

{link}

Der Link gilt bis {_day(until)} und nur für diese Adresse. Sie kennen den
Absender nicht? Dann tun Sie nichts; ohne Ihre Zustimmung geschieht nichts.""",
        )
    return Text(
        f"Invitation to the workspace {workspace}",
        f"""Hello,

{inviter} invites you to the workspace "{workspace}"
(role: {role}). To accept, open this link:

{link}

It works until {_day(until)} and for this address only. You do not know who
sent it? Then do nothing: without you, nothing happens.""",
    )


def joined(language: str, *, workspace: str, member: str, role: Role) -> Text:
    """Tell who invited somebody that they came."""
    if language == "de":
        return Text(
            f"{member} ist jetzt in {workspace}",
            f"""Guten Tag,

{member} hat die Einladung in den Arbeitsbereich „{workspace}“
angenommen (Rolle: {_ROLES_DE[role]}).""",
        )
    return Text(
        f"{member} has joined {workspace}",
        f"""Hello,

{member} has accepted the invitation to the workspace "{workspace}"
(role: {role}).""",
    )


def role_changed(language: str, *, workspace: str, role: Role, by: str) -> Text:
    """Tell a member what they are now."""
    if language == "de":
        return Text(
            f"Ihre Rolle in {workspace} ist jetzt: {_ROLES_DE[role]}",
            f"""Guten Tag,

{by} hat Ihre Rolle im Arbeitsbereich „{workspace}“ geändert.
Sie ist jetzt: {_ROLES_DE[role]}.""",
        )
    return Text(
        f"Your role in {workspace} is now: {role}",
        f"""Hello,

{by} has changed your role in the workspace "{workspace}".
It is now: {role}.""",
    )


def removed(language: str, *, workspace: str, by: str) -> Text:
    """Tell somebody that they are no member any more."""
    if language == "de":
        return Text(
            f"Sie sind nicht mehr in {workspace}",
            f"""Guten Tag,

{by} hat Sie aus dem Arbeitsbereich „{workspace}“ entfernt. Seine Postfächer
öffnen sich für Sie nicht mehr; Ihr Zugang zum Dienst bleibt bestehen.""",
        )
    return Text(
        f"You are no longer in {workspace}",
        f"""Hello,

{by} has removed you from the workspace "{workspace}". Its inboxes do not
open for you any more; your account with us stays.""",
    )


def left(language: str, *, workspace: str, member: str) -> Text:
    """Tell the owners that somebody has left."""
    if language == "de":
        return Text(
            f"{member} hat {workspace} verlassen",
            f"Guten Tag,\n\n{member} hat den Arbeitsbereich „{workspace}“ verlassen.",
        )
    return Text(f"{member} has left {workspace}", f'Hello,\n\n{member} has left the workspace "{workspace}".')


def transferred(language: str, *, workspace: str, giver: str, taker: str) -> Text:
    """Tell the owners who has become one."""
    if language == "de":
        return Text(
            f"{taker} ist jetzt Inhaber von {workspace}",
            f"""Guten Tag,

{giver} hat {taker} zum Inhaber des
Arbeitsbereichs „{workspace}“ gemacht.

Das war nicht abgesprochen? Schreiben Sie uns gleich.""",
        )
    return Text(
        f"{taker} is now an owner of {workspace}",
        f"""Hello,

{giver} has made {taker}
an owner of the workspace "{workspace}".

You did not expect that? Write to us at once.""",
    )


def deletion_asked(language: str, *, workspace: str, by: str, at: datetime, link: str) -> Text:
    """Tell the owners that their workspace will go, and how to keep it."""
    if language == "de":
        return Text(
            f"{workspace} wird am {_day(at)} gelöscht",
            f"""Guten Tag,

{by} hat die Löschung des Arbeitsbereichs „{workspace}“ verlangt.
Am {_day(at)} werden seine Domains, Postfächer und alle Nachrichten gelöscht.
Bis dahin läuft die Post weiter, und jeder Inhaber kann es sich anders überlegen:

{link}""",
        )
    return Text(
        f"{workspace} will be deleted on {_day(at)}",
        f"""Hello,

{by} has asked to delete the workspace "{workspace}".
On {_day(at)} its domains, inboxes and all their messages go. Mail flows on
until then, and every owner can change their mind:

{link}""",
    )


def deletion_withdrawn(language: str, *, workspace: str, by: str) -> Text:
    """Tell the owners that their workspace stays."""
    if language == "de":
        return Text(
            f"{workspace} bleibt",
            f"Guten Tag,\n\n{by} hat die Löschung des Arbeitsbereichs „{workspace}“ zurückgenommen.",
        )
    return Text(f"{workspace} stays", f'Hello,\n\n{by} has withdrawn the deletion of the workspace "{workspace}".')


def deleted(language: str, *, workspace: str) -> Text:
    """Tell those who were owners that their workspace is gone."""
    if language == "de":
        return Text(
            f"{workspace} ist gelöscht",
            f"""Guten Tag,

die Frist ist um: Der Arbeitsbereich „{workspace}“ mit seinen Domains,
Postfächern und Nachrichten ist gelöscht.""",
        )
    return Text(
        f"{workspace} is deleted",
        f"""Hello,

the time is up: the workspace "{workspace}" with its domains, inboxes and
messages is deleted.""",
    )


def _day(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
