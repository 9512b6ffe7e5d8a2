"""Passwords that others know are refused, in any form; others are not."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smailor.accounts import devices, password_rules
from smailor.accounts.breached import Breached
from smailor.accounts.password_forms import forms, is_a_run
from smailor.errors import InvalidInput

ABOUT = ("ada.lovelace@analytical.test", "Ada Lovelace", "Smailor")


def refused(password, breached=None):
    try:
        password_rules.check(password, about=ABOUT, breached=breached or Breached())
    except InvalidInput as error:
        return error.field == "password"
    return False


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "Password1234!",
        "P4ssw0rd!!!!2024",
        "1234password!!",
        "passwordpassword",
        "qwertyuiop123",
        "qwertzuiop123",
        "123456789012",
        "abcdefghijklm",
        "aaaaaaaaaaaaaa",
        "abababababababab",
        "ILOVEYOU!!!!!!",
        "ada.lovelace@analytical.test",
        "AdaLovelace1815",
        "lovelaceada!",
        "smailorsmailor",
    ],
)
def test_what_guessing_begins_with_is_refused(password):
    assert refused(password)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "seven purple umbrellas",
        "k7wq-abcd-efgh-jkmn",
        "Zx9#vL2$pQ8!m",
        "ünïcödé wörds ärë fïne",
    ],
)
def test_what_only_one_would_think_of_is_not(password):
    assert not refused(password)


@given(st.text(min_size=0, max_size=1200))
def test_any_text_is_judged(password):
    refused(password)
    assert all(forms(password)) or not password
    is_a_run(password)
    assert len(devices.words(password)) <= 50


@pytest.fixture
def pwned(tmp_path):
    """A list as the downloader of Have I Been Pwned writes it."""
    words = [f"breached number {number}" for number in range(1000)]
    lines = sorted(
        f"{hashlib.sha1(word.encode(), usedforsecurity=False).hexdigest().upper()}:{n * 37 + 1}"
        for n, word in enumerate(words)
    )
    path = tmp_path / "pwned.txt"
    path.write_text("\r\n".join(lines) + "\r\n")
    return Breached(path), words


def test_every_password_of_the_operators_list_is_found_and_no_other(pwned):
    breached, words = pwned
    assert all(breached.has(word) for word in words)
    assert not any(breached.has(f"{word} not") for word in words)


@pytest.mark.parametrize("content", ["", "\n", "A" * 40, "not a list at all", "0" * 40 + ":1\n", "F" * 40 + ":1\n"])
def test_an_odd_list_finds_nothing_and_ends(tmp_path, content):
    path = tmp_path / "odd.txt"
    path.write_text(content)
    assert not Breached(path).has("seven purple umbrellas")


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130 Safari/537.36 Edg/130",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 (KHTML, like Gecko) Version/18 Safari/604",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537 (KHTML, like Gecko) Chrome/130 Mobile Safari/537",
            "Chrome on Android",
        ),
        ("curl/8.0", "curl"),
        ("", ""),
        ("<script>alert(1)</script>", ""),
    ],
)
def test_a_device_has_words_of_ours(agent, words):
    assert devices.words(agent) == words
