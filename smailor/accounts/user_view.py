"""A person, as other rooms and faces see them. No queries here."""

from dataclasses import dataclass

from smailor.accounts.models import User


@dataclass(frozen=True, slots=True)
class UserView:
    """A person.

    Attributes:
        operator: whether they run the service.
        language: `en`, `de`; empty: what the browser asks for.
        verified: whether they showed that the address is theirs; nothing opens until then.
    """

    id: int
    email: str
    name: str
    operator: bool
    language: str = ""
    verified: bool = True


def user_view(user: User) -> UserView:
    """Return a row as others see it."""
    return UserView(
        id=user.id,
        email=user.email,
        name=user.name,
        operator=user.operator,
        language=user.language or "",
        verified=user.email_verified_at is not None,
    )
