"""A certificate authority that speaks ACME, as Let's Encrypt does: Pebble, in the laboratory's world.

It checks names for real (port 80 or the DNS). `certificate` signs its own front door; `root()` is the root of what it issues, new at
each start. Servers that shall believe it get both.
"""

import json
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self


class Authority:
    """Pebble, running while this is used as a context manager.

    Args:
        directory: for its files and its log.
        address: to listen on; the ports are 14000 (ACME) and 15000 (management).
    """

    def __init__(self, directory: Path, address: str) -> None:
        self._directory, self._address = directory, address
        self.url = f"https://{address}:14000/dir"
        self.certificate = directory / "pebble.pem"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        key = self._directory / "pebble.key"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                *("-days", "2", "-subj", "/CN=Authority of the laboratory", "-addext"),
                *(f"subjectAltName=IP:{self._address}", "-keyout", key, "-out", self.certificate),
            ],
            check=True,
            capture_output=True,
        )
        settings = {
            "listenAddress": f"{self._address}:14000",
            "managementListenAddress": f"{self._address}:15000",
            "certificate": str(self.certificate),
            "privateKey": str(key),
            "httpPort": 80,
            "tlsPort": 443,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
        }
        config = self._directory / "pebble.json"
        config.write_text(json.dumps({"pebble": settings}))
        # Pebble refuses and waits at random unless told not to.
        environment = os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
        with (self._directory / "pebble.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["pebble", "-config", config, "-strict", "-dnsserver", f"{self._address}:53"],
                stdout=log,
                stderr=log,
                env=environment,
            )
        deadline = time.monotonic() + 20
        while True:
            try:
                self.root()
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.1)
            else:
                return self

    def __exit__(self, *exc: object) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(20)

    def root(self) -> str:
        """The root certificate of what it issues, as PEM."""
        context = ssl.create_default_context(cafile=self.certificate)
        with urllib.request.urlopen(f"https://{self._address}:15000/roots/0", context=context, timeout=5) as answer:
            text: str = answer.read().decode()
        return text
