"""What looks unlike an account: a password in wrong hands shows in how it is used. Pure.

Three signs, each with its threshold in the configuration: an hour that is ten times the usual one, mail to people of
whom most were never written to before, and mail from many networks at once. None of them is proof, so the account is
paused and its owner asked, not suspended.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the lines are.

    Attributes:
        times_usual: an hour of more than this many times the usual one.
        recipients_at_least: recipients in that hour below which it is no matter how many times that is.
        new_share: a larger share of a day's recipients was never written to before that day.
        new_at_least: new recipients on that day below which their share is no matter.
        networks: more networks than this sent in one hour.
    """

    times_usual: float = 10.0
    recipients_at_least: int = 100
    new_share: float = 0.8
    new_at_least: int = 100
    networks: int = 8


@dataclass(frozen=True, slots=True)
class Activity:
    """What an account does in this hour, beside what it usually does.

    Attributes:
        recipients: written to in this hour.
        usual: recipients in a usual busy hour of the last weeks; None: the account is too young to have a usual.
        different: people written to today.
        new: of them, those that were never written to before today.
        networks: networks (IPv4 /24, IPv6 /48) that it was used from in this hour.
    """

    recipients: int
    usual: float | None
    different: int = 0
    new: int = 0
    networks: int = 1


class Kind(StrEnum):
    """Which sign."""

    VOLUME = "volume"
    NEW_RECIPIENTS = "new-recipients"
    NETWORKS = "networks"


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A sign that somebody else may be sending.

    Attributes:
        kind: which sign.
        words: what was seen, for the account's owner, after "Sending is paused: ".
    """

    kind: Kind
    words: str


def look(activity: Activity, thresholds: Thresholds) -> Anomaly | None:
    """Return what looks unlike the account; None: nothing does.

    Args:
        activity: of one hour and its day.
        thresholds: where the lines are.
    """
    if activity.networks > thresholds.networks:
        return Anomaly(Kind.NETWORKS, f"mail from {activity.networks} networks within an hour")
    volume = _is_volume(activity, thresholds)
    if volume:
        usual = max(round(activity.usual or 0), 1)
        return Anomaly(Kind.VOLUME, f"{activity.recipients} recipients within an hour, usually at most {usual}")
    if (
        activity.usual is not None
        and activity.new >= thresholds.new_at_least
        and activity.new > thresholds.new_share * activity.different
    ):
        words = f"{activity.new} of {activity.different} recipients today were never written to before"
        return Anomaly(Kind.NEW_RECIPIENTS, words)
    return None


def _is_volume(activity: Activity, thresholds: Thresholds) -> bool:
    if activity.usual is None or activity.recipients < thresholds.recipients_at_least:
        return False
    return activity.recipients > thresholds.times_usual * max(activity.usual, 1.0)
