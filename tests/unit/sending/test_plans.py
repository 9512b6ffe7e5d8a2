"""What a plan allows: one number is a whole plan, and what is named stands."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smailor.config import Plan, Settings, parse_settings
from smailor.errors import ConfigError, InvalidInput
from smailor.sending import plans
from smailor.sending.limits import DAY, RECIPIENTS, Limit
from smailor.sending.plans import MEASURES, PER_MESSAGE, UNIQUE, Plans, limits_of, plans_of
from smailor.sending.subject import Scope

HEAD = """
[service]
hostname = "mx.x.test"
domain = "x.test"
[database]
url = "sqlite:////x"
[secrets]
session_key = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
sealing_keys = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
"""


def settings(text: str) -> Settings:
    return parse_settings(HEAD + text, source="x", environ={})


def test_one_number_is_a_whole_plan():
    limits = limits_of(Plan(), 200)
    assert limits.of(Scope.ACCOUNT, {}) == {
        "messages/hour": 200,
        "messages/day": 1000,
        "recipients/hour": 400,
        "recipients/day": 2000,
        PER_MESSAGE: 200,
        UNIQUE: 1000,
    }
    assert limits.of(Scope.DOMAIN, {})["messages/hour"] == 2000
    assert limits.of(Scope.WORKSPACE, {})["messages/hour"] == 4000


def test_what_a_plan_names_stands():
    for entry in fields(Plan):
        before, after = limits_of(Plan(), 200), limits_of(Plan(**{entry.name: 12_345}), 200)
        changed = {key for key in before.maxima if before.maxima[key] != after.maxima[key]}
        if entry.name == "messages_per_hour":
            assert changed == set(before.maxima) - {(Scope.ACCOUNT, PER_MESSAGE)}
        else:
            assert len(changed) == 1, entry.name
            assert after.maxima[changed.pop()] == 12_345


@given(overrides=st.dictionaries(st.sampled_from(MEASURES[Scope.ACCOUNT]), st.integers(0, 9)))
def test_what_the_operator_has_set_takes_the_plans_place(overrides):
    own = limits_of(Plan(), 200).of(Scope.ACCOUNT, overrides)
    assert own == {**limits_of(Plan(), 200).of(Scope.ACCOUNT, {}), **overrides}


def test_plans_come_from_the_configuration():
    found = plans_of(settings("[sending]\nmessages_per_hour = 50\n[plans.large]\nmessages_per_hour = 500\n"))
    assert found.limits(None).maxima[Scope.ACCOUNT, "messages/hour"] == 50
    assert found.limits("large").maxima[Scope.ACCOUNT, "messages/hour"] == 500
    assert found.limits("no such plan") is found.standard
    own = plans_of(settings("[plans.standard]\nrecipients_per_message = 7\n"))
    assert own.limits("whatever").maxima[Scope.ACCOUNT, PER_MESSAGE] == 7
    assert isinstance(own, Plans)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[plans]\nlarge = 5\n", "plans.large"),
        ("[plans.large]\nmessages_per_our = 5\n", "plans.large.messages_per_our"),
        ("[plans.large]\nmessages_per_hour = -1\n", "plans.large.messages_per_hour"),
        ("[plans.large]\nmessages_per_hour = 3000000000\n", "plans.large.messages_per_hour"),
        ('[plans.large]\nmessages_per_hour = "many"\n', "plans.large.messages_per_hour"),
        ('[plans."Large One"]\nmessages_per_hour = 1\n', "plans"),
        ("[warmup]\nfirst_day = 0\n", "warmup"),
        ("[warmup]\ngrowth = 1.0\n", "warmup.growth"),
        ("[warmup]\ngraduates_at = 480\n", "warmup.graduates_at"),
        ("[anomalies]\nnew_share = 1.5\n", "anomalies.new_share"),
        ("[anomalies]\nnetworks = 0\n", "anomalies.networks"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_name(text, where):
    with pytest.raises(ConfigError, match=where):
        settings(text)


def test_measures_have_their_limits():
    assert plans.limit("recipients/day", 5) == Limit(RECIPIENTS, DAY, 5)
    assert plans.check_measure(Scope.ACCOUNT, UNIQUE) == UNIQUE
    for scope, measure in ((Scope.DOMAIN, UNIQUE), (Scope.ACCOUNT, "letters/year")):
        with pytest.raises(InvalidInput):
            plans.check_measure(scope, measure)
