"""What was used of all that is counted on one key, in one fixed row: hour, day and today, messages and recipients.

All measures are counted on every key, whatever limits hold there at the moment; so a limit that is set today knows what
was sent yesterday. A row is 320 bytes. It knows one time, the number of the newest slot of five minutes that was used;
the slots of hours and days follow from it. How a clock that was set back is met: see `smailor.sending.limits`.
"""

import struct
from typing import Final

from smailor.sending.limits import DAY, HOUR, MAX_WAIT_FOR_CLOCK, MESSAGES, RECIPIENTS, TODAY, Limit, Usage

MEASURES: Final = tuple((unit, window) for window in (HOUR, DAY, TODAY) for unit in (MESSAGES, RECIPIENTS))
SLOT_SECONDS: Final = HOUR.slot_seconds
_STEPS: Final = tuple(window.slot_seconds // SLOT_SECONDS for _, window in MEASURES)
"""How many slots of five minutes make one slot of the measure."""
_SIZES: Final = tuple(window.slots for _, window in MEASURES)
_OFFSETS: Final = tuple(sum(_SIZES[:index]) for index in range(len(MEASURES)))
_LAYOUT: Final = tuple(zip(_STEPS, _SIZES, _OFFSETS, strict=True))
_ROW: Final = struct.Struct(f"<q{sum(_SIZES)}I")
_MOST: Final = 2**32 - 1
_DAY_SLOTS: Final = TODAY.slot_seconds // SLOT_SECONDS


def measure_index(limit: Limit) -> int:
    """Return the place of a limit's measure in `MEASURES`.

    Raises:
        ValueError: nothing of the kind is counted.
    """
    return MEASURES.index((limit.unit, limit.window))


class Tally:
    """The row of one key, while a batch is decided.

    Attributes:
        latest: number of the newest slot of five minutes.
        totals: what is used now, by place in `MEASURES`.
    """

    __slots__ = ("_counts", "latest", "totals")

    def __init__(self, packed: bytes | None = None) -> None:
        if packed is None:
            self.latest = 0
            self._counts = [0] * sum(_SIZES)
            self.totals = [0] * len(MEASURES)
        else:
            self.latest, *self._counts = _ROW.unpack(packed)
            self.totals = [sum(self._counts[offset : offset + size]) for _, size, offset in _LAYOUT]

    def packed(self) -> bytes:
        """Return the row as it is kept."""
        try:
            return _ROW.pack(self.latest, *self._counts)
        except struct.error:  # beyond what anything on earth sends, where no limit holds
            return _ROW.pack(self.latest, *(min(count, _MOST) for count in self._counts))

    @property
    def day(self) -> int:
        """Number of the day that the newest slot lies in."""
        return self.latest // _DAY_SLOTS

    def advance(self, slot: int) -> None:
        """Let slide out what is too old.

        Args:
            slot: the present slot of five minutes.
        """
        latest = self.latest
        if slot == latest:
            return
        if slot < latest:
            if (latest - slot) * SLOT_SECONDS > MAX_WAIT_FOR_CLOCK.total_seconds():
                self._move(slot)
            return
        counts = self._counts
        for index, (step, size, offset) in enumerate(_LAYOUT):
            old, new = latest // step, slot // step
            if old != new:
                if new - old >= size:
                    counts[offset : offset + size] = [0] * size
                else:
                    for number in range(old + 1, new + 1):
                        counts[offset + number % size] = 0
                self.totals[index] = sum(counts[offset : offset + size])
        self.latest = slot

    def _move(self, slot: int) -> None:
        self._counts = [0] * sum(_SIZES)
        self.latest = slot
        for total, (step, size, offset) in zip(self.totals, _LAYOUT, strict=True):
            self._counts[offset + slot // step % size] = total

    def add(self, messages: int, recipients: int) -> None:
        """Count more in the newest slot, whether there is room for it or not."""
        latest, counts, totals = self.latest, self._counts, self.totals
        for index, (step, size, offset) in enumerate(_LAYOUT):
            units = recipients if index & 1 else messages
            counts[offset + latest // step % size] += units
            totals[index] += units

    def take_back(self, messages: int, recipients: int, slot: int) -> None:
        """Count less in the slot in which it was counted; what has slid out meanwhile, or was moved, stays as it is."""
        latest, counts, totals = self.latest, self._counts, self.totals
        for index, (step, size, offset) in enumerate(_LAYOUT):
            number = slot // step
            if slot <= latest and latest // step - number < size:
                place = offset + number % size
                units = min(recipients if index & 1 else messages, counts[place])
                counts[place] -= units
                totals[index] -= units

    def usage(self, limit: Limit) -> Usage:
        """Return what is used of a limit, slot by slot."""
        step, size, offset = _LAYOUT[measure_index(limit)]
        latest = self.latest // step
        counts = tuple(self._counts[offset + number % size] for number in range(latest - size + 1, latest + 1))
        return Usage(latest, counts)
