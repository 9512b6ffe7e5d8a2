"""What is held in memory: how long, how much, and which answers are repeated."""

from concurrent.futures import Future

import pytest

from smailor.address import Address, DomainName
from smailor.sending import book as books
from smailor.sending import leases
from smailor.sending.book import Book, Trip, Waiting
from smailor.sending.decision import PERMITTED, Decision, Kind, Phase, SendingRequest
from smailor.sending.leases import Lease
from smailor.sending.limits import HOUR, MESSAGES, Limit
from smailor.sending.store import batch_of
from smailor.sending.tally import Tally
from smailor.sending.terms import FixedTerms, Terms, warm_up_cap, workspace_key

ADA = Address.parse("ada@analytical.test")
NOON = 1_793_620_800.0


class OneDaemon:
    """A book with a store that begins empty; `behind` is how far the store's clock was set back, in seconds."""

    def __init__(self, *, leasing: bool = True) -> None:
        self.book = Book(leasing=leasing)
        self.book.forget_terms(1)
        self.rows: dict[str, bytes] = {}
        self.trips = 0
        self.behind = 0.0

    def learn(self, terms: Terms) -> None:
        self.book.learn("ada", terms)

    def ask(self, name: int, now: float, recipients: int = 1) -> Decision:
        if (decision := self.book.answer("ada", name, recipients, now)) is not None:
            return decision
        request = SendingRequest(ADA, Phase.CHARGE, "", ADA.domain, recipient_count=recipients)
        trip = self.book.prepare([Waiting(request, "ada", name, now, Future())], now)
        self.trips += 1
        self.make(trip, now)
        return trip.pending[0].decision

    def make(self, trip: Trip, now: float) -> None:
        kept = [(key, self.rows[key]) for key in trip.keys if key in self.rows]
        batch = batch_of(trip.keys, kept, NOON + now - self.behind, 1)
        for key in trip.work(batch):
            self.rows[key] = batch.tallies[key].packed()
        self.book.settle(trip)


