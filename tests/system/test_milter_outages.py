"""Milters that are killed, stopped or told to read their configuration anew, with messages in their hands.

Whatever happens, a message is either accepted, judged and delivered once, or its sender is told to come again. On a
service of this file's own, on one kind of database: none of it depends on that.
"""

import signal
import smtplib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from smailor import clock
from smailor.authentication import arc
from smailor.authentication.authentication_results import MethodResult, Property
from smailor.dns.fake import FakeResolver
from smailor.stack.internet_send import internet_send
from tests.system.running import Inbox, Service, token, until
from tests.system.test_authentication import HOME, KEY, as_sent, new_domain
from tests.system.test_outages import pid, receive, signal_all, started_again, submit
from tests.system.test_submission import signed_by

STRANGER = "bob@stranger.test"
SENDERS, MESSAGES = 4, 8


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    one = Service()
    try:
        one.up()
        yield one
    finally:
        one.remove()


def begin(client: smtplib.SMTP, sender: str, recipient: str, message: bytes) -> None:
    """Send all but the end of the message."""
    assert client.mail(sender)[0] == 250
    assert client.rcpt(recipient)[0] == 250
    assert client.docmd("DATA")[0] == 354
    client.send(message)


def end(client: smtplib.SMTP) -> int:
    client.send(b".\r\n")
    return client.getreply()[0]


def workers(service: Service, name: str) -> list[psutil.Process]:
    return psutil.Process(pid(service, name)).children()


def copies(service: Service, inbox: Inbox, word: str) -> int:
    """How many messages with this word are in an inbox, Junk included."""
    with service.imap(inbox) as client:
        found = 0
        for folder in ("INBOX", "Junk"):
            client.select_folder(folder, readonly=True)
            found += len(client.search(["SUBJECT", word]))
        return found


def test_without_the_dmarc_milter_in_the_middle_of_a_message_the_sender_comes_again(
    service: Service, ada: Inbox
) -> None:
    word = token()
    with service.port_25() as client:
        begin(client, STRANGER, ada.address, as_sent(STRANGER, ada.address, word))
        before = {"dmarc": pid(service, "dmarc")}
        signal_all(before.values(), signal.SIGKILL)
        assert end(client) == 451
    started_again(service, before)
    assert receive(service, ada.address, word)[0] == 250
    until(lambda: copies(service, ada, word), "message in the inbox")
    assert copies(service, ada, word) == 1


def test_a_dmarc_worker_that_dies_with_the_whole_message_in_hand_loses_nothing(service: Service, ada: Inbox) -> None:
    """Held until Postfix has the message, killed before it can answer."""
    word = token()
    message = as_sent(STRANGER, ada.address, word)
    [identity] = [line.split(b": ")[1] for line in message.splitlines() if line.startswith(b"Message-ID: ")]
    log = service.run_dir / "log" / "postfix.log"
    with service.port_25() as client:
        begin(client, STRANGER, ada.address, message)
        held = workers(service, "dmarc")
        for worker in held:
            worker.send_signal(signal.SIGSTOP)
        client.send(b".\r\n")
        until(lambda: b"message-id=" + identity in log.read_bytes(), "message at Postfix's cleanup")
        for worker in held:
            worker.send_signal(signal.SIGKILL)
        assert client.getreply()[0] == 451
    until(lambda: receive(service, ada.address, word)[0] == 250, "acceptance with the workers back")
    until(lambda: copies(service, ada, word), "message in the inbox")
    assert copies(service, ada, word) == 1


def test_without_the_signing_milter_in_the_middle_of_a_message_nothing_leaves_unsigned(
    service: Service, ada: Inbox
) -> None:
    word = token()
    with service.smtp(ada) as client:
        begin(client, ada.address, STRANGER, as_sent(ada.address, STRANGER, word))
        before = {"signing": pid(service, "signing")}
        signal_all(before.values(), signal.SIGKILL)
        assert end(client) == 451
    started_again(service, before)
    assert submit(service, ada, STRANGER, word)[0] == 250
    assert signed_by(service, service.outside(word).content) == "analytical.test"
    assert len(service.all_outside(word)) == 1


def test_a_silent_dns_is_451_in_bounded_time_and_nothing_is_lost(service: Service, ada: Inbox) -> None:
    word, author = token(), f"boss@{new_domain(service)}"
    unbound = pid(service, "unbound")
    signal_all([unbound], signal.SIGSTOP)
    try:
        started = time.monotonic()
        reply = internet_send(
            as_sent(author, ada.address, word), server=service.endpoints["smtp"], mail_from=author,
            rcpt_to=(ada.address,), ip=HOME, dns=FakeResolver({}),
        ).replies[-1]  # fmt: skip
        seconds = time.monotonic() - started
    finally:
        signal_all([unbound], signal.SIGCONT)
    print(f"answered {reply} after {seconds:.1f} s")
    assert (reply.code, reply.text[:5]) == (451, "4.7.0")
    assert seconds < 8

    def again() -> bool:
        message = as_sent(author, ada.address, word)
        return service.from_outside(message, sender=author, recipient=ada.address, ip=HOME).accepted

    until(again, "acceptance with the DNS back")
    until(lambda: copies(service, ada, word), "message in the inbox")
    assert copies(service, ada, word) == 1


