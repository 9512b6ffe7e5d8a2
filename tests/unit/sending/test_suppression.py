"""Reading and writing the list of addresses that are not written to."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smailor.errors import InvalidInput
from smailor.sending import suppression
from smailor.sending.suppression import BY_HAND, Source, Suppressed, read_csv, write_csv

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def read(text):
    return {entry.address: (entry.reason, entry.since.date().isoformat()) for entry in read_csv(text, now=NOW).entries}


def test_plain_addresses_one_a_line():
    assert read("A@X.test\n\nb@x.test\r\na@x.test\n") == {
        "a@x.test": (BY_HAND, "2026-11-23"),
        "b@x.test": (BY_HAND, "2026-11-23"),
    }


def test_reason_and_date_follow():
    assert read("a@x.test,moved,2026-01-02\nb@x.test,,2026-01-03T23:30:00-02:00") == {
        "a@x.test": ("moved", "2026-01-02"),
        "b@x.test": (BY_HAND, "2026-01-04"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "email,status,reason,created\na@x.test,550,no such user,2026-01-02 03:04:05\n",
        "created;reason;email\n1767323045;no such user;a@x.test\n",
        "\ufeffEmail\tDescription\tTimestamp\na@x.test\tno such user\t2026-01-02T03:04:05Z\n",
        'recipient,type,created_at\n"a@x.test","no such user","2026-01-02"\n',
    ],
)
def test_what_other_services_export_is_read_by_its_column_names(text):
    assert read(text) == {"a@x.test": ("no such user", "2026-01-02")}


def test_what_cannot_be_read_is_told_by_line_and_costs_nothing_else():
    imported = read_csv("a@x.test\nnonsense\nb@x.test,x,yesterday\nc@x.test\n", now=NOW)
    assert [entry.address for entry in imported.entries] == ["a@x.test", "c@x.test"]
    assert imported.unread == 2
    assert [problem.partition(":")[0] for problem in imported.problems] == ["line 2", "line 3"]


def test_no_date_lies_in_the_future():
    assert read("a@x.test,x,2999-01-01") == {"a@x.test": ("x", "2026-11-23")}


def test_a_file_without_end_is_refused():
    with pytest.raises(InvalidInput):
        read_csv("a@x.test\n" * (suppression.MAX_ROWS + 1), now=NOW)
    many = read_csv("?\n" * 1000, now=NOW)
    assert (many.unread, len(many.problems)) == (1000, suppression.MAX_PROBLEMS)


@given(text=st.text(max_size=400))
def test_no_text_breaks_the_reader(text):
    try:
        imported = read_csv(text, now=NOW)
    except InvalidInput:
        return
    for entry in imported.entries:
        assert entry.reason.isprintable()
        assert 0 < len(entry.reason) <= suppression.MAX_REASON
        assert entry.since <= NOW


LOCAL = st.text("abcdefghijklmnopqrstuvwxyz0123456789+=-_", min_size=1, max_size=20)
ENTRIES = st.lists(
    st.builds(
        Suppressed,
        LOCAL.map(lambda local: f"{local}@x.test"),
        st.text(max_size=50).map(suppression.clean_reason),
        st.just(Source.CSV),
        st.just(datetime(2026, 1, 2, tzinfo=UTC)),
    ),
    unique_by=lambda entry: entry.address,
    max_size=20,
)


@given(entries=ENTRIES)
def test_what_is_written_is_read_again(entries):
    found = {entry.address: entry for entry in read_csv(write_csv(entries), now=NOW).entries}
    assert list(found) == [entry.address for entry in entries]
    for entry in entries:
        assert found[entry.address].since == entry.since
        assert found[entry.address].reason.removeprefix("'") in {entry.reason, entry.reason.removeprefix("'")}


def test_no_reason_is_a_formula_in_a_spreadsheet():
    for reason in ('=HYPERLINK("x")', "+1", "-1", "@x"):
        line = write_csv([Suppressed("a@x.test", reason, Source.BOUNCE, NOW)]).splitlines()[1]
        assert line.startswith(("a@x.test,'", "a@x.test,\"'"))
