"""Nothing that is typed into any form breaks a page: whatever is wrong with it is said, never a fault of the server.

Every route that takes a form is found in the URL map, every field's name in forms and templates, so a new page joins by
itself. All fields of a route get the same odd value, one value after the other.
"""

import functools
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import webui
from tests.service.webui.test_walk import ENDPOINT_VALUES, VALUES
from tests.service.webui.world import World, post_of
from webui import access

ROOT = Path(webui.__file__).parent
ODD = [
    "",
    " ",
    "a" * 10_000,
    "nul\0nul",
    "\u202eevil\u2066",
    "'; DROP TABLE users; --",
    "%00%ff{{7*7}}<script>",
    "-1",
    "99999999999999999999999",
    "1e400",
    "0001-01-01",
    "9999-12-31",
    '"very odd"@[192.0.2.1]',
    "ä@bücher.example",
    "a@" + "b." * 120 + "test",
    "@acme.test",
    "acme.test",
    "\ud7ff\ufffe\U0010ffff",
]
IN_ADDRESSES = [ODD[3], ODD[4], ODD[6], ODD[8], ODD[10], ODD[11]]
"""Those of them that a page could stumble over that only shows something."""
AWAY = {503}
"""What says that mail servers, DNS or providers are away, as they are in these tests."""


@functools.cache
def field_names():
    named = {name for path in ROOT.rglob("*.html") for name in re.findall(r'name="([A-Za-z_-]+)"', path.read_text())}
    declared = {
        name
        for path in ROOT.rglob("*.py")
        for name in re.findall(r"^ {4}(\w+) = \w+\(", path.read_text(), re.MULTILINE)
    }
    return sorted((named | declared) - {"csrf_token"})


@pytest.fixture
def world(house, sealer):
    return World(house, post_of(sealer))


@pytest.fixture
def client(app, world):
    """An operator's browser, and an owner's: what one may not open, the other may."""
    app.config["WTF_CSRF_ENABLED"] = False
    return app.test_client(use_cookies=False)


def rules(app):
    """Routes that take a form, apart from those that end the session that asks."""
    ending = {"auth.logout", "account.end_all_sessions"}
    found = [rule for rule in app.url_map.iter_rules() if "POST" in rule.methods and rule.endpoint not in ending]
    return sorted((rule for rule in found if not rule.endpoint.startswith("api.")), key=str)


def path_of(app, rule, own, method="POST"):
    values = {}
    for name in rule.arguments:
        known = ENDPOINT_VALUES.get((rule.endpoint, name)) or VALUES[name]
        values[name] = known(own, own)
    return app.url_map.bind("localhost").build(rule.endpoint, values, method=method)


def send(app, client, world, rule, value):
    kind = access.declared(app.view_functions[rule.endpoint]).kind
    visitor = world.visitors["operator" if kind == access.OPERATORS else "owner"]
    form = dict.fromkeys(field_names(), value)
    path = path_of(app, rule, world.objects["acme"])
    answer = client.post(path, data=form, headers={"Cookie": f"smailor={visitor.cookie}"})
    assert answer.status_code < 500 or answer.status_code in AWAY, f"{rule.endpoint}: {value[:50]!r}"


@pytest.mark.timeout(600)  # thousands of requests
def test_no_odd_value_breaks_a_form(app, client, world):
    for value in ODD:
        for rule in rules(app):
            send(app, client, world, rule, value)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(max_size=80))
def test_no_text_breaks_a_form(app, client, world, value):
    for rule in rules(app):
        send(app, client, world, rule, value.encode("utf-8", "replace").decode())


@pytest.mark.timeout(600)
def test_no_odd_value_in_an_address_breaks_a_page(app, client, world):
    """Every page that is shown, with every field's name in its address."""
    names = [*field_names()[:200], "after", "q", "page", "next"]
    pages = [rule for rule in app.url_map.iter_rules() if "GET" in rule.methods]
    for rule in sorted(pages, key=str):
        if rule.endpoint.partition(".")[0] in {"assets", "api"}:
            continue
        kind = access.declared(app.view_functions[rule.endpoint]).kind
        visitor = world.visitors["operator" if kind == access.OPERATORS else "owner"]
        path = path_of(app, rule, world.objects["acme"], "GET")
        for value in IN_ADDRESSES:
            query = dict.fromkeys(names, value[:300])
            answer = client.get(path, query_string=query, headers={"Cookie": f"smailor={visitor.cookie}"})
            assert answer.get_data() is not None
            assert answer.status_code < 500 or answer.status_code in AWAY, f"{rule.endpoint}: {value[:50]!r}"
