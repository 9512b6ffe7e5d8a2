"""What service tests have at hand: a workspace with a verified domain and inboxes, made by the services themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import event

from smailor.accounts import service as accounts
from smailor.accounts import workspaces
from smailor.database.engine import Database
from smailor.dns.fake import FakeResolver
from smailor.domains import dkim_keys
from smailor.domains import service as domains
from smailor.mailboxes import service as mailboxes
from smailor.sealing import Sealer


@dataclass(frozen=True)
class House:
    """A database and shortcuts to fill it."""

    database: Database
    sealer: Sealer
    now: datetime

    def workspace(self, slug: str, *domain_names: str) -> None:
        """Create a workspace with verified domains."""
        workspaces.create_workspace(self.database, slug=slug, name=slug.title(), now=self.now)
        for name in domain_names:
            self.claim(slug, name)
            self.verify(slug, name)

    def claim(self, slug: str, name: str) -> domains.DomainView:
        """Claim a domain without verifying it."""
        return domains.add_domain(self.database, workspace=slug, name=name, sealer=self.sealer, now=self.now)

    def verify(self, slug: str, name: str) -> None:
        """Verify a domain through a DNS that shows its token."""
        token = domains.get_domain(self.database, workspace=slug, name=name).verification_token
        resolver = FakeResolver({(f"_smailor-challenge.{name}", "TXT"): [f"smailor-verify={token}"]})
        domains.verify_domain(self.database, workspace=slug, name=name, resolver=resolver, now=self.now)

    def person(self, email: str) -> accounts.UserView:
        """Create a person whose password is `correct horse battery`."""
        return accounts.create_user(
            self.database, email=email, name="Somebody", password="correct horse battery", now=self.now
        )

    def inbox(self, slug: str, address: str, reader: str | None = None) -> mailboxes.InboxView:
        """Create an inbox."""
        return mailboxes.create_inbox(
            self.database, workspace=slug, address=address, name="Somebody", reader=reader, now=self.now
        )


FEW = 16


@pytest.fixture(scope="session", autouse=True)
def few_keys() -> Iterator[None]:
    """Sign with a few RSA keys in turn: each takes a tenth of a second to make, and most tests here add domains."""
    made: list[rsa.RSAPrivateKey] = []
    make = rsa.generate_private_key

    def in_turn(**asked: int) -> rsa.RSAPrivateKey:
        made.append(made.pop(0) if len(made) == FEW else make(**asked))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dkim_keys.rsa, "generate_private_key", in_turn)
        yield


@pytest.fixture
def sealing_key() -> str:
    """A key of the test's own."""
    return Fernet.generate_key().decode()


@pytest.fixture
def sealer(sealing_key: str) -> Sealer:
    """Seals with that key."""
    return Sealer([sealing_key])


@pytest.fixture
def house(database: Database, sealer: Sealer, now: datetime) -> House:
    """An empty database to fill."""
    return House(database, sealer, now)


@pytest.fixture
def statements():
    """Gather what a block says to a database, but for BEGIN, in a list."""

    @contextmanager
    def gather(database):
        seen: list[str] = []

        def note(connection, cursor, statement, *rest):
            del connection, cursor, rest
            if statement.startswith("BEGIN"):
                return
            seen.append(statement)

        event.listen(database.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(database.engine, "before_cursor_execute", note)

    return gather
