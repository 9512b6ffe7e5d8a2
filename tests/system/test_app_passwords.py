"""App passwords: many for one inbox, each revocable at once."""

import smtplib
import socket

import pytest
from imapclient.exceptions import IMAPClientError

from tests.system.running import Inbox, Service, letter, token, until


def revoke(service: Service, address: str, number: int) -> None:
    service.operate("app-password", "revoke", address, str(number), "--workspace", "analytical")


def test_an_app_password_opens_imap_and_submission_and_revoking_it_bites_at_once(
    service: Service, charles: Inbox
) -> None:
    """The connection that it has open is ended, too; another app password of the same inbox goes on."""
    made = service.new_app_password(charles.address, label="phone")
    phone = Inbox(charles.address, charles.workspace, "", made["secret"])
    word = token()
    with service.smtp(phone) as client:
        client.send_message(letter(charles.address, "bob@stranger.test", word))
    service.outside(word)
    with service.imap(phone) as session:
        session.select_folder("INBOX")
        session.noop()
        revoke(service, charles.address, made["id"])
        with pytest.raises(IMAPClientError), service.imap(phone):
            pass
        with service.smtp() as client, pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(phone.address, phone.app_password)

        def ended() -> bool:
            try:
                session.noop()
            except (IMAPClientError, OSError):
                return True
            return False

        until(ended, "end of the revoked password's connection", 5)
    with service.imap(charles) as client:
        client.noop()
    with service.smtp(charles) as client:
        client.noop()


def test_an_app_password_is_good_for_its_service_only(service: Service, charles: Inbox) -> None:
    made = service.operate(
        "app-password", "add", charles.address, "--workspace", "analytical", "--label", "printer", "--service", "smtp"
    )
    printer = Inbox(charles.address, charles.workspace, "", made["secret"])
    with service.smtp(printer) as client:
        client.noop()
    with pytest.raises(IMAPClientError), service.imap(printer):
        pass


def test_an_app_password_opens_no_other_inbox(service: Service, ada: Inbox, charles: Inbox) -> None:
    with pytest.raises(IMAPClientError), service.imap(Inbox(ada.address, "", "", charles.app_password)):
        pass


def test_the_list_shows_labels_and_no_secrets(service: Service, ada: Inbox) -> None:
    listed = service.operate("app-password", "list", ada.address, "--workspace", "analytical")
    assert listed
    assert all(entry["label"] for entry in listed)
    assert ada.app_password not in str(listed)


def test_imap_offers_no_login_before_tls(service: Service) -> None:
    """From another address, that is: Dovecot takes a connection from its own address for one that nobody overhears."""
    address = ("127.0.0.1", service.port("imap"))
    with socket.create_connection(address, timeout=30, source_address=("127.0.0.9", 0)) as connection:
        assert b"LOGINDISABLED" in connection.recv(1000)
        connection.sendall(b"a LOGIN ada@analytical.test secret\r\n")
        assert b"a NO [PRIVACYREQUIRED]" in connection.recv(1000)
