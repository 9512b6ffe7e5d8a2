"""The bridge to Dovecot's administration interface (doveadm over HTTP, version 1 of its API).

Used to end a login's open connections: a revoked app password opens nothing new from its commit on, since Dovecot asks
the database at every log-in, but a connection that stands would go on. And to delete the mail of an inbox that goes.
"""

import base64
import json
import logging
import urllib.error
import urllib.request

from smailor import log
from smailor.config import Dovecot

TIMEOUT_SECONDS = 5
MAX_ANSWER_BYTES = 65536

_logger = logging.getLogger(__name__)


def end_connections(dovecot: Dovecot, *, login: str) -> bool:
    """End all IMAP and ManageSieve connections of a login.

    Args:
        dovecot: where Dovecot's doveadm listens; an empty URL: this installation has none.
        login: the inbox's address.

    Returns:
        Whether Dovecot did it (also where there were none). A failure is logged and left at that, because the secret
        itself is gone already; the caller tells the person that open connections may last until their clients close.
    """
    if not dovecot.doveadm_url:
        return False
    # Kicking a login without connections is answered with exitCode 68; both mean that none is left.
    return _run(dovecot, "kick", {"mask": [login]}, login=login, fine=(68,))


def delete_mail(dovecot: Dovecot, *, login: str) -> bool:
    """Delete all messages of an inbox, which must still be there for Dovecot to find them; its empty folders stay.

    Args:
        dovecot: where Dovecot's doveadm listens; an empty URL: this installation has none, and no mail to delete.
        login: the inbox's address.

    Returns:
        Whether none is left. A failure is logged.
    """
    if not dovecot.doveadm_url:
        return True
    # 67 (no such user, EX_NOUSER): there is nothing of theirs.
    return _run(dovecot, "expunge", {"user": login, "query": ["mailbox", "*", "all"]}, login=login, fine=(67,))


def _run(dovecot: Dovecot, command: str, values: dict[str, object], *, login: str, fine: tuple[int, ...]) -> bool:
    """Run one command of doveadm; tell whether it was done, or ended with an exit code that means the same."""
    key = base64.b64encode(dovecot.doveadm_api_key.encode("utf-8")).decode("ascii")
    request = urllib.request.Request(  # noqa: S310 - the URL is the operator's own configuration
        dovecot.doveadm_url,
        data=json.dumps([[command, values, "run"]]).encode("utf-8"),
        headers={"Authorization": f"X-Dovecot-API {key}", "Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - as above
            kind, details, _ = json.loads(answer.read(MAX_ANSWER_BYTES))[0]
    except (OSError, ValueError, LookupError, urllib.error.URLError) as error:
        log.event(_logger, logging.WARNING, None, "doveadm-failed", login=login, error=error)
        return False
    done = kind == "doveadmResponse" or bool(kind == "error" and details.get("exitCode") in fine)
    if not done:
        log.event(_logger, logging.WARNING, None, "doveadm-refused", login=login, answer=details)
    return done
