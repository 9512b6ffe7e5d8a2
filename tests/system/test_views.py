"""The database's views, read by the real programs: `postmap -q` with Postfix's maps, `doveadm` with Dovecot's look-ups.

These views are the contract with Postfix and Dovecot; the schema behind them may move while these tests stand.
"""

import re
import subprocess
import uuid

import pytest

from tests.system.running import Service

MAPS = {
    "domains": "virtual_mailbox_domains",
    "mailboxes": "virtual_mailbox_maps",
    "aliases": "virtual_alias_maps",
    "senders": "smtpd_sender_login_maps",
    "transports": "transport_maps",
    "held": "held_map",
}


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


class Views:
    """Asks as Postfix and Dovecot do, with their own programs and the running service's own configuration."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.postfix = str(service.run_dir / "etc" / "postfix")
        self.dovecot = str(service.run_dir / "etc" / "dovecot" / "dovecot.conf")

    def lookup(self, view: str, key: str) -> set[str]:
        """What a Postfix map answers for a key, its tables asked in order; nothing where none has such a key."""
        wanted = run("postconf", "-c", self.postfix, "-h", MAPS[view]).stdout.strip()
        assert wanted.startswith(("proxy:sqlite:", "proxy:pgsql:"))
        for table in re.split(r",\s*(?![^{}]*\})", wanted):
            done = run("postmap", "-c", self.postfix, "-q", key, table)
            assert done.stderr == ""
            assert done.returncode in {0, 1}
            if done.stdout:
                return set(done.stdout.strip().split(","))
        return set()

    def logs_in(self, login: str, secret: str, program: str = "imap") -> bool:
        """Whether Dovecot lets the secret in."""
        return (
            run("doveadm", "-c", self.dovecot, "auth", "test", "-x", f"service={program}", login, secret).returncode
            == 0
        )

    def user(self, login: str) -> dict[str, str]:
        """What Dovecot knows of a user; nothing where it knows none."""
        done = run("doveadm", "-c", self.dovecot, "user", login)
        lines = [line.split("\t", 1) for line in done.stdout.splitlines()[1:]]
        return {key: value for key, value in lines} if done.returncode == 0 else {}  # noqa: C416 - lists, not pairs


@pytest.fixture
def views(service: Service) -> Views:
    return Views(service)


@pytest.fixture
def unique() -> str:
    return uuid.uuid4().hex[:8]


def test_a_verified_domain_is_ours_and_an_unverified_one_is_in_no_view(views):
    assert views.lookup("domains", "analytical.test") == {"analytical.test"}
    (claimed,) = [d for d in views.service.operate("domain", "list") if d["name"] == "unverified.test"]
    assert claimed["verified_at"] is None
    inboxes = [
        i["address"] for i in views.service.operate("inbox", "list") if i["address"].endswith("@unverified.test")
    ]
    assert inboxes, "the demonstration has an inbox in its unverified domain"
    assert views.lookup("domains", "unverified.test") == set()
    for address in inboxes:
        secret = views.service.new_app_password(address, claimed["workspace"])["secret"]
        for view in ("mailboxes", "aliases", "senders"):
            assert views.lookup(view, address) == set()
        assert views.user(address) == {}
        assert not views.logs_in(address, secret)


def test_an_inbox_receives_sends_and_is_its_own_alias(views):
    inbox = views.service.new_inbox("byron")
    for view in ("mailboxes", "aliases", "senders"):
        assert views.lookup(view, inbox.address) == {inbox.address}
    assert views.lookup("mailboxes", f"other-{inbox.address}") == set()


def test_an_alias_names_all_its_targets_and_lets_them_send_as_it(views, unique):
    operate, here = views.service.operate, ("--workspace", "analytical")
    one, two = views.service.new_inbox("one"), views.service.new_inbox("two")
    team = f"team-{unique}@analytical.test"
    for target in (one.address, two.address, "friend@internet.test"):
        operate("alias", "add", team, target, *here)
    assert views.lookup("aliases", team) == {one.address, two.address, "friend@internet.test"}
    assert views.lookup("senders", team) == {one.address, two.address}
    assert views.lookup("mailboxes", team) == set()
    operate("alias", "delete", team, two.address, *here)
    assert views.lookup("senders", team) == {one.address}


def test_a_catch_all_gives_no_right_to_send(views):
    views.service.operate(
        "alias", "add", "@young.test", "hello@young.test", "--workspace", workspace_of(views, "young.test")
    )
    try:
        assert views.lookup("aliases", "@young.test") == {"hello@young.test"}
        assert views.lookup("senders", "@young.test") == set()
        assert views.lookup("senders", "anybody@young.test") == set()
    finally:
        views.service.operate("alias", "delete", "@young.test", "--workspace", workspace_of(views, "young.test"))


def workspace_of(views: Views, domain: str) -> str:
    (found,) = [entry for entry in views.service.operate("domain", "list") if entry["name"] == domain]
    return found["workspace"]


def test_another_workspaces_inbox_may_not_send_as_an_alias_that_forwards_to_it(views, unique):
    sales = f"sales-{unique}@analytical.test"
    views.service.operate("alias", "add", sales, "grace@lovelace.test", "--workspace", "analytical")
    assert views.lookup("aliases", sales) == {"grace@lovelace.test"}
    assert views.lookup("senders", sales) == set()


@pytest.mark.parametrize(
    "key", ["' OR '1'='1", "ada@analytical.test' --", "ada@analytical.test\\'", "%", "_da@analytical.test"]
)
def test_a_key_is_data_never_sql(views, key):
    for view in MAPS:
        assert views.lookup(view, key) == set()
    assert not views.logs_in(key, "x' OR '1'='1")
    assert views.user(key) == {}


def test_transports_are_the_operators(views, unique):
    destination = f"bank-{unique}.test"
    views.service.operate("transport", "set", destination)
    assert views.lookup("transports", destination) == {"smtp-tls:"}
    views.service.operate("transport", "remove", destination)
    assert views.lookup("transports", destination) == set()


def test_whoever_may_not_log_in_has_no_secret_that_opens(views):
    inbox = views.service.new_inbox("locked")
    views.service.operate("suspend", inbox.address, "--login", "--reason", "stolen telephone")
    assert not views.logs_in(inbox.address, inbox.app_password)
    assert views.lookup("mailboxes", inbox.address) == {inbox.address}, "its mail goes on arriving"
    assert views.lookup("held", inbox.address) == set()
    views.service.operate("unsuspend", inbox.address)
    assert views.logs_in(inbox.address, inbox.app_password)


def test_mail_for_whoever_may_not_receive_waits(views, unique):
    """At port 25 the address itself and an alias of nobody else's; behind that, a transport that keeps it queued."""
    here = ("--workspace", "analytical")
    inbox, other = views.service.new_inbox("held"), views.service.new_inbox("free")
    alone, group = f"alone-{unique}@analytical.test", f"group-{unique}@analytical.test"
    for source, target in ((alone, inbox.address), (group, inbox.address), (group, other.address)):
        views.service.operate("alias", "add", source, target, *here)
    views.service.operate("suspend", inbox.address, "--receiving", "--reason", "moving house")
    for address in (inbox.address, alone):
        assert " ".join(views.lookup("held", address)).startswith("450 4.2.1 ")
    assert views.lookup("held", group) == views.lookup("held", other.address) == set()
    assert " ".join(views.lookup("transports", inbox.address)).startswith("retry:4.2.1 ")
    assert views.lookup("transports", other.address) == set()
    assert views.logs_in(inbox.address, inbox.app_password), "what has arrived can be read"
    views.service.operate("unsuspend", inbox.address)
    for view in ("held", "transports"):
        assert views.lookup(view, inbox.address) == set()


