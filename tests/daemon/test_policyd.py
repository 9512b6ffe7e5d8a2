"""The policy daemon as Postfix meets it: real processes, real sockets, both databases."""

import resource
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from smailor.database import schema
from smailor.database.engine import Database
from smailor.errors import ConfigError
from smailor.listening import bind
from smailor.sending import counter
from smailor.sending.leases import SHARE
from tests.daemon.policyd_process import Client, Daemon, free_port
from tests.postgresql import Cluster

Start = Callable[..., Daemon]


@pytest.fixture
def start(tmp_path: Path, database: Database) -> Iterator[Start]:
    """Start daemons on one database; they are ended with the test."""
    daemons: list[Daemon] = []

    def start(limit: int = 200, listen_on: str | None = None, name: str | None = None) -> Daemon:
        name = name or f"d{len(daemons)}"
        url = database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
        daemons.append(Daemon(tmp_path / name, url, limit, listen_on))
        return daemons[-1]

    yield start
    for daemon in daemons:
        if daemon.process.poll() is None:
            daemon.kill()


LIMIT = 50
"""Messages an hour at the daemons that most tests share; each test has accounts of its own."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, Daemon]]:
    """Two daemons on one database, one on a unix socket and one on TCP; the test runs once on each engine."""
    directory = tmp_path_factory.mktemp("pair")
    url = f"sqlite:///{directory}/smailor.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_cluster").new_database()
    database = Database(url)
    schema.upgrade(database)
    database.dispose()
    daemons = Daemon(directory / "d0", url, LIMIT), Daemon(directory / "d1", url, LIMIT, f"127.0.0.1:{free_port()}")
    try:
        yield daemons[0].ready(), daemons[1].ready()
    finally:
        for daemon in daemons:
            daemon.kill()


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let the test itself have thousands of connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def ask_for(clients: list[Client], requests: int, answers: list[str], account: str) -> None:
    """Let every client ask so many times, all at once; an empty answer ends a client's turn."""

    def turn(client: Client) -> None:
        for _ in range(requests):
            answers.append(client.ask(account))
            if not answers[-1]:
                break

    with ThreadPoolExecutor(len(clients)) as threads:
        list(threads.map(turn, clients))


def test_the_limit_is_said_in_words_a_person_can_act_on(pair: tuple[Daemon, Daemon]) -> None:
    """DUNNO up to the limit; then 450 with limit, account and time, at RCPT too; other accounts notice nothing."""
    ada = "ada@words.test"
    with pair[0].connect() as postfix:
        assert [postfix.ask(ada, state="RCPT") for _ in range(LIMIT + 5)] == ["DUNNO"] * (LIMIT + 5)
        assert [postfix.ask(ada) for _ in range(LIMIT)] == ["DUNNO"] * LIMIT
        for state in ("END-OF-MESSAGE", "RCPT"):
            answer = postfix.ask(ada, state=state)
            told = f"450 4.7.1 Sending limit reached: {LIMIT} messages per hour for {ada}; try again after "
            assert answer.startswith(told)
            assert answer.endswith(" UTC")
        assert postfix.ask("grace@words.test") == "DUNNO"
        assert postfix.ask("", state="RCPT") == "DUNNO"


