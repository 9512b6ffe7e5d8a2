"""Mail servers that do not answer: a clear word, and nothing that was typed is lost."""

import pytest

MAIL = "/mail/owner@acme.test/INBOX/"
COMPOSE = "/compose/owner@acme.test"


@pytest.fixture
def owner(browser, acme):
    browser.log_in("owner@acme.test")
    return browser


@pytest.mark.parametrize("path", [MAIL, f"{MAIL}1", f"{MAIL}1/body", f"{MAIL}1/attachments/0", f"{MAIL}1/source"])
def test_reading_says_that_the_server_is_away(owner, path):
    answer = owner.get(path)
    assert answer.status_code == 503
    assert "does not answer" in answer.get_data(as_text=True)
    assert answer.headers["Retry-After"]


def test_the_list_asked_for_by_a_script_is_simply_not_there(owner):
    assert owner.get(MAIL, headers={"X-Fragment": "list"}).status_code == 503


def test_an_action_says_that_it_was_not_done(owner):
    answer = owner.post(MAIL, page=COMPOSE, action="trash", uid="1", validity="1", follow=False)
    assert answer.status_code == 302
    assert "That was not done" in owner.get("/w/acme/domains/").get_data(as_text=True)


def test_what_nobody_offers_is_not_done(owner):
    assert owner.post(MAIL, page=COMPOSE, action="explode", uid="1").status_code == 400


def test_the_composer_opens_all_the_same(owner):
    assert owner.get(COMPOSE).status_code == 200
    assert owner.get(f"{COMPOSE}?reply=1&folder=INBOX").status_code == 503


def test_a_message_that_cannot_be_sent_stays_on_the_page(owner):
    answer = owner.post(COMPOSE, to="grace@lovelace.test", subject="Notes <1>", text="Long & dear text", send="1")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 503
    assert "nothing was sent" in page
    assert "Long &amp; dear text" in page
    assert 'value="Notes &lt;1&gt;"' in page


def test_a_draft_that_cannot_be_saved_stays_on_the_page(owner):
    answer = owner.post(COMPOSE, to="grace@lovelace.test", text="Long & dear text", save="1")
    assert answer.status_code == 503
    assert "The draft was not saved" in answer.get_data(as_text=True)
    assert "Long &amp; dear text" in answer.get_data(as_text=True)


@pytest.mark.parametrize(("field", "value"), [("to", "nobody"), ("cc", "a@"), ("subject", "x" * 2000)])
def test_a_field_that_cannot_be_used_is_named_beside_it(owner, field, value):
    answer = owner.post(COMPOSE, **({"to": "a@b.test", "text": "dear text"} | {field: value}))
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in page
    assert "dear text" in page


def test_more_than_the_server_takes_is_refused_with_a_word(app, owner):
    app.config["MAX_CONTENT_LENGTH"] = 1000
    answer = owner.post(COMPOSE, to="a@b.test", text="x" * 5000)
    assert answer.status_code == 413
    assert "Too large" in answer.get_data(as_text=True)


def test_nobody_chooses_a_sender_that_is_not_theirs(owner):
    page = owner.post(COMPOSE, to="nobody", sender="ceo@other.test", text="x").get_data(as_text=True)
    assert "ceo@other.test" not in page
