"""No page asks the database more than twelve times, whatever it shows; new pages join by themselves."""

import pytest

from smailor.accounts import member_changes, sessions
from smailor.accounts import service as accounts
from tests.service.webui.conftest import PASSWORD

MOST = 12
VALUES = {"slug": "acme", "name": "acme.test", "address": "owner@acme.test", "folder": "INBOX", "workspace": "acme"}
NO_PAGES = {"assets.static", "texts.choose"}


def pages(app):
    """(endpoint, path) of every page that can be asked for."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if "GET" not in rule.methods or rule.endpoint in NO_PAGES:
            continue
        values = {name: VALUES.get(name) or _any(kind) for name, kind in rule._converters.items()}
        yield rule.endpoint, adapter.build(rule.endpoint, values, method="GET")


def _any(converter):
    """A value that a page's address can have in this place."""
    try:
        converter.to_url("x")
    except ValueError:
        return 1
    return "x"


@pytest.fixture
def crowded(acme):
    """A workspace of many people, domains and inboxes, all read by one."""
    for number in range(30):
        person = acme.person(f"person{number}@acme.test")
        member_changes.add_member(acme.database, workspace="acme", email=person.email, role="member", now=acme.now)
        acme.inbox("acme", f"inbox{number}@acme.test", reader="owner@acme.test")
    for number in range(5):
        acme.claim("acme", f"domain{number}.test")
        acme.verify("acme", f"domain{number}.test")
        acme.inbox("acme", f"owner@domain{number}.test", reader="owner@acme.test")
    return acme


@pytest.mark.parametrize("operator", [False, True])
def test_no_page_asks_more_than_twelve_times(app, browser, crowded, database, statements, operator):
    """Asked for by an owner, and by one who runs the service, too: their menus are the longest."""
    email = "owner@acme.test"
    if operator:
        email = "boss@smailor.test"
        accounts.create_user(database, email=email, name="Boss", password=PASSWORD, operator=True, now=crowded.now)
        member_changes.add_member(database, workspace="acme", email=email, role="owner", now=crowded.now)
    browser.log_in(email)
    user = accounts.verify_password(database, email=email, password=PASSWORD)
    for _ in range(5):
        sessions.start(database, user_id=user.id, method="password", now=crowded.now)
    found = {}
    for endpoint, path in pages(app):
        with statements(database) as said:
            answer = browser.get(path)
        assert answer.status_code != 500, path
        found[endpoint] = said
    over = [
        f"{endpoint}: {len(said)}\n" + "\n".join(f"  {' '.join(one.split())[:180]}" for one in said)
        for endpoint, said in found.items()
        if len(said) > MOST
    ]
    assert not over, "\n\n" + "\n\n".join(over)
    assert len(found) > 40
