"""Two hosts for mail in and out, one for mailboxes and web, one for the database, on a private network."""

import smtplib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.provision.lab import network
from tests.provision.lab.outside import STRANGER, Outside
from tests.provision.lab.service import PER_HOUR, Account, Service
from tests.provision.lab.yard import Yard
from tests.system.running import letter, token, until


@pytest.fixture(scope="module")
def service(yard: Yard) -> Iterator[Service]:
    """The service on four servers."""
    yield yard.service("several")
    yard.close("several")


@pytest.fixture
def outside(service: Service) -> Outside:
    return Outside(service, 4)


def send(outside: Outside, account: Account, host: str, recipient: str, subject: str) -> None:
    """Submit one message to one of the MX hosts, by name."""
    at = Outside(outside.service, outside.family, mx=host)
    with at.submission(account) as client:
        client.send_message(letter(account.address, recipient, subject))


def test_one_run_makes_the_service_and_a_second_changes_nothing(service: Service) -> None:
    first, second = service.two_runs()
    print(f"first run {first.seconds:.0f} s, changed {first.changed}; second {second.seconds:.0f} s")
    assert second.changed == 0, second.changes()
    service.people()


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("host", [0, 1])
def test_mail_goes_in_and_out_through_either(service: Service, host: int, family: int) -> None:
    name = service.groups["mx"][host]
    ada, _ = service.accounts
    outside = Outside(service, family, mx=name)
    word = token()
    outside.deliver(letter(STRANGER, ada.address, word), ada.address)
    outside.arrived(ada, word)
    word = token()
    send(outside, ada, name, STRANGER, word)
    (kept,) = until(lambda: service.laboratory.sink.find(word), "message outside", 60)
    machine = service.machines[name]
    assert kept.peer in {machine.ipv4, machine.ipv6}


def test_database_and_mail_store_are_closed_to_the_world(service: Service) -> None:
    for family in (4, 6):
        outside = Outside(service, family)
        assert outside.open_ports("database", {22, 80, 5432, 9187}) <= {22, 80}
        assert 24 not in outside.open_ports("mailstore", {24, 143, 8080})


def test_a_host_that_is_cut_off_loses_nothing(service: Service, outside: Outside) -> None:
    """Strangers' mail hosts try the next MX, as the DNS tells them; the host that comes back delivers what it still has."""
    ada, _ = service.accounts
    words = [token() for _ in range(40)]
    gone, stays = service.groups["mx"]
    at = {name: Outside(service, 4, mx=name) for name in (gone, stays)}

    def deliver(position: int) -> None:
        preferred = [gone, stays] if position % 2 else [stays, gone]
        deadline = time.monotonic() + 90
        while True:
            for name in preferred:
                try:
                    at[name].deliver(letter(STRANGER, ada.address, words[position]), ada.address, timeout=5)
                except (OSError, smtplib.SMTPException):
                    assert time.monotonic() < deadline
                else:
                    return

    def cut() -> None:
        network.cut(service.machines[gone].name, off=True)
        time.sleep(15)
        network.cut(service.machines[gone].name, off=False)

    cutting = threading.Timer(1, cut)
    cutting.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(deliver, position) for position in range(len(words))]:
                done.result()
    finally:
        cutting.join()
        network.cut(service.machines[gone].name, off=False)

    def all_there() -> bool:
        with outside.imap(ada) as client:
            client.select_folder("INBOX", readonly=True)
            return all(client.search(["SUBJECT", word]) for word in words)

    until(all_there, "every message", 120)


def test_limits_are_exact_across_both(service: Service, outside: Outside) -> None:
    _, grace = service.accounts

    def attempt(position: int) -> bool:
        try:
            send(outside, grace, service.groups["mx"][position % 2], STRANGER, f"limit {position}")
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, smtplib.SMTPSenderRefused):
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        accepted = sum(pool.map(attempt, range(3 * PER_HOUR)))
    assert accepted == PER_HOUR
