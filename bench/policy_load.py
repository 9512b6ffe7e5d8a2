"""Asks a policy daemon as Postfix's smtpd(8) does: persistent connections, one open question on each.

    .venv/bin/python -m bench.policy_load 127.0.0.1:25040 --connections 16 --seconds 5 --pid 4711

One epoll loop, and every request made beforehand: the generator has to be faster than what it measures.
"""

import argparse
import itertools
import os
import random
import select
import socket
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.processes import cpu_seconds

REQUEST = (
    "request=smtpd_access_policy\nprotocol_state={state}\nprotocol_name=ESMTP\n"
    "client_address=192.0.2.{octet}\nclient_name=client{octet}.example.net\nclient_port=53{octet:03d}\n"
    "reverse_client_name=client{octet}.example.net\nserver_address=198.51.100.7\nserver_port=587\n"
    "helo_name=client{octet}.example.net\nsender={account}\nrecipient=\n"
    "recipient_count={count}\nqueue_id=4Zb7Qx2mC9z1D\ninstance=@INSTANCE@\nsize=4096\netrn_domain=\nstress=\n"
    "sasl_method=PLAIN\nsasl_username={account}\nsasl_sender=\nccert_subject=\nccert_issuer=\n"
    "ccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=TLSv1.3\n"
    "encryption_cipher=TLS_AES_256_GCM_SHA384\nencryption_keysize=256\npolicy_context=submission\n"
    "compatibility_level=3.6\nmail_version=3.7.11\n\n"
)
"""As Postfix 3.7 sends it; about 750 bytes."""
TIMEOUT_SECONDS = 30
MAX_RECIPIENTS = 3


@dataclass(frozen=True, slots=True)
class Load:
    """How much is asked.

    Attributes:
        connections: at the same time.
        seconds: how long is counted.
        warmup: seconds before, not counted.
        accounts: names of the senders, drawn at random, or one after the other if `in_order`.
        state: END-OF-MESSAGE, or DATA for who wants to be asked there.
        in_order: ask for each account once, and then end.
    """

    connections: int
    seconds: float
    warmup: float
    accounts: Sequence[str]
    state: str = "END-OF-MESSAGE"
    in_order: bool = False


@dataclass(slots=True)
class Outcome:
    """What came back.

    Attributes:
        latencies: of each answer that counts, in nanoseconds.
        seconds: that were counted.
        cpu: seconds of processor time of the program in those.
        actions: first words of the answers.
    """

    latencies: "array[int]" = field(default_factory=lambda: array("q"))
    seconds: float = 0.0
    cpu: float = 0.0
    actions: Counter[bytes] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    @property
    def cpu_per_10k(self) -> float:
        """Processor time of 10,000 requests, in seconds."""
        return self.cpu * 1e4 / len(self.latencies)

    def latency_ms(self, part: float) -> float:
        """Return the latency that this part of the answers did not exceed."""
        return sorted(self.latencies)[int(part * (len(self.latencies) - 1))] / 1e6


def accounts(count: int, prefix: str = "user") -> list[str]:
    """Return so many accounts, ten in each domain."""
    return [f"{prefix}{number}@domain{number // 10}.test" for number in range(count)]


def requests(load: Load) -> Iterator[bytes]:
    """Yield requests, each about a message of its own."""
    rng = random.Random(1)
    parts = []
    for index, account in enumerate(load.accounts):
        text = REQUEST.format(
            state=load.state, octet=index % 250 + 1, account=account, count=index % MAX_RECIPIENTS + 1
        )
        parts.append(tuple(text.encode().split(b"@INSTANCE@")))
    base = b"%x.%x." % (os.getpid(), time.time_ns() & 0xFFFFFFFF)
    order = parts if load.in_order else rng.choices(parts, k=max(20_000, 4 * len(parts)))
    for serial, (head, tail) in enumerate(order if load.in_order else itertools.cycle(order)):
        yield b"%b%b%x%b" % (head, base, serial, tail)


def connect(address: str) -> socket.socket:
    """Connect to `host:port`."""
    host, _, port = address.rpartition(":")
    sock = socket.create_connection((host, int(port)), TIMEOUT_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def drive(address: str, load: Load, pid: int) -> Outcome:  # noqa: C901 - one loop, as a call costs too much
    """Load one program.

    Args:
        address: `host:port`.
        load: how.
        pid: of the program, for its processor time and that of its descendants.

    Raises:
        ConnectionError: it closed a connection or did not answer.
    """
    outcome, source, clock = Outcome(), requests(load), time.perf_counter_ns
    poller = select.epoll()
    connections = {}
    for _ in range(load.connections):
        sock = connect(address)
        connections[sock.fileno()] = (sock, sock.recv, sock.send)
        poller.register(sock.fileno(), select.EPOLLIN)
    asked_at: dict[int, int] = {}
    begin = clock() + int(load.warmup * 1e9)
    end = begin + int(load.seconds * 1e9)
    counting, cpu, last = False, 0.0, begin

    def ask(number: int) -> None:
        if request := next(source, b""):
            asked_at[number] = clock()
            connections[number][2](request)
        else:
            asked_at.pop(number, None)

    for number in connections:
        ask(number)
    while asked_at:
        ready = poller.poll(TIMEOUT_SECONDS)
        if not ready:
            raise ConnectionError(f"{len(asked_at)} questions without an answer")
        for number, _ in ready:
            data = connections[number][1](4096)
            now = clock()
            if not data.endswith(b"\n\n"):
                raise ConnectionError(f"no answer but {data!r}")
            if now >= begin:
                if not counting:
                    counting, begin, cpu = True, now, cpu_seconds(pid)
                else:
                    outcome.latencies.append(now - asked_at[number])
                    outcome.actions[data.split(None, 1)[0]] += 1
                    last = now
            if now < end:
                ask(number)
            else:
                del asked_at[number]
    outcome.cpu = cpu_seconds(pid) - cpu
    outcome.seconds = (last - begin) / 1e9
    for sock, _, _ in connections.values():
        sock.close()
    return outcome


def main() -> None:
    """Load one program and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="host:port")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--warmup", type=float, default=1)
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--state", default="END-OF-MESSAGE")
    parser.add_argument("--pid", type=int, default=os.getpid())
    options = parser.parse_args()
    load = Load(options.connections, options.seconds, options.warmup, accounts(options.accounts), options.state)
    outcome = drive(options.address, load, options.pid)
    sys.stdout.write(
        f"{outcome.per_second:,.0f} requests/s, p50 {outcome.latency_ms(0.5):.2f} ms,"
        f" p99 {outcome.latency_ms(0.99):.2f} ms, {outcome.cpu_per_10k:.3f} s of processor time for 10,000,"
        f" {dict(outcome.actions)}\n"
    )


if __name__ == "__main__":
    main()
