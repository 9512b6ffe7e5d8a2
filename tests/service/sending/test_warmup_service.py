"""The daily step of warm-up, and the operator's hand on it."""

from datetime import date, timedelta

import pytest

from smailor.accounts import audit
from smailor.errors import InvalidInput, NotFound
from smailor.sending import warmup_service
from smailor.sending.warmup import Record, Schedule, Thresholds
from smailor.sending.warmup_service import Run, Setting

GOOD = Record(sent=100, accepted=100)
SCHEDULE = Schedule()


@pytest.fixture
def young(acme, operator):
    return Young(acme, operator)


class Young:
    def __init__(self, acme, operator):
        self.database, self.operator, self.now = acme.database, operator, acme.now
        self.run()  # the job that sees it first

    def run(self):
        return warmup_service.run_steps(self.database, schedule=SCHEDULE, thresholds=Thresholds(), now=self.now)

    def day(self, record, run=True):
        """What became of this day's mail; the day is over then."""
        warmup_service.note_day(self.database, domain="acme.test", day=self.now.date(), more=record)
        self.now += timedelta(days=1)
        return self.run() if run else None

    def shown(self):
        return warmup_service.show_warmup(self.database, domain="acme.test", schedule=SCHEDULE, now=self.now)

    def set(self, **setting):
        warmup_service.set_warmup(
            self.database,
            domain="acme.test",
            setting=Setting(**setting),
            schedule=SCHEDULE,
            reason="because",
            actor=self.operator,
            now=self.now,
        )


def test_a_good_day_leads_a_step_on(young):
    assert young.shown().outlook.cap == 480
    assert young.day(GOOD).advanced == 1
    assert (young.shown().outlook.day, young.shown().outlook.cap) == (2, 672)


def test_the_day_of_the_verification_counts(acme):
    """Also where the job sees the domain for the first time on the day after."""
    warmup_service.note_day(acme.database, domain="acme.test", day=acme.now.date(), more=GOOD)
    tomorrow = acme.now + timedelta(days=1)
    run = warmup_service.run_steps(acme.database, schedule=SCHEDULE, thresholds=Thresholds(), now=tomorrow)
    assert run == Run(judged=3, advanced=1, held=2)


def test_the_step_is_done_once_a_day_however_often_the_job_runs(young):
    young.day(GOOD)
    assert young.run() == Run()
    assert young.shown().outlook.day == 2


def test_a_job_that_was_not_run_catches_up(young):
    for _ in range(5):
        young.day(GOOD, run=False)
    young.run()
    assert young.shown().outlook.day == 6


def test_a_job_that_was_not_run_for_months_looks_at_the_last_one_only(young):
    young.now += timedelta(days=200)
    assert young.run().judged == 3
    assert young.shown().judged == young.now.date() - timedelta(days=1)


def test_records_add_up(young):
    for more in (Record(sent=100, accepted=50), Record(accepted=41, hard_bounces=1), Record(complaints=1)):
        warmup_service.note_day(young.database, domain="acme.test", day=young.now.date(), more=more)
    young.day(Record())
    assert young.shown().record == Record(100, 91, 1, 1, 0, 0)
    assert young.shown().outlook.day == 2


def test_a_bad_day_leads_a_step_back_and_says_why(young):
    young.day(GOOD)
    assert young.day(Record(sent=100, accepted=80, hard_bounces=20)).stepped_back == 1
    outlook = young.shown().outlook
    assert (outlook.day, outlook.held) == (1, "hard-bounces")
    assert "do not exist" in outlook.reason


def test_a_pause_holds_until_it_is_resumed_and_the_days_between_do_not_count(young):
    given = {"domain": "acme.test", "actor": young.operator}
    warmup_service.pause(young.database, reason="list is bought", now=young.now, **given)
    young.day(GOOD)
    assert (young.shown().outlook.day, young.shown().operators_reason) == (1, "list is bought")
    young.day(GOOD, run=False)
    warmup_service.resume(young.database, reason="cleaned", now=young.now, **given)
    young.run()
    assert young.shown().outlook.day == 1
    assert young.shown().operators_reason == ""
    young.day(GOOD)
    assert young.shown().outlook.day == 2
    entries = audit.entries(young.database, on="domain:acme.test")
    assert [entry.action for entry in entries if entry.action.startswith("warmup.")] == [
        "warmup.resume",
        "warmup.pause",
    ]


def test_the_operator_puts_it_where_it_should_be(young):
    young.set(day=10)
    assert young.shown().outlook.day == 10
    young.set(cap=5)
    assert (young.shown().outlook.cap, young.shown().cap_by_hand) == (5, True)
    young.set(clear_cap=True, graduated=True)
    assert (young.shown().outlook.state, young.shown().outlook.cap) == ("graduated", None)
    young.set(day=1)
    assert (young.shown().outlook.state, young.shown().outlook.cap) == ("warming", 480)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"day": 0}, {"day": 17}, {"cap": -1}, {"day": 1, "graduated": True}, {"cap": 1, "clear_cap": True}],
)
def test_what_cannot_be_set(young, wrong):
    with pytest.raises(InvalidInput):
        young.set(**wrong)


def test_only_verified_domains_warm_up(acme, operator):
    acme.claim("acme", "claimed.test")
    for name in ("claimed.test", "nowhere.test"):
        with pytest.raises(NotFound):
            warmup_service.show_warmup(acme.database, domain=name, schedule=SCHEDULE, now=acme.now)
    run = warmup_service.run_steps(
        acme.database, schedule=SCHEDULE, thresholds=Thresholds(), now=acme.now + timedelta(days=5)
    )
    assert run.judged == 3, "the verified ones"


def test_graduation(young):
    young.set(day=16)
    assert young.day(GOOD).graduated == 1
    assert young.shown().outlook.state == "graduated"


def test_old_days_are_forgotten(young):
    warmup_service.note_day(young.database, domain="acme.test", day=date(2020, 1, 1), more=GOOD)
    assert warmup_service.prune_days(young.database, now=young.now) == 1
