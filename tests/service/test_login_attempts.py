"""Whoever guesses is slowed down; an owner is never locked out by somebody else."""

from datetime import timedelta

from smailor.accounts import attempts
from smailor.accounts.attempts import Kind

HERE, ELSEWHERE = "192.0.2.7", "198.51.100.9"
ADA = "ada@analytical.test"


def fail(database, now, times, address=ADA, source=HERE):
    for _ in range(times):
        attempts.note_failure(database, address=address, source=source, now=now)


def test_a_pair_is_slowed_down_after_its_share_and_freed_by_time(database, now):
    fail(database, now, attempts.PER_PAIR - 1)
    assert attempts.wait_seconds(database, address=ADA, source=HERE, now=now) == 0
    fail(database, now, 1)
    assert attempts.wait_seconds(database, address=" ADA@analytical.test", source=HERE, now=now) > 0
    later = now + attempts.WINDOW + timedelta(seconds=1)
    assert attempts.wait_seconds(database, address=ADA, source=HERE, now=later) == 0


def test_an_owner_elsewhere_is_not_locked_out(database, now):
    fail(database, now, attempts.PER_SOURCE + 5)
    assert attempts.wait_seconds(database, address=ADA, source=ELSEWHERE, now=now) == 0


def test_a_source_is_slowed_down_over_all_addresses_it_tries(database, now):
    for number in range(attempts.PER_SOURCE):
        fail(database, now, 1, address=f"somebody{number}@analytical.test")
    assert attempts.wait_seconds(database, address="new@analytical.test", source=HERE, now=now) > 0


def test_addresses_of_one_ipv6_site_count_as_one(database, now):
    for number in range(attempts.PER_PAIR):
        fail(database, now, 1, source=f"2001:db8:1:2::{number:x}")
    assert attempts.wait_seconds(database, address=ADA, source="2001:db8:1:2:ffff::1", now=now) > 0
    assert attempts.wait_seconds(database, address=ADA, source="2001:db8:1:3::1", now=now) == 0


def test_the_right_password_clears_the_pair(database, now):
    fail(database, now, attempts.PER_PAIR)
    attempts.forget(database, address=ADA, source=HERE)
    assert attempts.wait_seconds(database, address=ADA, source=HERE, now=now) == 0


def test_guessing_from_many_sources_is_slowed_down_for_an_address(database, now):
    for number in range(attempts.PER_ADDRESS):
        attempts.note_failure(database, address=ADA, source=f"198.51.{number // 250}.{number % 250}", now=now)
    assert attempts.wait_seconds(database, address=ADA, source="203.0.113.5", now=now) > 0
    assert attempts.wait_seconds(database, address="bob@analytical.test", source="203.0.113.5", now=now) == 0


def test_nothing_that_comes_from_elsewhere_keeps_a_known_device_out(database, now):
    """Whatever is tried, from the same source and from ten thousand others: the owner's own browser may try."""
    fail(database, now, attempts.PER_SOURCE)
    for number in range(attempts.PER_ADDRESS):
        attempts.note_failure(database, address=ADA, source=f"198.51.100.{number % 250}", now=now)
    assert attempts.wait_seconds(database, address=ADA, source=HERE, now=now) > 0
    assert attempts.wait_seconds(database, address=ADA, source=HERE, now=now, device="mine") == 0


def test_a_known_device_has_a_budget_of_its_own(database, now):
    for _ in range(attempts.PER_PAIR):
        attempts.note_failure(database, address=ADA, source=HERE, now=now, device="mine")
    assert attempts.wait_seconds(database, address=ADA, source=HERE, now=now, device="mine") > 0
    assert attempts.wait_seconds(database, address=ADA, source=HERE, now=now, device="another") == 0
    assert attempts.wait_seconds(database, address=ADA, source=HERE, now=now) == 0


def test_kinds_do_not_count_against_one_another(database, now):
    for _ in range(60):
        attempts.note_failure(database, address=ADA, source=HERE, now=now, kind=Kind.RESET)
    assert attempts.wait_seconds(database, address=ADA, source=HERE, now=now) == 0
    assert attempts.source_wait_seconds(database, source=HERE, now=now, kind=Kind.RESET) > 0
    assert attempts.source_wait_seconds(database, source=ELSEWHERE, now=now, kind=Kind.RESET) == 0
