"""The language in which a person wants to be spoken to, on pages and in letters. Texts are elsewhere."""

from smailor.accounts.models import User
from smailor.database.engine import Database
from smailor.errors import InvalidInput, NotFound

LANGUAGES = {"en": "English", "de": "Deutsch"}
"""By code (BCP 47), each called as its speakers call it. The first one is spoken where nothing else is known."""


def set_language(database: Database, *, user_id: int, language: str) -> None:
    """Remember a person's language.

    Args:
        database: where people are.
        user_id: the person.
        language: one of LANGUAGES; empty: whatever the browser asks for.

    Raises:
        NotFound: no such person.
        InvalidInput: no such language.
    """
    if language and language not in LANGUAGES:
        raise InvalidInput("language", "choose one of the list")
    with database.transaction() as session:
        user = session.get(User, user_id)
        if user is None:
            raise NotFound("there is no such person")
        user.language = language
