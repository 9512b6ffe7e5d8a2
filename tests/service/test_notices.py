"""Letters about accounts wait in the outbox, and leave it once, on both engines."""

import itertools
from datetime import timedelta

import pytest
from sqlalchemy import text

from smailor.accounts import notices
from smailor.delivery import Delivery
from smailor.errors import TemporaryFailure

DAY = timedelta(days=1)


class Post:
    """Takes letters, answering as it is told; then that they were sent."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.taken = []

    def __call__(self, recipient, message):
        answer = self.answers.pop(0) if self.answers else Delivery.SENT
        if isinstance(answer, Exception):
            raise answer
        self.taken.append((recipient, message, answer))
        return answer


def post(house, recipient="ada@analytical.test", message=b"Subject: x\r\n\r\nlink", now=None):
    now = now or house.now
    with house.database.transaction() as session:
        notices.post_in(session, house.sealer, recipient=recipient, message=message, now=now, expires_at=now + DAY)


def send(house, deliver, now=None):
    return notices.send_due(house.database, house.sealer, deliver=deliver, now=now or house.now)


def test_a_letter_is_sent_once_as_it_was_written(house):
    post(house)
    deliver = Post()
    assert send(house, deliver).sent == 1
    assert deliver.taken == [("ada@analytical.test", b"Subject: x\r\n\r\nlink", Delivery.SENT)]
    assert send(house, deliver).sent == 0


def test_no_letter_goes_out_about_what_was_rolled_back(house):
    with house.database.transaction() as session:
        notices.post_in(
            session, house.sealer, recipient="a@b.test", message=b"x", now=house.now, expires_at=house.now + DAY
        )
        session.rollback()
    assert send(house, Post()).sent == 0


def test_the_database_does_not_know_what_it_says(house):
    post(house, message=b"a-secret-link")
    with house.database.reading() as session:
        row = session.execute(text("SELECT * FROM notices")).one()
    assert not any("secret" in str(value) for value in row)


@pytest.mark.parametrize("answer", [Delivery.LATER, Delivery.UNKNOWN, TemporaryFailure("away")])
def test_a_letter_that_is_not_taken_is_tried_again_ever_later(house, answer):
    post(house)
    moments, now = [], house.now
    while now < house.now + DAY:
        if send(house, Post(answer), now).waiting:
            moments.append(now - house.now)
        now += timedelta(minutes=1)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert gaps == sorted(gaps)
    assert gaps[0] == timedelta(minutes=1)
    assert gaps[-1] == notices.LONGEST_RETRY
    assert send(house, Post(), house.now + DAY).expired == 1


def test_a_letter_that_nobody_takes_is_dropped(house):
    post(house)
    assert send(house, Post(Delivery.REFUSED)).refused == 1
    assert send(house, Post(), house.now + timedelta(hours=3)).sent == 0


def test_one_letter_that_waits_does_not_hold_up_the_others(house):
    for number in range(3):
        post(house, recipient=f"person{number}@analytical.test")
    assert send(house, Post(Delivery.LATER)).waiting == 1
    assert send(house, Post()).sent == 2


def test_two_runs_at_once_send_nothing_twice(house):
    post(house)
    inner = []

    def deliver(recipient, message):
        inner.append(send(house, Post()).sent)
        return Delivery.SENT

    assert send(house, deliver).sent == 1
    assert inner == [0]
