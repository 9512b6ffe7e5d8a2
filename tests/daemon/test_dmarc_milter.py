"""The DMARC milter as Postfix meets it: the real process on a real socket, asking a real name server."""

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import text

from smailor.authentication.dkim import sign
from smailor.authentication.verify import split_message
from smailor.clock import now
from smailor.database import schema
from smailor.database.engine import Database
from tests.daemon.milter_client import Lost
from tests.daemon.milter_process import MilterProcess, wait_for
from tests.fakes.name_server import NameServer
from tests.unit.authentication.test_verify import public

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGER = "198.51.100.66"
MESSAGE_SECONDS = 2.0
CONFIG = """
[service]
hostname = "mx.smailor.test"
domain = "smailor.test"
[database]
url = "sqlite:///{database}"
[secrets]
session_key = "{session_key}"
sealing_keys = ["{sealing_key}"]
[dns]
servers = ["{dns}"]
[milter]
dmarc_socket = "unix:{{socket}}"
dmarc_workers = {workers}
dmarc_metrics = "{metrics}"
[authentication]
authserv_id = "smailor.test"
known_forwarders = ["203.0.113.0/24"]
message_timeout_seconds = {seconds}
"""
RECORDS = {
    ("good.example", "TXT"): ["v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all"],
    ("_dmarc.good.example", "TXT"): ["v=DMARC1; p=reject"],
    ("s._domainkey.good.example", "TXT"): [f"v=DKIM1; p={public(KEY)}"],
    ("junk.example", "TXT"): ["v=spf1 -all"],
    ("_dmarc.junk.example", "TXT"): ["v=DMARC1; p=quarantine"],
    ("lax.example", "TXT"): ["v=spf1 ip4:192.0.2.10 -all"],
    ("helo.example", "TXT"): ["v=spf1 ip4:192.0.2.10 -all"],
    ("_dmarc.helo.example", "TXT"): ["v=DMARC1; p=reject"],
}
BODY = b"Hello there.\r\n"


class DmarcProcess(MilterProcess):
    def __init__(self, dns: str, *, workers: int = 2, metrics: str = "") -> None:
        keys = {"session_key": "x" * 40, "sealing_key": Fernet.generate_key().decode()}
        directory = Path(tempfile.mkdtemp(prefix="dmarc-"))
        self.database = Database(f"sqlite:///{directory}/smailor.db")
        schema.upgrade(self.database)
        keys["metrics"] = metrics
        facts = {"dns": dns, "workers": workers, "seconds": MESSAGE_SECONDS, "database": directory / "smailor.db"}
        super().__init__("dmarc", CONFIG.format(**facts, **keys), directory=directory)


@pytest.fixture(scope="module")
def names() -> Iterator[NameServer]:
    with NameServer(RECORDS, silent=("silent.example", "_dmarc.silent.example")) as server:
        yield server


@pytest.fixture(scope="module")
def milter(names: NameServer) -> Iterator[DmarcProcess]:
    one = DmarcProcess(names.address).wait_until_ready()
    yield one
    one.clean_up()
    shutil.rmtree(one.directory)


@pytest.fixture
def lone(names: NameServer) -> Iterator[DmarcProcess]:
    """One with a single worker that a test may break."""
    one = DmarcProcess(names.address, workers=1).wait_until_ready()
    wait_for(one.workers)
    yield one
    one.clean_up()
    shutil.rmtree(one.directory)


def fields(author: str = "ada@good.example", *more: tuple[str, bytes]) -> list[tuple[str, bytes]]:
    return [("From", f" {author}".encode()), ("Subject", b" Hello\n there"), *more]


def send(
    milter: DmarcProcess,
    header=None,
    body: bytes = BODY,
    *,
    sender: str = "ada@good.example",
    recipient: str = "to@example.net",
    **client,
):
    with milter.connect(**client) as one:
        return one.send(header or fields(), body, sender=sender, recipient=recipient)


def results(outcome) -> bytes:
    [value] = outcome.values("Authentication-Results")
    return value