def load(send: Callable[[str], bool], stop: Callable[[], None]) -> list[str]:
    """Have several senders hand in messages, each again and again until it is accepted, and stop something meanwhile."""
    accepted: list[str] = []
    begun = threading.Event()

    def one_sender(_: int) -> None:
        for _ in range(MESSAGES):
            word = token()
            until(lambda word=word: send(word), f"acceptance of {word}")
            accepted.append(word)
            begun.set()

    with ThreadPoolExecutor(SENDERS) as threads:
        sending = [threads.submit(one_sender, number) for number in range(SENDERS)]
        assert begun.wait(30)
        stop()
        assert len(accepted) < SENDERS * MESSAGES, "it was stopped in the middle"
        for one in sending:
            one.result()
    return accepted


def terminate(service: Service, name: str) -> None:
    """As systemd ends a program: SIGTERM to the parent; all of them are gone in five seconds."""
    parent = psutil.Process(pid(service, name))
    everybody = [parent, *parent.children()]
    parent.terminate()
    until(lambda: not any(map(_lives, everybody)), f"end of {name}", 5)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_ending_the_dmarc_milter_under_load_drops_and_doubles_nothing(service: Service, charles: Inbox) -> None:
    def send(word: str) -> bool:
        code, text = receive(service, charles.address, word)
        assert code in {250, 451}, text
        return code == 250

    words = load(send, lambda: terminate(service, "dmarc"))
    with service.imap(charles) as client:
        client.select_folder("INBOX", readonly=True)

        def subjects() -> list[str]:
            client.noop()
            found = client.fetch(client.search(["FROM", STRANGER]), ["ENVELOPE"]).values()
            return sorted(one[b"ENVELOPE"].subject.decode() for one in found)

        until(lambda: len(subjects()) >= len(words), "messages in the inbox")
        assert subjects() == sorted(words)


def test_ending_the_signing_milter_under_load_lets_nothing_out_unsigned_or_twice(service: Service, ada: Inbox) -> None:
    def send(word: str) -> bool:
        code, text = submit(service, ada, STRANGER, word)
        assert code in {250, 451, 454}, text
        return code == 250

    for word in load(send, lambda: terminate(service, "signing")):
        assert signed_by(service, service.outside(word).content) == "analytical.test"


def configure(service: Service, old: str, new: str) -> None:
    """Change the configuration and have the DMARC milter take it over, which no client notices."""
    config = Path(service.endpoints["config"])
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))
    before = {worker.pid for worker in workers(service, "dmarc")}
    psutil.Process(pid(service, "dmarc")).send_signal(signal.SIGHUP)
    until(lambda: (now := {worker.pid for worker in workers(service, "dmarc")}) and not now & before, "new workers")


def test_a_trusted_sealer_s_word_counts_after_sighup(service: Service, ada: Inbox) -> None:
    """A list has broken what vouched for the author. Its seal says that all was well when the message came there."""
    domain, sealer = new_domain(service), new_domain(service)
    word, author = token(), f"ada@{domain}"
    message = as_sent(author, ada.address, word)
    found = [MethodResult("dmarc", "pass", (Property("header", "from", domain),))]
    identity = {"domain": sealer, "selector": "s", "key": KEY, "authserv_id": f"mx.{sealer}"}
    sealed = arc.seal(message, results=found, now=clock.now(), **identity) + message

    def send(content: bytes) -> int:
        bounces = f"bounces@{sealer}"
        return service.from_outside(content, sender=bounces, recipient=ada.address, ip=HOME).replies[-1].code

    assert send(sealed) == 550
    configure(service, "trusted_sealers = []", f'trusted_sealers = ["{sealer}"]')
    assert send(sealed) == 250
    arrived = service.arrived(ada, word)
    assert f"{sealer} is a trusted ARC sealer and found dmarc=pass for {domain}".encode() in arrived
    assert b"dmarc=fail" in arrived
    assert send(message) == 550, "no seal"
    assert send(sealed + b"PS: pay to the other account\r\n") == 550, "a seal over something else"
    configure(service, f'trusted_sealers = ["{sealer}"]', "trusted_sealers = []")
    assert send(sealed) == 550
