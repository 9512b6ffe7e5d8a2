"""What is left of a password without what people add so that it is taken: capitals, figures, a second time. Pure.

`P4ssw0rd!!!!2024` is `password`: whoever guesses begins there, however long it is.
"""

import itertools
import re
import unicodedata

_LOOK_ALIKES = str.maketrans("@4831!0$57", "aaebiiosst")
_AROUND = re.compile(r"^[^a-z]+|[^a-z]+$")
_TIMES = re.compile(r"(.+?)\1+\Z", re.DOTALL)
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm")
MAX_READ = 200
"""Characters that are looked at: nobody's list has longer ones."""


def forms(password: str) -> frozenset[str]:
    """Return the forms under which a password may stand in a list, the plain one in lower case among them."""
    plain = unicodedata.normalize("NFKC", password[:MAX_READ]).lower()
    found = {plain}
    for one in (plain, plain.translate(_LOOK_ALIKES)):
        found |= {one, _AROUND.sub("", one)}
    # Figures at the ends are additions, not look-alikes: `password1234` has none of `i2e4` in it.
    found.add(_AROUND.sub("", plain).translate(_LOOK_ALIKES))
    found |= {_once(form) for form in set(found)}
    return frozenset(form for form in found if form)


def is_a_run(password: str) -> bool:
    """Tell whether a password is few characters many times, or a row of the keyboard or the alphabet."""
    plain = password[:MAX_READ].lower()
    if len(set(plain)) <= 3:
        return True
    letters = re.sub(r"\s", "", plain)
    pairs = list(itertools.pairwise(letters))
    steps = sum(any(a + b in row or b + a in row for row in _ROWS) or a == b for a, b in pairs)
    return bool(pairs) and steps >= 0.8 * len(pairs)


def _once(text: str) -> str:
    """`abcabc` is `abc`."""
    found = _TIMES.match(text)
    return found[1] if found else text
