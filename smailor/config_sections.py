"""What can be configured: a frozen value for each section of the file, with its defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_LIMIT = 2_000_000_000
"""No limit is above this: counts are kept in 32 bits."""
ISSUERS: Mapping[str, str] = {"google": "https://accounts.google.com", "discord": "https://discord.com"}
"""Of the providers that are the same for everybody."""


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
