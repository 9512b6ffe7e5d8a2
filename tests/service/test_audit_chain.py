"""Nobody changes the audit trail unnoticed, and writers at the same time never break it."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from smailor.accounts import audit, audit_verify
from smailor.accounts.audit import Actor
from smailor.accounts.audit_chain import Head, canonical
from smailor.accounts.models import AuditEntry
from smailor.database import schema
from smailor.database.engine import Database

ADA = Actor("ada@analytical.test", "192.0.2.1")
COLUMNS = [column.name for column in AuditEntry.__table__.columns]
OTHER = {
    "sequence": "9",
    "at": "'2020-01-01 00:00:00.000000'",
    "details": """'{"plan": "large"}'""",
    "hash": f"'{'1' * 64}'",
    "previous_hash": f"'{'1' * 64}'",
}


def write(database, now, count=5, actor=ADA):
    for number in range(count):
        with database.transaction() as session:
            audit.record_in(
                session,
                actor,
                action="plan.set",
                on=f"workspace:w{number}",
                workspace=f"w{number}",
                reason="because – ünïcode \U0001f600",
                details={"plan": "small", "number": number, "\ufb33": None, "\U0001f600": [True, "x"]},
                now=now + timedelta(microseconds=number),
            )


def unlock(database):
    """What an intruder with the owner's rights on the database does first."""
    with database.transaction() as session:
        if database.dialect == "sqlite":
            for change in ("update", "delete"):
                session.execute(text(f"DROP TRIGGER audit_entries_no_{change}"))
        else:
            session.execute(text("DROP TRIGGER audit_entries_only_added_to ON audit_entries"))


def change(database, statement, **values):
    with database.transaction() as session:
        assert session.execute(text(statement), values).rowcount == 1


def test_entries_are_numbered_without_gaps_and_the_chain_is_whole(database, now):
    write(database, now)
    assert [entry.sequence for entry in audit.entries(database)] == [5, 4, 3, 2, 1]
    verdict = audit_verify.verify(database)
    assert (verdict.head.sequence, verdict.problem) == (5, "")
    assert verdict.head == audit_verify.head(database)


def test_an_empty_trail_is_whole(database):
    assert audit_verify.verify(database) == audit_verify.Verdict(Head())


@pytest.mark.parametrize("statement", ["UPDATE audit_entries SET reason = 'x'", "DELETE FROM audit_entries"])
def test_the_database_refuses_to_change_what_is_written(database, now, statement):
    write(database, now)
    with pytest.raises(Exception, match="only added to"), database.transaction() as session:
        session.execute(text(statement))


@pytest.mark.parametrize("column", COLUMNS)
def test_a_change_of_any_column_is_noticed(database, now, column):
    write(database, now)
    unlock(database)
    change(database, f"UPDATE audit_entries SET {column} = {OTHER.get(column, repr('other'))} WHERE sequence = 3")  # noqa: S608 - columns of ours
    verdict = audit_verify.verify(database)
    assert verdict.head.sequence == 2
    assert verdict.problem.startswith("entry 3 ")


@pytest.mark.parametrize("column", ["at", "details"])
def test_what_cannot_be_read_any_more_is_named(database, now, column):
    if database.dialect == "postgresql":
        pytest.skip("PostgreSQL refuses rubbish in typed columns")
    write(database, now)
    unlock(database)
    change(database, f"UPDATE audit_entries SET {column} = 'rubbish' WHERE sequence = 3")  # noqa: S608 - the same
    assert audit_verify.verify(database).problem == "entry 3 was changed: it cannot be read"


def test_a_hash_computed_anew_is_noticed_at_the_next_entry(database, now):
    write(database, now)
    unlock(database)
    with database.reading() as session:
        row = session.get(AuditEntry, 3)
        values = {name: getattr(row, name) for name in COLUMNS}
    forged = audit_verify.entry_hash({**values, "actor": "eve@x.test"}, Head(2, values["previous_hash"]))
    change(database, "UPDATE audit_entries SET actor = 'eve@x.test', hash = :hash WHERE sequence = 3", hash=forged)
    assert audit_verify.verify(database).problem == "entry 4 was changed: it does not follow the entry before it"


def test_an_entry_taken_out_is_noticed(database, now):
    write(database, now)
    unlock(database)
    change(database, "DELETE FROM audit_entries WHERE sequence = 3")
    assert audit_verify.verify(database).problem == "entry 3 is missing; the next one is 4"


def test_a_first_entry_taken_out_is_noticed(database, now):
    write(database, now)
    unlock(database)
    change(database, "DELETE FROM audit_entries WHERE sequence = 1")
    assert audit_verify.verify(database).problem == "entry 1 is missing; the next one is 2"


def test_a_cut_end_is_noticed_by_whoever_kept_the_head(database, now):
    write(database, now)
    kept = audit_verify.head(database)
    unlock(database)
    change(database, "DELETE FROM audit_entries WHERE sequence = 5")
    assert not audit_verify.verify(database).problem
    verdict = audit_verify.verify(database, expected=(kept,))
    assert verdict.problem == "entries 5 to 5 are gone: the end was cut off"


def test_a_chain_written_anew_is_noticed_by_whoever_kept_the_head(database, now):
    write(database, now)
    kept = audit_verify.head(database)
    unlock(database)
    change(database, "DELETE FROM audit_entries WHERE sequence = 5")
    write(database, now, count=2, actor=Actor("eve@x.test", ""))
    assert not audit_verify.verify(database).problem
    assert "made anew" in audit_verify.verify(database, expected=(kept,)).problem


