"""Who may send as what (the view `mta_senders`): asked for every message, so a plain question, no tables here."""

from smailor.address import Address
from smailor.database.reader import Rows
from smailor.errors import InvalidInput

_RIGHT = "SELECT 1 FROM mta_senders WHERE login = :login AND sender IN (:address, :base, :all) LIMIT 1"


def may_send_as(database: Rows, *, login: str, address: str) -> bool:
    """Tell whether the account that logged in may use this address as sender.

    Args:
        database: where to look.
        login: the inbox's address that logged in.
        address: envelope sender or header From; a sub-address (`ada+x@…`) counts as the address without it.

    Raises:
        TemporaryFailure: the database does not answer.
    """
    try:
        parsed = Address.parse(address)
    except InvalidInput:
        return False
    base = str(parsed.without_extension())
    values = {"login": login, "address": str(parsed), "base": base, "all": f"@{parsed.domain.name}"}
    return bool(database.rows(_RIGHT, values))
