"""What the roles' variables are in a local service: everything else is as in production. Values in, values out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from smailor.stack import machine
from smailor.stack.layout import (
    HYPERSCAN_CACHE,
    LETTERS,
    MAIL_NAME,
    MAIL_UID,
    MX_NAME,
    SERVICE_DOMAIN,
    SPF_INCLUDE,
    SRS_DOMAIN,
    Layout,
)
from smailor.stack.render import Role
from smailor.stack.secrets import LocalSecrets

_LOOPBACK = "127.0.0.0/8"
_POSTMASTER = f"postmaster@{SERVICE_DOMAIN}"
MAIL_ROLE_PREFIX = "smailor_mail"

Variables = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a local service is to be like.

    Attributes:
        layout: where it lies.
        secrets: its secrets.
        database_url: where its state is kept.
        resolver: `host:port` of a DNS server to ask instead of the small internet; empty: the small internet.
        demo: whether the demonstration fills it, which has an inbox that letters about accounts come from.
    """

    layout: Layout
    secrets: LocalSecrets
    database_url: str
    resolver: str = ""
    demo: bool = False

    @property
    def dns(self) -> str:
        """The DNS server that our processes and Rspamd ask."""
        return self.resolver or self.layout.ports.at("resolver")


def mail_role(database_name: str) -> str:
    """The PostgreSQL role of Postfix and Dovecot: roles belong to a whole cluster, so each database has its own."""
    return f"{MAIL_ROLE_PREFIX}_{database_name}"[:63]


def roles(wishes: Wishes) -> dict[str, Role]:
    """Every role with the values of this local service, by name."""
    values = {
        "smailor": _smailor,
        "postfix": _postfix,
        "dovecot": _dovecot,
        "rspamd": _rspamd,
        "redis": _redis,
        "unbound": _unbound,
    }
    return {name: Role(name, variables(wishes)) for name, variables in values.items()}


def _smailor(wishes: Wishes) -> Variables:
    layout, ports = wishes.layout, wishes.layout.ports
    return {
        "smailor_hostname": MX_NAME,
        "smailor_domain": SERVICE_DOMAIN,
        "smailor_postmaster": _POSTMASTER,
        "smailor_spf_include": SPF_INCLUDE,
        "smailor_srs_domain": SRS_DOMAIN,
        "smailor_database_url": wishes.database_url,
        "smailor_session_key": wishes.secrets.session_key,
        "smailor_sealing_keys": [wishes.secrets.sealing_key],
        "smailor_dns_servers": [wishes.dns],
        "smailor_web_bind": ports.at("web"),
        "smailor_web_public_url": f"http://{ports.at('web')}",
        "smailor_web_imap": ports.at("imap"),
        "smailor_web_submission": ports.at("submission"),
        "smailor_web_tls_ca": str(layout.ca),
        "smailor_web_mail_hostname": MAIL_NAME,
        # Plain HTTP on loopback: a browser would not send secure cookies back.
        "smailor_web_secure_cookies": False,
        "smailor_signup": wishes.demo,
        "smailor_letters_from": LETTERS if wishes.demo else "",
        "smailor_web_styleguide": True,
        "smailor_doveadm_url": f"http://{ports.at('doveadm')}/doveadm/v1",
        "smailor_doveadm_api_key": wishes.secrets.doveadm_api_key,
        "smailor_signing_socket": f"unix:{layout.socket('signing')}",
        "smailor_dmarc_socket": f"unix:{layout.socket('dmarc')}",
        "smailor_policyd_socket": f"unix:{layout.socket('policyd')}",
        "smailor_srs_socket": f"unix:{layout.socket('srs')}",
        **{f"smailor_{name}_metrics": ports.at(f"{name}_metrics") for name in ("policyd", "signing", "dmarc")},
    }


