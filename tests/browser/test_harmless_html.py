"""Public attacks, made harmless and shown as webmail shows mail, in a real browser that logs what it is asked to load.

Each attack stands in a sandboxed frame with the mail's own policy, and once more without either: the sanitiser must
be enough alone.
"""

import pytest
from flask import Flask, render_template
from markupsafe import Markup

from tests.unit.webui import corpora
from webui.headers import MAIL_POLICY
from webui.mail.sanitise import sanitise_html

HOST = "https://webmail.test"
CASES = [*corpora.read("html/xss.json")["cases"], *corpora.read("html/remote-leak.json")["cases"]]
AT_ONCE = 140
SANDBOX = 'sandbox="allow-same-origin allow-popups allow-popups-to-escape-sandbox"'

pytestmark = pytest.mark.skipif(not CASES, reason="the public suites are not beside the clone")


@pytest.fixture(scope="module")
def render():
    app = Flask("webui")

    def body(html: str) -> str:
        with app.app_context():
            return render_template("mail/body.html", html=Markup(html))  # noqa: S704 - what is tested

    return body


def show(context, bodies: dict[str, str], *, guarded: bool) -> list[str]:
    """Load every body in a frame; return what it asked other hosts for and what ran."""
    noticed: list[str] = []
    page = context.new_page()
    sandbox = SANDBOX if guarded else ""

    def answer(route):
        url = route.request.url
        if not url.startswith(HOST):
            noticed.append(f"{route.request.frame.url} asked for {url}")
            route.abort()
        elif url == f"{HOST}/":
            frames = "".join(f'<iframe {sandbox} src="/{name}"></iframe>' for name in bodies)
            route.fulfill(body=frames, content_type="text/html")
        else:
            headers = {"Content-Type": "text/html; charset=utf-8"}
            if guarded:
                headers["Content-Security-Policy"] = MAIL_POLICY
            known = bodies.get(url.removeprefix(f"{HOST}/"))
            if known is None and not url.endswith("favicon.ico"):
                noticed.append(f"{route.request.frame.url} asked for {url}")
            route.fulfill(body=known or "", headers=headers)

    page.on("dialog", lambda dialog: (noticed.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("popup", lambda popup: noticed.append(f"window {popup.url}"))
    page.route("**/*", answer)
    page.goto(f"{HOST}/", wait_until="networkidle")
    page.close()
    return noticed


@pytest.mark.parametrize("guarded", [True, False], ids=["in its frame", "without frame and policy"])
def test_no_attack_runs_or_loads_anything(new_context, render, guarded) -> None:
    context = new_context()
    noticed = []
    for start in range(0, len(CASES), AT_ONCE):
        cases = CASES[start : start + AT_ONCE]
        bodies = {
            f"case{start + number}": render(sanitise_html(case["html"], images="block"))
            for number, case in enumerate(cases)
        }
        noticed += show(context, bodies, guarded=guarded)
    assert noticed == []


def test_the_browser_notices_what_is_not_made_harmless(new_context, render) -> None:
    bodies = {"raw": render('<img src="https://leak.test/p.gif" onerror="alert(1)">')}
    noticed = show(new_context(), bodies, guarded=False)
    assert any("leak.test" in entry for entry in noticed)
    assert any("dialog" in entry for entry in noticed)
    assert show(new_context(), bodies, guarded=True) == []
