"""Counts in PostgreSQL: two round trips a transaction, through libpq's pipeline.

On the driver's lower level, as a transaction through its cursors takes several times the processor time of all that is
decided in it. Values are plain: keys joined by line ends (no key has one), rows of 320 bytes one after the other.
"""

import select
from collections.abc import Iterable, Sequence
from typing import Final

import psycopg
from psycopg import pq

from smailor.database import plain
from smailor.database.plain import PostgresqlPlain
from smailor.sending.store import DAY_SECONDS, Batch, Clock, Work, batch_of, prune_old

ROW_BYTES: Final = 320
_KEYS: Final = "string_to_array($1, E'\\n')"
_PLACE: Final = f"({ROW_BYTES} * (place - 1) + 1)::int"
_ROWS: Final = (
    f"SELECT key, $3::int AS day, substring($2::bytea FROM {_PLACE} FOR {ROW_BYTES}) AS counts"  # noqa: S608 - ours
    f" FROM unnest({_KEYS}) WITH ORDINALITY AS given (key, place) ORDER BY place"
)
_READ: Final = f"SELECT key, counts FROM sending_counts WHERE key = ANY({_KEYS}) ORDER BY key"  # noqa: S608 - ours
_STATEMENTS: Final = {
    b"begin": "BEGIN",
    b"commit": "COMMIT",
    b"rollback": "ROLLBACK",
    b"read": _READ,
    b"lock": f"{_READ} FOR UPDATE",
    b"now": "SELECT extract(epoch FROM clock_timestamp())::float8::text, generation::text FROM sending_terms",
    b"change": f"UPDATE sending_counts SET day = rows.day, counts = rows.counts FROM ({_ROWS}) AS rows"  # noqa: S608
    " WHERE sending_counts.key = rows.key",
    b"add": f"INSERT INTO sending_counts (key, day, counts) {_ROWS}",
}
_ROLLBACK: Final = [(b"rollback", ())]
"""Not by a cursor, which would deallocate all statements with it."""
_TEXT, _BINARY = 0, 1
_UNIQUE_VIOLATION: Final = "23505"
_MAX_SECONDS: Final = 8
"""For one answer: nobody waits longer."""


class _Refused(psycopg.OperationalError):
    """The server said no.

    Attributes:
        code: its SQLSTATE.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class PostgresqlStore:
    """See `Store`.

    Args:
        connection: of this store alone.
        clock: in place of the server's.
    """

    def __init__(self, connection: PostgresqlPlain, clock: Clock | None = None) -> None:
        self.transactions = 0
        self.connection = connection
        self._clock = clock
        self._prepared: pq.abc.PGconn | None = None

    def transact(self, keys: Sequence[str], work: Work) -> None:
        """See `Store`."""
        while not self._transact(keys, work):
            pass

    def _transact(self, keys: Sequence[str], work: Work) -> bool:
        """Return False where another writer added one of our rows first: it has to be locked then, from the start.

        New rows are added after all old ones are locked, in key order: whoever waits for a row to be added holds no
        lock that somebody who still collects old rows could wait for, so nobody waits in a circle.
        """
        self.transactions += 1
        try:
            driver = self._open()
            batch, known = self._read(driver, keys, lock=True)
            try:
                changed = sorted(work(batch))
            except BaseException:
                _ask(driver, _ROLLBACK)
                raise
            try:
                self._write(driver, batch, changed, known)
            except _Refused as error:
                if error.code != _UNIQUE_VIOLATION:
                    raise
                _ask(driver, _ROLLBACK)
                return False
        except psycopg.Error as error:
            self.connection.close()
            raise plain.failure(error) from error
        return True

    def _write(self, driver: pq.abc.PGconn, batch: Batch, changed: Sequence[str], known: set[str]) -> None:
        day = b"%d" % (int(batch.now) // DAY_SECONDS)
        asked: list[tuple[bytes, list[bytes]]] = []
        for name, part in (
            (b"change", [key for key in changed if key in known]),
            (b"add", [key for key in changed if key not in known]),
        ):
            if part:
                rows = b"".join([batch.tallies[key].packed() for key in part])
                asked.append((name, ["\n".join(part).encode(), rows, day]))
        _ask(driver, [*asked, (b"commit", [])])

    def peek(self, keys: Sequence[str]) -> Batch:
        """See `Store`."""
        self.transactions += 1
        try:
            return self._read(self._open(), keys, lock=False)[0]
        except psycopg.Error as error:
            self.connection.close()
            raise plain.failure(error) from error

    def prune(self, keep_days: int) -> None:
        """See `Store`."""
        prune_old(self.connection, int(self.peek(()).now) // DAY_SECONDS - keep_days, " FOR UPDATE SKIP LOCKED")

    def close(self) -> None:
        """Hang up."""
        self.connection.close()

    def _open(self) -> pq.abc.PGconn:
        driver = self.connection.open().pgconn
        if driver is not self._prepared:
            for name, statement in _STATEMENTS.items():
                result = driver.prepare(name, statement.encode())
                if result.status != pq.ExecStatus.COMMAND_OK:
                    raise _refusal(driver, result)
            self._prepared = driver
        return driver

    def _read(self, driver: pq.abc.PGconn, keys: Sequence[str], *, lock: bool) -> tuple[Batch, set[str]]:
        wanted = ["\n".join(keys).encode()]
        asked: list[tuple[bytes, list[bytes]]] = (
            [(b"begin", []), (b"lock", wanted), (b"now", [])] if lock else [(b"read", wanted), (b"now", [])]
        )
        *_, counts, moment = _ask(driver, asked)
        rows = [
            ((counts.get_value(row, 0) or b"").decode(), counts.get_value(row, 1) or b"")
            for row in range(counts.ntuples)
        ]
        now = float(moment.get_value(0, 0) or b"")
        generation = int(moment.get_value(0, 1) or b"")
        batch = batch_of(keys, rows, self._clock() if self._clock else now, generation)
        return batch, {key for key, _ in rows}


def _ask(driver: pq.abc.PGconn, asked: Iterable[tuple[bytes, Sequence[bytes]]]) -> list["pq.abc.PGresult"]:
    """Run prepared statements in one round trip, and return their results.

    Raises:
        psycopg.Error: the connection is gone, or one of them was refused.
    """
    driver.enter_pipeline_mode()
    for name, values in asked:
        formats = [_TEXT, _BINARY, _TEXT][: len(values)]
        driver.send_query_prepared(name, values, formats, _BINARY)
    driver.pipeline_sync()
    while driver.flush():
        select.select([], [driver.socket], [], _MAX_SECONDS)
    results, refused = [], None
    while True:
        result = _next(driver)
        if result is None:
            continue
        if result.status == pq.ExecStatus.PIPELINE_SYNC:
            break
        if result.status == pq.ExecStatus.FATAL_ERROR:
            refused = refused or _refusal(driver, result)
        results.append(result)
    driver.exit_pipeline_mode()
    if refused:
        raise refused
    return results


def _next(driver: pq.abc.PGconn) -> "pq.abc.PGresult | None":
    """Wait for a result with the interpreter's lock released, which libpq's own waiting would keep."""
    while driver.is_busy():
        if not select.select([driver.socket], [], [], _MAX_SECONDS)[0]:
            raise psycopg.OperationalError("no answer in time")
        driver.consume_input()
    if driver.status != pq.ConnStatus.OK:
        raise psycopg.OperationalError(driver.get_error_message())
    return driver.get_result()


def _refusal(driver: pq.abc.PGconn, result: "pq.abc.PGresult") -> _Refused:
    code = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    return _Refused(result.get_error_message() or driver.get_error_message(), code)
