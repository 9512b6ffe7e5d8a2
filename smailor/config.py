"""The configuration of every process: one TOML file, overridden by environment variables, read into frozen values.

An unknown key is an error and names file, line and key: a misspelt limit must not be a silent default. Values from
the environment are `SMAILOR_<SECTION>_<KEY>` (lists separated by commas). Nothing here opens a socket or a database.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from ipaddress import ip_network
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from smailor.address import Address, DomainName
from smailor.errors import ConfigError, InvalidInput
from smailor.log import LEVELS

DEFAULT_PATH = Path("/etc/smailor/smailor.toml")
MAX_LIMIT = 2_000_000_000
"""No limit is above this: counts are kept in 32 bits."""


@dataclass(frozen=True, slots=True)
class Service:
    """Who the service is to the world.

    Attributes:
        hostname: the name that tenants' MX records point to, and that Postfix says in HELO.
        domain: the service's own domain.
        name: what people call it, shown in the web interface.
        postmaster: the address that refused senders are told to write to.
        spf_include: the name that tenants' SPF records include.
        srs_domain: domain of the envelope senders of forwarded mail, with an MX record that leads here; empty: `srs.`
            below the service's own domain.
    """

    hostname: str
    domain: str
    name: str = "Smailor"
    postmaster: str = ""
    spf_include: str = ""
    srs_domain: str = ""

    @property
    def contact(self) -> str:
        """Whom people write to about what the service does not let them do."""
        return self.postmaster or f"postmaster@{self.domain}"

    @property
    def forwarding_domain(self) -> str:
        """The domain of the envelope senders of forwarded mail."""
        return self.srs_domain or f"srs.{self.domain}"


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where the state is kept.

    Attributes:
        url: `sqlite:////absolute/path` or `postgresql://user:password@host:port/name`.
    """

    url: str


@dataclass(frozen=True, slots=True)
class Secrets:
    """Keys of this installation, generated once, never with a default.

    Attributes:
        session_key: signs the web's cookies; at least 32 characters.
        sealing_keys: Fernet keys that seal DKIM private keys in the database; the first seals, all of them unseal.
    """

    session_key: str = field(repr=False)
    sealing_keys: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Dns:
    """The resolver that every process asks.

    Attributes:
        servers: `host:port`, asked in order.
        timeout_seconds: for one question in all.
    """

    servers: tuple[str, ...] = ("127.0.0.1:53",)
    timeout_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Web:
    """The web application.

    Attributes:
        bind: `host:port` or `unix:/path` that gunicorn listens on.
        public_url: how people reach it, without a final slash.
        imap: `host:port` of Dovecot's IMAP with STARTTLS.
        submission: `host:port` of Postfix's submission with STARTTLS.
        tls_ca: file of the authority that signed their certificate; empty: the system's.
        mail_hostname: the name expected in that certificate, and shown to people for their mail clients.
        secure_cookies: cookies over HTTPS only; false only for a service tried out on loopback.
        threads: requests served at the same time by one process.
        styleguide: whether /styleguide shows the parts that pages are made of; for development.
        queue_file: file into which a timer puts what `postqueue -j` prints, for the operator console; empty: none.
    """

    bind: str = "unix:/run/smailor/web.sock"
    public_url: str = ""
    imap: str = "127.0.0.1:143"
    submission: str = "127.0.0.1:587"
    tls_ca: str = ""
    mail_hostname: str = ""
    secure_cookies: bool = True
    threads: int = 16
    styleguide: bool = False
    queue_file: str = ""


@dataclass(frozen=True, slots=True)
class Dovecot:
    """How to reach Dovecot's administration interface (doveadm over HTTP).

    Attributes:
        doveadm_url: such as `http://127.0.0.1:8080/doveadm/v1`; empty: not used.
        doveadm_api_key: the key it expects.
    """

    doveadm_url: str = ""
    doveadm_api_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Milter:
    """The milters.

    Attributes:
        signing_socket: `unix:/path` that Postfix connects to.
        signing_workers: processes that sign at the same time.
        dmarc_socket: the same for the milter that checks mail from outside.
        dmarc_workers: processes that check at the same time.
        signing_metrics: `host:port` of the signing milter's Prometheus endpoint; empty: none.
        dmarc_metrics: the same of the milter that checks mail from outside.
    """

    signing_socket: str = "unix:/run/smailor/signing.sock"
    signing_workers: int = 2
    dmarc_socket: str = "unix:/run/smailor/dmarc.sock"
    dmarc_workers: int = 2
    signing_metrics: str = ""
    dmarc_metrics: str = ""


