"""What one process holds in memory: terms made ready, leases, and the answers of the last minutes. No I/O, no threads.

Whoever uses it from two threads holds a lock around each call. A trip to the store has three parts: `prepare` says what
has to be decided there and empties the leases that would not do, `Trip.work` decides inside the store's transaction,
`settle` takes over what came of it. Where the transaction fails, or its outcome is not known, `lose` leaves everything
that was on its way charged: less may be sent then, never more.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from smailor.sending import leases
from smailor.sending.decision import PERMITTED, Decision, SendingRequest, too_many_recipients
from smailor.sending.leases import LOW, Cap, Lease, Owed, Route, Wanted
from smailor.sending.store import Batch
from smailor.sending.tally import Tally
from smailor.sending.terms import MAX_AGE_SECONDS, Applied, Terms, account_key

MAX_ANSWERS: Final = 50_000
"""Answers are repeated for five minutes, or for twice as many messages as this, whichever ends first."""
ANSWERED_THE_SAME_SECONDS: Final = 300
ALONE: Final = 200
"""Leases that are renewed, or given back, in one trip for which nobody waits."""
BESIDE: Final = 20
"""The same, where somebody does: each lets him wait longer."""
MAX_OWED: Final = 5000
"""More are collected when those are given back."""


class Stale(Exception):
    """The terms have changed since they were read."""

    def __init__(self, generation: int) -> None:
        super().__init__(generation)
        self.generation = generation


@dataclass(slots=True)
class Waiting:
    """One request whose answer is to come from the store.

    Attributes:
        words: account and sender domain as they were given: the name of their route.
        name: of the message; the same again is answered the same.
        since: monotonic time.
    """

    request: SendingRequest
    words: str
    name: int
    since: float
    future: "Future[Decision]" = field(default_factory=Future)


@dataclass(slots=True)
class _Pending:
    waiting: Waiting
    recipients: int
    reserved: list[tuple[Lease, int]]
    """Leases that it was taken from already, each with its slot."""
    lacking: list[Lease]
    """Leases that have not enough: these keys' rows decide."""
    short: Lease | None = None
    decision: Decision = PERMITTED


class Trip:
    """What one transaction is asked to do, and what came of it.

    Attributes:
        answered: requests that need no transaction, with their answers.
    """

    def __init__(self, generation: int, now: float, *, leasing: bool) -> None:
        self.generation, self.now, self.leasing = generation, now, leasing
        self.answered: list[tuple[Waiting, Decision]] = []
        self.pending: list[_Pending] = []
        self.lacking: dict[str, Lease] = {}
        self.renewing: dict[str, tuple[Lease, int, int]] = {}
        self.owed: list[Owed] = []
        self.grants: dict[str, tuple[Lease, Wanted, int]] = {}
        self.store_now = 0.0

    @property
    def keys(self) -> list[str]:
        """Of all rows that it touches, in order."""
        return sorted({*self.lacking, *self.renewing, *(owed.key for owed in self.owed)})

    def work(self, batch: Batch) -> Iterable[str]:
        """Decide; to be called inside the transaction, perhaps more than once, of which the last time counts.

        Raises:
            Stale: the terms are not what they were.
        """
        if batch.generation != self.generation:
            raise Stale(batch.generation)
        tallies = batch.tallies
        self.store_now = batch.now
        self.grants = {}
        changed = set()
        for owed in self.owed:
            tallies[owed.key].take_back(owed.messages, owed.recipients, owed.slot)
            changed.add(owed.key)
        spent: dict[str, list[int]] = {}
        known: dict[int, _Pending] = {}
        for item in self.pending:
            if (first := known.setdefault(item.waiting.name, item)) is not item:
                item.decision = first.decision
                continue
            self._decide(item, tallies)
            if item.decision is PERMITTED:
                for lease in item.lacking:
                    tallies[lease.key].add(1, item.recipients)
                    so_far = spent.setdefault(lease.key, [0, 0])
                    so_far[0] += 1
                    so_far[1] += item.recipients
        changed |= spent.keys()
        if self.leasing:
            for key, units in spent.items():
                self._grant(self.lacking[key], tallies[key], units, (0, 0))
            for key, (lease, messages, recipients) in self.renewing.items():
                self._grant(lease, tallies[key], (0, 0), (messages, recipients))
        return changed | self.grants.keys()

    @staticmethod
    def _decide(item: _Pending, tallies: dict[str, Tally]) -> None:
        item.short, item.decision = None, PERMITTED
        for lease in item.lacking:
            if refusal := lease.shortage(tallies[lease.key], item.recipients):
                item.short, item.decision = lease, refusal
                return

    def _grant(self, lease: Lease, tally: Tally, spent: Sequence[int], left: Sequence[int]) -> None:
        wanted = lease.grant(tally, lease.wanted(self.now, spent[0], spent[1]))
        messages, recipients = max(wanted.messages - left[0], 0), max(wanted.recipients - left[1], 0)
        if left[0] + messages and left[1] + recipients:
            tally.add(messages, recipients)
            # The tally's own slot, which is later than the clock's where that was set back.
            self.grants[lease.key] = (lease, Wanted(messages, recipients, wanted.seconds), tally.latest)


