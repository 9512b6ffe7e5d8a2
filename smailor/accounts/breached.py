"""Whether a password is among those that others have used and lost, looked up on this machine: it goes nowhere.

Two sources: a file that comes with the program, of the passwords chosen most, in any of the forms that people give them
(`password_forms`); and, where the operator has one, the whole list of Have I Been Pwned as its downloader writes it: a
text file of lines `SHA-1:COUNT` in order, which is read by halves.
"""

import hashlib
from functools import cached_property
from pathlib import Path

from smailor.accounts import password_forms
from smailor.errors import TemporaryFailure

COMMON = Path(__file__).with_name("common_passwords.bin")
PREFIX_BYTES = 6
"""Of a SHA-256: with 60,000 words one in five thousand million other passwords is refused by chance."""
_LONGEST_LINE = 128


def prefix(word: str) -> bytes:
    """Return what the file that comes with the program keeps of a word."""
    return hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()[:PREFIX_BYTES]


class Breached:
    """The lists.

    Args:
        pwned: the file of Have I Been Pwned; None: there is none.
    """

    def __init__(self, pwned: Path | None = None) -> None:
        self._pwned = pwned

    def has(self, password: str) -> bool:
        """Tell whether a password is on a list, or near enough to one.

        Raises:
            TemporaryFailure: the operator's list cannot be read.
        """
        if password_forms.is_a_run(password) or any(self._is_common(form) for form in password_forms.forms(password)):
            return True
        return self._pwned is not None and _is_pwned(self._pwned, password)

    def _is_common(self, word: str) -> bool:
        wanted, low, high = prefix(word), 0, len(self._common) // PREFIX_BYTES
        while low < high:
            middle = (low + high) // 2
            found = self._common[middle * PREFIX_BYTES : (middle + 1) * PREFIX_BYTES]
            if found == wanted:
                return True
            low, high = (middle + 1, high) if found < wanted else (low, middle)
        return False

    @cached_property
    def _common(self) -> bytes:
        return COMMON.read_bytes()


def _is_pwned(path: Path, password: str) -> bool:
    wanted = hashlib.sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest().upper().encode()
    try:
        with path.open("rb") as lines:
            low, high = 0, path.stat().st_size
            while low < high:
                middle = (low + high) // 2
                lines.seek(middle)
                if middle:
                    lines.seek(middle - 1)
                    lines.readline(_LONGEST_LINE)  # to the beginning of a line, this one or the next
                start = lines.tell()
                line = lines.readline(_LONGEST_LINE)
                found = line[:40].upper()
                if found == wanted:
                    return True
                if line and found < wanted:
                    low = start + len(line)
                else:
                    high = middle
    except OSError as error:
        raise TemporaryFailure(f"the list of breached passwords cannot be read ({error.strerror})") from error
    return False
