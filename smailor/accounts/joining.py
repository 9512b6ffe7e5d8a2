"""A newcomer comes in by an invitation: account, verified address and membership in one transaction."""

from datetime import datetime

from sqlalchemy import select

from smailor.accounts import audit, invitations, passwords
from smailor.accounts.audit import Actor
from smailor.accounts.authority import By
from smailor.accounts.models import User
from smailor.accounts.names import clean_name
from smailor.accounts.posting import Post
from smailor.database.engine import Database


def join(
    database: Database,
    *,
    token: str,
    name: str,
    password: str,
    language: str,
    source: str,
    post: Post,
    now: datetime,
) -> None:
    """Open an account for the invited address, and accept the invitation.

    Where the address has a verified account nothing at all changes, and it takes as long: its owner logs in and accepts
    there. Whoever asks is told the same.

    Args:
        database: where to.
        token: of the invitation's letter, which shows that the address is theirs.
        name: what to call them.
        password: what they chose.
        language: in which they read the page.
        source: the client's IP address.
        post: writes to who invited them.
        now: the present moment.

    Raises:
        NotFound: there is no such invitation any more.
        InvalidInput: name or password cannot be used.
    """
    offer = invitations.look(database, token=token, now=now)
    wanted = clean_name("name", name)
    password_hash = passwords.hash_password(password)
    actor = Actor(offer.email, source)
    with database.transaction() as session:
        user = session.scalar(select(User).where(User.email == offer.email))
        if user is not None and user.email_verified_at is not None:
            return
        if user is None:
            user = User(email=offer.email, operator=False, created_at=now)
            session.add(user)
        # An address that somebody signed up with and nobody has verified: what was typed there is not its owner's.
        user.name, user.password_hash, user.language, user.email_verified_at = wanted, password_hash, language, now
        session.flush()
        audit.record_in(session, actor, action="account.verify", on=f"account:{user.email}", now=now)
        invitations.accept_in(session, token=token, user=user, by=By(actor, user.id), post=post, now=now)
