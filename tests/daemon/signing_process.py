"""The real `smailor-milter signing` on a database of its own, for the daemon tests."""

from collections.abc import Callable
from pathlib import Path

import dkim
from cryptography.fernet import Fernet

from smailor.domains import service as domains
from smailor.domains.records import ServiceNames
from tests.daemon.milter_process import MilterProcess

SEALING_KEY = Fernet.generate_key().decode()
CONFIG = """
[service]
hostname = "mx.smailor.test"
domain = "smailor.test"
[database]
url = "{url}"
[secrets]
session_key = "{session_key}"
sealing_keys = ["{sealing_key}"]
[milter]
signing_socket = "unix:{socket}"
signing_workers = {workers}
"""


class SigningProcess(MilterProcess):
    """One running signing milter."""

    def __init__(
        self, url: str, *, workers: int = 2, directory: Path | None = None, socket: Path | None = None
    ) -> None:
        config = CONFIG.format(
            url=url, session_key="x" * 40, sealing_key=SEALING_KEY, socket="{socket}", workers=workers
        )
        super().__init__("signing", config, directory=directory, socket=socket)


def verified_by(database, workspace: str, domain: str) -> Callable[[bytes], bool]:
    """Return a check of signatures by dkimpy with the records that the domain's owner was told to publish."""
    names = ServiceNames(hostname="mx.smailor.test", spf_include="", postmaster="")
    records = domains.wanted_records(database, workspace=workspace, name=domain, service=names)
    published = {record.name: record.value for record in records}

    def verify(message: bytes) -> bool:
        return bool(dkim.verify(message, dnsfunc=lambda name, timeout=5: published.get(name.decode().rstrip("."))))

    return verify