def test_the_client_s_address_and_the_envelope_are_what_is_judged(milter):
    outcome = send(milter)
    assert outcome.accepted
    assert results(outcome).startswith(b" smailor.test;\n\tspf=pass")
    assert b"dmarc=pass" in results(outcome)
    assert b"dmarc=pass" in results(send(milter, ip="2001:db8::10"))
    refused = send(milter, ip=STRANGER)
    assert refused.reply.startswith("550 5.7.1 Message refused by the DMARC policy of good.example: nothing vouches ")


def test_a_bounce_is_judged_by_the_name_that_the_client_greets_with(milter):
    outcome = send(milter, fields("ada@helo.example"), sender="", helo="helo.example")
    assert b"spf=pass" in results(outcome)
    assert b"smtp.helo=helo.example" in results(outcome)
    assert b"dmarc=pass" in results(outcome)
    assert send(milter, fields("ada@helo.example"), sender="", helo="other.example").reply.startswith("550 5.7.1 ")


def test_each_message_of_a_connection_is_judged_by_its_own_envelope(milter):
    with milter.connect() as client:
        assert client.send(fields(), BODY, sender="ada@good.example").accepted
        assert client.send(fields(), BODY, sender="eve@lax.example").reply.startswith("550 5.7.1 ")
        assert client.send(fields(), BODY, sender="ada@good.example").accepted


@pytest.mark.parametrize("chunk", [100, 65535])
def test_a_signature_vouches_from_any_address(milter, chunk):
    body = b"Hello  there \r\n" * 500 + b"\r\n\r\n"
    message = b"From: ada@good.example\r\nSubject: a\r\n folded subject\r\n\r\n" + body
    signed = sign(message, domain="good.example", selector="s", key=KEY, now=now()) + message
    header = [(name, value.replace(b"\r\n", b"\n")) for name, value in split_message(signed)[0]]
    with milter.connect(ip=STRANGER) as client:
        outcome = client.send(header, body, sender="", chunk=chunk)
        assert b"dkim=pass" in results(outcome)
        assert b"dmarc=pass" in results(outcome)
        assert client.send(header, body + b"More.\r\n", sender="", chunk=chunk).reply.startswith("550 5.7.1 ")


def test_a_quarantine_policy_marks_and_forged_fields_go(milter):
    forged = [
        ("Authentication-Results", b" smailor.test; dmarc=pass"),
        ("Authentication-Results", b" mx.smailor.test; dmarc=pass"),
        ("Authentication-Results", b" other.test; dmarc=pass"),
        ("X-Smailor-Quarantine", b" no"),
        ("X-SMAILOR-Quarantine", b" never"),
        ("X-Smailor-DMARC", b" pass"),
        ("X-Other", b" stays"),
    ]
    outcome = send(milter, fields("ada@junk.example", *forged), sender="ada@junk.example")
    assert outcome.accepted
    names = [name for name, _ in outcome.headers]
    assert names == [
        "Authentication-Results",
        "X-Smailor-Quarantine",
        "From",
        "Subject",
        "Authentication-Results",
        "X-Other",
    ]
    assert outcome.values("X-Smailor-Quarantine") == [b" dmarc"]
    assert b"dmarc=fail" in outcome.values("Authentication-Results")[0]


def test_a_known_forwarder_is_let_in_with_the_reason(milter):
    outcome = send(milter, ip="203.0.113.5")
    assert outcome.values("X-Smailor-DMARC") == [b" fail (p=reject), accepted: 203.0.113.5 is a known forwarder"]


def test_a_silent_dns_is_451_in_the_time_allowed_only_where_a_pass_could_still_come(milter):
    started = time.monotonic()
    outcome = send(milter, fields("ada@silent.example"), sender="ada@silent.example")
    assert outcome.reply.startswith("451 4.7.0 ")
    outcome = send(milter, fields("ada@silent.example"), sender="ada@lax.example")
    assert b"dmarc=temperror" in results(outcome)
    assert time.monotonic() - started < 2 * MESSAGE_SECONDS + 1


