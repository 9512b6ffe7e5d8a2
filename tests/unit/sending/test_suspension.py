"""What is in the way of sending, receiving and logging in."""

from datetime import UTC, datetime

import pytest

from smailor.errors import InvalidInput
from smailor.sending.subject import Scope, Subject
from smailor.sending.suspension import Part, Suspension, in_the_way, parts

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def stop(subject, *what):
    return Suspension(Subject.parse(subject), frozenset(what), "spam", "boss", NOW)


def test_each_part_is_stopped_by_itself():
    for part in (Part.SENDING, Part.RECEIVING):
        assert [other for other in Part if stop("acme", part).stops(other)] == [part]


def test_whoever_may_not_log_in_may_not_send_either():
    assert stop("acme", Part.LOGIN).stops(Part.SENDING)
    assert not stop("acme", Part.LOGIN).stops(Part.RECEIVING)
    assert not stop("acme", Part.SENDING).stops(Part.LOGIN)


def test_the_widest_suspension_is_named():
    entries = [stop("a@x.test", Part.SENDING), stop("acme", Part.SENDING), stop("x.test", Part.SENDING)]
    assert in_the_way(entries, Part.SENDING).subject.scope is Scope.WORKSPACE
    assert in_the_way(entries, Part.RECEIVING) is None
    assert in_the_way([], Part.SENDING) is None


def test_at_least_one_part_is_chosen():
    assert parts(sending=True, receiving=False, login=True) == {Part.SENDING, Part.LOGIN}
    with pytest.raises(InvalidInput):
        parts(sending=False, receiving=False, login=False)


@pytest.mark.parametrize(
    ("text", "scope", "name"),
    [
        (" Ada@X.Test ", Scope.ACCOUNT, "ada@x.test"),
        ("MÜLLER.example", Scope.DOMAIN, "xn--mller-kva.example"),
        ("acme-gmbh", Scope.WORKSPACE, "acme-gmbh"),
    ],
)
def test_a_subject_is_known_by_its_form(text, scope, name):
    assert Subject.parse(text) == Subject(scope, name)
    assert str(Subject.parse(text)) == f"{scope}:{name}"


@pytest.mark.parametrize("text", ["", "  ", "@", "a@b", "a..b", ".", "a b@x.test"])
def test_what_is_no_subject(text):
    with pytest.raises(InvalidInput):
        Subject.parse(text)
