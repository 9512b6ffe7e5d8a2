"""A configuration is whole and typed, or refused with file, line and key."""

import pytest

from smailor.config import load_settings, parse_settings
from smailor.errors import ConfigError

GOOD = """
[service]
hostname = "mx.example.test"
domain = "example.test"

[database]
url = "sqlite:////var/lib/smailor/smailor.db"

[secrets]
session_key = "0123456789abcdef0123456789abcdef"
sealing_keys = ["MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]

[dns]
timeout_seconds = 3

[sending]
messages_per_hour = 50
"""


def parse(text: str, **environ: str):
    return parse_settings(text, source="smailor.toml", environ=environ)


def test_values_have_their_declared_types_and_defaults():
    settings = parse(GOOD)
    assert settings.service.hostname == "mx.example.test"
    assert settings.sending.messages_per_hour == 50
    assert settings.dns.timeout_seconds == 3.0
    assert isinstance(settings.dns.timeout_seconds, float)
    assert settings.web.secure_cookies is True
    assert settings.dns.servers == ("127.0.0.1:53",)


def test_the_environment_overrides_the_file():
    settings = parse(
        GOOD,
        SMAILOR_SENDING_MESSAGES_PER_HOUR="7",
        SMAILOR_DNS_SERVERS="127.0.0.1:53, 127.0.0.2:53",
        SMAILOR_WEB_SECURE_COOKIES="false",
    )
    assert settings.sending.messages_per_hour == 7
    assert settings.dns.servers == ("127.0.0.1:53", "127.0.0.2:53")
    assert settings.web.secure_cookies is False


def test_a_required_value_may_come_from_the_environment_alone():
    text = GOOD.replace('session_key = "0123456789abcdef0123456789abcdef"\n', "")
    assert parse(text, SMAILOR_SECRETS_SESSION_KEY="k" * 40).secrets.session_key == "k" * 40


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("messages_per_hour = 50", "mesages_per_hour = 50", "smailor.toml:17: sending.mesages_per_hour: unknown key"),
        (
            "messages_per_hour = 50",
            'messages_per_hour = "50"',
            "smailor.toml:17: sending.messages_per_hour: expected int",
        ),
        (
            "messages_per_hour = 50",
            "messages_per_hour = 0",
            "smailor.toml:17: sending.messages_per_hour: must be at least 1",
        ),
        (
            "messages_per_hour = 50",
            "messages_per_hour = true",
            "smailor.toml:17: sending.messages_per_hour: expected int",
        ),
        ("[sending]", "[sendign]", "smailor.toml:16: sendign: unknown section"),
        ('domain = "example.test"\n', "", "smailor.toml:2: service.domain: is missing"),
        ("[service]", "[service", "smailor.toml: not valid TOML: "),
        ("sqlite:////var/lib/smailor/smailor.db", "mysql://x", "smailor.toml:7: database.url: expected sqlite"),
        ('"0123456789abcdef0123456789abcdef"', '"short"', "smailor.toml:10: secrets.session_key: needs at least 32"),
        (
            '["MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]',
            '["x"]',
            "smailor.toml:11: secrets.sealing_keys: each is 32",
        ),
        (
            '["MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]',
            "[1]",
            "smailor.toml:11: secrets.sealing_keys: expected a list",
        ),
        ("timeout_seconds = 3", "timeout_seconds = 0", "smailor.toml:14: dns.timeout_seconds: must be at least 0.1"),
    ],
)
def test_an_unusable_configuration_names_file_line_and_key(old, new, complaint):
    assert old in GOOD
    with pytest.raises(ConfigError) as refused:
        parse(GOOD.replace(old, new))
    assert str(refused.value).startswith(complaint)


def test_a_bad_environment_variable_is_named():
    with pytest.raises(ConfigError, match="SMAILOR_SENDING_MESSAGES_PER_HOUR"):
        parse(GOOD, SMAILOR_SENDING_MESSAGES_PER_HOUR="many")


def test_secrets_do_not_show_in_a_printed_configuration():
    printed = repr(parse(GOOD))
    assert "0123456789abcdef" not in printed
    assert "MDEyMzQ1" not in printed


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"missing\.toml"):
        load_settings(tmp_path / "missing.toml", {})
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.toml"):
        load_settings(None, {"SMAILOR_CONFIG": str(binary)})


PROVIDER = """
[web]
public_url = "https://mail.example.test"
[providers.company]
kind = "oidc"
issuer = "https://login.example.test/realm"
client_id = "us"
client_secret = "only the two of us"
"""


def test_nobody_else_is_asked_who_people_are_unless_configured():
    settings = parse(GOOD)
    assert (settings.providers, settings.captcha.kind) == ({}, "none")


def test_a_provider_keeps_its_secret_to_itself():
    provider = parse(GOOD + PROVIDER).providers["company"]
    assert (provider.kind, provider.issuer) == ("oidc", "https://login.example.test/realm")
    assert "only the two" not in repr(parse(GOOD + PROVIDER))


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("https://login", "http://login", "providers.company.issuer: expected https://"),
        ("https://login.example.test/realm", "http://127.0.0.1:8080", "providers.company.issuer: expected https://"),
        ("/realm", "/realm?x=1", "providers.company.issuer: expected https://"),
        ("login.example.test", "us@login.example.test", "providers.company.issuer: expected https://"),
        ('"oidc"', '"saml"', "providers.company.kind: expected oidc, google or discord"),
        ('issuer = "https://login.example.test/realm"', "", "providers.company.issuer: is needed"),
        ('client_secret = "only the two of us"', "", "providers.company.client_secret: is missing"),
        ("only the two of us", "", "providers.company.client_secret: is empty"),
        ('public_url = "https://mail.example.test"', "", "providers.company.kind: needs web.public_url"),
        ("providers.company", "providers." + "x" * 21, "has at most 20 characters"),
    ],
)
def test_a_provider_that_cannot_work_is_refused(before, after, complaint):
    with pytest.raises(ConfigError, match=complaint):
        parse(GOOD + PROVIDER.replace(before, after))


def test_a_provider_on_this_machine_has_to_be_allowed():
    text = PROVIDER.replace("https://login.example.test/realm", "http://127.0.0.1:8080") + "loopback = true\n"
    assert parse(GOOD + text).providers["company"].loopback
    with pytest.raises(ConfigError, match="expected https://"):
        parse(GOOD + text.replace("127.0.0.1", "192.0.2.1"))


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ('kind = "recaptcha"', "captcha.kind: expected none, work or turnstile"),
        ('kind = "turnstile"', "captcha.secret_key: turnstile needs"),
        ('kind = "work"\nwork_bits = 60', "captcha.work_bits: expected 1 to 24"),
        ('origin = "http://elsewhere.test"', "captcha.origin: expected https://host"),
    ],
)
def test_a_captcha_that_cannot_work_is_refused(section, complaint):
    with pytest.raises(ConfigError, match=complaint):
        parse(f"{GOOD}\n[captcha]\n{section}\n")