@dataclass(frozen=True, slots=True)
class Policyd:
    """The policy daemon.

    Attributes:
        socket: `unix:/path` or `host:port` that Postfix connects to.
        srs_socket: `unix:/path` where Postfix asks whom a bounce of a forwarded message goes to; empty: none.
        metrics: `host:port` of its Prometheus endpoint; empty: none.
    """

    socket: str = "unix:/run/smailor/policyd.sock"
    srs_socket: str = ""
    metrics: str = ""


@dataclass(frozen=True, slots=True)
class Authentication:
    """How mail from outside is judged, and what is done with the verdicts.

    Attributes:
        authserv_id: our name in Authentication-Results, the same on all hosts of the service; empty: the host name.
        trusted_sealers: domains whose ARC seals, and those of names below them, are believed: what they have found
            counts where DMARC fails here.
        known_forwarders: domains, addresses and networks (`192.0.2.0/24`) that may hand on anybody's mail.
        message_timeout_seconds: how long one message may wait for the DNS in all.
        dmarc_reports: whether `smailor jobs run dmarc-reports` sends domain owners what was found about their mail.
        dmarc_reports_from: the sender of these reports, an inbox of this service.
    """

    authserv_id: str = ""
    trusted_sealers: tuple[str, ...] = ()
    known_forwarders: tuple[str, ...] = ()
    message_timeout_seconds: float = 5.0
    dmarc_reports: bool = False
    dmarc_reports_from: str = ""


@dataclass(frozen=True, slots=True)
class Sending:
    """Limits on what may leave.

    Attributes:
        messages_per_hour: for each account, in any 60 minutes, where its plan says nothing else. All limits that a plan
            does not name follow from it.
    """

    messages_per_hour: int = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """How much a workspace of a plan may send; what is left out follows from `messages_per_hour` (docs/sending.md).

    Attributes:
        messages_per_hour: for each account; left out: that of the section `sending`.
        recipients_per_message: of one message.
        unique_recipients_per_day: that an account writes to on one day.
    """

    messages_per_hour: int | None = None
    account_messages_per_day: int | None = None
    account_recipients_per_hour: int | None = None
    account_recipients_per_day: int | None = None
    domain_messages_per_hour: int | None = None
    domain_messages_per_day: int | None = None
    domain_recipients_per_hour: int | None = None
    domain_recipients_per_day: int | None = None
    workspace_messages_per_hour: int | None = None
    workspace_messages_per_day: int | None = None
    workspace_recipients_per_hour: int | None = None
    workspace_recipients_per_day: int | None = None
    recipients_per_message: int | None = None
    unique_recipients_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Warmup:
    """How fast a new domain may send more.

    Attributes:
        first_day: recipients on its first day.
        growth: times as many on each further step.
        graduates_at: a cap of this size is none any more.
    """

    first_day: int = 480
    growth: float = 1.4
    graduates_at: int = 100_000


@dataclass(frozen=True, slots=True)
class Anomalies:
    """When an account looks unlike itself and is paused until its owner confirms.

    Attributes:
        enabled: whether anybody is paused for it.
        times_usual: an hour of more than this many times the usual one …
        recipients_at_least: … with at least so many recipients.
        new_share: more than this share of a day's recipients was never written to before …
        new_at_least: … and they are at least so many.
        networks: mail from more networks than this within an hour.
    """

    enabled: bool = True
    times_usual: float = 10.0
    recipients_at_least: int = 100
    new_share: float = 0.8
    new_at_least: int = 100
    networks: int = 8


@dataclass(frozen=True, slots=True)
class Login:
    """How people come to an account, and to a new password.

    Attributes:
        signup: whether everybody may sign up and open a workspace; otherwise people come by invitation or command.
        letters_from: the inbox of this service that letters about accounts come from; empty: there are none, and
            nobody signs up or sets a forgotten password anew by themselves.
        breached_passwords: file of breached passwords as the downloader of Have I Been Pwned writes it, looked into
            besides the list that comes with the program; empty: none.
    """

    signup: bool = False
    letters_from: str = ""
    breached_passwords: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """Somebody else whom people may log in by; there is none until one is configured (docs/accounts.md).

    Attributes:
        kind: `oidc` (any OpenID Connect issuer), `google` or `discord`; the last two are companies outside the EU.
        client_id: our name there.
        client_secret: what the provider knows us by.
        issuer: of `oidc`: its address, exactly as in its discovery document; of the others known.
        label: what people call it; empty: the section's name.
        loopback: allow `http://` to this machine: for trying out only.
    """

    kind: str
    client_id: str
    client_secret: str = field(repr=False)
    issuer: str = ""
    label: str = ""
    loopback: bool = False