def test_while_one_message_waits_for_the_dns_others_pass(lone):
    with ThreadPoolExecutor(50) as threads:
        author = "ada@silent.example"
        waiting = [threads.submit(send, lone, fields(author), sender=author) for _ in range(40)]
        started = time.monotonic()
        assert send(lone, fields("ada@lax.example"), sender="ada@lax.example").accepted
        assert time.monotonic() - started < 2 * MESSAGE_SECONDS + 1
        assert all(future.result().reply.startswith("451 4.7.0 ") for future in waiting)
    assert send(lone).accepted


def test_a_dead_dns_gives_451_and_no_trace(names):
    one = DmarcProcess("127.0.0.1:1").wait_until_ready()
    try:
        assert send(one).reply.startswith("451 4.7.0 ")
        assert "Traceback" not in one.log
    finally:
        one.clean_up()
        shutil.rmtree(one.directory)


@pytest.mark.parametrize(
    "sender",
    ["", "nobody", '"a b"@good.example', "ä@bücher.example", "\udcff@good.example", "x@\udcff.example", "x" * 900 + "@good.example", "a@b@c", "<>", "%{d}@x"],
)  # fmt: skip
def test_any_envelope_gets_an_answer(milter, sender):
    outcome = send(milter, fields("ada@lax.example"), sender=sender, helo="[\udcfe] ü" + "x" * 300)
    assert outcome.accepted
    assert b"spf=" in results(outcome)


def test_ten_thousand_fields_and_fields_as_long_as_postfix_lets_them_be_are_answered(milter):
    assert send(milter, fields("ada@good.example", *[("X-Many", b" " + b"x" * 50)] * 10_000)).accepted
    many = fields("ada@good.example", *[("X-Smailor-Many", b" x")] * 10_000)
    assert send(milter, many).values("X-Smailor-Many") == []
    assert send(milter, fields("ada@good.example", ("X-Large", b" " + b"x" * 60_000))).accepted
    assert send(milter, fields("ada@good.example", ("DKIM-Signature", b" " + b"v=1;" * 15_000))).accepted
    assert send(milter, fields("ada@good.example", *[("X-Much", b"x" * 60_000)] * 20)).reply.startswith("550 5.6.0 ")
    assert send(milter, fields(f'"{"(" * 60_000}" <ada@good.example>')).reply.startswith("550 5.7.1 ")


def test_binary_in_header_and_body_is_judged(milter):
    every = bytes(range(1, 256)).replace(b"\n", b"").replace(b"\r", b"")
    outcome = send(
        milter, fields("ada@good.example", ("X-Binary", every), ("DKIM-Signature", every)), bytes(range(256)) * 500
    )
    assert b"dmarc=pass" in results(outcome)


