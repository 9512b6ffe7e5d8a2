"""Monstrous submissions: what is accepted leaves whole with a signature that holds, what is not is refused for good.

On one kind of database: none of it depends on that.
"""

import smtplib

import pytest

from tests.system.running import Inbox, Service, token
from tests.system.test_authentication import as_sent
from tests.system.test_submission import signed_by

pytestmark = pytest.mark.parametrize("service", ["sqlite"], indirect=True)

OUTSIDE = "bob@stranger.test"


def submit(service: Service, inbox: Inbox, message: bytes) -> tuple[int, str]:
    """The server's last word."""
    with service.smtp(inbox) as client:
        try:
            client.sendmail(inbox.address, [OUTSIDE], message)
        except smtplib.SMTPResponseException as error:
            return error.smtp_code, error.smtp_error.decode()
    return 250, ""


def folded(size: int) -> bytes:
    return (b"x" * 900 + b"\r\n ") * (size // 903) + b"end"


def test_ten_thousand_fields_leave_signed(service: Service, ada: Inbox) -> None:
    word = token()
    message = b"X-Many: xxxxxxxxxxxxxxxxxxxx\r\n" * 10_000 + as_sent(ada.address, OUTSIDE, word)
    assert submit(service, ada, message) == (250, "")
    kept = service.outside(word)
    assert kept.content.count(b"X-Many: ") == 10_000
    assert signed_by(service, kept.content) == "analytical.test"


@pytest.mark.parametrize("name", ["Subject", "X-Large"])
@pytest.mark.parametrize("size", [50_000, 70_000, 1_000_000])
def test_a_large_field_leaves_cut_below_a_signature_that_holds(
    service: Service, ada: Inbox, name: str, size: int
) -> None:
    """Postfix keeps 60,000 octets of a field, and shows the milter what it keeps."""
    word = token()
    message = as_sent(ada.address, OUTSIDE, word)
    if name == "Subject":
        message = message.replace(b"Subject: ", b"X-Word: ")
    code, text = submit(service, ada, f"{name}: ".encode() + folded(size) + b"\r\n" + message)
    assert code == 250, text
    kept = service.outside(word)
    assert len(kept.content) < min(size, 60_000) + 2_000
    assert signed_by(service, kept.content) == "analytical.test"


def test_a_header_beyond_any_measure_is_refused(service: Service, ada: Inbox) -> None:
    message = b"Subject: x\r\n" + (b"To: " + folded(45_000) + b"\r\n") * 30 + as_sent(ada.address, OUTSIDE, token())
    assert submit(service, ada, message) == (550, "5.6.0 The header of this message is too large")


def test_a_hundred_megabytes_are_552(service: Service, ada: Inbox) -> None:
    with service.smtp(ada) as client:
        code, text = client.mail(ada.address, [f"size={100 * 2**20}"])
        assert (code, text[:5]) == (552, b"5.3.4")


def test_binary_octets_leave_signed_and_a_nul_is_refused(service: Service, ada: Inbox) -> None:
    word = token()
    every = bytes(range(1, 256)).replace(b"\r", b"").replace(b"\n", b"")
    message = b"X-Binary: " + every + b"\r\n" + as_sent(ada.address, OUTSIDE, word) + every + b"\r\n"
    assert submit(service, ada, message) == (250, "")
    content = service.outside(word).content
    assert content.endswith(every + b"\r\n")
    assert signed_by(service, content) == "analytical.test"
    assert submit(service, ada, message + b"a\0b\r\n") == (550, "5.7.1 disallowed character")
