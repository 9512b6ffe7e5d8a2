"""Workspaces that go: grace period, what is deleted at its end, and what nobody gets by it."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy import table as tables

from smailor.accounts import app_passwords, audit, deletion, member_changes, members, workspaces
from smailor.accounts.audit import Actor
from smailor.accounts.authority import By
from smailor.accounts.letters import Letterhead
from smailor.accounts.posting import Post
from smailor.domains import service as domains
from smailor.errors import Conflict, NotFound, PermissionDenied
from smailor.mailboxes import departures
from smailor.mailboxes import service as mailboxes
from smailor.sending import closing
from tests.letters import letters_of

OPERATOR = By(Actor("operator", "command line"))
OWNER = "owner@acme.test"


@pytest.fixture
def post(sealer):
    return Post(Letterhead("Smailor", "post@smailor.test", "help@smailor.test", "https://smailor.test"), sealer)


@pytest.fixture
def acme(house):
    house.workspace("acme", "acme.test")
    house.person(OWNER)
    member_changes.add_member(house.database, workspace="acme", email=OWNER, role="owner", now=house.now)
    house.inbox("acme", OWNER, reader=OWNER)
    return house


def ask(house, post, by=OPERATOR, workspace="acme"):
    return deletion.ask(house.database, workspace=workspace, by=by, post=post, link="https://x/w/acme", now=house.now)


def run(house, post, days, delete_mail=lambda address: True):
    return closing.delete_due(house.database, delete_mail=delete_mail, post=post, now=house.now + timedelta(days=days))


def password(house, login):
    return app_passwords.create_app_password(house.database, login=login, label="phone", expires_at=None, now=house.now)


def test_nothing_goes_in_the_grace_period_and_all_of_it_at_its_end(acme, post):
    password(acme, OWNER)
    ask(acme, post)
    asked = []
    assert run(acme, post, 29, lambda address: asked.append(address) or True).deleted == 0
    assert mailboxes.list_inboxes(acme.database, workspace="acme")
    done = run(acme, post, 30, lambda address: asked.append(address) or True)
    assert (done.deleted, done.inboxes, asked) == (1, [OWNER], [OWNER])
    with pytest.raises(NotFound):
        workspaces.workspace(acme.database, slug="acme")
    with acme.database.reading() as session:
        for table in ("workspaces", "members", "domains", "inboxes", "inbox_readers", "app_passwords", "dkim_keys"):
            assert session.scalar(select(func.count()).select_from(tables(table))) == 0, table
        assert session.scalar(text("SELECT count(*) FROM users")) == 1, "people stay"
    assert audit.entries(acme.database, workspace="acme")[0].action == "workspace.delete"
    assert [letter["Subject"] for letter in letters_of(acme, OWNER)][-1] == "acme is deleted"
    assert run(acme, post, 31).deleted == 0


def test_what_was_withdrawn_stays_also_at_the_last_moment(acme, post):
    ask(acme, post)

    def changed_their_mind(address):
        deletion.withdraw(acme.database, workspace="acme", by=OPERATOR, post=post, now=acme.now)
        return True

    done = run(acme, post, 40, changed_their_mind)
    assert (done.deleted, done.kept) == (0, 1)
    assert mailboxes.list_inboxes(acme.database, workspace="acme")
    with pytest.raises(Conflict):
        deletion.withdraw(acme.database, workspace="acme", by=OPERATOR, post=post, now=acme.now)


def test_mail_that_cannot_be_deleted_keeps_its_workspace_until_the_next_run(acme, post):
    ask(acme, post)
    assert run(acme, post, 31, lambda address: False).waiting == 1
    assert workspaces.workspace(acme.database, slug="acme")
    assert run(acme, post, 32).deleted == 1


def test_only_owners_ask_and_only_once(acme, post):
    anna = acme.person("anna@acme.test")
    member_changes.add_member(acme.database, workspace="acme", email=anna.email, role="admin", now=acme.now)
    with pytest.raises(PermissionDenied):
        ask(acme, post, By(Actor(anna.email, ""), anna.id))
    ask(acme, post)
    with pytest.raises(Conflict):
        ask(acme, post)


def test_a_slug_is_never_given_again_so_that_nobody_inherits_its_audit_trail(acme, post):
    ask(acme, post)
    run(acme, post, 30)
    with pytest.raises(Conflict):
        workspaces.create_workspace(acme.database, slug="acme", name="Acme", now=acme.now)
    with acme.database.transaction() as session:
        owner = session.scalar(text("SELECT id FROM users"))
        made = workspaces.open_in(session, name="Acme", owner=owner, actor=OPERATOR.actor, now=acme.now)
    assert made.slug == "acme-2"


def test_a_claim_of_somebody_elses_domain_harms_neither_their_mail_nor_their_secrets(acme, post):
    """Whoever claims a domain may create inboxes in it that have the addresses of its owner's."""
    password(acme, OWNER)
    eve = acme.person("eve@evil.test")
    acme.workspace("evil")
    with pytest.raises(Conflict):
        acme.claim("evil", "acme.test")
    acme.claim("evil", "later.test")
    acme.inbox("evil", "ada@later.test", reader=eve.email)
    acme.claim("acme", "later.test")
    acme.verify("acme", "later.test")
    acme.inbox("acme", "ada@later.test")
    password(acme, "ada@later.test")
    member_changes.add_member(acme.database, workspace="evil", email=eve.email, role="owner", now=acme.now)
    member_changes.add_member(acme.database, workspace="evil", email=OWNER, role="owner", now=acme.now)
    gone = departures.leave(
        acme.database, workspace="evil", user_id=eve.id, by=By(Actor(eve.email, ""), eve.id), post=post, now=acme.now
    )
    assert (gone.closed, gone.shared) == ((), ())
    ask(acme, post, workspace="evil")
    mail = []
    assert run(acme, post, 30, lambda address: mail.append(address) or True).deleted == 1
    assert mail == []
    assert len(app_passwords.list_app_passwords(acme.database, login="ada@later.test")) == 1


