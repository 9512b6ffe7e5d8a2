"""The rule of sending: what is looked at, in which order, before a message may leave. Values in, a decision out."""

from smailor.address import Address
from smailor.sending import limits
from smailor.sending.decision import PERMITTED, Decision, Phase, SendingRequest, limit_reached
from smailor.sending.ledger import Ledger
from smailor.sending.limits import Limit


def account_key(account: Address) -> str:
    """Return the key under which an account's use is kept."""
    return f"account:{account}"


def decide(request: SendingRequest, limit: Limit, ledger: Ledger) -> Decision:
    """Return the decision on one request, and charge the ledger if the message leaves with it.

    Args:
        request: what is asked.
        limit: messages of the account.
        ledger: holds the account's row.
    """
    key = account_key(request.account)
    usage = ledger.usage(key, limit)
    if limits.room(limit, usage) < 1:
        return limit_reached(limit, str(request.account), limits.free_at(limit, usage, 1))
    if request.phase is Phase.CHARGE:
        ledger.charge(key, limit, 1)
    return PERMITTED
