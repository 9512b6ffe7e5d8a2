"""The letters that wait in the outbox, unsealed, for tests that follow their links."""

import base64
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from sqlalchemy import text


def letters_of(house, recipient: str, sealer=None) -> list[EmailMessage]:
    """Return the letters to an address, oldest first."""
    query = text("SELECT sealed_message FROM notices WHERE recipient = :recipient ORDER BY id")
    with house.database.reading() as session:
        sealed = session.scalars(query, {"recipient": recipient}).all()
    unseal = (sealer or house.sealer).unseal
    return [message_from_bytes(base64.b64decode(unseal(one)), policy=default) for one in sealed]