def test_two_daemons_permit_exactly_the_limit(pair: tuple[Daemon, Daemon]) -> None:
    """Four times as many messages, on 50 connections, at once."""
    with ExitStack() as stack:
        clients = [stack.enter_context(daemon.connect()) for daemon in pair for _ in range(25)]
        answers: list[str] = []
        ask_for(clients, 4 * LIMIT // len(clients), answers, "ada@exact.test")
    assert "" not in answers
    assert answers.count("DUNNO") == LIMIT


def test_one_daemon_killed_the_other_never_permits_too_many(start: Start) -> None:
    """Killed in the middle: short by at most what was on its way, one request on each of 25 connections, and its lease."""
    limit = 120
    lost = 25 + limit // SHARE
    one, other = start(limit).ready(), start(limit).ready()
    with ExitStack() as stack:
        clients = [stack.enter_context(daemon.connect()) for daemon in (one, other) for _ in range(25)]
        answers: list[str] = []
        with ThreadPoolExecutor(1) as thread:
            asking = thread.submit(ask_for, clients, 12, answers, "ada@analytical.test")
            while len(answers) < limit // 3 and not asking.done():
                time.sleep(0.001)
            one.kill()
            asking.result()
        assert "" in answers
        assert limit - lost <= answers.count("DUNNO") <= limit
        assert clients[-1].ask().startswith("450 ")


def test_a_message_asked_about_again_is_charged_once(pair: tuple[Daemon, Daemon]) -> None:
    """As Postfix does where it got no answer: over a new connection, to the one daemon of its host.

    Another daemon cannot know of it: most messages are answered without a word to the database.
    """
    ada = "ada@again.test"
    with pair[0].connect() as first, pair[0].connect() as second:
        for client in (first, second, first):
            assert client.ask(ada, instance="1.2.3.4") == "DUNNO"
        assert [second.ask(ada) for _ in range(LIMIT - 1)] == ["DUNNO"] * (LIMIT - 1)
        refused = second.ask(ada, instance="1.2.3.5")
        assert refused.startswith("450 ")
        assert first.ask(ada, instance="1.2.3.5") == refused
        assert first.ask(ada, instance="1.2.3.4") == "DUNNO"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_was_permitted_survives_the_daemon(start: Start) -> None:
    """Killed, and a new one in its place, on the socket that the dead one left behind."""
    daemon = start(limit=3, name="same").ready()
    with daemon.connect() as postfix:
        assert [postfix.ask() for _ in range(2)] == ["DUNNO"] * 2
        daemon.kill()
        assert postfix.ask() == ""
    daemon = start(limit=3, name="same").ready()
    with daemon.connect() as postfix:
        assert postfix.ask() == "DUNNO"
        assert postfix.ask().startswith("450 ")


@pytest.mark.parametrize("pair", ["sqlite"], indirect=True)
@pytest.mark.parametrize("which", [0, 1], ids=["unix", "tcp"])
def test_wrong_input_closes_its_connection_with_a_log_line_and_no_other(
    pair: tuple[Daemon, Daemon], which: int
) -> None:
    """Oversized, endless, binary, half-sent, CRLF, missing attributes; what the protocol allows is answered."""
    daemon = pair[which]
    good = b"request=smtpd_access_policy\nprotocol_state=RCPT\ninstance=1.2.3.4\n"
    wrong = {
        "too_long": good + b"helo_name=" + b"a" * 20_000 + b"\n\n",
        "nul": good + bytes(range(32)) + b"\n\n",
        "truncated": good,
        "carriage_return": good.replace(b"\n", b"\r\n") + b"\r\n\n\n",
        "missing_attribute": b"request=smtpd_access_policy\nprotocol_state=RCPT\n\n",
        "unknown_request": b"request=junk_policy\nprotocol_state=RCPT\ninstance=1\n\n",
        "no_attribute": b"GET / HTTP/1.0\n\n",
        "empty": b"\n",
    }
    with daemon.connect() as bystander:
        assert bystander.ask() == "DUNNO"
        for kind, data in wrong.items():
            with daemon.connect() as client:
                client.socket.sendall(data)
                if kind == "truncated":
                    client.socket.shutdown(socket.SHUT_WR)
                assert client.answer() == ""
            daemon.wait_for_log(f"connection closed kind={kind} ")
            assert bystander.ask() == "DUNNO"
        with daemon.connect() as endless, pytest.raises((BrokenPipeError, ConnectionResetError)):
            endless.socket.sendall(b"a" * 50_000_000)
        with daemon.connect() as client:
            client.socket.sendall(good + b"attribute_of_the_future=x=y=z\nsender=a=b@x.test\n\n")
            assert client.answer() == "DUNNO"
        assert bystander.ask() == "DUNNO"


def resident(daemon: Daemon) -> float:
    """Return the memory that a daemon takes, in MB."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1000


@pytest.mark.parametrize("pair", ["sqlite"], indirect=True)
def test_hostile_input_on_a_hundred_connections_takes_little_memory(pair: tuple[Daemon, Daemon]) -> None:
    """A hundred half-sent requests as large as any may be, then a hundred endless ones: less than 20 MB more, in all."""
    daemon = pair[0]
    half = b"request=smtpd_access_policy\nprotocol_state=RCPT\nhelo_name=" + b"a" * 16_000
    with ExitStack() as stack:
        bystander = stack.enter_context(daemon.connect())
        assert bystander.ask("ada@hostile.test") == "DUNNO"
        before = resident(daemon)
        clients = [stack.enter_context(daemon.connect()) for _ in range(100)]
        for client in clients:
            client.socket.sendall(half)
        assert bystander.ask("ada@hostile.test") == "DUNNO"
        assert resident(daemon) < before + 20
        for client in clients:
            with suppress(BrokenPipeError, ConnectionResetError):
                client.socket.sendall(b"a" * 2_000_000)
        assert resident(daemon) < before + 20
        assert bystander.ask("grace@hostile.test") == "DUNNO"


@pytest.mark.parametrize("pair", ["sqlite"], indirect=True)
def test_a_login_that_is_no_inbox_gets_no_answer(pair: tuple[Daemon, Daemon]) -> None:
    """It cannot be counted, so Postfix's default_action holds it back."""
    with pair[0].connect() as postfix:
        assert postfix.ask("root") == ""
    pair[0].wait_for_log("login is no inbox")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_database_down_holds_all_mail_back_and_up_again_goes_on(start: Start, postgresql_cluster: Cluster) -> None:
    """No restart of the daemon, nothing forgotten, and a daemon that starts meanwhile waits for the database too."""
    daemon = start(limit=2).ready()
    idle = daemon.connect()
    with daemon.connect() as postfix:
        assert postfix.ask() == "DUNNO"
        postgresql_cluster.stop()
        try:
            assert postfix.ask().startswith("451 4.3.0 ")
            assert postfix.ask(state="RCPT").startswith("451 4.3.0 ")
            with daemon.connect() as stranger:
                assert stranger.ask("") == "DUNNO"
            daemon.wait_for_log("sending store failed")
            newcomer = start(limit=2).ready()
            with newcomer.connect() as again:
                assert again.ask().startswith("451 4.3.0 ")
        finally:
            postgresql_cluster.start()
        time.sleep(counter.OUT_SECONDS)
    with idle, newcomer.connect() as other:
        assert idle.ask() == "DUNNO"
        assert idle.ask().startswith("450 ")
        assert other.ask().startswith("450 ")


def test_sigterm_answers_what_is_open_and_ends_in_time(start: Start, database: Database) -> None:
    """Nobody new is let in, the idle are sent home, who waits for the database is answered."""
    daemon = start().ready()
    with daemon.connect() as postfix, daemon.connect() as idle:
        assert postfix.ask() == "DUNNO"
        assert idle.ask(state="RCPT") == "DUNNO"
        with database.transaction() as session:
            hold_the_counts(session)
            postfix.send("grace@analytical.test")  # for whom nothing is held
            wait_until_stuck(daemon)
            daemon.process.send_signal(signal.SIGTERM)
            stopped_at = time.monotonic()
            assert idle.answer() == ""
            with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
                daemon.connect()
        assert postfix.answer() == "DUNNO"
        assert postfix.answer() == ""
    assert daemon.ended() == 0
    assert time.monotonic() - stopped_at < 5
    assert "stopped" in daemon.log()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_sigterm_ends_in_time_even_if_the_database_does_not_answer(start: Start, database: Database) -> None:
    """Who waits gets no answer then, and Postfix asks again."""
    daemon = start().ready()
    with daemon.connect() as postfix:
        assert postfix.ask() == "DUNNO"
        with database.transaction() as session:
            hold_the_counts(session)
            postfix.send("grace@analytical.test")  # for whom nothing is held
            wait_until_stuck(daemon)
            daemon.process.send_signal(signal.SIGTERM)
            stopped_at = time.monotonic()
            assert postfix.answer() == ""
            daemon.ended()
            assert time.monotonic() - stopped_at < 5


def hold_the_counts(session: Session) -> None:
    """Keep everybody else from counting, rows that are not there yet included, until the transaction ends."""
    whole_table = "LOCK TABLE sending_counts IN EXCLUSIVE MODE"
    sqlite = session.get_bind().dialect.name == "sqlite"  # where a transaction that writes is the lock
    session.execute(text("UPDATE sending_counts SET key = key" if sqlite else whole_table))


def wait_until_stuck(daemon: Daemon) -> None:
    """Return once a request waits for the store."""
    until = time.monotonic() + 10
    while not metric(daemon, "smailor_policyd_waiting"):
        assert time.monotonic() < until
        time.sleep(0.01)


def metric(daemon: Daemon, name: str, absent: int | None = None) -> int:
    """Return one number of the metrics page."""
    values = dict(line.rsplit(" ", 1) for line in page(daemon).splitlines() if not line.startswith("#"))
    return int(values[name] if absent is None else values.get(name, absent))


def page(daemon: Daemon) -> str:
    """Fetch the metrics page."""
    with urllib.request.urlopen(f"http://127.0.0.1:{daemon.metrics_port}/metrics", timeout=10) as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text: str = response.read().decode()
        return text


@pytest.mark.parametrize("pair", ["sqlite"], indirect=True)
def test_metrics_count_answers_by_kind_without_addresses(pair: tuple[Daemon, Daemon]) -> None:
    """For Prometheus."""
    daemon = pair[0]
    kinds = ["permitted", "limit_reached", "not_asked"]
    names = [f'smailor_policyd_decisions_total{{kind="{kind}"}}' for kind in kinds]
    with daemon.connect() as postfix:
        for account in ("ada@metrics.test", ""):
            postfix.ask(account)
        before = [metric(daemon, name, absent=0) for name in names]
        for account in ["ada@metrics.test"] * LIMIT + [""]:
            postfix.ask(account)
        metrics = page(daemon)
        assert [metric(daemon, name) for name in names] == [before[0] + LIMIT - 1, before[1] + 1, before[2] + 1]
        assert metric(daemon, "smailor_policyd_connections") >= 1
    assert "@" not in metrics


@pytest.mark.parametrize("pair", ["sqlite"], indirect=True)
def test_two_thousand_connections_are_held_and_answered(pair: tuple[Daemon, Daemon], many_files: None) -> None:
    """Each Postfix process keeps one for as long as it lives; what waits together shares a transaction."""
    del many_files
    daemon = pair[0]
    before = metric(daemon, "smailor_policyd_transactions_total")
    with ExitStack() as stack:
        clients = [stack.enter_context(daemon.connect()) for _ in range(2000)]
        for number, client in enumerate(clients):
            client.send(f"user@crowd{number % 100}.test")
        assert {client.answer() for client in clients} == {"DUNNO"}
        assert metric(daemon, "smailor_policyd_connections") >= 2000
    assert metric(daemon, "smailor_policyd_transactions_total") - before < 1000


@pytest.mark.parametrize("pair", ["sqlite"], indirect=True)
def test_a_place_that_is_taken_is_named(pair: tuple[Daemon, Daemon], tmp_path: Path) -> None:
    """One line on standard error, exit status 2, and the one who has the place keeps it."""
    database_url = f"sqlite:///{tmp_path}/second.db"
    schema.upgrade(Database(database_url))
    second = Daemon(tmp_path / "second", database_url, LIMIT, listen_on=pair[0].socket)
    assert second.ended() == 2
    assert second.log().count("\n") == 1
    assert pair[0].socket in second.log()
    for taken in (pair[1].socket, f"unix:{tmp_path}", "nonsense", "127.0.0.1:99999"):
        with pytest.raises(ConfigError, match=taken):
            bind(taken)
    with pair[0].connect() as postfix:
        assert postfix.ask("ada@taken.test") == "DUNNO"
