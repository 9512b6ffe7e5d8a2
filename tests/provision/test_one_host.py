"""From a bare Debian to a working service, and what may happen to it later. The tests tell one story: in this order, on one server."""

import json
import re
import smtplib

import pytest
from playwright.sync_api import expect

from tests.provision.lab import network
from tests.provision.lab.laboratory import STRANGERS, reverse
from tests.provision.lab.machine import Machine
from tests.provision.lab.outside import STRANGER, Outside
from tests.provision.lab.playbook import PlaybookError
from tests.provision.lab.service import Account, Service
from tests.system.running import letter, token, until

OPEN = {22, 25, 80, 143, 443, 465, 587, 993, 4190}
# Where the programs behind them listen (PostgreSQL, Redis, Rspamd, doveadm, metrics, the web), and all below 1024.
SCANNED = {*range(1, 1024), 4190, 5432, 6379, 8000, 8080, *range(9100, 9120), 11332, 11333, 11334, 24242}
# What takes long and is the same on both of Debian's releases is told once.
TOLD_ONCE = pytest.mark.parametrize("service", ["trixie"], indirect=True)
FAMILIES = pytest.mark.parametrize("family", [4, 6])
STARTED_BY_US = re.compile(
    r"^(postfix(@-)?|dovecot|rspamd|redis-server|valkey-server|unbound|nginx|fail2ban|smailor-(signing|dmarc|policyd|web))\.service"
)


def whole_way(service: Service, family: int) -> None:
    """Mail in, mail out, and between neighbours, read by IMAP."""
    ada, grace = service.accounts
    outside = Outside(service, family)
    word = token()
    outside.deliver(letter(STRANGER, ada.address, f"In {word}"), ada.address)
    assert b"dmarc=" in outside.arrived(ada, word)
    for port in (587, 465):
        word = token()
        with outside.submission(ada, port) as client:
            client.send_message(letter(ada.address, STRANGER, f"Out {word}"))
            client.send_message(letter(ada.address, grace.address, f"Neighbour {word}"))
        (kept,) = until(lambda word=word: service.laboratory.sink.find(f"Out {word}"), "message outside", 60)
        assert b"DKIM-Signature:" in kept.content
        assert kept.sender == ada.address
        outside.arrived(grace, word)


@TOLD_ONCE
def test_the_preflight_names_what_is_missing_and_passes_once_it_is_there(service: Service) -> None:
    """On the bare server, before anything else: a PTR record that does not agree with HELO."""
    name, names = reverse(service.host("mx").ipv4), service.laboratory.names
    right = names.records[name, "PTR"]
    names.put(name, "PTR", "static.clients.example.")
    with pytest.raises(PlaybookError, match=r"(?s)static\.clients\.example.*1 to fix"):
        service.site(playbook="check.yml")
    names.put(name, "PTR", *right)
    service.site(playbook="check.yml")


def test_one_run_makes_the_service_and_a_second_changes_nothing(service: Service) -> None:
    first, second = service.two_runs()
    print(f"first run {first.seconds:.0f} s, changed {first.changed}; second {second.seconds:.0f} s")
    assert second.changed == 0, second.changes()
    service.people()


@FAMILIES
def test_mail_goes_in_and_out(service: Service, family: int) -> None:
    whole_way(service, family)


def test_what_people_move_to_junk_and_back_teaches_the_spam_filter(service: Service) -> None:
    """By Rspamd's own log: its counters are half a minute behind."""
    ada, outside, server = service.accounts[0], Outside(service, 4), service.host("mailstore")
    word = token()
    text = "Cheap engines of every size, delivered overnight to anybody who answers before the offer ends tomorrow.\n"
    message = letter(STRANGER, ada.address, word, text)
    outside.deliver(message, ada.address)
    outside.arrived(ada, word)
    for there, moved_to, kind in (("INBOX", "Junk", "spam"), ("Junk", "INBOX", "ham")):
        with outside.imap(ada) as client:
            client.select_folder(there)
            client.move(client.search(["SUBJECT", word]), moved_to)
        said = f"learned message as {kind}: {message['Message-ID'].strip('<>')}"
        look = f"grep --fixed-strings '{said}' /var/log/rspamd/rspamd.log"
        until(lambda look=look: server.run(look, check=False).returncode == 0, f"Rspamd to have {said}", 30)