def _postfix(wishes: Wishes) -> Variables:
    layout, ports = wishes.layout, wishes.layout.ports
    stock = Role("postfix", {}).variables
    # The milters are production's own, only their sockets lie here.
    milters = {
        key: [{**milter, "socket": f"unix:{layout.socket(milter['name'])}"} for milter in stock[key]]
        for key in ("postfix_inbound_milters", "postfix_submission_milters")
    }
    return {
        **milters,
        "postfix_config_directory": str(layout.etc / "postfix"),
        "postfix_queue_directory": str(layout.root / "postfix" / "queue"),
        "postfix_data_directory": str(layout.root / "postfix" / "data"),
        "postfix_maps_directory": str(layout.etc / "postfix" / "maps"),
        "postfix_log_file": str(layout.log / "postfix.log"),
        "postfix_log_file_prefixes": str(layout.root),
        "postfix_hostname": MX_NAME,
        "postfix_domain": SERVICE_DOMAIN,
        "postfix_postmaster": _POSTMASTER,
        "postfix_listen_smtp": ports.at("smtp"),
        "postfix_listen_submission": ports.at("submission"),
        "postfix_listen_submissions": ports.at("submissions"),
        "postfix_inet_interfaces": "127.0.0.1",
        "postfix_inet_protocols": "ipv4",
        "postfix_postscreen_access": [f"{_LOOPBACK} permit"],
        "postfix_xclient_hosts": [_LOOPBACK],
        "postfix_rate_limit_exceptions": [_LOOPBACK],
        "postfix_sasl_socket": str(layout.socket("sasl")),
        "postfix_policy_socket": f"unix:{layout.socket('policyd')}",
        "postfix_srs_domain": SRS_DOMAIN,
        "postfix_srs_socket": f"unix:{layout.socket('srs')}",
        "postfix_lmtp_socket": f"unix:{layout.socket('lmtp')}",
        "postfix_smtp_port": str(ports.of("internet")),
        "postfix_smtp_bind_address": "127.0.0.1",
        # The small internet has no policy hosts.
        "postfix_mta_sts": False,
        # The small internet's root is not signed.
        "postfix_dnssec_probe": "",
        "postfix_tls_chain_files": [str(layout.tls / "mail.key"), str(layout.tls / "mail.crt")],
        "postfix_tls_ca_file": str(layout.ca),
        "postfix_queue_run_delay": "5s",
        "postfix_minimal_backoff_time": "5s",
        "postfix_maximal_backoff_time": "30s",
        "postfix_maximal_queue_lifetime": "1h",
        "postfix_bounce_queue_lifetime": "1h",
        **_database(wishes, "postfix"),
    }


def _dovecot(wishes: Wishes) -> Variables:
    layout, ports = wishes.layout, wishes.layout.ports
    return {
        "dovecot_base_directory": str(layout.root / "dovecot" / "base"),
        "dovecot_state_directory": str(layout.root / "dovecot" / "state"),
        "dovecot_config_directory": str(layout.etc / "dovecot"),
        "dovecot_instance_name": f"smailor-{ports.base}",
        "dovecot_log_file": str(layout.log / "dovecot.log"),
        "dovecot_postmaster": _POSTMASTER,
        "dovecot_hostname": MAIL_NAME,
        "dovecot_listen": "127.0.0.1",
        "dovecot_imap_port": ports.of("imap"),
        "dovecot_imaps_port": ports.of("imaps"),
        "dovecot_managesieve_port": ports.of("managesieve"),
        "dovecot_doveadm_port": ports.of("doveadm"),
        "dovecot_doveadm_api_key": wishes.secrets.doveadm_api_key,
        "dovecot_sasl_socket": str(layout.socket("sasl")),
        "dovecot_lmtp_socket": str(layout.socket("lmtp")),
        "dovecot_tls_certificate": str(layout.tls / "mail.crt"),
        "dovecot_tls_key": str(layout.tls / "mail.key"),
        "dovecot_mail_uid": MAIL_UID,
        "dovecot_mail_gid": MAIL_UID,
        "dovecot_mail_directory": str(layout.root / "mail"),
        "dovecot_attachment_directory": str(layout.root / "attachments"),
        "dovecot_auth_failure_delay": 0,
        # An index is not worth a further package for a mailbox to try out.
        "dovecot_search": False,
        # Everybody comes from 127.0.0.1 here; one person's mistake must not slow the others.
        "dovecot_auth_penalty": False,
        "dovecot_rspamd_controller": str(layout.root / "rspamd" / "learn" / "controller.sock"),
        **_database(wishes, "dovecot"),
    }


