"""endpoints.json and what a person is told."""

import json
from pathlib import Path

from smailor.stack import endpoints
from smailor.stack.demo import DemoAccounts, DemoInbox
from smailor.stack.layout import Layout, Ports
from smailor.stack.secrets import LocalSecrets
from smailor.stack.variables import Wishes

PEOPLE = DemoAccounts(
    "operator@smailor.test", "op-pw", (DemoInbox("ada@analytical.test", "analytical", "web-pw", "app-pw"),)
)


def content(root=Path("/run/x"), resolver="", people=PEOPLE):
    layout = Layout(root, Ports(25000))
    return endpoints.endpoints(Wishes(layout, LocalSecrets.make(), "sqlite:////run/x/db/s.db", resolver), people)


def test_the_names_that_outside_tools_rely_on_are_there():
    found = content()
    assert found["web"] == "http://127.0.0.1:25080"
    assert found["smtp"] == "127.0.0.1:25025"
    assert found["lmtp"] == "unix:/run/x/sock/lmtp.sock"
    assert found["milters"]["rspamd"] == "127.0.0.1:25332"
    assert found["milters"]["signing"].startswith("unix:/")
    assert found["resolver"] == "127.0.0.1:25053"
    assert set(found["internet"]) == {"smtp", "maildir", "zones"}
    assert found["operator"] == {"email": "operator@smailor.test", "password": "op-pw"}
    assert found["inboxes"] == [
        {"address": "ada@analytical.test", "workspace": "analytical", "password": "web-pw", "app_password": "app-pw"}
    ]


def test_a_resolver_outside_is_the_one_that_is_named():
    assert content(resolver="10.9.8.7:5300")["resolver"] == "10.9.8.7:5300"


def test_the_file_is_roots_alone_because_it_holds_passwords(tmp_path):
    layout = Layout(tmp_path, Ports())
    endpoints.write(layout, content())
    assert layout.endpoints.stat().st_mode & 0o777 == 0o600
    assert json.loads(layout.endpoints.read_text()) == content()


def test_a_person_is_told_where_to_look_and_what_to_try():
    told = "\n".join(endpoints.welcome(content(), Path("/run/x")))
    for part in ("http://127.0.0.1:25080", "op-pw", "ada@analytical.test", "app-pw", "swaks", "curl", "/run/x"):
        assert part in told


def test_without_demonstration_nothing_is_suggested_that_needs_an_inbox():
    told = "\n".join(endpoints.welcome(content(people=DemoAccounts("o@smailor.test", "pw", ())), Path("/run/x")))
    assert "swaks" not in told
    assert "pw" in told
