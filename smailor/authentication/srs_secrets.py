"""The secrets that rewritten senders are keyed with (srs.py): derived from the installation's sealing keys.

So every host has the same ones and no further secret is to be kept; a new sealing key makes new addresses, and those
made with older ones stay good as long as these are kept.
"""

import hmac
from collections.abc import Sequence


def srs_secrets(sealing_keys: Sequence[str]) -> tuple[bytes, ...]:
    """Return a secret for each key, in their order: the first makes addresses, all of them count.

    Args:
        sealing_keys: `secrets.sealing_keys` of the configuration.
    """
    return tuple(hmac.digest(key.encode(), b"smailor srs", "sha256") for key in sealing_keys)