@dataclass(frozen=True, slots=True)
class Captcha:
    """What keeps machines from signing up.

    Attributes:
        kind: `none`, `work` (the browser computes for a second; nobody else is asked) or `turnstile` (Cloudflare, a
            company outside the EU).
        site_key: of Turnstile, shown to the browser.
        secret_key: of Turnstile.
        origin: where Turnstile's script and verification are.
        work_bits: of `work`: each further bit doubles what the browser computes.
    """

    kind: str = "none"
    site_key: str = ""
    secret_key: str = field(default="", repr=False)
    origin: str = "https://challenges.cloudflare.com"
    work_bits: int = 16


@dataclass(frozen=True, slots=True)
class Probe:
    """The synthetic probe.

    Attributes:
        inbox: the inbox of this service that `smailor jobs run probe` sends a message to and from; empty: none.
    """

    inbox: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """What is logged.

    Attributes:
        level: debug, info, warning or error.
    """

    level: str = "info"


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration, one attribute a section."""

    service: Service
    database: DatabaseSettings
    secrets: Secrets
    dns: Dns = field(default_factory=Dns)
    web: Web = field(default_factory=Web)
    dovecot: Dovecot = field(default_factory=Dovecot)
    milter: Milter = field(default_factory=Milter)
    policyd: Policyd = field(default_factory=Policyd)
    authentication: Authentication = field(default_factory=Authentication)
    sending: Sending = field(default_factory=Sending)
    plans: Mapping[str, Plan] = field(default_factory=dict)
    warmup: Warmup = field(default_factory=Warmup)
    anomalies: Anomalies = field(default_factory=Anomalies)
    login: Login = field(default_factory=Login)
    providers: Mapping[str, Provider] = field(default_factory=dict)
    captcha: Captcha = field(default_factory=Captcha)
    probe: Probe = field(default_factory=Probe)
    log: Log = field(default_factory=Log)


_NAMED: Mapping[str, type] = {"plans": Plan, "providers": Provider}
"""Sections with a section for each name in them."""
ISSUERS: Mapping[str, str] = {"google": "https://accounts.google.com", "discord": "https://discord.com"}
"""Of the providers that are the same for everybody."""


def load_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the configuration.

    Args:
        path: the TOML file; None: `SMAILOR_CONFIG` from the environment, else /etc/smailor/smailor.toml.
        environ: environment variables.

    Returns:
        The settings, every value of its declared type.

    Raises:
        ConfigError: the file cannot be read or a value cannot be used; the text names file, line and key.
    """
    path = path or Path(environ.get("SMAILOR_CONFIG") or DEFAULT_PATH)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return parse_settings(text, source=str(path), environ=environ)


