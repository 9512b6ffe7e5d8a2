"""Two daemons, their leases and one store, held against a list of all messages that ever left.

Whatever happens, in whichever order: no hour, day or date holds more than its limit; and nobody is refused as long as
his limit has room beyond what daemons hold or have lost.
"""

from collections.abc import Sequence
from concurrent.futures import Future

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from smailor.address import Address
from smailor.errors import TemporaryFailure
from smailor.sending.book import Book, Stale, Waiting
from smailor.sending.decision import Decision, Phase, SendingRequest
from smailor.sending.limits import DAY, HOUR, MESSAGES, RECIPIENTS, TODAY, Limit, Window
from smailor.sending.store import Work, batch_of
from smailor.sending.tally import Tally
from smailor.sending.terms import FixedTerms, Terms, account_key, domain_key

ACCOUNTS = [Address.parse(f"{name}@analytical.test") for name in ("ada", "grace", "mary")]
DOMAIN = ACCOUNTS[0].domain
NOON = 1_793_620_800.0


class MemoryStore:
    """A store that fails when it is told to, before or after it has committed."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.now = NOON
        self.generation = 1
        self.fails = ""

    def transact(self, keys: Sequence[str], work: Work) -> None:
        if self.fails == "before":
            raise TemporaryFailure("before")
        batch = batch_of(keys, [(key, self.rows[key]) for key in keys if key in self.rows], self.now, self.generation)
        for key in work(batch):
            self.rows[key] = batch.tallies[key].packed()
        if self.fails == "after":
            raise TemporaryFailure("after")


class Daemons(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.books = [Book(leasing=True), Book(leasing=True)]
        self.monotonic = 1000.0
        self.serial = 0
        self.left: list[tuple[float, str, int]] = []
        self.clock_was_set = False

    @initialize(
        account=st.sampled_from([1, 7, 40, 120]),
        recipients=st.sampled_from([3, 50, 300]),
        domain=st.sampled_from([2, 60, 200]),
    )
    def limits(self, account: int, recipients: int, domain: int) -> None:
        self.account = (Limit(MESSAGES, HOUR, account), Limit(RECIPIENTS, DAY, recipients))
        self.domain = (Limit(MESSAGES, HOUR, domain), Limit(RECIPIENTS, TODAY, 2 * domain))

    def terms(self, account: Address) -> Terms:
        return FixedTerms(self.account, self.domain).read(None, [(account, DOMAIN)])[0]  # type: ignore[arg-type]

    def ask(self, book: Book, account: Address, recipients: int, name: int) -> Decision | None:
        words = str(account)
        if (known := book.answer(words, name, recipients, self.monotonic)) is not None:
            return known
        request = SendingRequest(account, Phase.CHARGE, "", DOMAIN, recipient_count=recipients)
        waiting = Waiting(request, words, name, self.monotonic, Future())
        while True:
            if book.route(words) is None:
                book.learn(words, self.terms(account))
            trip = book.prepare([waiting], self.monotonic)
            try:
                self.store.transact(trip.keys, trip.work)
            except Stale as stale:
                book.undo(trip)
                book.forget_terms(stale.generation)
                continue
            except TemporaryFailure:
                book.lose(trip)
                return None
            book.settle(trip)
            return trip.answered[0][1] if trip.answered else trip.pending[0].decision

    @rule(
        which=st.integers(0, 1),
        account=st.sampled_from(ACCOUNTS),
        recipients=st.integers(1, 4),
        times=st.integers(1, 40),
        pause=st.sampled_from([0.0, 0.01, 0.2]),
    )
    def send(self, which: int, account: Address, recipients: int, times: int, pause: float) -> None:
        for _ in range(times):
            self.serial += 1
            decision = self.ask(self.books[which], account, recipients, self.serial)
            if decision is not None and decision.permitted:
                self.left.append((self.store.now, str(account), recipients))
                self.never_over()
                assert self.ask(self.books[which], account, recipients, self.serial) == decision
            elif decision is not None:
                self.check_refusal(account, recipients)
            self.wait(pause)

    def check_refusal(self, account: Address, recipients: int) -> None:
        """By the store's own counts, from which leases were taken: one of them has no room, or had none just now."""
        short = False
        for key, limits in ((account_key(account), self.account), (domain_key(DOMAIN), self.domain)):
            tally = Tally(self.store.rows.get(key))
            for limit in limits:
                units = 1 if limit.unit is MESSAGES else recipients
                short = short or tally.usage(limit).total + units > limit.maximum
        assert short or self.monotonic - self.short_at < 0.6
        if short:
            self.short_at = self.monotonic

    short_at = -1.0

    def wait(self, seconds: float) -> None:
        self.monotonic += seconds
        self.store.now += seconds

    @rule(seconds=st.sampled_from([0.3, 1.0, 2.5, 40.0, 290.0, 301.0, 1800.0, 3597.0, 3599.8, 3900.0, 40_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.wait(seconds)

    @rule()
    def slot_is_about_to_end(self) -> None:
        self.wait(300 - self.store.now % 300 - 0.5)

    @rule(which=st.integers(0, 1))
    def tidy(self, which: int) -> None:
        book = self.books[which]
        book.tidy(self.monotonic)
        if book.owing:
            self.give_back(book)

    @rule(which=st.integers(0, 1))
    def stop(self, which: int) -> None:
        book = self.books[which]
        book.give_back_all()
        self.give_back(book)
        self.books[which] = Book(leasing=True)

    def give_back(self, book: Book) -> None:
        trip = book.prepare((), self.monotonic)
        try:
            self.store.transact(trip.keys, trip.work)
        except Stale as stale:
            book.undo(trip)
            book.forget_terms(stale.generation)
        except TemporaryFailure:
            book.lose(trip)
        else:
            book.settle(trip)

    @rule(which=st.integers(0, 1))
    def kill(self, which: int) -> None:
        self.books[which] = Book(leasing=True)

    @rule(fails=st.sampled_from(["", "", "before", "after"]))
    def store_fails(self, fails: str) -> None:
        self.store.fails = fails

    @rule(hours=st.sampled_from([0.5, 1.0]))
    def clock_is_set_back(self, hours: float) -> None:
        """What left before keeps its distance to now: the clock was wrong, not the messages."""
        self.store.now -= hours * 3600
        self.left = [(moment - hours * 3600, account, units) for moment, account, units in self.left]
        self.clock_was_set = True

    @rule()
    def terms_change(self) -> None:
        self.store.generation += 1

    @invariant()
    def never_over(self) -> None:
        if not hasattr(self, "account"):
            return
        for account in {account for _, account, _ in self.left}:
            self.check([entry for entry in self.left if entry[1] == account], self.account)
        self.check(self.left, self.domain)

    def check(self, left: list[tuple[float, str, int]], limits: tuple[Limit, ...]) -> None:
        for limit in limits:
            begin = self.begin(limit.window)
            used = sum(1 if limit.unit is MESSAGES else units for moment, _, units in left if moment > begin)
            assert used <= limit.maximum

    def begin(self, window: Window) -> float:
        if window is TODAY:
            # Set back over midnight, yesterday's messages would count as today's: the date is not what it was.
            return self.store.now if self.clock_was_set else self.store.now // 86_400 * 86_400
        return self.store.now - window.slot_seconds * (window.slots - 1)


Daemons.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
test_daemons = Daemons.TestCase
