"""Whether configured values can work, beyond their types. Looks outside only for files that are named."""

import re
from collections.abc import Callable
from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from smailor.address import Address, DomainName
from smailor.config_sections import ISSUERS, MAX_LIMIT, Authentication, Captcha, Login, Settings
from smailor.errors import ConfigError, InvalidInput
from smailor.log import LEVELS

Refuse = Callable[[str, str, str], ConfigError]


def check(settings: Settings, refuse: Refuse) -> None:
    """Refuse values of the right type that cannot work, before any process starts with them.

    Args:
        settings: all of them.
        refuse: makes the error from section, key and what is wrong.

    Raises:
        ConfigError: the first that cannot work.
    """
    if not settings.database.url.startswith(("sqlite:///", "postgresql://")):
        raise refuse("database", "url", "expected sqlite:////absolute/path or postgresql://user:password@host/name")
    if len(settings.secrets.session_key) < 32:
        raise refuse("secrets", "session_key", "needs at least 32 characters")
    if not settings.secrets.sealing_keys:
        raise refuse("secrets", "sealing_keys", "needs at least one key")
    if not all(re.fullmatch(r"[A-Za-z0-9_-]{43}=", key) for key in settings.secrets.sealing_keys):
        raise refuse("secrets", "sealing_keys", "each is 32 bytes in URL-safe base64 (44 characters)")
    _check_authentication(settings.authentication, refuse)
    _check_sending(settings, refuse)
    _check_letters(settings.login, refuse)
    _check_login(settings, refuse)
    if settings.log.level not in LEVELS:
        raise refuse("log", "level", f"expected one of {', '.join(LEVELS)}")
    for section, key, least in (
        ("sending", "messages_per_hour", 1),
        ("milter", "signing_workers", 1),
        ("milter", "dmarc_workers", 1),
        ("authentication", "message_timeout_seconds", 0.1),
        ("web", "threads", 1),
        ("dns", "timeout_seconds", 0.1),
    ):
        if getattr(getattr(settings, section), key) < least:
            raise refuse(section, key, f"must be at least {least}")


def _check_authentication(authentication: Authentication, refuse: Refuse) -> None:
    for name in authentication.trusted_sealers:
        if not _is_domain(name):
            raise refuse("authentication", "trusted_sealers", f"{name} is not a domain name")
    for name in authentication.known_forwarders:
        if not _is_domain(name) and not _is_network(name):
            raise refuse("authentication", "known_forwarders", f"{name} is neither a domain name nor a network")
    if authentication.dmarc_reports and "@" not in authentication.dmarc_reports_from:
        raise refuse("authentication", "dmarc_reports_from", "has to be an inbox of this service when reports are sent")


def _check_letters(login: Login, refuse: Refuse) -> None:
    if login.signup and not login.letters_from:
        raise refuse("login", "letters_from", "has to be an inbox of this service when people may sign up")
    if login.letters_from:
        try:
            Address.parse(login.letters_from)
        except InvalidInput as error:
            raise refuse("login", "letters_from", error.message) from error
    if login.breached_passwords and not Path(login.breached_passwords).is_file():
        raise refuse("login", "breached_passwords", f"there is no file {login.breached_passwords}")


def _check_sending(settings: Settings, refuse: Refuse) -> None:
    for name, plan in settings.plans.items():
        for entry in fields(plan):
            maximum = getattr(plan, entry.name)
            if maximum is not None and not 0 <= maximum <= MAX_LIMIT:
                raise refuse(f"plans.{name}", entry.name, f"expected 0 to {MAX_LIMIT}")
    if not 1 <= settings.warmup.first_day < settings.warmup.graduates_at <= MAX_LIMIT:
        raise refuse("warmup", "graduates_at", "must be more than first_day, which is at least 1")
    if not 1.01 <= settings.warmup.growth <= 100:
        raise refuse("warmup", "growth", "expected 1.01 to 100")
    if not 0 <= settings.anomalies.new_share <= 1:
        raise refuse("anomalies", "new_share", "is a share, from 0 to 1")
    for key, least in (("times_usual", 1), ("recipients_at_least", 1), ("new_at_least", 1), ("networks", 1)):
        if getattr(settings.anomalies, key) < least:
            raise refuse("anomalies", key, f"must be at least {least}")


def _check_login(settings: Settings, refuse: Refuse) -> None:
    for name, provider in settings.providers.items():
        section = f"providers.{name}"
        if len(name) > 20:
            raise refuse(section, "kind", "the provider's name has at most 20 characters")
        if provider.kind not in {"oidc", *ISSUERS}:
            raise refuse(section, "kind", "expected oidc, google or discord")
        if provider.kind == "oidc" and not provider.issuer:
            raise refuse(section, "issuer", "is needed: the issuer's address, such as https://login.example.com")
        for key in ("client_id", "client_secret"):
            if not getattr(provider, key):
                raise refuse(section, key, "is empty")
        if provider.issuer and not _is_web_address(provider.issuer, loopback=provider.loopback):
            raise refuse(section, "issuer", "expected https://host/path, without query, fragment and user")
        if not settings.web.public_url:
            raise refuse(section, "kind", "needs web.public_url: where the provider sends people back to")
    _check_captcha(settings.captcha, refuse)


def _check_captcha(captcha: Captcha, refuse: Refuse) -> None:
    if captcha.kind not in {"none", "work", "turnstile"}:
        raise refuse("captcha", "kind", "expected none, work or turnstile")
    if captcha.kind == "turnstile" and not (captcha.site_key and captcha.secret_key):
        raise refuse("captcha", "secret_key", "turnstile needs site_key and secret_key")
    if not _is_web_address(captcha.origin, loopback=True) or urlsplit(captcha.origin).path:
        raise refuse("captcha", "origin", "expected https://host")
    if not 1 <= captcha.work_bits <= 24:
        raise refuse("captcha", "work_bits", "expected 1 to 24")


def _is_web_address(text: str, *, loopback: bool) -> bool:
    """Tell whether this is an address that secrets may be sent to: HTTPS, or this machine where that is allowed."""
    try:
        url = urlsplit(text)
        port = url.port  # raises ValueError
    except ValueError:
        return False
    if not url.hostname or url.query or url.fragment or "@" in url.netloc or port == 0 or not text.isascii():
        return False
    here = url.hostname in {"127.0.0.1", "::1", "localhost"}
    return (
        text.isprintable()
        and " " not in text
        and (url.scheme == "https" or (loopback and here and url.scheme == "http"))
    )


def _is_domain(text: str) -> bool:
    try:
        DomainName.parse(text)
    except InvalidInput:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True