def test_deleting_an_inbox_of_a_domain_that_is_only_claimed_leaves_its_namesakes_secrets(acme):
    acme.workspace("evil")
    acme.claim("evil", "later.test")
    acme.inbox("evil", "ada@later.test")
    acme.claim("acme", "later.test")
    acme.verify("acme", "later.test")
    acme.inbox("acme", "ada@later.test")
    password(acme, "ada@later.test")
    mailboxes.delete_inbox(acme.database, workspace="evil", address="ada@later.test")
    assert len(app_passwords.list_app_passwords(acme.database, login="ada@later.test")) == 1
    assert domains.get_domain(acme.database, workspace="acme", name="later.test").verified_at


def test_who_leaves_leaves_their_inboxes_too(acme, post):
    guest = acme.person("guest@acme.test")
    member_changes.add_member(acme.database, workspace="acme", email=guest.email, role="member", now=acme.now)
    acme.inbox("acme", "guest@acme.test", reader=guest.email)
    mailboxes.add_reader(acme.database, workspace="acme", address=OWNER, reader=guest.email)
    for login in ("guest@acme.test", OWNER):
        password(acme, login)
    gone = departures.leave(
        acme.database,
        workspace="acme",
        user_id=guest.id,
        by=By(Actor(guest.email, ""), guest.id),
        post=post,
        now=acme.now,
    )
    assert (gone.closed, gone.shared) == (("guest@acme.test",), (OWNER,))
    assert mailboxes.inboxes_of(acme.database, user_id=guest.id) == ()
    assert app_passwords.list_app_passwords(acme.database, login="guest@acme.test") == ()
    assert len(app_passwords.list_app_passwords(acme.database, login=OWNER)) == 1


def test_the_last_owner_who_cannot_leave_keeps_their_inboxes(acme, post):
    owner = members.member_by_email(acme.database, workspace="acme", email=OWNER).user
    with pytest.raises(Conflict):
        departures.leave(
            acme.database,
            workspace="acme",
            user_id=owner.id,
            by=By(Actor(OWNER, ""), owner.id),
            post=post,
            now=acme.now,
        )
    assert len(mailboxes.inboxes_of(acme.database, user_id=owner.id)) == 1
