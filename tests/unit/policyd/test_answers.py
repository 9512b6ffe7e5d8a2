"""What Postfix says becomes a question of ours: who logged in, at which states, with which domain."""

import pytest

from policyd.answers import sending_request
from policyd.protocol import PolicyRequest
from smailor.address import Address, DomainName
from smailor.errors import InvalidInput
from smailor.sending.decision import Phase


def test_peek_at_rcpt_and_charge_at_end_of_message() -> None:
    """The two states at which submission asks."""
    at_rcpt = sending_request(PolicyRequest("RCPT", "1", sasl_username="Ada@Analytical.test", sender="x@lovelace.test"))
    at_end = sending_request(PolicyRequest("END-OF-MESSAGE", "1", sasl_username="ada@analytical.test"))
    assert at_rcpt is not None
    assert at_end is not None
    assert at_rcpt.phase is Phase.PEEK
    assert at_end.phase is Phase.CHARGE
    assert at_rcpt.account == at_end.account == Address.parse("ada@analytical.test")


@pytest.mark.parametrize("state", ["CONNECT", "HELO", "MAIL", "DATA", "ETRN", "VRFY", "something new"])
def test_other_states_are_not_our_concern(state: str) -> None:
    """Asked there by mistake, nothing is charged twice."""
    assert sending_request(PolicyRequest(state, "1", sasl_username="a@x.test")) is None


def test_mail_from_outside_is_not_our_concern() -> None:
    """On port 25 nobody logs in."""
    assert sending_request(PolicyRequest("RCPT", "1", sender="someone@else.test")) is None


@pytest.mark.parametrize(
    ("sender", "domain"),
    [
        ("b@lovelace.test", "lovelace.test"),
        ("B@LOVELACE.test", "lovelace.test"),
        ("b@müller.test", "xn--mller-kva.test"),
        ("", "analytical.test"),
        ("b@[192.0.2.1]", "analytical.test"),
    ],
)
def test_domain_is_the_senders_or_else_the_accounts(sender: str, domain: str) -> None:
    """A bounce or an odd sender counts for the account's own domain."""
    request = sending_request(PolicyRequest("RCPT", "1", sasl_username="ada@analytical.test", sender=sender))
    assert request is not None
    assert request.sender_domain == DomainName.parse(domain)


def test_a_login_that_is_no_inbox_is_an_error() -> None:
    """What cannot be counted may not leave."""
    with pytest.raises(InvalidInput):
        sending_request(PolicyRequest("RCPT", "1", sasl_username="root"))