def test_an_app_password_opens_its_own_inbox_for_its_own_services(views):
    inbox = views.service.new_inbox("scoped")
    other = views.service.new_inbox("other")
    limited = views.service.operate(
        "app-password", "add", inbox.address, "--workspace", inbox.workspace, "--label", "printer", "--service", "smtp"
    )["secret"]
    assert views.logs_in(inbox.address, inbox.app_password)
    assert views.logs_in(inbox.address, limited, "smtp")
    assert not views.logs_in(inbox.address, limited, "imap")
    assert not views.logs_in(other.address, inbox.app_password)
    assert not views.logs_in(inbox.address, "")
    assert not views.logs_in(inbox.address, inbox.app_password.upper())


def test_a_revoked_app_password_is_refused_at_once_and_the_others_go_on(views):
    inbox = views.service.new_inbox("revoked")
    second = views.service.new_app_password(inbox.address, label="second")
    assert views.logs_in(inbox.address, second["secret"])
    views.service.operate("app-password", "revoke", inbox.address, str(second["id"]), "--workspace", inbox.workspace)
    assert not views.logs_in(inbox.address, second["secret"])
    assert views.logs_in(inbox.address, inbox.app_password)


def test_a_user_has_a_home_of_its_own_and_its_quota(views):
    inbox = views.service.new_inbox("quota")
    user = views.user(inbox.address)
    assert user["home"].endswith(f"/analytical.test/{inbox.address.partition('@')[0]}")
    assert user["quota_rule"] == f"*:bytes={10 * 1024**3}"
