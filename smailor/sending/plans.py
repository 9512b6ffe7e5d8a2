"""Which limits a workspace's plan gives to its accounts, domains and itself, and what the operator set instead. Pure.

Everything that a plan does not name follows from one number, the messages that an account may send in an hour: so a
plan of one line is a whole plan, and no limit is forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from smailor.config import Plan, Settings
from smailor.errors import InvalidInput
from smailor.sending.limits import DAY, HOUR, MESSAGES, RECIPIENTS, TODAY, Limit, Window
from smailor.sending.subject import Scope
from smailor.sending.warmup import Schedule

STANDARD = "standard"
"""The plan of a workspace that has no other; it need not be in the configuration."""
PER_MESSAGE = "recipients/message"
UNIQUE = "unique-recipients/day"
WINDOWS: Mapping[str, tuple[str, Window]] = {
    "messages/hour": (MESSAGES, HOUR),
    "messages/day": (MESSAGES, DAY),
    "recipients/hour": (RECIPIENTS, HOUR),
    "recipients/day": (RECIPIENTS, DAY),
}
"""Measures that slide, in the order in which they are looked at."""
MEASURES: Mapping[Scope, tuple[str, ...]] = {
    Scope.ACCOUNT: (*WINDOWS, PER_MESSAGE, UNIQUE),
    Scope.DOMAIN: tuple(WINDOWS),
    Scope.WORKSPACE: tuple(WINDOWS),
}
"""What can be limited for whom."""

_FACTORS = {"messages/hour": 1, "messages/day": 5, "recipients/hour": 2, "recipients/day": 10}
_TIMES = {Scope.ACCOUNT: 1, Scope.DOMAIN: 10, Scope.WORKSPACE: 20}
_FEWEST_PER_MESSAGE = 200
_UNIQUE_FACTOR = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of a plan.

    Attributes:
        maxima: for each scope and measure.
    """

    maxima: Mapping[tuple[Scope, str], int]

    def of(self, scope: Scope, overrides: Mapping[str, int]) -> dict[str, int]:
        """Return the limits of one account, domain or workspace by measure.

        Args:
            scope: which of the three.
            overrides: what the operator has set for it.
        """
        return {measure: overrides.get(measure, self.maxima[scope, measure]) for measure in MEASURES[scope]}


def limits_of(plan: Plan, messages_per_hour: int) -> Limits:
    """Return all limits of a plan.

    Args:
        plan: as in the configuration.
        messages_per_hour: of an account, where the plan does not say.
    """
    base = messages_per_hour if plan.messages_per_hour is None else plan.messages_per_hour
    maxima: dict[tuple[Scope, str], int] = {}
    for scope, times in _TIMES.items():
        for measure, factor in _FACTORS.items():
            unit, _, window = measure.partition("/")
            named = getattr(plan, f"{scope}_{unit}_per_{window}", None)
            maxima[scope, measure] = base * times * factor if named is None else named
    per_message, unique = plan.recipients_per_message, plan.unique_recipients_per_day
    maxima[Scope.ACCOUNT, PER_MESSAGE] = _FEWEST_PER_MESSAGE if per_message is None else per_message
    maxima[Scope.ACCOUNT, UNIQUE] = base * _UNIQUE_FACTOR if unique is None else unique
    return Limits(maxima)


@dataclass(frozen=True, slots=True)
class Plans:
    """The limits of all plans.

    Attributes:
        by_name: every plan of the configuration.
        standard: of a workspace whose plan is not among them.
    """

    by_name: Mapping[str, Limits]
    standard: Limits

    def limits(self, name: str | None) -> Limits:
        """Return the limits of a plan; of the standard one where there is none of that name."""
        return self.by_name.get(name or STANDARD, self.standard)


def plans_of(settings: Settings) -> Plans:
    """Return the plans of the configuration."""
    base = settings.sending.messages_per_hour
    by_name = {name: limits_of(plan, base) for name, plan in settings.plans.items()}
    return Plans(by_name, by_name.get(STANDARD) or limits_of(Plan(), base))


def schedule_of(settings: Settings) -> Schedule:
    """Return the warm-up's schedule of the configuration."""
    warmup = settings.warmup
    return Schedule(warmup.first_day, warmup.growth, warmup.graduates_at)


def limit(measure: str, maximum: int) -> Limit:
    """Return the limit that a measure of `WINDOWS`, or `UNIQUE`, stands for."""
    if measure == UNIQUE:
        return Limit("unique recipients", TODAY, maximum)
    unit, window = WINDOWS[measure]
    return Limit(unit, window, maximum)


def check_measure(scope: Scope, measure: str) -> str:
    """Return the measure if it can be limited there.

    Raises:
        InvalidInput: it cannot.
    """
    if measure not in MEASURES[scope]:
        raise InvalidInput("measure", f"for this {scope} one of {', '.join(MEASURES[scope])}")
    return measure
