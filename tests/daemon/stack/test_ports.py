"""Ports that somebody else has."""

import socket

import pytest

from smailor.errors import Conflict, InvalidInput
from smailor.stack.layout import HIGHEST_BASE_PORT, Ports
from smailor.stack.ports import check_ports


@pytest.fixture
def taken():
    """A base port of which nothing but submission's port is taken."""
    for base in range(12345, 31000, 1000):
        try:
            check_ports(Ports(base))
        except Conflict:
            continue
        with socket.create_server(("127.0.0.1", base + 587)):
            yield base
        return
    pytest.fail("no thousand ports are free")


def test_a_taken_port_is_named_with_what_wanted_it(taken):
    with pytest.raises(Conflict, match=rf"127\.0\.0\.1:{taken + 587} \(submission\) is taken"):
        check_ports(Ports(taken))


@pytest.mark.parametrize("base", [0, 1023, HIGHEST_BASE_PORT + 1, 70000])
def test_a_base_port_without_room_is_refused(base):
    with pytest.raises(InvalidInput, match="choose one from 1024 to"):
        check_ports(Ports(base))
