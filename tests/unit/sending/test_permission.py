"""One request on one ledger: a peek charges nothing, a charge charges once, a refusal says when to come again."""

from datetime import UTC, datetime

from smailor.address import Address, DomainName
from smailor.sending.decision import PERMITTED, Decision, Kind, Phase, SendingRequest
from smailor.sending.ledger import Ledger
from smailor.sending.limits import HOUR, Limit
from smailor.sending.permission import account_key, decide

ADA = Address.parse("ada@analytical.test")
NOW = datetime(2026, 11, 2, 13, 32, tzinfo=UTC)
LIMIT = Limit("messages", HOUR, 2)


def request(phase: Phase) -> SendingRequest:
    return SendingRequest(ADA, phase, "1", DomainName("analytical.test"), recipient_count=3)


def test_peeks_charge_nothing() -> None:
    """However many recipients are named."""
    ledger = Ledger({account_key(ADA): {}}, NOW)
    for _ in range(10):
        assert decide(request(Phase.PEEK), LIMIT, ledger) == PERMITTED
    assert ledger.changed() == {}


def test_charges_count_up_to_the_limit_and_then_peeks_are_refused_too() -> None:
    """With the text for the person who sends."""
    ledger = Ledger({account_key(ADA): {}}, NOW)
    assert [decide(request(Phase.CHARGE), LIMIT, ledger).permitted for _ in range(3)] == [True, True, False]
    refused = decide(request(Phase.PEEK), LIMIT, ledger)
    text = "Sending limit reached: 2 messages per hour for ada@analytical.test; try again after 14:35 UTC"
    assert refused == Decision(Kind.LIMIT_REACHED, 450, "4.7.1", text)
    (row,) = ledger.changed().values()
    assert row["messages/hour"] == [HOUR.slot(NOW), *[0] * 12, 2]


def test_a_ledger_reads_back_what_another_wrote() -> None:
    """The row is all that there is to know."""
    first = Ledger({account_key(ADA): {}}, NOW)
    decide(request(Phase.CHARGE), LIMIT, first)
    second = Ledger(first.changed(), NOW)
    assert second.usage(account_key(ADA), LIMIT).total == 1
