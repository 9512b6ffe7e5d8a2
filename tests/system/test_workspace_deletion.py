"""A workspace that goes takes its mail along, on disk and in Dovecot, and nobody else's."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from imapclient.exceptions import IMAPClientError

from tests.system.running import Service


def messages(service: Service, domain: str) -> list[str]:
    """The files of messages (sdbox: one each) of a domain's inboxes."""
    return sorted(str(path) for path in service.run_dir.glob(f"**/{domain}/**/dbox-Mails/u.*"))


def test_a_deleted_workspace_leaves_no_message_on_disk_and_its_inboxes_do_not_open(
    new_service: Callable[..., Service],
) -> None:
    service = new_service()
    service.up()
    grace = service.inbox("grace@lovelace.test")
    kept = messages(service, "analytical.test")
    assert kept
    assert messages(service, "lovelace.test")
    service.operate("workspace", "delete", "lovelace")
    assert service.operate("jobs", "run", "delete-workspaces")["deleted"] == 0
    assert messages(service, "lovelace.test")
    database = service.endpoints["database"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(database, timeout=20, isolation_level=None)) as connection:
        connection.execute("UPDATE workspaces SET delete_after = deletion_asked_at WHERE slug = 'lovelace'")
    with service.imap(grace) as client:
        client.noop()
    done = service.operate("jobs", "run", "delete-workspaces")
    assert (done["deleted"], done["waiting"]) == (1, 0)
    assert done["inboxes"] > 0
    assert messages(service, "lovelace.test") == []
    assert messages(service, "analytical.test") == kept
    assert "lovelace" not in [one["slug"] for one in service.operate("workspace", "list")]
    with pytest.raises(IMAPClientError), service.imap(grace):
        pass
