"""The way in: a stranger outside writes, and what becomes of it."""

import time

import pytest

from tests.system.running import Inbox, Service, letter, token, until

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
STRANGER = "bob@stranger.test"


def send(service: Service, recipient: str, word: str, text: str = "Hello\n", sender: str = STRANGER, **headers: str):
    return service.from_outside(letter(sender, recipient, word, text, **headers), sender=sender, recipient=recipient)


def test_a_stranger_s_message_is_announced_by_idle_within_a_second(service: Service, ada: Inbox) -> None:
    """From the moment that the sender has its 250 to the moment that a waiting client is told."""
    latencies = []
    with service.imap(ada) as client:
        client.select_folder("INBOX")
        for _ in range(3):
            word = token()
            client.idle()
            assert send(service, ada.address, word).accepted
            accepted = time.monotonic()
            announced = client.idle_check(timeout=10)
            latencies.append(time.monotonic() - accepted)
            client.idle_done()
            assert any(kind == b"EXISTS" for _, kind, *_ in announced)
            assert client.search(["SUBJECT", word]), "the message that was announced is there"
    print("IDLE after", ", ".join(f"{1000 * latency:.0f} ms" for latency in latencies))
    assert min(latencies) < 1.0


def test_the_command_line_sends_as_a_stranger(service: Service, ada: Inbox) -> None:
    word = token()
    file = service.run_dir.parent / "letter.eml"
    file.write_bytes(letter(STRANGER, ada.address, word).as_bytes())
    arguments = ["internet", "send", "--run-dir", str(service.run_dir), "--from", STRANGER, "--ip", "192.0.2.10"]
    done = service.command(*arguments, "--to", ada.address, str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"mail.stranger.test" in service.arrived(ada, word), "Received says where it came from"
    done = service.command(*arguments, "--to", "nobody@analytical.test", str(file))
    assert done.returncode == 1
    assert "550 5.1.1" in done.stdout


@pytest.mark.parametrize("local_part", ["ada+orders", "ADA", "Ada+Orders+2"])
def test_plus_addresses_and_any_case_reach_the_inbox(service: Service, ada: Inbox, local_part: str) -> None:
    word = token()
    assert send(service, f"{local_part}@Analytical.TEST", word).accepted
    service.arrived(ada, word)


def test_an_alias_reaches_its_inbox(service: Service, ada: Inbox) -> None:
    word = token()
    assert send(service, "info@analytical.test", word).accepted
    service.arrived(ada, word)


def test_a_catch_all_takes_what_nobody_else_does(service: Service, grace: Inbox) -> None:
    """And it does not swallow the domain's inboxes."""
    annabella = service.inbox("annabella@lovelace.test")
    unknown, known = token(), token()
    service.operate("alias", "add", "@lovelace.test", grace.address, "--workspace", "lovelace")
    try:
        assert send(service, f"{unknown}@lovelace.test", unknown).accepted
        assert send(service, annabella.address, known).accepted
        service.arrived(grace, unknown)
        service.arrived(annabella, known)
        with service.imap(grace) as client:
            client.select_folder("INBOX")
            assert not client.search(["SUBJECT", known])
    finally:
        service.operate("alias", "delete", "@lovelace.test", "--workspace", "lovelace")
    refused = send(service, f"{unknown}@lovelace.test", unknown)
    assert (refused.accepted, refused.replies[-1].code) == (False, 550)


def test_a_group_reaches_inboxes_and_the_world(service: Service, ada: Inbox, charles: Inbox) -> None:
    group = f"all-{token()[:8]}@analytical.test"
    for target in (ada.address, charles.address):
        service.operate("alias", "add", group, target, "--workspace", "analytical")
    word = token()
    assert send(service, group, word).accepted
    service.arrived(ada, word)
    service.arrived(charles, word)


def test_gtube_is_rejected(service: Service, ada: Inbox) -> None:
    refused = send(service, ada.address, token(), f"{GTUBE}\n")
    assert not refused.accepted
    assert refused.replies[-1].code == 554
    assert refused.replies[-1].text.startswith("5.7.1")


def test_spam_goes_to_junk_and_a_forged_mark_does_not(service: Service, ada: Inbox) -> None:
    """What Rspamd finds suspicious is filed, not refused. A sender's own X-Spam counts for nothing."""
    spam, ham = token(), token()
    raw = spam_message(ada.address, spam)
    delivery = service.from_outside(raw, sender="winner@nowhere.test", recipient=ada.address, ip="192.0.2.66")
    assert delivery.accepted, delivery
    assert send(service, ada.address, ham, X_Spam="Yes").accepted
    assert b"X-Spam: Yes" in service.arrived(ada, spam, "Junk")
    assert b"X-Spam" not in service.arrived(ada, ham, "INBOX").replace(b"X-Spamd", b"")


def spam_message(recipient: str, word: str) -> bytes:
    """Suspicious, but not beyond doubt: from an address without a name, for a domain that does not exist."""
    return letter("winner@nowhere.test", recipient, f"{word} You have won", "Claim your prize.\n").as_bytes()


def test_an_unknown_recipient_is_refused_with_550(service: Service) -> None:
    refused = send(service, "nobody@analytical.test", token())
    assert (refused.accepted, refused.replies[-1].code) == (False, 550)
    assert refused.replies[-1].text.startswith("5.1.1")


def test_relaying_is_refused(service: Service) -> None:
    refused = send(service, "victim@example.test", token())
    assert not refused.accepted
    assert refused.replies[-1].code == 554
    assert "elay access denied" in refused.replies[-1].text


def test_relaying_from_loopback_is_refused(service: Service, ada: Inbox) -> None:
    """No program on this machine is trusted for being on it."""
    with service.port_25() as client:
        client.mail(ada.address)
        code, _ = client.rcpt(STRANGER)
    assert code == 554


@pytest.mark.parametrize(
    "recipient",
    ["victim%example.test@analytical.test", "@analytical.test:victim@example.test", "victim@example.test@analytical.test",
     "example.test!victim@analytical.test", '"victim@example.test"@analytical.test', "victim@[127.0.0.1]"],
)  # fmt: skip
def test_old_ways_around_a_relay_check_are_refused(service: Service, recipient: str) -> None:
    with service.port_25() as client:
        client.mail(STRANGER)
        code, _ = client.docmd("RCPT", f"TO:<{recipient}>")
    assert 500 <= code < 600


def test_an_unverified_domain_is_not_local(service: Service) -> None:
    """Somebody has entered it; as long as it is not shown to be theirs, it is other people's domain."""
    domains = {entry["name"]: entry["verified_at"] for entry in service.operate("domain", "list")}
    assert "unverified.test" in domains
    assert domains["unverified.test"] is None
    refused = send(service, "ada@unverified.test", token())
    assert not refused.accepted
    assert refused.replies[-1].code == 554


def test_a_bounce_reaches_the_sender(service: Service, ada: Inbox) -> None:
    """Ada writes to somebody whom the world does not know: no such domain, so the report comes at once."""
    word = token()
    with service.smtp(ada) as client:
        client.send_message(letter(ada.address, f"{word}@no-such-domain.test", word))
    with service.imap(ada) as client:
        client.select_folder("INBOX")

        def report() -> bytes | None:
            client.noop()
            found = client.search(["BODY", f"{word}@", "HEADER", "Auto-Submitted", "auto-replied"])
            return client.fetch(found, ["BODY[]"])[found[0]][b"BODY[]"] if found else None

        content = until(report, "delivery status notification")
    assert b"multipart/report" in content
    assert b"no-such-domain.test" in content
