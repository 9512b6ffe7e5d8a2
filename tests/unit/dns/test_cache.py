from smailor.dns.answer import Answer, Outcome
from smailor.dns.cache import AnswerCache


def answer(name: str, ttl: int = 60) -> Answer:
    return Answer(name, "A", Outcome.OK, ("192.0.2.1",), ttl)


def test_an_answer_is_kept_for_its_ttl_and_counts_down() -> None:
    cache = AnswerCache()
    cache.put(("a.test.", "A"), answer("a.test", ttl=60), now=100.0)
    kept = cache.get(("a.test.", "A"), now=145.5)
    assert kept is not None
    assert (kept.records, kept.ttl) == (("192.0.2.1",), 14)
    assert cache.get(("a.test.", "A"), now=160.0) is None
    assert len(cache) == 0


def test_an_answer_without_a_ttl_is_not_kept() -> None:
    cache = AnswerCache()
    cache.put(("a.test.", "A"), answer("a.test", ttl=0), now=100.0)
    assert cache.get(("a.test.", "A"), now=100.0) is None


def test_no_ttl_outlives_the_ceiling() -> None:
    cache = AnswerCache(longest_seconds=10)
    cache.put(("a.test.", "A"), answer("a.test", ttl=604800), now=0.0)
    assert cache.get(("a.test.", "A"), now=9.0) is not None
    assert cache.get(("a.test.", "A"), now=10.0) is None


def test_the_least_recently_used_answer_leaves_a_full_cache() -> None:
    cache = AnswerCache(entries=2)
    for name in ("a", "b"):
        cache.put((name, "A"), answer(name), now=0.0)
    assert cache.get(("a", "A"), now=1.0) is not None
    cache.put(("c", "A"), answer("c"), now=2.0)
    assert len(cache) == 2
    assert cache.get(("b", "A"), now=3.0) is None
    assert cache.get(("a", "A"), now=3.0) is not None