def _rspamd(wishes: Wishes) -> Variables:
    layout = wishes.layout
    return {
        "rspamd_milter_socket": str(layout.socket("rspamd")),
        # Whom these sockets are for is decided by the directories around them.
        "rspamd_milter_group": "postfix",
        "rspamd_controller_group": "_rspamd",
        "rspamd_milter_tcp": layout.ports.at("rspamd"),
        "rspamd_controller_socket": str(layout.root / "rspamd" / "learn" / "controller.sock"),
        # The directory around it lets only the mail's own numeric user in, who has no group with a name.
        "rspamd_controller_mode": "0666",
        "rspamd_controller_password": wishes.secrets.rspamd_password,
        "rspamd_control_socket": str(layout.root / "rspamd" / "run" / "rspamd.sock"),
        "rspamd_nameservers": [wishes.dns],
        "rspamd_redis": str(layout.root / "redis" / "redis.sock"),
        "rspamd_outside_services": False,
        "rspamd_greylist": False,
        "rspamd_bayes_minimum": 10,
        "rspamd_check_local": True,
        "rspamd_log": "console",
        "rspamd_hyperscan_directory": str(HYPERSCAN_CACHE),
    }


def _redis(wishes: Wishes) -> Variables:
    return {
        "redis_socket": str(wishes.layout.root / "redis" / "redis.sock"),
        "redis_directory": str(wishes.layout.root / "redis"),
        "redis_save": "60 1",
        "redis_memory": "128mb",
    }


def _unbound(wishes: Wishes) -> Variables:
    """The resolver of the small internet; with another resolver it is there for the demonstration only."""
    layout, ports = wishes.layout, wishes.layout.ports
    here = f"127.0.0.1@{ports.of('resolver')}"
    return {
        **_any_unbound(layout.unbound),
        "unbound_interfaces": [here] if wishes.resolver else [here, ports.resolver_address],
        "unbound_closed": True,
        "unbound_zones_file": str(layout.unbound / "zones.conf"),
    }


def forwarder(wishes: Wishes) -> Role:
    """Role `unbound` once more, for a resolver outside: resolv.conf, which Postfix follows, can name no port."""
    host, _, port = wishes.resolver.rpartition(":")
    values = {
        **_any_unbound(wishes.layout.forwarder),
        "unbound_interfaces": [wishes.layout.ports.resolver_address],
        "unbound_forwarder": f"{host}@{port}",
    }
    return Role("unbound", values)


def _any_unbound(folder: Path) -> dict[str, Any]:
    return {
        "unbound_directory": str(folder),
        "unbound_pid_file": str(folder / "unbound.pid"),
        "unbound_ipv6": False,
        # Tests change records and look again.
        "unbound_cache_max_ttl": 1,
        "unbound_cache_max_negative_ttl": 1,
        "unbound_root_anchor": "",
        "unbound_control_socket": str(folder / "control.sock"),
    }


def _database(wishes: Wishes, role: str) -> Variables:
    """How Postfix and Dovecot reach the views; both roles name these variables alike, but for several hosts."""
    url = make_url(wishes.database_url)
    if url.get_backend_name() == "sqlite":
        return {f"{role}_database_engine": "sqlite", f"{role}_database_file": str(Path(url.database or ""))}
    host, port = url.host or "127.0.0.1", url.port or 5432
    place: Variables = (
        {
            "postfix_database_hosts": [f"{host}:{port}"],
            "postfix_database_retry_seconds": 2 if machine.postfix_version() >= (3, 9) else 0,
        }
        if role == "postfix"
        else {"dovecot_database_host": host, "dovecot_database_port": port}
    )
    return {
        f"{role}_database_engine": "pgsql",
        f"{role}_database_name": url.database,
        f"{role}_database_user": mail_role(url.database or ""),
        f"{role}_database_password": wishes.secrets.mail_role_password,
        **place,
    }
