"""Random messages, signed and changed on their way: we and dkimpy say the same of each (bench/differential_dkim.py)."""

import os

import pytest

from bench.differential_dkim import agree, compare

MESSAGES = int(os.environ.get("SMAILOR_DKIM_MESSAGES", "2000"))
PORTION = 500


@pytest.mark.parametrize("first", range(0, MESSAGES, PORTION))
def test_we_and_dkimpy_say_the_same(first: int):
    for seed in range(first, first + PORTION):
        ours, theirs, message = compare(seed)
        assert agree(ours, theirs), (seed, ours, theirs, message)
