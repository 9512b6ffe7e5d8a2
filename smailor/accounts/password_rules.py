"""What a password must not be, beside too short: known to others, or the person's own name.

Every place where a person chooses a password asks `check`.
"""

import re

from smailor.accounts.breached import Breached
from smailor.accounts.password_forms import forms
from smailor.accounts.passwords import MAX_LENGTH, MIN_LENGTH
from smailor.errors import InvalidInput

_LEAST_NAME = 4
"""Shorter names stand in too many words."""


def check(password: str, *, about: tuple[str, ...], breached: Breached) -> None:
    """Refuse a password that somebody could guess.

    Args:
        password: what the person chose.
        about: their address and name, and what the service is called.
        breached: the lists.

    Raises:
        InvalidInput: it cannot be used; the text says why.
        TemporaryFailure: the operator's list cannot be read.
    """
    if len(password) < MIN_LENGTH:
        raise InvalidInput("password", f"needs at least {MIN_LENGTH} characters")
    if len(password) > MAX_LENGTH:
        raise InvalidInput("password", f"has at most {MAX_LENGTH} characters")
    if "\0" in password:
        raise InvalidInput("password", "has a character that no keyboard has")
    if _is_name(password, about):
        raise InvalidInput("password", "is your address or a name, which others know, too")
    if breached.has(password):
        raise InvalidInput("password", "is on the lists that are tried first; choose one that only you would think of")


def _is_name(password: str, about: tuple[str, ...]) -> bool:
    """Whether the password is names and nothing else, in any form, order and number."""
    words = {word for text in about for word in _words(text) if len(word) >= _LEAST_NAME}
    for form in forms(password):
        bare = re.sub(r"[\W\d_]+", "", form)
        for word in sorted(words, key=len, reverse=True):
            bare = bare.replace(word, "")
        if len(bare) < _LEAST_NAME and any(word in re.sub(r"[\W\d_]+", "", form) for word in words):
            return True
    return False


def _words(text: str) -> list[str]:
    """`ada.lovelace@analytical.test` and all of its parts."""
    lower = text.lower()
    return [re.sub(r"[\W\d_]+", "", lower), *re.split(r"[\W\d_]+", lower)]