class Book:
    """See the module.

    Args:
        leasing: whether units are held in memory at all; without, every charge is a trip.
    """

    def __init__(self, *, leasing: bool) -> None:
        self.generation = -1
        self._leasing = leasing
        self._routes: dict[str, Route] = {}
        self._older_routes: dict[str, Route] = {}
        self._leases: dict[str, Lease] = {}
        self._older_leases: dict[str, Lease] = {}
        self._caps: dict[tuple[Cap, ...], tuple[Cap, ...]] = {}
        self._answers: dict[int, Decision] = {}
        self._older_answers: dict[int, Decision] = {}
        self._due: dict[int, list[Lease]] = {}
        self._owed: list[Owed] = []
        self._renew: list[Lease] = []
        self._routes_turned = self._answers_turned = 0.0

    def answer(self, words: str, name: int, recipients: int, now: float) -> Decision | None:
        """Answer a complete message from memory, if that can be done.

        Args:
            words: account and sender domain, as in `Waiting`.
            name: of the message.
            recipients: how many.
            now: monotonic time.
        """
        answer = self._answers.get(name) or self._older_answers.get(name)
        if answer is not None:
            return answer
        route = self._routes.get(words) or self._older_routes.get(words)
        if route is None:
            return None
        if route.refusal is not None:
            return route.refusal
        if recipients > route.max_recipients:
            return too_many_recipients(recipients, route.max_recipients)
        for lease in route.leases:
            if lease.messages < 1 or lease.recipients < recipients or lease.until <= now:
                return self._refused(route, recipients, now)
        for lease in route.leases:
            lease.messages -= 1
            lease.recipients -= recipients
            lease.spent_messages += 1
            lease.spent_recipients += recipients
            if not lease.renewing and (
                lease.renew_at <= now
                or lease.messages <= lease.low_messages
                or lease.recipients <= lease.low_recipients
            ):
                lease.renewing = True
                self._renew.append(lease)
        self._answers[name] = PERMITTED
        return PERMITTED

    def _refused(self, route: Route, recipients: int, now: float) -> Decision | None:
        for lease in route.leases:
            if lease.refused_until > now and recipients >= lease.refused_recipients:
                return lease.refusal
        return None

    @property
    def renewals(self) -> bool:
        """Whether a lease should be renewed."""
        return bool(self._renew)

    @property
    def owing(self) -> bool:
        """Whether something is to be given back."""
        return bool(self._owed)

    def route(self, words: str) -> Route | None:
        """Return the terms that were read for these words; None: they are to be read."""
        return self._routes.get(words) or self._older_routes.get(words)

    def learn(self, words: str, terms: Terms) -> Route:
        """Take over terms that were read."""
        found = tuple(self._lease(key, part[0].of, part) for key, part in leases.grouped(terms).items())
        account = account_key(terms.account)
        route = self._routes[words] = Route(
            account=next((lease.key for lease in found if lease.key == account), account),  # kept once
            workspace=terms.workspace,
            leases=found,
            max_recipients=terms.max_recipients,
            refusal=terms.refusal,
            unique_recipients=terms.unique_recipients,
        )
        return route

    def _lease(self, key: str, of: str, part: Sequence[Applied]) -> Lease:
        caps = tuple(leases.cap(applied.limit, applied.warm_up) for applied in part)
        caps = self._caps.setdefault(caps, caps)
        lease = self._leases.get(key) or self._older_leases.get(key)
        if lease is not None:
            self._leases[key] = lease
        if lease is None:
            lease = self._leases[key] = Lease(key, "" if key.endswith(f":{of}") else of, caps)
        elif lease.caps is not caps and lease.caps != caps:
            lease.caps = caps
            lease.until = lease.refused_until = 0.0  # what it holds was taken under other limits
        return lease

    def forget_terms(self, generation: int) -> None:
        """Forget all terms: they have changed.

        Args:
            generation: of those that hold now.
        """
        if generation != self.generation:
            self.generation = generation
            self._routes, self._older_routes, self._caps = {}, {}, {}

    def prepare(self, batch: Sequence[Waiting], now: float) -> Trip:
        """Say what a trip has to decide; the terms of all requests are known.

        Args:
            batch: complete messages.
            now: monotonic time.
        """
        trip = Trip(self.generation, now, leasing=self._leasing)
        for waiting in batch:
            recipients = max(waiting.request.recipient_count, 1)
            decision = self.answer(waiting.words, waiting.name, recipients, now)
            if decision is not None:
                trip.answered.append((waiting, decision))
                continue
            route = self.route(waiting.words)
            if route is None:
                raise LookupError("no terms")
            trip.pending.append(self._reserve(trip, waiting, route, recipients))
        most = BESIDE if trip.pending else ALONE
        for lease in self._renew[:most]:
            if lease.key not in trip.lacking:
                trip.renewing[lease.key] = (lease, lease.messages, lease.recipients)
        del self._renew[:most]
        trip.owed += self._owed[:most]
        del self._owed[:most]
        return trip

    def _reserve(self, trip: Trip, waiting: Waiting, route: Route, recipients: int) -> _Pending:
        item = _Pending(waiting, recipients, [], [])
        for lease in route.leases:
            if lease.until > trip.now and lease.messages >= 1 and lease.recipients >= recipients:
                lease.messages -= 1
                lease.recipients -= recipients
                item.reserved.append((lease, lease.slot))
                continue
            if lease.key not in trip.lacking:
                trip.lacking[lease.key] = lease
            if owed := lease.take_out():
                trip.owed.append(owed)
            item.lacking.append(lease)
        return item

    def settle(self, trip: Trip) -> None:
        """Take over what was decided and committed."""
        full_until = leases.spend_until(trip.now, trip.store_now, leases.FULL_SECONDS)
        done = set()
        for item in trip.pending:
            again = item.waiting.name in done
            done.add(item.waiting.name)
            self._answers[item.waiting.name] = item.decision
            if item.decision is not PERMITTED or again:
                self._unreserve(item)
            if item.short is not None and not again and self._leasing:
                item.short.refuse(item.decision, item.recipients, full_until)
        for lease in trip.lacking.values():
            lease.since, lease.spent_messages, lease.spent_recipients = trip.now, 0, 0
            lease.renewing = False
        for lease, _, _ in trip.renewing.values():
            lease.renewing = False
            lease.renew_at = lease.until  # where nothing was granted, this one runs out
            lease.low_messages = lease.low_recipients = -1
        times: dict[float, tuple[float, float]] = {}
        for lease, granted, slot in trip.grants.values():
            if lease.slot != slot and (owed := lease.take_out()):
                self._owed.append(owed)
            lease.messages += granted.messages
            lease.recipients += granted.recipients
            lease.slot = slot
            if granted.seconds not in times:  # numbers that many leases share, for the memory that they take
                until = leases.spend_until(trip.now, trip.store_now, granted.seconds)
                times[granted.seconds] = (until, trip.now + leases.RENEWED_AFTER * (until - trip.now))
            lease.until, lease.renew_at = times[granted.seconds]
            lease.low_messages, lease.low_recipients = ceil(lease.messages / LOW), ceil(lease.recipients / LOW)
            lease.since, lease.spent_messages, lease.spent_recipients = trip.now, 0, 0
            self._due.setdefault(int(lease.until) + 1, []).append(lease)

    def _unreserve(self, item: _Pending) -> None:
        for lease, slot in item.reserved:
            if lease.slot == slot:
                lease.messages += 1
                lease.recipients += item.recipients
            else:
                self._owed.append(Owed(lease.key, 1, item.recipients, slot))

    def undo(self, trip: Trip) -> None:
        """Take back a trip of which nothing was committed, for certain."""
        self._owed += trip.owed
        for item in trip.pending:
            self._unreserve(item)
        for lease, _, _ in trip.renewing.values():
            lease.renewing = False

    @staticmethod
    def lose(trip: Trip) -> None:
        """Give up a trip whose outcome is not known."""
        for lease, _, _ in trip.renewing.values():
            lease.renewing = False

    def tidy(self, now: float) -> None:
        """Collect what expired leases hold, and forget what is old.

        Args:
            now: monotonic time.
        """
        for second in sorted(second for second in self._due if second <= now):
            due = self._due[second]
            while due and len(self._owed) < MAX_OWED:
                lease = due.pop()
                if lease.until <= now and (owed := lease.take_out()):
                    self._owed.append(owed)
            if not due:
                del self._due[second]
        if now - self._routes_turned > MAX_AGE_SECONDS / 2:
            # A lease was named by a route as late as the route was learned: it is never forgotten before.
            self._routes, self._older_routes, self._caps = {}, self._routes, {}
            self._leases, self._older_leases = {}, self._leases
            self._routes_turned = now
        if len(self._answers) > MAX_ANSWERS or now - self._answers_turned > ANSWERED_THE_SAME_SECONDS:
            self._answers, self._older_answers = {}, self._answers
            self._answers_turned = now

    def give_back_all(self) -> None:
        """Empty all leases, for the end of the process."""
        for lease in self._known():
            lease.until = 0.0
            if owed := lease.take_out():
                self._owed.append(owed)

    @property
    def held(self) -> int:
        """How many leases hold something."""
        return sum(1 for lease in self._known() if lease.messages)

    def _known(self) -> list[Lease]:
        return list((self._older_leases | self._leases).values())
