"""What the milters log: one function an event, queue id first. No content, addresses as far as needed."""

import logging
import traceback

from smailor.log import event


def signed(logger: logging.Logger, queue_id: str, *, domain: str, selector: str, login: str | None) -> None:
    """Log that a message leaves signed."""
    event(logger, logging.INFO, queue_id, "signed", domain=domain, selector=selector, login=login or "-")


def unsigned(logger: logging.Logger, queue_id: str, *, reason: str) -> None:
    """Log that a message nobody logged in for passes as it is."""
    event(logger, logging.INFO, queue_id, "unsigned", reason=reason)


def judged(
    logger: logging.Logger, queue_id: str, *, outcome: str, client: str, domain: str, dmarc: str, reason: str
) -> None:
    """Log what becomes of a message from outside, and why."""
    facts = {"client": client, "domain": domain, "dmarc": dmarc, "reason": reason}
    event(logger, logging.INFO, queue_id, "judged", outcome=outcome, **facts)


def refused(logger: logging.Logger, queue_id: str, *, login: str | None, reason: str) -> None:
    """Log that a message is refused for good."""
    event(logger, logging.WARNING, queue_id, "refused", login=login or "-", reason=reason)


def deferred(logger: logging.Logger, queue_id: str, *, login: str | None, reason: str) -> None:
    """Log that a message has to wait because something of ours is missing."""
    event(logger, logging.ERROR, queue_id, "deferred", login=login or "-", reason=reason)


def key_unreadable(logger: logging.Logger, domain: str, error: Exception) -> None:
    """Log what an operator has to be woken for: mail of this domain waits until its key can be read."""
    event(logger, logging.ERROR, None, "key-unreadable", domain=domain, error=error)


def forwarded(logger: logging.Logger, queue_id: str, *, sealed: bool, sender: str) -> None:
    """Log that a message goes on to the outside, with the envelope sender that it has then."""
    event(logger, logging.INFO, queue_id, "forwarded", sealed=sealed, sender=sender or "<>")


def not_rewritten(logger: logging.Logger, queue_id: str, *, sender: str, reason: str) -> None:
    """Log that a forwarded message keeps its sender, which the next host may not like."""
    event(logger, logging.WARNING, queue_id, "not-rewritten", sender=sender, reason=reason)


def undecided(logger: logging.Logger, queue_id: str, *, reason: str) -> None:
    """Log that a message has to be sent again because it cannot be known where it goes, or be sealed."""
    event(logger, logging.ERROR, queue_id, "undecided", reason=reason)


def failed(logger: logging.Logger, queue_id: str | None, step: str) -> None:
    """Log the exception being handled, which nobody expected, with its trace; a message gets 451."""
    event(logger, logging.ERROR, queue_id, "failed", step=step, trace=traceback.format_exc())


def listening(logger: logging.Logger, socket: str, workers: int) -> None:
    """Log that Postfix can connect."""
    event(logger, logging.INFO, None, "listening", socket=socket, workers=workers)


def worker_died(logger: logging.Logger, pid: int, status: int) -> None:
    """Log that a worker ended unasked (exit status, or minus the signal's number); another one follows."""
    event(logger, logging.ERROR, None, "worker-died", pid=pid, status=status)


def worker_killed(logger: logging.Logger, pid: int) -> None:
    """Log that a worker did not end in time and was killed; what it had in hand was answered with 451 by Postfix."""
    event(logger, logging.ERROR, None, "worker-killed", pid=pid)


def stopping(logger: logging.Logger, reason: str) -> None:
    """Log that the workers were told to finish what they have in hand."""
    event(logger, logging.INFO, None, "stopping", reason=reason)


def config_refused(logger: logging.Logger, *, reason: str) -> None:
    """Log that the configuration cannot be read any more, so that a new worker goes by the one of the start."""
    event(logger, logging.ERROR, None, "config-refused", reason=reason)
