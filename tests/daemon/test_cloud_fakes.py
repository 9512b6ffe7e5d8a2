"""The clouds' fakes answer as the clouds do where a playbook could trip: pages, names twice, protection, addresses in use."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.cloudflare import Cloudflare
from tests.fakes.hcloud import HetznerCloud


class Client:
    """Asks an API."""

    def __init__(self, endpoint: str, token: str) -> None:
        self._endpoint, self._token = endpoint, token

    def __call__(self, method: str, path: str, **body: Any) -> tuple[int, Any]:
        """Status and answer."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self._endpoint}/{path}",
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


@pytest.fixture
def started() -> list[str]:
    return []


@pytest.fixture
def cloud(started: list[str]) -> Iterator[HetznerCloud]:
    addresses = {"ipv4": ["198.51.100.11", "198.51.100.12"], "ipv6": ["2001:db8:51:11::/64", "2001:db8:51:12::/64"]}
    with HetznerCloud(
        addresses=addresses,
        on_start=lambda server: started.append(f"start {server['name']}"),
        on_stop=lambda server: started.append(f"stop {server['name']}"),
    ) as opened:
        yield opened


@pytest.fixture
def ask(cloud: HetznerCloud) -> Client:
    return Client(cloud.endpoint, cloud.token)


def server(ask: Client, name: str, **more: Any) -> tuple[int, Any]:
    return ask("POST", "servers", name=name, server_type="cx33", image="debian-13", location="fsn1", **more)


def test_a_wrong_token_sees_nothing(cloud: HetznerCloud) -> None:
    status, said = Client(cloud.endpoint, "wrong")("GET", "servers")
    assert (status, said["error"]["code"]) == (401, "unauthorized")


def test_lists_come_in_pages_and_by_label(ask: Client) -> None:
    for number in range(30):
        ask("POST", "placement_groups", name=f"g{number}", type="spread", labels={"odd": str(number % 2)})
    _, first = ask("GET", "placement_groups?page=1")
    _, last = ask("GET", "placement_groups?page=2")
    assert [len(page["placement_groups"]) for page in (first, last)] == [25, 5]
    assert (first["meta"]["pagination"]["next_page"], last["meta"]["pagination"]["next_page"]) == (2, None)
    for selector, count in (("odd", 30), ("odd=1", 15), ("odd==0", 15), ("even", 0)):
        _, found = ask("GET", f"placement_groups?per_page=50&label_selector={selector}")
        assert len(found["placement_groups"]) == count, selector


def test_a_name_is_used_once(ask: Client) -> None:
    assert server(ask, "mx1")[0] == 201
    status, said = server(ask, "mx1")
    assert (status, said["error"]["code"]) == (409, "uniqueness_error")


def test_a_server_starts_and_is_protected_until_it_is_not(ask: Client, started: list[str]) -> None:
    _, made = server(ask, "mx1")
    number = made["server"]["id"]
    assert made["action"]["status"] == "running"
    assert ask("GET", f"actions/{made['action']['id']}")[1]["action"]["status"] == "success"
    ask("POST", f"servers/{number}/actions/change_protection", delete=True, rebuild=True)
    assert ask("DELETE", f"servers/{number}")[0] == 403
    ask("POST", f"servers/{number}/actions/change_protection", delete=False, rebuild=False)
    assert ask("DELETE", f"servers/{number}")[0] == 200
    assert started == ["start mx1", "stop mx1"]


def test_addresses_outlive_servers_that_did_not_come_with_them(ask: Client) -> None:
    _, made = ask("POST", "primary_ips", name="kept", type="ipv4", datacenter="fsn1-dc14", auto_delete=False)
    kept = made["primary_ip"]["id"]
    _, made = server(ask, "mx1", public_net={"enable_ipv4": True, "enable_ipv6": True, "ipv4": kept})
    assert made["server"]["public_net"]["ipv4"]["ip"] == "198.51.100.11"
    assert ask("DELETE", f"primary_ips/{kept}")[0] == 422
    status, said = ask("POST", f"primary_ips/{kept}/actions/unassign")
    assert (status, said["error"]["code"]) == (422, "server_not_stopped")
    ask("DELETE", f"servers/{made['server']['id']}")
    _, left = ask("GET", "primary_ips")
    assert [(entry["name"], entry["assignee_id"]) for entry in left["primary_ips"]] == [("kept", None)]


def test_a_volume_in_use_stays_and_only_grows(ask: Client) -> None:
    _, made = server(ask, "mx1")
    _, volume = ask("POST", "volumes", name="mail", size=10, server=made["server"]["id"])
    number = volume["volume"]["id"]
    assert ask("DELETE", f"volumes/{number}")[0] == 422
    assert ask("POST", f"volumes/{number}/actions/resize", size=5)[0] == 422
    assert ask("POST", f"volumes/{number}/actions/resize", size=20)[0] == 201
    ask("POST", f"volumes/{number}/actions/detach")
    assert ask("DELETE", f"volumes/{number}") == (204, None)


def test_a_record_is_told_to_the_name_server_and_a_second_like_it_is_refused() -> None:
    told: list[tuple[str, str, list[str]]] = []
    with Cloudflare(["smailor.test"], on_change=lambda *change: told.append(change)) as provider:
        ask = Client(provider.endpoint, provider.token)
        zone = ask("GET", "zones?name=smailor.test")[1]["result"][0]["id"]
        wanted = {"type": "MX", "name": "smailor.test", "content": "mx1.smailor.test", "priority": 10}
        status, made = ask("POST", f"zones/{zone}/dns_records", **wanted)
        assert status == 200
        assert ask("POST", f"zones/{zone}/dns_records", **wanted)[1]["errors"][0]["code"] == 81058
        assert ask("GET", f"zones/{zone}/dns_records?page=2")[1]["result"] == []
        record = made["result"]["id"]
        assert ask("PATCH", f"zones/{zone}/dns_records/{record}", priority=20)[1]["result"]["priority"] == 20
        ask("DELETE", f"zones/{zone}/dns_records/{record}")
        assert ask("GET", f"zones/{zone}/dns_records/{record}")[0] == 404
    assert told == [
        ("smailor.test", "MX", ["10 mx1.smailor.test."]),
        ("smailor.test", "MX", ["20 mx1.smailor.test."]),
        ("smailor.test", "MX", ["20 mx1.smailor.test."]),
        ("smailor.test", "MX", []),
    ]


def test_a_name_outside_of_the_zone_is_refused() -> None:
    with Cloudflare(["smailor.test"]) as provider:
        ask = Client(provider.endpoint, provider.token)
        zone = ask("GET", "zones")[1]["result"][0]["id"]
        status, _ = ask("POST", f"zones/{zone}/dns_records", type="A", name="other.test", content="192.0.2.1")
        assert status == 400