@FAMILIES
def test_certificates_are_the_authoritys_and_name_the_server(service: Service, family: int) -> None:
    outside = Outside(service, family)
    for port in (443, 465, 993):
        version, _ = outside.tls(port, service.mail_name)
        assert version in {"TLSv1.2", "TLSv1.3"}


def test_a_renewed_certificate_is_what_every_program_shows(service: Service) -> None:
    """By certbot's own timer's unit, on a day when the certificate is due."""
    outside, server = Outside(service, 4), service.host("web")

    def shown() -> dict[int, str]:
        return {port: outside.tls(port, service.mail_name)[1] for port in (443, 465, 993)}

    before = shown()
    files = "/etc/letsencrypt/renewal/*.conf"
    server.run(f"sed -i.kept '1i renew_before_expiry = 9999 days' {files} && systemctl start certbot.service")
    server.run("for kept in /etc/letsencrypt/renewal/*.kept; do rm $kept; done; sed -i /renew_before_expiry/d " + files)
    until(lambda: not set(before.values()) & set(shown().values()), "new certificates on every port", 30)


@FAMILIES
def test_a_stranger_cannot_relay_and_nobody_sends_without_a_password(service: Service, family: int) -> None:
    outside = Outside(service, family)
    with outside.port_25() as client:
        client.mail(STRANGER)
        code, said = client.rcpt("somebody@elsewhere.example")
        assert code == 554, said
    someone = f"somebody@{STRANGERS}"
    with outside.submission() as client, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        client.send_message(letter(STRANGER, someone, "no"))
    assert refused.value.recipients[someone][0] == 554


@FAMILIES
def test_the_web_says_what_other_hosts_and_mail_programs_ask(service: Service, family: int) -> None:
    outside = Outside(service, family)
    policy = outside.get(f"mta-sts.{service.domain}", "/.well-known/mta-sts.txt")
    assert {"version: STSv1", "mode: enforce", f"mx: {service.groups['mx'][0]}"} <= set(policy.splitlines())
    settings = outside.get(f"autoconfig.{service.domain}", "/mail/config-v1.1.xml")
    assert settings.count(f"<hostname>{service.mail_name}</hostname>") >= 2
    assert "Contact: mailto:" in outside.get(service.mail_name, "/.well-known/security.txt")


def test_a_person_logs_in_with_a_browser(service: Service, new_page) -> None:
    ada = service.accounts[0]
    page = new_page(service)
    page.goto(f"https://{service.mail_name}/")
    page.get_by_label("E-mail address").fill(ada.address)
    page.get_by_label("Password", exact=True).fill(ada.password)
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page).to_have_title(re.compile("Inbox"))
    assert page.faults == []


def test_the_console_is_told_what_waits_in_the_queue(service: Service) -> None:
    """A message to a domain whose mail host does not answer."""
    server, names = service.host("web"), service.laboratory.names
    names.put("unreachable.test", "MX", "10 mx.unreachable.test.")
    names.put("mx.unreachable.test", "A", network.PUBLIC4.format(250))
    ada = service.accounts[0]
    with Outside(service, 4).submission(ada) as client:
        client.send_message(letter(ada.address, "nobody@unreachable.test", "Waiting"))
    server.run("systemctl start smailor-job@write-queue.service")
    assert "nobody@unreachable.test" in server.output("cat /run/smailor/queue")
    assert server.output("stat --format='%G %a' /run/smailor/queue") == "postfix 640"
    server.run("postsuper -d ALL")


@FAMILIES
def test_other_ports_are_closed(service: Service, family: int) -> None:
    assert Outside(service, family).open_ports("mx", SCANNED) == OPEN


@TOLD_ONCE
def test_new_secrets_reach_every_program(service: Service) -> None:
    before = service.secret("vault_doveadm_api_key")
    service.site(playbook="rotate-secrets.yml")
    assert service.secret("vault_doveadm_api_key") != before
    whole_way(service, 6)


