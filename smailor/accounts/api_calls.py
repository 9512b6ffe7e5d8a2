"""Use cases around calls of the API: how many a key has left, and which of them have been carried out already.

Both are kept in the database, so that they hold exactly on however many hosts.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from smailor.accounts.access_models import ApiCall, ApiUse
from smailor.database.engine import Database
from smailor.errors import Conflict

WINDOW_SECONDS = 60
PER_WINDOW = 240
KEPT = timedelta(hours=24)
GIVEN_UP = timedelta(minutes=2)
"""After this a call without an answer was cut off: its host died. Whoever asks again may."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a key has left.

    Attributes:
        limit: calls in a window.
        left: calls that are left in this one, below 0: too many were made.
        reset_seconds: until the next one begins.
    """

    limit: int
    left: int
    reset_seconds: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call was answered.

    Attributes:
        status: the HTTP status.
        headers: those that belong to it.
        body: JSON.
    """

    status: int
    headers: dict[str, str]
    body: str


class AnotherRequest(Conflict):
    """The idempotency key was used for a request that was not this one."""


def count(database: Database, *, key_id: int, now: datetime, limit: int = PER_WINDOW) -> Rate:
    """Count a call of a key, in one statement, and return what is left.

    Args:
        database: where to.
        key_id: the key.
        now: the present moment; windows are whole minutes by it.
        limit: calls in a window.
    """
    seconds = int(now.timestamp())
    window = seconds // WINDOW_SECONDS
    insert = postgresql.insert if database.dialect == "postgresql" else sqlite.insert
    new = insert(ApiUse).values(key_id=key_id, window=window, used=1)
    # Of two hosts whose clocks differ the later one's window counts: an earlier one never gives calls back.
    same = ApiUse.window >= new.excluded.window
    counted = new.on_conflict_do_update(
        index_elements=[ApiUse.key_id],
        set_={
            "window": case((same, ApiUse.window), else_=new.excluded.window),
            "used": case((same, ApiUse.used + 1), else_=1),
        },
    ).returning(ApiUse.used)
    with database.transaction() as session:
        used = session.scalars(counted).one()
    return Rate(limit, limit - used, WINDOW_SECONDS - seconds % WINDOW_SECONDS)


def begin(
    database: Database, *, key_id: int, idempotency_key: str, request_sha256: str, now: datetime
) -> Answer | None:
    """Begin a call that must not be carried out twice.

    Args:
        database: where to.
        key_id: the API key.
        idempotency_key: the name that the caller gave the request.
        request_sha256: digest of all that the request says.
        now: the present moment.

    Returns:
        What it was answered before, None if it is to be carried out now; then `finish` or `forget` follows.

    Raises:
        AnotherRequest: the name was used for another request.
        Conflict: it is being carried out.
    """
    where = (ApiCall.key_id == key_id, ApiCall.idempotency_key == idempotency_key)
    try:
        with database.transaction() as session:
            session.execute(
                delete(ApiCall).where(
                    *where,
                    (ApiCall.started_at <= now - KEPT)
                    | (ApiCall.status.is_(None) & (ApiCall.started_at <= now - GIVEN_UP)),
                )
            )
            found = session.scalar(select(ApiCall).where(*where))
            if found is None:
                session.add(
                    ApiCall(
                        key_id=key_id,
                        idempotency_key=idempotency_key,
                        request_sha256=request_sha256,
                        started_at=now,
                        status=None,
                        headers={},
                        body="",
                    )
                )
                return None
    except IntegrityError as error:
        raise Conflict("the same request is being carried out") from error
    if found.request_sha256 != request_sha256:
        raise AnotherRequest("this Idempotency-Key was used for another request")
    if found.status is None:
        raise Conflict("the same request is being carried out")
    return Answer(found.status, found.headers, found.body)


def finish(database: Database, *, key_id: int, idempotency_key: str, answer: Answer) -> None:
    """Keep what a call was answered."""
    with database.transaction() as session:
        session.execute(
            update(ApiCall)
            .where(ApiCall.key_id == key_id, ApiCall.idempotency_key == idempotency_key, ApiCall.status.is_(None))
            .values(status=answer.status, headers=answer.headers, body=answer.body)
        )


def forget(database: Database, *, key_id: int, idempotency_key: str) -> None:
    """Let a call be made again that was not carried out."""
    with database.transaction() as session:
        session.execute(
            delete(ApiCall).where(
                ApiCall.key_id == key_id, ApiCall.idempotency_key == idempotency_key, ApiCall.status.is_(None)
            )
        )


def prune(database: Database, *, now: datetime) -> int:
    """Delete answers that nobody can ask for any more; return how many."""
    with database.transaction() as session:
        old = delete(ApiCall).where(ApiCall.started_at <= now - KEPT).returning(ApiCall.key_id)
        return len(session.scalars(old).all())