def parse_settings(text: str, *, source: str, environ: Mapping[str, str]) -> Settings:
    """Read the configuration from its text; arguments and errors as in `load_settings`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: not valid TOML: {error}") from error
    sections = {entry.name: entry.type for entry in fields(Settings)}
    for name, content in document.items():
        if name not in sections or not isinstance(content, dict):
            raise _error(source, text, "", name, f"unknown section; known are {', '.join(sections)}")
    hints = get_type_hints(Settings)
    values: dict[str, Any] = {
        name: _named_sections(_NAMED[name], name, document.get(name, {}), text, source, environ)
        if name in _NAMED
        else _section(hints[name], name, document.get(name, {}), text, source, environ)
        for name in sections
    }
    settings = Settings(**values)
    _check(settings, text, source)
    return settings


def _named_sections(
    kind: type, section: str, content: Mapping[str, Any], text: str, source: str, environ: Mapping[str, str]
) -> Mapping[str, object]:
    """Read `[section.NAME]`, one value of a kind for each name."""
    for name, entry in content.items():
        if not isinstance(entry, dict) or not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,49}", name):
            raise _error(source, text, section, name, f"expected a table such as [{section}.name]")
    return {name: _section(kind, f"{section}.{name}", entry, text, source, environ) for name, entry in content.items()}


def _section(
    kind: type, section: str, content: Mapping[str, Any], text: str, source: str, environ: Mapping[str, str]
) -> object:
    hints = get_type_hints(kind)
    known = {entry.name: entry for entry in fields(kind)}
    for key in content:
        if key not in known:
            raise _error(source, text, section, key, f"unknown key; known are {', '.join(known)}")
    values: dict[str, object] = {}
    for key, entry in known.items():
        variable = f"SMAILOR_{section}_{key}".upper()
        if variable in environ:
            try:
                values[key] = _from_text(hints[key], environ[variable])
            except ValueError as error:
                raise ConfigError(f"{variable}: {error}") from error
        elif key in content:
            try:
                values[key] = _from_toml(hints[key], content[key])
            except ValueError as error:
                raise _error(source, text, section, key, str(error)) from error
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise _error(source, text, section, key, "is missing and has no default")
    return kind(**values)


def _from_toml(hint: Any, value: object) -> object:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if get_origin(hint) is tuple:
        if isinstance(value, list) and all(isinstance(item, get_args(hint)[0]) for item in value):
            return tuple(value)
        raise ValueError(f"expected a list of {get_args(hint)[0].__name__}, got {type(value).__name__}")
    if isinstance(hint, UnionType):
        hint = next(option for option in get_args(hint) if option is not NoneType)
    if type(value) is not hint:
        raise ValueError(f"expected {hint.__name__}, got {type(value).__name__}")
    return value


def _from_text(hint: Any, value: str) -> object:
    if get_origin(hint) is tuple:
        return tuple(item.strip() for item in value.split(",") if item.strip())
    if hint is bool:
        if value.lower() not in {"true", "false"}:
            raise ValueError(f"expected true or false, got {value!r}")
        return value.lower() == "true"
    if hint in {int, float}:
        return hint(value)
    return value


def _check(settings: Settings, text: str, source: str) -> None:
    """Refuse values of the right type that cannot work, before any process starts with them."""

    def refuse(section: str, key: str, message: str) -> ConfigError:
        return _error(source, text, section, key, message)

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


def _check_authentication(authentication: Authentication, refuse: Callable[[str, str, str], ConfigError]) -> None:
    for name in authentication.trusted_sealers:
        if not _is_domain(name):
            raise refuse("authentication", "trusted_sealers", f"{name} is not a domain name")
    for name in authentication.known_forwarders:
        if not _is_domain(name) and not _is_network(name):
            raise refuse("authentication", "known_forwarders", f"{name} is neither a domain name nor a network")
    if authentication.dmarc_reports and "@" not in authentication.dmarc_reports_from:
        raise refuse("authentication", "dmarc_reports_from", "has to be an inbox of this service when reports are sent")


def _check_letters(login: Login, refuse: Callable[[str, str, str], ConfigError]) -> None:
    if login.signup and not login.letters_from:
        raise refuse("login", "letters_from", "has to be an inbox of this service when people may sign up")
    if login.letters_from:
        try:
            Address.parse(login.letters_from)
        except InvalidInput as error:
            raise refuse("login", "letters_from", error.message) from error
    if login.breached_passwords and not Path(login.breached_passwords).is_file():
        raise refuse("login", "breached_passwords", f"there is no file {login.breached_passwords}")


def _check_sending(settings: Settings, refuse: Callable[[str, str, str], ConfigError]) -> None:
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


def _check_login(settings: Settings, refuse: Callable[[str, str, str], ConfigError]) -> None:
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


def _check_captcha(captcha: Captcha, refuse: Callable[[str, str, str], ConfigError]) -> None:
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


def _error(source: str, text: str, section: str, key: str, message: str) -> ConfigError:
    """Build the error that names file, line and key (the section's line where the key itself is not there)."""
    line = section_line = 0
    current = ""
    for number, content in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[+\s*([^\]]*?)\s*\]", content):
            current = header[1]
            if current == section or (not section and current == key):
                section_line = number
        elif current == section and re.match(rf"\s*\"?{re.escape(key)}\"?\s*=", content):
            line = number
            break
    at = line or section_line
    where = f"{source}:{at}" if at else source
    name = f"{section}.{key}" if section else key
    return ConfigError(f"{where}: {name}: {message}")
