"""Sealing of secrets at rest: a stolen copy of the database alone signs no mail and passes nobody's second factor.

Fernet (AES-128-CBC with HMAC-SHA-256) from `cryptography`; several keys allow rotation: the first seals, all
unseal.
"""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from smailor.errors import TemporaryFailure


class Sealer:
    """Seals and unseals text with the installation's keys.

    Args:
        keys: Fernet keys, `secrets.sealing_keys` of the configuration.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, text: str) -> str:
        """Return the text sealed with the first key."""
        return self._fernet.encrypt(text.encode("utf-8")).decode("ascii")

    def unseal(self, sealed: str) -> str:
        """Return the text that was sealed.

        Raises:
            TemporaryFailure: none of the keys opens it; an operator has to bring the right key back.
        """
        try:
            return self._fernet.decrypt(sealed.encode("ascii")).decode("utf-8")
        except InvalidToken as error:
            raise TemporaryFailure("a sealed secret does not open with this installation's sealing_keys") from error
