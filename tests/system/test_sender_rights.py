"""Rights to send beyond one's own addresses, and a workspace's wish for privacy: on the real Postfix, both databases."""

import smtplib
import subprocess

import dkim
import pytest

from tests.system.running import Inbox, Service, letter, token, until
from tests.system.test_views import Views

HERE = ("--workspace", "analytical")


@pytest.fixture
def views(service: Service) -> Views:
    return Views(service)


@pytest.fixture
def clerk(service: Service) -> Inbox:
    """An inbox without any right of this kind."""
    return service.new_inbox("clerk")


def allow(service: Service, login: Inbox, sender: str) -> None:
    service.operate("inbox", "allow", login.address, "--as", sender, *HERE)


def disallow(service: Service, login: Inbox, sender: str) -> None:
    service.operate("inbox", "disallow", login.address, "--as", sender, *HERE)


def sent(service: Service, login: Inbox, author: str, envelope: str | None = None) -> str:
    """Submit a message and return the word by which it is found."""
    word = token()
    with service.smtp(login) as client:
        client.send_message(letter(author, "bob@stranger.test", word), from_addr=envelope or author)
    return word


def refusals(service: Service, login: Inbox, other: str) -> tuple[str, str]:
    """What Postfix says to another's address in the envelope, and what the milter says to it in From."""
    with pytest.raises(smtplib.SMTPSenderRefused) as envelope:
        sent(service, login, login.address, other)
    with pytest.raises(smtplib.SMTPDataError) as header:
        sent(service, login, other, login.address)
    assert (envelope.value.smtp_code, header.value.smtp_code) == (553, 550)
    return envelope.value.smtp_error.decode(), header.value.smtp_error.decode()


def assert_left_signed(service: Service, word: str, author: str) -> None:
    kept = service.outside(word)
    assert kept.envelope["mail_from"] == author
    assert kept.message["From"] == author
    verifier = dkim.DKIM(kept.content)
    assert verifier.verify(dnsfunc=service.txt)
    assert verifier.domain.decode() == author.rpartition("@")[2]


def test_a_delegate_passes_signed_and_is_refused_at_the_message_after_the_right_ended(service, views, clerk):
    boss = service.new_inbox("boss")
    said = refusals(service, clerk, boss.address)
    assert all(boss.address in text and clerk.address in text and text.startswith("5.7.1") for text in said)
    allow(service, clerk, boss.address)
    assert views.lookup("senders", boss.address) == {boss.address, clerk.address}
    assert_left_signed(service, sent(service, clerk, boss.address), boss.address)
    assert_left_signed(service, sent(service, boss, boss.address), boss.address)
    disallow(service, clerk, boss.address)
    refusals(service, clerk, boss.address)
    assert views.lookup("senders", boss.address) == {boss.address}


def test_a_right_ends_within_a_connection_that_stands(service, clerk):
    """A mail client keeps its connection open; nothing that it was told before counts any more."""
    boss = service.new_inbox("boss")
    allow(service, clerk, boss.address)
    with service.smtp(clerk) as client:
        client.send_message(letter(boss.address, "bob@stranger.test", token()))
        disallow(service, clerk, boss.address)
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.send_message(letter(boss.address, "bob@stranger.test", token()))
        with pytest.raises(smtplib.SMTPDataError):
            client.send_message(letter(boss.address, "bob@stranger.test", token()), from_addr=clerk.address)


def test_a_domain_wide_login_is_found_by_postfix_whatever_the_address(service, views, clerk):
    """Postfix asks for the address, then without extension, then for the domain, and stops at the first that is there."""
    boss = service.new_inbox("boss")
    alias = f"desk-{token()[:9]}@analytical.test"
    service.operate("alias", "add", alias, boss.address, *HERE)
    allow(service, clerk, "@analytical.test")
    try:
        assert views.lookup("senders", "@analytical.test") == {clerk.address}
        assert views.lookup("senders", boss.address) == {boss.address, clerk.address}
        assert views.lookup("senders", alias) == {boss.address, clerk.address}
        local, _, domain = boss.address.partition("@")
        unheard_of = f"never-{token()[:9]}@analytical.test"
        for author in (boss.address, f"{local}+x@{domain}", alias, unheard_of):
            assert_left_signed(service, sent(service, clerk, author), author)
        refusals(service, boss, unheard_of)
        refusals(service, clerk, "grace@lovelace.test")
        refusals(service, clerk, "x@sub.analytical.test")
    finally:
        disallow(service, clerk, "@analytical.test")
    assert views.lookup("senders", "@analytical.test") == set()
    refusals(service, clerk, unheard_of)