def test_the_chain_grows_on_from_a_kept_head(database, now):
    write(database, now, count=2)
    kept = audit_verify.head(database)
    assert Head.parse(str(kept)) == kept
    write(database, now, count=2)
    assert audit_verify.verify(database, expected=(kept, Head())).head.sequence == 4


def test_batches_follow_one_another(database, now, monkeypatch):
    monkeypatch.setattr(audit_verify, "BATCH", 2)
    write(database, now, count=6)
    assert audit_verify.verify(database).head.sequence == 6


def test_writers_at_the_same_time_make_one_chain(database, now):
    problems = []

    def work(number):
        try:
            write(database, now, count=10, actor=Actor(f"writer-{number}", ""))
        except Exception as error:  # noqa: BLE001 - told below
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not problems
    verdict = audit_verify.verify(database)
    assert (verdict.head.sequence, verdict.problem) == (60, "")


def test_transactions_that_lock_rows_crosswise_end_without_a_deadlock_of_the_chain(database, now):
    """One has an entry queued and then wants a row that the other holds: the chain's lock is not taken until then."""
    write(database, now, count=1)
    with database.transaction() as session:
        session.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY, n INTEGER)"))
        session.execute(text("INSERT INTO things VALUES (1, 0)"))
    problems = []

    def work():
        try:
            for _ in range(10):
                with database.transaction() as session:
                    audit.record_in(session, ADA, action="thing.change", on="thing:1", now=now)
                    session.execute(text("UPDATE things SET n = n + 1 WHERE id = 1"))
        except Exception as error:  # noqa: BLE001 - told below
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not problems
    assert audit_verify.verify(database).head.sequence == 41


def test_what_is_rolled_back_leaves_neither_entry_nor_gap(database, now):
    write(database, now, count=1)

    def fail():
        with database.transaction() as session:
            audit.record_in(session, ADA, action="a.b", on="x", now=now)
            session.execute(text("SELECT * FROM not_there"))

    with pytest.raises(Exception, match=r"not_there|does not answer"):
        fail()
    write(database, now, count=1)
    assert audit_verify.verify(database).head.sequence == 2


def test_a_savepoint_takes_its_entries_with_it(database, now):
    with database.transaction() as session:
        audit.record_in(session, ADA, action="before.all", on="x", now=now)
        with session.begin_nested():
            audit.record_in(session, ADA, action="outer.kept", on="x", now=now)
            with session.begin_nested():
                audit.record_in(session, ADA, action="inner.kept", on="x", now=now)
        savepoint = session.begin_nested()
        with session.begin_nested():
            audit.record_in(session, ADA, action="inner.gone", on="x", now=now)
        audit.record_in(session, ADA, action="outer.gone", on="x", now=now)
        savepoint.rollback()
    assert [entry.action for entry in audit.entries(database)] == ["inner.kept", "outer.kept", "before.all"]
    assert not audit_verify.verify(database).problem


@pytest.mark.parametrize("text_", ["nul\0nul", "\ud800 lonely", "x" * 10_000, "\u202eevil"])
def test_what_an_entry_quotes_never_stops_it(database, now, text_):
    with database.transaction() as session:
        audit.record_in(
            session,
            Actor(text_, text_),
            action=text_,
            on=text_,
            workspace=text_,
            reason=text_,
            outcome=text_,
            details={text_: text_, "list": [text_], "long": text_ * 10},
            now=now,
        )
    assert audit_verify.verify(database).head.sequence == 1


def test_the_upgrade_chains_what_was_there(database_url):
    database = Database(database_url)
    schema.upgrade(database, "0010")
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    with database.transaction() as session:
        for number in (3, 4, 7):
            session.execute(
                text(
                    "INSERT INTO audit_entries (id, at, actor, source, action, object, workspace, reason, outcome,"
                    " details) VALUES (:id, :at, 'ä', 's', 'a.b', 'o', 'w', 'r', 'done', :details)"
                ),
                {
                    "id": number,
                    "at": at if database.dialect == "postgresql" else "2026-01-02 03:04:05.678901",
                    "details": '{"b": 1, "a": [1, {"z": "ü", "y": null}]}',
                },
            )
    schema.upgrade(database)
    assert [entry.sequence for entry in audit.entries(database)] == [3, 2, 1]
    write(database, at, count=2)
    verdict = audit_verify.verify(database)
    assert (verdict.head.sequence, verdict.problem) == (5, "")
    schema.downgrade(database, "0010")
    with database.transaction() as session:
        names = "at, actor, source, action, object, workspace, reason, outcome, details"
        again = f"INSERT INTO audit_entries ({names}) SELECT {names} FROM audit_entries WHERE id = 1"  # noqa: S608
        session.execute(text(again))
        assert session.scalar(text("SELECT max(id) FROM audit_entries")) == 6
    schema.upgrade(database)
    assert audit_verify.verify(database).head.sequence == 6
    database.dispose()


def test_the_text_that_is_hashed_is_canonical_json():
    """RFC 8785, 3.2.3: members are sorted by UTF-16 units, so that U+1F600 comes before U+FB33."""
    assert canonical({"\ufb33": 1, "\U0001f600": "ö\n", "a": [None, True]}) == (
        '{"a":[null,true],"\U0001f600":"ö\\n","\ufb33":1}'
    )
