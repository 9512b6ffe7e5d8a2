"""Writing to people from within a transaction: who writes, and what seals the letters that wait to be sent."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from smailor.accounts import letters, notices
from smailor.accounts.letters import Letterhead
from smailor.accounts.workspace_letters import Text
from smailor.sealing import Sealer


@dataclass(frozen=True, slots=True)
class Post:
    """What a use case needs to write to people.

    Attributes:
        head: who writes.
        sealer: seals letters that wait.
    """

    head: Letterhead
    sealer: Sealer

    def put_in(
        self, session: Session, *, recipient: str, language: str, text: Text, now: datetime, expires_at: datetime
    ) -> None:
        """Put a letter into the outbox, within the transaction of what it tells of.

        Args:
            session: the transaction.
            recipient: to whom.
            language: in which language it is written.
            text: subject and text.
            now: the present moment.
            expires_at: when it is of no use any more.
        """
        message = letters.letter(
            self.head, recipient=recipient, subject=text.subject, text=text.body, language=language, now=now
        )
        notices.post_in(session, self.sealer, recipient=recipient, message=message, now=now, expires_at=expires_at)
