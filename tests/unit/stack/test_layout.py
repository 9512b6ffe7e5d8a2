"""Where a local service lies."""

from pathlib import Path

import pytest

from smailor.errors import InvalidInput
from smailor.stack.directory import check_place
from smailor.stack.layout import DEFAULT_BASE_PORT, HIGHEST_BASE_PORT, LONGEST_SOCKET_PATH, Layout, Ports


def test_ports_are_the_worlds_own_above_the_base_port():
    ports = Ports(25000)
    assert [ports.of(name) for name in ("smtp", "submission", "submissions", "imap", "imaps", "web")] == [
        25025,
        25587,
        25465,
        25143,
        25993,
        25080,
    ]
    assert ports.at("managesieve") == "127.0.0.1:25190"
    assert ports.at("internet") == "127.0.0.1:25026"


def test_no_two_services_of_one_stack_share_a_port():
    ports = Ports(25000)
    numbers = [ports.of(name) for name in ports.names]
    assert len(set(numbers)) == len(numbers)


def test_the_highest_base_port_leaves_room_for_every_port():
    ports = Ports(HIGHEST_BASE_PORT)
    assert max(ports.of(name) for name in ports.names) == 65535


@pytest.mark.parametrize("base", [1024, DEFAULT_BASE_PORT, 25001, HIGHEST_BASE_PORT])
def test_each_base_port_has_a_resolver_address_of_its_own(base):
    address = Ports(base).resolver_address
    first, second, third, fourth = map(int, address.split("."))
    assert (first, fourth) == (127, 53)
    assert second * 256 + third == base


def test_a_run_directory_is_refused_where_sockets_would_have_too_long_a_path():
    root = Path("/tmp") / ("d" * LONGEST_SOCKET_PATH)
    with pytest.raises(InvalidInput, match=r"is too long: sockets below it allow \d+ characters"):
        check_place(Layout(root, Ports()))


def test_the_allowed_length_that_the_refusal_names_is_allowed():
    check_place(Layout(Path("/tmp/" + "d" * 64), Ports()))
    with pytest.raises(InvalidInput, match="allow 69 characters"):
        check_place(Layout(Path("/tmp/" + "d" * 65), Ports()))


def test_a_run_directory_is_refused_where_other_users_cannot_come_in():
    home = Path("/tmp/smailor-closed-home")
    home.mkdir(mode=0o700, exist_ok=True)
    try:
        with pytest.raises(InvalidInput, match="only its owner may enter /tmp/smailor-closed-home"):
            check_place(Layout(home / "run", Ports()))
    finally:
        home.rmdir()