def test_memory_does_not_grow_with_the_message(lone):
    """Four of 25 MiB at once, signed twice over, beside what one small message takes."""
    [worker] = lone.workers()
    signatures = [("DKIM-Signature", f" v=1; a=rsa-sha256; d=good.example; s=s; c={form}; h=from; bh=AA==; b=AA==".encode())
                  for form in ("relaxed/relaxed", "simple/simple")]  # fmt: skip
    header = fields("ada@good.example", *signatures)

    def talk(body: bytes) -> bool:
        return send(lone, header, body).accepted

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(talk, [BODY] * 8))
        before = worker.memory_info().rss
        peak = [before]
        large = (b"x" * 70 + b" \r\n") * (25 * 2**20 // 73)
        working = [threads.submit(talk, large) for _ in range(4)]
        wait_for(lambda: peak.append(worker.memory_info().rss) or all(one.done() for one in working), 60)
        assert all(one.result() for one in working)
    print(f"{before >> 20} MiB before, {max(peak) >> 20} MiB at most")
    assert max(peak) - before < 16 * 2**20


def test_an_aborted_message_leaves_nothing_to_the_next_one(milter):
    with milter.connect() as client:
        client.begin(fields("eve@silent.example", ("X-Smailor-Old", b" 1")), login=None, sender="eve@silent.example")
        client.body(b"half of it")
        client.abort()
        outcome = client.send(fields(), BODY, sender="ada@good.example")
    assert b"dmarc=pass" in results(outcome)
    assert [name for name, _ in outcome.headers] == ["Authentication-Results", "From", "Subject"]


def test_a_message_in_hand_is_judged_before_the_process_leaves(lone):
    with lone.connect() as client:
        client.begin(fields(), login=None, sender="ada@good.example")
        client.body(BODY)
        client.wait_until_taken()
        started = time.monotonic()
        lone.tell(signal.SIGTERM)
        wait_for(lambda: not lone.socket.exists())
        assert client.end().accepted
    assert lone.process.wait(5) == 0
    assert time.monotonic() - started < 5


def test_a_worker_killed_in_the_middle_of_a_message_is_replaced(lone):
    [worker] = lone.workers()
    with lone.connect() as client:
        client.begin(fields(), login=None, sender="ada@good.example")
        worker.send_signal(signal.SIGKILL)
        psutil.wait_procs([worker], 5)
        with pytest.raises(Lost):
            client.end()
    assert send(lone).accepted


def test_every_verdict_is_in_the_log_by_queue_id(milter):
    with milter.connect(ip=STRANGER) as client:
        client.begin(fields(), login=None, sender="ada@good.example", queue_id="4XbLogged")
        client.end(queue_id="4XbLogged")
    assert (
        f'4XbLogged: judged outcome=refuse client={STRANGER} domain=good.example dmarc=fail reason="nothing'
        in milter.log
    )


def test_forwarded_mail_leaves_sealed_with_a_sender_of_ours(milter):
    """To an address of the domain of rewritten senders, which always leads outside."""
    outcome = send(milter, recipient="SRS0=x=y=elsewhere.test=ada@srs.smailor.test")
    assert outcome.accepted
    assert outcome.sender.startswith("<SRS0=")
    assert outcome.sender.endswith("=good.example=ada@srs.smailor.test>")
    names = [name for name, _ in outcome.headers]
    assert names[:4] == ["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results", "Authentication-Results"]
    assert send(milter).sender is None


def test_a_worker_that_leaves_writes_down_what_it_has_noted(lone):
    for _ in range(3):
        assert send(lone).accepted
    lone.stop()
    with lone.database.reading() as session:
        assert session.execute(text("SELECT policy_domain, count FROM dmarc_counts")).all() == [("good.example", 3)]


def test_without_the_database_mail_waits(lone):
    """It cannot be known whether it is forwarded; what is refused is refused all the same."""
    Path(lone.database.engine.url.database).unlink()
    assert send(lone).reply.startswith("451 4.3.0 ")
    assert send(lone, ip=STRANGER).reply.startswith("550 5.7.1 ")


def test_sighup_takes_over_what_the_configuration_says_now(lone):
    """A broken one is told about and changes nothing: mail flows on by the one before."""
    config = lone.directory / "smailor.toml"
    before = config.read_text()
    assert send(lone, ip=STRANGER).reply.startswith("550 5.7.1 ")

    def reload(content: str) -> None:
        config.write_text(content)
        [worker] = lone.workers()
        lone.tell(signal.SIGHUP)
        wait_for(lambda: worker.pid not in {other.pid for other in lone.workers()} and lone.workers())

    reload(before.replace('"203.0.113.0/24"', f'"{STRANGER}"'))
    assert send(lone, ip=STRANGER).values("X-Smailor-DMARC")
    assert send(lone, ip="203.0.113.5").reply.startswith("550 5.7.1 ")
    reload(before + "misspelt = 1\n")
    assert send(lone).accepted
    assert "ERROR config-refused reason=" in lone.log
    assert send(lone, ip="203.0.113.5").values("X-Smailor-DMARC")
