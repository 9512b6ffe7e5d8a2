"""Jobs for accounts and workspaces."""

import logging
from dataclasses import asdict

from smailor import clock, log
from smailor.accounts import api_calls, app_passwords, audit_verify, one_time, sessions, signup
from smailor.accounts import notices as account_letters
from smailor.accounts.desk import letterhead
from smailor.accounts.posting import Post
from smailor.cli.context import Context
from smailor.mailboxes.dovecot import delete_mail, end_connections
from smailor.mailboxes.submission import letter_carrier
from smailor.sending import closing

logger = logging.getLogger(__name__)


def audit_head(context: Context) -> dict[str, str]:
    """Say in the log where the audit trail ends, so that a log kept elsewhere tells later whether it was cut."""
    head = audit_verify.head(context.database)
    log.event(logger, logging.INFO, None, "audit-head", head=head)
    return {"head": str(head)}


def delete_workspaces(context: Context) -> dict[str, int]:
    """Delete workspaces whose grace period is over, with their domains, inboxes and mail."""
    settings = context.settings
    run = closing.delete_due(
        context.database,
        delete_mail=lambda login: delete_mail(settings.dovecot, login=login),
        post=Post(letterhead(settings), context.sealer),
        now=clock.now(),
    )
    for login in run.inboxes:
        end_connections(settings.dovecot, login=login)
    return {"deleted": run.deleted, "kept": run.kept, "waiting": run.waiting, "inboxes": len(run.inboxes)}


def notices(context: Context) -> dict[str, int]:
    """Send the letters about accounts that wait. For every minute: the web sends them at once, this catches up."""
    deliver = letter_carrier(context.database, context.settings)
    if deliver is None:
        return {"enabled": 0}
    run = account_letters.send_due(context.database, context.sealer, deliver=deliver, now=clock.now())
    return {"enabled": 1, **asdict(run)}


def prune_tokens(context: Context) -> dict[str, int]:
    """Delete web sessions, web tokens and links that have run out, and sign-ups that came to nothing."""
    now = clock.now()
    return {
        "links": one_time.prune(context.database, now=now),
        "sign_ups": signup.prune(context.database, now=now),
        "web_sessions": sessions.prune(context.database, now=now),
        "api_calls": api_calls.prune(context.database, now=now),
        "web_tokens": app_passwords.prune_expired(context.database, now=now),
    }
