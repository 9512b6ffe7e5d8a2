"""Servers for the tests of this folder. Where there can be none, every test says why and is skipped."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.resolver
import pytest
from playwright.sync_api import Page, sync_playwright
from xdist.scheduler import LoadScopeScheduling

from tests.browser.conftest import CHROMIUM, OPTIONS
from tests.provision.lab.laboratory import Laboratory, missing
from tests.provision.lab.network import PUBLIC4, PUBLIC6
from tests.provision.lab.service import Service
from tests.provision.lab.yard import SUITES, Yard

HERE = Path(__file__).parent
FIRST = pytest.StashKey[pytest.Item]()
# A first run of site.yml may well take some minutes.
SECONDS = 1500


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The laboratory's addresses are as near as loopback is; its servers take their time."""
    addresses = [form.format(number) for form in (PUBLIC4, PUBLIC6) for number in range(1, 40)]
    allowed = ["127.0.0.1", "::1", *addresses, *map(str, dns.resolver.get_default_resolver().nameservers)]
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.allow_hosts(allowed))
            item.add_marker(pytest.mark.timeout(SECONDS))


def _group(test: str) -> str:
    # For two processes, each with a world of its own: the longest story, and all others.
    return "longest" if "test_one_host" in test and "[trixie" in test else "others"


class Groups(LoadScopeScheduling):
    """Hands each process a group of tests, which run in their order."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    """Called where tests run side by side."""
    return Groups(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Keep in mind which group of tests this process has been given."""
    item.session.stash.setdefault(FIRST, item)


@pytest.fixture(scope="session")
def laboratory() -> Iterator[Laboratory]:
    """A world with DNS, certificate authority and strangers, and no server yet."""
    if reason := missing():
        pytest.skip(reason)
    with Laboratory() as opened:
        yield opened


@pytest.fixture(scope="session", autouse=True)
def yard(laboratory: Laboratory, request: pytest.FixtureRequest) -> Iterator[Yard]:
    """The services of all modules: playbooks run from the start where they can."""
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    mine = _group(request.session.stash[FIRST].nodeid)
    chosen = [item.nodeid for item in request.session.items if alone or _group(item.nodeid) == mine]
    # Not Debian 13's: its first test is about a bare server.
    ahead = ["bookworm"] if any("test_one_host" in test and "[bookworm" in test for test in chosen) else []
    if any("test_several_hosts" in test for test in chosen):
        ahead.append("several")
    with Yard(laboratory, ahead) as opened:
        yield opened


@pytest.fixture(scope="module", params=list(SUITES))
def service(request: pytest.FixtureRequest, yard: Yard) -> Iterator[Service]:
    """The service on one server. The tests of a module follow one another on it."""
    yield yard.service(request.param)
    yard.close(request.param)


@pytest.fixture
def new_page(laboratory: Laboratory) -> Iterator[Callable[[Service], Page]]:
    """Opens a page of a headless Chromium for which the service's public name leads to its web host; errors in `page.faults`."""
    with sync_playwright() as playwright:

        def open_page(service: Service) -> Page:
            rule = f"--host-resolver-rules=MAP {service.mail_name} {service.host('web').ipv4}"
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS, rule])
            # The chain is another test's matter: Chromium has its own list of authorities.
            page = browser.new_context(ignore_https_errors=True).new_page()
            page.faults = []
            page.on("console", lambda said: page.faults.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: page.faults.append(str(error)))
            return page

        yield open_page
