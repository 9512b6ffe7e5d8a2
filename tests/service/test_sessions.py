"""Web sessions: limits by area, tokens that move, and sessions that end one by one, on both engines."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from smailor.accounts import session_rules, sessions
from smailor.accounts.session_rules import Area
from smailor.errors import NotFound

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def ada(house):
    return house.person("ada@analytical.test")


def start(house, user, **options):
    return sessions.start(house.database, user_id=user.id, method="password", now=house.now, **options)


def find(house, token, now=None):
    return sessions.find(house.database, token=token, now=now or house.now)


def test_a_token_opens_its_session_and_says_whose_it_is(house, ada):
    view = find(house, start(house, ada, source="192.0.2.7", device="Firefox on Linux"))
    assert (view.user, view.source, view.device, view.method) == (ada, "192.0.2.7", "Firefox on Linux", "password")


@pytest.mark.parametrize("token", ["", "x", "x" * 100_000, "\x00", "\u202e", "' OR 1=1 --", "\ufffd"])
def test_other_tokens_open_nothing(house, ada, token):
    start(house, ada)
    assert find(house, token) is None


def test_the_database_does_not_know_tokens(house, ada):
    token = start(house, ada)
    with house.database.reading() as session:
        row = session.execute(text("SELECT * FROM web_sessions")).one()
    assert token not in {str(value) for value in row}


@pytest.mark.parametrize(
    ("area", "later", "opens"),
    [
        (Area.MAIL, 7 * DAY - MINUTE, True),
        (Area.MAIL, 7 * DAY, False),
        (Area.SETTINGS, 12 * HOUR - MINUTE, True),
        (Area.SETTINGS, 12 * HOUR, False),
        (Area.OPERATOR, 15 * MINUTE - MINUTE, True),
        (Area.OPERATOR, 15 * MINUTE, False),
    ],
)
def test_each_area_closes_after_its_own_idle_time(house, ada, area, later, opens):
    times = find(house, start(house, ada)).times
    assert session_rules.opens(times, area, house.now + later) is opens


@pytest.mark.parametrize(("area", "end"), [(Area.MAIL, 30 * DAY), (Area.SETTINGS, 7 * DAY), (Area.OPERATOR, 8 * HOUR)])
def test_use_does_not_keep_an_area_open_beyond_its_absolute_end(house, ada, area, end):
    token, now = start(house, ada), house.now
    step = session_rules.LIMITS[area].idle / 2
    while now + step < house.now + end:
        now += step
        view = find(house, token, now)
        assert session_rules.opens(view.times, area, now)
        sessions.touch(house.database, view=view, area=area, source="", now=now)
    late = house.now + end
    view = find(house, token, late)
    assert view is None or not session_rules.opens(view.times, area, late)


def test_mail_read_meanwhile_does_not_keep_settings_open(house, ada):
    token = start(house, ada)
    later = house.now + 11 * HOUR
    sessions.touch(house.database, view=find(house, token), area=Area.MAIL, source="198.51.100.9", now=later)
    view = find(house, token, later + 2 * HOUR)
    assert view.source == "198.51.100.9"
    assert not session_rules.opens(view.times, Area.SETTINGS, later + 2 * HOUR)


def test_use_is_written_down_at_most_once_a_minute(house, ada, statements):
    token = start(house, ada)
    view = find(house, token)
    with statements(house.database) as said:
        for seconds in range(59):
            sessions.touch(
                house.database, view=view, area=Area.MAIL, source="", now=house.now + timedelta(seconds=seconds)
            )
    assert said == []
    sessions.touch(house.database, view=view, area=Area.MAIL, source="", now=house.now + MINUTE)
    assert find(house, token).last_used_at == house.now + MINUTE


def test_a_session_that_moves_has_a_new_token_and_the_same_key(house, ada):
    old = start(house, ada)
    view = find(house, old)
    new = sessions.rotate(house.database, session_id=view.id, now=house.now + HOUR)
    assert find(house, old) is None
    moved = find(house, new)
    assert moved.key == view.key
    assert not session_rules.fresh(moved.times, house.now + HOUR)


def test_showing_again_who_one_is_makes_it_fresh(house, ada):
    view = find(house, start(house, ada))
    later = house.now + 13 * HOUR
    new = sessions.rotate(house.database, session_id=view.id, now=later, authenticated="passkey")
    moved = find(house, new, later)
    assert session_rules.fresh(moved.times, later + 9 * MINUTE)
    assert not session_rules.fresh(moved.times, later + 10 * MINUTE)
    assert all(session_rules.opens(moved.times, area, later) for area in Area)
    assert moved.method == "passkey"


def test_one_ends_ones_own_sessions_and_nobody_elses(house, ada):
    bob = house.person("bob@analytical.test")
    first, second, other = start(house, ada), start(house, ada), start(house, bob)
    with pytest.raises(NotFound):
        sessions.revoke(house.database, user_id=ada.id, session_id=find(house, other).id, now=house.now)
    ended = sessions.revoke(house.database, user_id=ada.id, session_id=find(house, first).id, now=house.now)
    assert ended.user == ada
    assert find(house, first) is None
    assert find(house, second)
    assert find(house, other)
    with pytest.raises(NotFound):
        sessions.revoke(house.database, user_id=ada.id, session_id=ended.id, now=house.now)


def test_all_others_end_and_one_stays(house, ada):
    bob = house.person("bob@analytical.test")
    keep, *others = (start(house, ada) for _ in range(4))
    foreign = start(house, bob)
    ended = sessions.end_others(house.database, user_id=ada.id, keep=find(house, keep).id, now=house.now)
    assert len(ended) == 3
    assert find(house, keep)
    assert find(house, foreign)
    assert not any(find(house, token) for token in others)


def test_the_list_has_live_sessions_last_used_first(house, ada):
    old, new = start(house, ada), start(house, ada)
    later = house.now + 3 * DAY
    sessions.touch(house.database, view=find(house, new), area=Area.MAIL, source="", now=later)
    shown = sessions.list_sessions(house.database, user_id=ada.id, now=later)
    assert [view.id for view in shown] == [find(house, new, later).id, find(house, old, later).id]
    shown = sessions.list_sessions(house.database, user_id=ada.id, now=later + 5 * DAY)
    assert [view.id for view in shown] == [find(house, new, later).id]
    assert sessions.prune(house.database, now=later + 5 * DAY) == 1


def test_a_log_in_and_its_end_are_in_the_audit_trail(house, ada):
    view = find(house, start(house, ada, source="192.0.2.7", device="Firefox on Linux"))
    sessions.revoke(house.database, user_id=ada.id, session_id=view.id, source="198.51.100.9", now=house.now)
    with house.database.reading() as session:
        rows = session.execute(text("SELECT action, source FROM audit_entries ORDER BY sequence DESC LIMIT 2")).all()
    assert [tuple(row) for row in rows] == [("session.revoke", "198.51.100.9"), ("session.start", "192.0.2.7")]