def terms(limit: int, **values: int) -> Terms:
    return FixedTerms((Limit(MESSAGES, HOUR, limit),), **values).read(None, [(ADA, ADA.domain)])[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(("into_the_slot", "lives"), [(0, 2), (100, 2), (298.5, 1.4), (299.95, -0.05)])
def test_a_lease_ends_before_its_slot_does(into_the_slot: float, lives: float) -> None:
    """A unit spent after that would be free again before its hour is over."""
    assert leases.spend_until(50.0, NOON + into_the_slot) == pytest.approx(50 + lives, abs=1e-6)


def test_most_messages_of_a_busy_account_need_no_trip() -> None:
    """A thousand in two seconds."""
    daemon = OneDaemon()
    daemon.learn(terms(1_000_000))
    assert all(daemon.ask(number, 10 + number / 500).permitted for number in range(1000))
    assert daemon.trips < 12


def test_a_flood_on_a_full_account_reaches_the_store_twice_a_second() -> None:
    """A refusal is repeated from memory."""
    daemon = OneDaemon()
    daemon.learn(terms(1))
    answers = [daemon.ask(number, 10 + number / 1000) for number in range(2000)]
    assert sum(answer.permitted for answer in answers) == 1
    assert daemon.trips <= 6


def test_the_same_message_is_answered_the_same_for_five_minutes() -> None:
    """And forgotten within ten."""
    daemon = OneDaemon()
    daemon.learn(terms(1))
    daemon.book.tidy(1000.0)
    assert daemon.ask(1, 1000.0) is PERMITTED
    for now in range(1001, 1300):
        daemon.book.tidy(float(now))
        assert daemon.book.answer("ada", 1, 1, float(now)) is PERMITTED
    for now in range(1300, 1700):
        daemon.book.tidy(float(now))
    assert daemon.book.answer("ada", 1, 1, 1700.0) is None


def test_answers_take_a_bounded_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many messages a second: the last ones are remembered."""
    monkeypatch.setattr(books, "MAX_ANSWERS", 100)
    daemon = OneDaemon()
    daemon.learn(terms(10_000))
    for number in range(1000):
        daemon.ask(number, 10.0)
        daemon.book.tidy(10.0)
    assert daemon.book.answer("ada", 1, 1, 1e9) is None
    assert daemon.book.answer("ada", 950, 1, 1e9) is PERMITTED


def test_limits_that_changed_hold_at_once() -> None:
    """What a lease holds was taken under others: it goes back."""
    daemon = OneDaemon()
    daemon.learn(terms(1000))
    for number in range(200):
        daemon.ask(number, 10 + number / 1000)
    daemon.book.forget_terms(2)
    daemon.book.forget_terms(1)
    daemon.learn(terms(200))
    assert not daemon.ask(1000, 10.21).permitted


def test_a_message_with_too_many_recipients_is_told_how_many_it_may_have() -> None:
    """Without a trip."""
    daemon = OneDaemon()
    daemon.learn(terms(1000, max_recipients=200))
    refused = daemon.ask(1, 10.0, recipients=300)
    assert (refused.code, refused.text) == (550, "Message has 300 recipients, the limit is 200")
    assert daemon.trips == 0


def test_a_warm_up_says_so_in_its_own_words() -> None:
    """Until 00:00 UTC."""
    daemon = OneDaemon()
    cap = warm_up_cap(DomainName("analytical.test"), 5)
    daemon.learn(Terms(ADA, ADA.domain, "analytical", (cap,), 100))
    assert daemon.ask(1, 10.0, recipients=5).permitted
    refused = daemon.ask(2, 10.0)
    assert refused.kind is Kind.WARM_UP_REACHED
    assert refused.text == "Warm-up limit of analytical.test reached today (5); resumes 00:00 UTC"
    assert workspace_key("analytical") == "workspace:analytical"


def test_who_sends_every_few_seconds_is_answered_from_memory_too() -> None:
    """A message in five seconds: one trip in three or more, where there is plenty of room."""
    daemon = OneDaemon()
    daemon.learn(terms(1_000_000))
    assert all(daemon.ask(number, 10.0 + 5 * number).permitted for number in range(30))
    assert daemon.trips <= 10


def test_where_little_is_left_no_lease_lives_longer_than_two_seconds() -> None:
    """A long one holds one part in sixty-four at most."""
    lease = Lease("account:ada", "", tuple(leases.cap(applied.limit, False) for applied in terms(63).limits))
    assert lease.grant(Tally(), lease.wanted(10.0, 1, 1)).seconds == leases.LIFE_SECONDS
    lease = Lease("account:ada", "", tuple(leases.cap(applied.limit, False) for applied in terms(640).limits))
    assert lease.grant(Tally(), lease.wanted(10.0, 1, 1)) == (3, 3, leases.LONGEST_SECONDS)


def test_a_lease_is_renewed_before_its_last_units_are_spent() -> None:
    """Whoever comes next finds some."""
    daemon = OneDaemon()
    daemon.learn(terms(1_000_000))
    name = 0
    while not daemon.book.renewals:
        name += 1
        daemon.ask(name, 10.0 + name / 100)
    lease = daemon.book.route("ada").leases[0]  # type: ignore[union-attr]
    assert lease.messages > 0
    assert lease.renew_at > 10.0 + name / 100


def test_what_was_taken_back_counts_in_its_own_slot_alone() -> None:
    """However late it is collected."""
    daemon = OneDaemon()
    daemon.learn(terms(1_000_000))
    for number in range(200):
        daemon.ask(number, 297.0 + number / 1000)
    lease = daemon.book.route("ada").leases[0]  # type: ignore[union-attr]
    held = lease.messages
    assert held
    daemon.book.tidy(305.0)
    trip = daemon.book.prepare((), 305.0)
    assert [(owed.messages, owed.slot) for owed in trip.owed] == [(held, int(NOON + 297.2) // 300)]


def held_at_the_end_of_a_slot() -> tuple[OneDaemon, Lease]:
    """Return a daemon that has sent 200 messages, and its lease, which is to be renewed."""
    daemon = OneDaemon()
    daemon.learn(terms(1_000_000))
    name = 0
    while name < 200 or not daemon.book.renewals:
        name += 1
        daemon.ask(name, 297.0 + name / 1000)
    lease = daemon.book.route("ada").leases[0]  # type: ignore[union-attr]
    assert lease.messages > 0
    return daemon, lease


def test_what_is_left_of_the_last_slot_is_not_mixed_with_what_is_granted_in_this_one() -> None:
    """It goes back into the slot that it was counted in: spent now, it would be free again too early."""
    daemon, lease = held_at_the_end_of_a_slot()
    left, old = lease.messages, lease.slot
    trip = daemon.book.prepare((), 301.0)
    batch = batch_of(trip.keys, daemon.rows.items(), NOON + 301, 1)
    trip.work(batch)
    daemon.book.settle(trip)
    assert lease.slot == old + 1
    assert lease.messages == trip.grants[lease.key][1].messages
    back = daemon.book.prepare((), 301.0)
    assert [(owed.messages, owed.slot) for owed in back.owed] == [(left, old)]


def test_what_was_granted_by_a_clock_set_back_is_given_back_whole() -> None:
    """It was counted in the newest slot, not in that which the clock tells."""
    daemon = OneDaemon()
    daemon.learn(terms(1_000_000))
    daemon.ask(0, 0.0)
    daemon.behind = 3600.0
    for number in range(1, 40):
        daemon.ask(number, 40.0 + number / 1000)
    lease = daemon.book.route("ada").leases[0]  # type: ignore[union-attr]
    assert lease.messages > 0
    daemon.book.give_back_all()
    daemon.make(daemon.book.prepare((), 41.0), 41.0)
    assert Tally(daemon.rows[lease.key]).totals[0] == 40


def test_what_was_reserved_in_the_last_slot_goes_back_into_that() -> None:
    """Where the message is not sent in the end."""
    daemon, lease = held_at_the_end_of_a_slot()
    old = lease.slot
    request = SendingRequest(ADA, Phase.CHARGE, "", ADA.domain, recipient_count=1)
    item = daemon.book._reserve(
        daemon.book.prepare((), 297.5),
        Waiting(request, "ada", 9999, 297.5),
        daemon.book.route("ada"),
        1,  # type: ignore[arg-type]
    )
    assert item.reserved == [(lease, old)]
    left, lease.slot = lease.messages, old + 1
    daemon.book._unreserve(item)
    assert lease.messages == left
    assert [(owed.messages, owed.slot) for owed in daemon.book.prepare((), 301.0).owed] == [(1, old)]