def test_another_workspaces_addresses_are_out_of_reach(service, views, clerk):
    for sender in ("grace@lovelace.test", "@lovelace.test"):
        for workspace in ("analytical", "lovelace"):
            arguments = ("inbox", "allow", clerk.address, "--as", sender, "--workspace", workspace)
            done = service.command("--config", service.endpoints["config"], *arguments)
            assert (done.returncode, "has no" in done.stderr) == (1, True)
    assert views.lookup("senders", "@lovelace.test") == set()
    refusals(service, clerk, "grace@lovelace.test")


def test_swaks_sends_on_behalf(service, clerk):
    boss = service.new_inbox("boss")
    allow(service, clerk, boss.address)
    word = token()
    command = ["swaks", "--server", f"127.0.0.1:{service.port('submission')}", "--tls"]
    command += ["--auth", "PLAIN", "--auth-user", clerk.address, "--auth-password", clerk.app_password]
    command += ["--from", boss.address, "--to", "bob@stranger.test", "--header", f"Subject: {word}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert signed_domain(service, service.outside(word).content) == "analytical.test"


def signed_domain(service: Service, content: bytes) -> str | None:
    verifier = dkim.DKIM(content)
    return verifier.domain.decode() if verifier.verify(dnsfunc=service.txt) else None


def test_a_deleted_inbox_leaves_no_right_behind(service, views, clerk):
    boss = service.new_inbox("boss")
    allow(service, clerk, boss.address)
    service.operate("inbox", "delete", clerk.address, *HERE)
    assert views.lookup("senders", boss.address) == {boss.address}
    service.operate("inbox", "add", clerk.address, *HERE, "--name", "Clerk")
    assert views.lookup("senders", boss.address) == {boss.address}


def test_a_workspace_says_whether_its_mail_tells_where_it_was_sent_from(service, ada, grace):
    """Lovelace tells, analytical does not; what Postfix itself writes is the same for both."""

    def traces(login: Inbox) -> list[str]:
        word = token()
        message = letter(login.address, "bob@stranger.test", word)
        message["Received"] = (
            "from pc-17 (unknown [10.0.0.5]) by office.example with SMTP; Mon, 23 Nov 2026 09:29:58 +0000"
        )
        with service.smtp(login) as client:
            client.send_message(message)
        kept = service.outside(word)
        assert signed_domain(service, kept.content) == login.address.rpartition("@")[2]
        return [" ".join(field.split()) for field in kept.message.get_all("Received")]

    hidden = traces(ada)
    assert [field.partition(" (")[0] for field in hidden] == ["by mx.smailor.test"]
    assert not any("127.0.0.1" in field or "10.0.0.5" in field or "client.test" in field for field in hidden)
    service.operate("workspace", "set", "lovelace", "--sender-privacy", "off")
    try:
        told = until(lambda: found if len(found := traces(grace)) == 3 else None, "trace of the client", 2)
    finally:
        service.operate("workspace", "set", "lovelace", "--sender-privacy", "on")
    assert told[0].startswith("by mx.smailor.test (Postfix) with ESMTPSA id ")
    assert told[1].startswith("from [127.0.0.1] (localhost [127.0.0.1]) by mx.smailor.test with ESMTPSA id ")
    assert told[2].startswith("from pc-17 ")
    assert told[0].split(" id ")[1].split()[0] == told[1].split(" id ")[1].split(";")[0]
    until(lambda: len(traces(grace)) == 1, "hidden client", 2)
    assert len(traces(ada)) == 1