def test_what_dies_comes_back(service: Service) -> None:
    server = service.host("mx")
    listed = server.output("systemctl list-units --type=service --state=running --plain --no-legend").splitlines()
    units = [line.split()[0] for line in listed if STARTED_BY_US.match(line)]
    assert len(units) >= 9, listed
    for unit in units:
        before = server.output(f"systemctl show --property=MainPID --value {unit}")
        server.run(f"systemctl kill --signal=KILL {unit}")
        until(
            lambda unit=unit, before=before: (
                server.output(f"systemctl show --property=MainPID --value {unit}") not in {"0", before}
                and server.run(f"systemctl is-active {unit}", check=False).returncode == 0
            ),
            f"new {unit}",
            60,
        )
    whole_way(service, 4)


def test_our_processes_are_locked_in(service: Service) -> None:
    server = service.host("mx")
    listed = server.output("systemctl list-units --all --plain --no-legend 'smailor-*.service' | cut -d' ' -f1").split()
    ours = [unit for unit in listed if re.match(r"smailor-(signing|dmarc|policyd|web|job@.*)\.service$", unit)]
    assert len(ours) >= 4, listed
    for unit in ours:
        said = server.output(f"systemd-analyze security --no-pager {unit} | tail -1")
        found = re.search(r"level for \S+ ([0-9.]+)", said.replace(":", ""))
        assert found, said
        print(unit, found[1])
        assert float(found[1]) <= 3.0


@FAMILIES
def test_a_restart_changes_nothing(service: Service, family: int) -> None:
    if family == 4:
        service.host("mx").reboot()
    whole_way(service, family)
    assert Outside(service, family).open_ports("mx", SCANNED) == OPEN


@pytest.mark.parametrize("service", ["bookworm"], indirect=True)
def test_an_upgrade_backs_up_first_and_leaves_everything_at_work(service: Service) -> None:
    server = service.host("mx")
    before = backups(server)
    server.run("touch /var/run/reboot-required")
    upgraded = service.site(playbook="upgrade.yml")
    assert "needs a restart for what was upgraded" in upgraded.output
    assert backups(server) > before
    whole_way(service, 6)


def backups(server: Machine) -> int:
    """How many snapshots the server's backups have; none where no backup was made yet."""
    ask = 'set -a; . /etc/smailor-backup/environment; eval "restic $RESTIC_OPTIONS snapshots --json" 2>/dev/null'
    return len(json.loads(server.output(f"({ask}) || echo '[]'")))


@TOLD_ONCE
def test_a_lost_server_is_made_anew_from_its_backup(service: Service) -> None:
    """Also when the first run on the new server was broken off in the middle."""
    ada = service.accounts[0]
    outside = Outside(service, 4)
    for odd in ("Grüße, ein Brief mit Umlauten\n", "a" * 990 + "\n", "x\n" * 200_000, ".\n..\n"):
        word = token()
        outside.deliver(letter(STRANGER, ada.address, word, odd), ada.address)
        outside.arrived(ada, word)
    before = everything(outside, ada)
    service.site(playbook="backup.yml")

    [name] = service.machines
    service.rebuild(name)
    service.site_interrupted("smailor : Configure")
    made = service.site()
    restored = service.site("-e", "restore=everything", playbook="restore.yml")
    print(f"fresh server {made.seconds:.0f} s, restored in {restored.seconds:.0f} s")
    assert everything(outside, ada) == before
    whole_way(service, 6)
    again = service.site()
    assert again.changed == 0, again.changes()


def everything(outside: Outside, account: Account) -> dict[str, list[bytes]]:
    """All of a person's mail, byte for byte, by folder."""
    found = {}
    with outside.imap(account) as client:
        for _, _, folder in client.list_folders():
            client.select_folder(folder, readonly=True)
            numbers = client.search("ALL")
            found[folder] = sorted(part[b"BODY[]"] for part in client.fetch(numbers, ["BODY.PEEK[]"]).values())
    return found
