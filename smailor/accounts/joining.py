"""A newcomer comes in by an invitation: account, verified address and membership in one transaction."""

from sqlalchemy import select

from smailor.accounts import audit, invitations, password_rules, passwords
from smailor.accounts.audit import Actor
from smailor.accounts.authority import By
from smailor.accounts.desk import Asked, Desk
from smailor.accounts.models import User
from smailor.accounts.names import clean_name
from smailor.accounts.posting import Post
from smailor.database.engine import Database


def join(
    database: Database,
    desk: Desk,
    *,
    token: str,
    name: str,
    password: str,
    asked: Asked,
) -> None:
    """Open an account for the invited address, and accept the invitation.

    Where the address has a verified account nothing at all changes, and it takes as long: its owner logs in and accepts
    there. Whoever asks is told the same.

    Args:
        database: where to.
        desk: letters and breached passwords.
        token: of the invitation's letter, which shows that the address is theirs.
        name: what to call them.
        password: what they chose.
        asked: language, source and moment.

    Raises:
        NotFound: there is no such invitation any more.
        InvalidInput: name or password cannot be used.
    """
    now = asked.now
    offer = invitations.look(database, token=token, now=now)
    wanted = clean_name("name", name)
    about = (offer.email, wanted, desk.head.service)
    password_rules.check(password, about=about, breached=desk.breached)
    password_hash = passwords.hash_password(password)
    actor = Actor(offer.email, asked.source)
    with database.transaction() as session:
        user = session.scalar(select(User).where(User.email == offer.email))
        if user is not None and user.email_verified_at is not None:
            return
        if user is None:
            user = User(email=offer.email, operator=False, created_at=now)
            session.add(user)
        # An address that somebody signed up with and nobody has verified: what was typed there is not its owner's.
        user.name, user.password_hash, user.language = wanted, password_hash, asked.language
        user.email_verified_at = now
        session.flush()
        audit.record_in(session, actor, action="account.verify", on=f"account:{user.email}", now=now)
        invitations.accept_in(
            session, token=token, user=user, by=By(actor, user.id), post=Post(desk.head, desk.sealer), now=now
        )
