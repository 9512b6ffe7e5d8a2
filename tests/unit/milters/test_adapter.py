"""The adapter's own small rules; that it speaks to libmilter is shown by the daemon's tests."""

import pytest

from milters import adapter
from milters.socket_file import socket_path
from milters.tenant import Reply
from smailor.errors import ConfigError


@pytest.mark.parametrize("address", ["inet:127.0.0.1:1", "unix:relative", "/path/alone", "", "unix:/" + "x" * 107])
def test_a_socket_that_cannot_work_is_a_configuration_error(address):
    with pytest.raises(ConfigError):
        socket_path(address)


def test_replies_are_one_printable_line_with_percent_signs_doubled():
    code, enhanced, text = adapter._wire_reply(Reply(550, "5.7.1", "50% \u00fc\r\n250 OK \x00" + "x" * 1000))
    assert (code, enhanced) == ("550", "5.7.1")
    assert text.startswith("50%% \\xfc??250 OK ?xxx")
    assert len(text) < 420
