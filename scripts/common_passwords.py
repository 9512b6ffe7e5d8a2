"""Make smailor/accounts/common_passwords.bin from published lists of the passwords that people choose most.

    python scripts/common_passwords.py LIST...

Each LIST is a text file with a password a line (.gz: compressed), or a JSON list. Where they come from, under which
licences, and how the file is built is said in docs/decisions/dependencies.md.
"""

import gzip
import json
import sys
from pathlib import Path

from smailor.accounts.breached import COMMON, PREFIX_BYTES, prefix
from smailor.accounts.password_forms import forms

LEAST = 4
"""Shorter words stand in too many passwords that nobody else has."""


def read(path: Path) -> list[str]:
    """Return the passwords of a list."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    text = data.decode("utf-8")
    return [str(entry) for entry in json.loads(text)] if path.suffix == ".json" else text.split("\n")


def main() -> None:
    """Write the file."""
    words = {form for name in sys.argv[1:] for word in read(Path(name)) for form in forms(word.strip())}
    prefixes = sorted({prefix(word) for word in words if len(word) >= LEAST})
    COMMON.write_bytes(b"".join(prefixes))
    print(f"{COMMON}: {len(prefixes)} words, {len(prefixes) * PREFIX_BYTES} bytes")


if __name__ == "__main__":
    main()
