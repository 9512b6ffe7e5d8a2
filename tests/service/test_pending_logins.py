"""Log-ins that are half-way: once, for a while, in one browser."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from smailor.accounts import pending, second_factor


def test_what_was_kept_comes_back_once(database, now):
    token = pending.begin(database, purpose="oidc", values={"state": "x"}, now=now)
    assert pending.look(database, purpose="oidc", token=token, now=now).values == {"state": "x"}
    assert pending.take(database, purpose="oidc", token=token, now=now).values == {"state": "x"}
    assert pending.take(database, purpose="oidc", token=token, now=now) is None
    assert pending.look(database, purpose="oidc", token=token, now=now) is None


def test_a_token_opens_its_own_purpose_only(database, now):
    token = pending.begin(database, purpose="oidc", now=now)
    assert pending.take(database, purpose="second-factor", token=token, now=now) is None
    assert pending.take(database, purpose="oidc", token=token, now=now) is not None


def test_it_runs_out(database, now):
    token = pending.begin(database, purpose="oidc", now=now)
    assert pending.look(database, purpose="oidc", token=token, now=now + timedelta(minutes=10)) is None
    assert pending.take(database, purpose="oidc", token=token, now=now + timedelta(minutes=10)) is None


def test_odd_tokens_open_nothing(database, now):
    for token in ("", "x" * 100_000, "\x00", "\u202e", "'; --"):
        assert pending.take(database, purpose="oidc", token=token, now=now) is None


def test_five_attempts_are_all_however_many_come_at_once(database, now):
    token = pending.begin(database, purpose="second-factor", now=now)
    with ThreadPoolExecutor(8) as pool:
        tried = list(
            pool.map(
                lambda _: pending.spend_attempt(database, purpose="second-factor", token=token, now=now), range(16)
            )
        )
    assert sum(found is not None for found in tried) == pending.MAX_ATTEMPTS


def test_of_many_who_come_with_one_token_one_gets_in(database, now):
    token = pending.begin(database, purpose="oidc", now=now)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: pending.take(database, purpose="oidc", token=token, now=now), range(8)))
    assert sum(found is not None for found in got) == 1


def test_nobody_needs_a_second_factor_at_first(house):
    user = house.person("ada@acme.test")
    assert not second_factor.needed(house.database, user.id)
