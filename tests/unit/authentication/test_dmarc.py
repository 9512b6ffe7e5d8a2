"""DMARC by RFC 9989: tree walk, alignment, policy, and what happens while the DNS does not answer."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smailor.authentication.dmarc import evaluate, walk, walk_names
from smailor.authentication.dmarc_record import Policy
from smailor.authentication.from_field import author_domains
from smailor.authentication.results import DmarcResult, DmarcStatus, SpfIdentity, SpfResult, SpfStatus
from smailor.authentication.verify import DkimResult, DkimStatus
from smailor.dns.fake import FakeResolver

REJECT = "v=DMARC1; p=reject"


def spf(status: str, domain: str = "example.org") -> SpfResult:
    return SpfResult(SpfStatus(status), domain, SpfIdentity.MAIL_FROM, f"x@{domain}", "")


def dkim(status: str, domain: str = "example.org") -> DkimResult:
    return DkimResult(DkimStatus(status), domain, "s", "rsa-sha256", f"@{domain}", "")


def zone(records: Mapping[str, str], *, failing: Sequence[str] = (), names: Sequence[str] = ()) -> FakeResolver:
    """DMARC records by domain; `failing` and `names` (that exist) are whole names."""
    entries = {(f"_dmarc.{name}", "TXT"): [text] for name, text in records.items()}
    return FakeResolver(entries | {(name, "A"): ["192.0.2.1"] for name in names}, failing=failing)


def judge(
    author: str,
    client: FakeResolver,
    *,
    by_spf: SpfResult | None = None,
    by_dkim: Sequence[DkimResult] = (),
) -> DmarcResult:
    return evaluate(
        author_domains([f"Ada <ada@{author}>".encode()]), spf=by_spf or spf("none"), dkim=by_dkim, resolver=client
    )


# The tree walk.


def test_the_walk_asks_eight_names_at_most() -> None:
    """The example of section 4.10."""
    assert walk_names("a.b.c.d.e.f.g.h.i.j.mail.example.com") == (
        "a.b.c.d.e.f.g.h.i.j.mail.example.com",
        "g.h.i.j.mail.example.com",
        "h.i.j.mail.example.com",
        "i.j.mail.example.com",
        "j.mail.example.com",
        "mail.example.com",
        "example.com",
        "com",
    )
    assert walk_names("a.mail.example.com") == ("a.mail.example.com", "mail.example.com", "example.com", "com")
    assert len(walk_names("1.2.3.4.5.6.7.8")) == 8
    assert walk_names("localhost") == ("localhost",)


@pytest.mark.parametrize(
    ("records", "organization"),
    [
        # Section 4.10.2, the three examples.
        ({"mail.example.com": "v=DMARC1", "example.com": "v=DMARC1"}, "example.com"),
        ({"mail.example.com": "v=DMARC1; psd=n"}, "mail.example.com"),
        ({"com": "v=DMARC1; psd=y"}, "example.com"),
        # The longest name with psd decides.
        ({"mail.example.com": "v=DMARC1; psd=n", "example.com": "v=DMARC1"}, "mail.example.com"),
        ({"example.com": "v=DMARC1; psd=y", "com": "v=DMARC1; psd=n"}, "mail.example.com"),
        ({"a.mail.example.com": "v=DMARC1; psd=y"}, "a.mail.example.com"),
        ({"a.mail.example.com": "v=DMARC1; psd=y", "example.com": "v=DMARC1"}, "a.mail.example.com"),
        ({"a.mail.example.com": "v=DMARC1", "com": "v=DMARC1; psd=y"}, "example.com"),
        ({}, "a.mail.example.com"),
        ({"com": "v=DMARC1; psd=n"}, "com"),
        # A top-level domain that forgot its psd=y (our deviation).
        ({"com": "v=DMARC1"}, "example.com"),
        ({"example.com": "v=DMARC1", "com": "v=DMARC1"}, "example.com"),
    ],
)
def test_organizational_domain(records: dict[str, str], organization: str) -> None:
    assert walk("a.mail.example.com", zone(records)).organizational_domain == organization


def test_the_walk_stops_at_psd() -> None:
    client = zone({"mail.example.com": "v=DMARC1; psd=n", "example.com": "v=DMARC1"})
    walk("a.mail.example.com", client)
    assert client.asked == [("_dmarc.a.mail.example.com", "TXT"), ("_dmarc.mail.example.com", "TXT")]


# Alignment.


@pytest.mark.parametrize(
    ("author", "record", "identifier", "passes"),
    [
        ("example.org", REJECT, "example.org", True),
        ("news.example.org", REJECT, "foo.example.org", True),
        ("example.org", REJECT, "foo.example.org", True),
        ("news.example.org", REJECT, "example.org", True),
        ("news.example.org", REJECT, "example.net", False),
        ("example.org", REJECT, "notexample.org", False),
        ("example.org", REJECT, "org", False),
        ("example.org", REJECT + "; adkim=s; aspf=s", "foo.example.org", False),
        ("example.org", REJECT + "; adkim=s; aspf=s", "example.org", True),
    ],
)
@pytest.mark.parametrize("by", ["spf", "dkim"])
def test_alignment(author: str, record: str, identifier: str, passes: bool, by: str) -> None:
    client = zone({"example.org": record})
    if by == "spf":
        result = judge(author, client, by_spf=spf("pass", identifier))
    else:
        result = judge(author, client, by_dkim=[dkim("fail", author), dkim("pass", identifier)])
    assert result.status is (DmarcStatus.PASS if passes else DmarcStatus.FAIL)
    assert result.aligned_by == ((by,) if passes else ())
    assert result.disposition is (Policy.NONE if passes else Policy.REJECT)
    assert result.reason


def test_modes_are_apart_for_spf_and_dkim() -> None:
    client = zone({"example.org": REJECT + "; adkim=s"})
    by_spf, by_dkim = spf("pass", "foo.example.org"), [dkim("pass", "foo.example.org")]
    assert judge("example.org", client, by_spf=by_spf, by_dkim=by_dkim).aligned_by == ("spf",)


def test_a_subdomain_with_psd_n_is_another_organization() -> None:
    client = zone({"example.org": REJECT, "tenant.example.org": "v=DMARC1; p=reject; psd=n"})
    assert judge("example.org", client, by_dkim=[dkim("pass", "tenant.example.org")]).status is DmarcStatus.FAIL
    assert judge("tenant.example.org", client, by_dkim=[dkim("pass", "example.org")]).status is DmarcStatus.FAIL


def test_domains_below_a_public_suffix_do_not_align() -> None:
    client = zone({"co.uk": "v=DMARC1; p=none; psd=y", "bank.co.uk": REJECT})
    assert judge("bank.co.uk", client, by_dkim=[dkim("pass", "evil.co.uk")]).status is DmarcStatus.FAIL
    assert judge("evil.co.uk", client, by_dkim=[dkim("pass", "bank.co.uk")]).status is DmarcStatus.FAIL


@pytest.mark.parametrize("status", ["none", "neutral", "fail", "softfail", "permerror"])
def test_only_a_pass_of_spf_counts(status: str) -> None:
    assert judge("example.org", zone({"example.org": REJECT}), by_spf=spf(status)).status is DmarcStatus.FAIL


@pytest.mark.parametrize("status", ["fail", "policy", "neutral", "permerror"])
def test_only_a_pass_of_dkim_counts(status: str) -> None:
    assert judge("example.org", zone({"example.org": REJECT}), by_dkim=[dkim(status)]).status is DmarcStatus.FAIL


# Policy.


def test_without_a_record_dmarc_does_not_apply() -> None:
    result = judge("example.org", zone({}), by_spf=spf("pass"))
    assert (result.status, result.disposition) == (DmarcStatus.NONE, Policy.NONE)


@pytest.mark.parametrize(
    ("author", "record", "names", "policy", "tag"),
    [
        ("example.org", "v=DMARC1; p=reject; sp=none; np=none", [], Policy.REJECT, "p"),
        ("a.example.org", "v=DMARC1; p=reject", ["a.example.org"], Policy.REJECT, "p"),
        ("a.example.org", "v=DMARC1; p=reject; sp=quarantine", ["a.example.org"], Policy.QUARANTINE, "sp"),
        ("a.example.org", "v=DMARC1; p=none; sp=quarantine; np=reject", ["a.example.org"], Policy.QUARANTINE, "sp"),
        ("a.example.org", "v=DMARC1; p=none; sp=quarantine; np=reject", ["b.a.example.org"], Policy.QUARANTINE, "sp"),
        ("a.example.org", "v=DMARC1; p=none; sp=quarantine; np=reject", [], Policy.REJECT, "np"),
        ("a.example.org", "v=DMARC1; p=none; sp=quarantine", [], Policy.QUARANTINE, "sp"),
        ("a.example.org", "v=DMARC1; p=quarantine; np=reject", ["a.example.org"], Policy.QUARANTINE, "p"),
        ("a.example.org", "v=DMARC1; p=quarantine; np=reject", [], Policy.REJECT, "np"),
    ],
)
def test_which_policy_applies(author: str, record: str, names: list[str], policy: Policy, tag: str) -> None:
    result = judge(author, zone({"example.org": record}, names=names))
    assert (result.policy, result.policy_tag, result.disposition) == (policy, tag, policy)
    assert (result.policy_domain, result.organizational_domain) == ("example.org", "example.org")


def test_policy_of_the_public_suffix() -> None:
    """Section 4.10.1: the author domain, its organisation, its public suffix, in this order."""
    suffix = {"bank": "v=DMARC1; p=none; sp=quarantine; np=reject; psd=y"}
    absent = judge("mail.gone.bank", zone(suffix))
    assert (absent.policy, absent.policy_domain, absent.organizational_domain) == (Policy.REJECT, "bank", "gone.bank")
    there = judge("my.bank", zone(suffix, names=["my.bank"]))
    assert there.policy is Policy.QUARANTINE
    assert judge("my.bank", zone(suffix | {"my.bank": "v=DMARC1"})).policy is Policy.NONE


def test_a_record_between_author_and_organization_has_no_policy_for_it() -> None:
    client = zone({"b.example.org": "v=DMARC1; p=none", "example.org": REJECT})
    assert judge("a.b.example.org", client).disposition is Policy.REJECT


@pytest.mark.parametrize(
    ("policy", "disposition"), [("reject", Policy.QUARANTINE), ("quarantine", Policy.NONE), ("none", Policy.NONE)]
)
def test_test_mode_is_one_level_below(policy: str, disposition: Policy) -> None:
    result = judge("example.org", zone({"example.org": f"v=DMARC1; p={policy}; t=y"}))
    assert (result.policy, result.disposition) == (Policy(policy), disposition)


def test_pct_is_not_known_any_more() -> None:
    assert judge("example.org", zone({"example.org": REJECT + "; pct=0"})).disposition is Policy.REJECT


def test_a_record_that_is_not_valid_does_not_apply() -> None:
    result = judge("example.org", zone({"example.org": "v=DMARC1; p=block"}), by_spf=spf("pass"))
    assert (result.status, result.disposition) == (DmarcStatus.NONE, Policy.NONE)


# The From field.


@pytest.mark.parametrize("values", [[], [b"a@example.org", b"a@example.org"], [b"root"], [b"a@b.example <"]])
def test_a_malformed_from_is_refused(values: list[bytes]) -> None:
    result = evaluate(author_domains(values), spf=spf("pass"), dkim=[dkim("pass")], resolver=zone({}))
    assert (result.status, result.disposition) == (DmarcStatus.PERMERROR, Policy.REJECT)


def test_a_group_without_members_is_suspicious() -> None:
    result = evaluate(author_domains([b"Nobody:;"]), spf=spf("pass"), dkim=[], resolver=zone({}))
    assert (result.status, result.disposition) == (DmarcStatus.PERMERROR, Policy.QUARANTINE)


def test_of_several_author_domains_the_strictest_policy_counts() -> None:
    """Section 11.5: "apply the most strict policy selected among the checks that fail"."""
    client = zone({"example.org": "v=DMARC1; p=quarantine", "example.net": "v=DMARC1; p=none", "bank.example": REJECT})
    both = author_domains([b"a@example.org, b@example.net"])
    result = evaluate(both, spf=spf("pass", "example.org"), dkim=[], resolver=client)
    assert (result.status, result.domain, result.disposition) == (DmarcStatus.FAIL, "example.net", Policy.NONE)
    worse = author_domains([b"a@example.org, b@bank.example"])
    result = evaluate(worse, spf=spf("pass", "example.org"), dkim=[], resolver=client)
    assert (result.status, result.domain, result.disposition) == (DmarcStatus.FAIL, "bank.example", Policy.REJECT)
    assert result.domains == ("example.org", "bank.example")
    signed = [dkim("pass", "bank.example")]
    assert evaluate(worse, spf=spf("pass"), dkim=signed, resolver=client).status is DmarcStatus.PASS


def test_too_many_author_domains_are_refused() -> None:
    many = author_domains([b", ".join(b"a@%d.example.org" % number for number in range(5))])
    client = zone({})
    result = evaluate(many, spf=spf("pass"), dkim=[], resolver=client)
    assert (result.status, result.disposition) == (DmarcStatus.PERMERROR, Policy.REJECT)
    assert client.asked == []


# While the DNS does not answer.


def test_an_unanswered_identifier_that_could_align_is_worth_waiting_for() -> None:
    client = zone({"example.org": REJECT})
    for result in (
        judge("example.org", client, by_spf=spf("temperror")),
        judge("example.org", client, by_dkim=[dkim("temperror", "mail.example.org")]),
    ):
        assert (result.status, result.retry, result.disposition) == (DmarcStatus.TEMPERROR, True, Policy.NONE)


def test_an_unanswered_identifier_that_cannot_align_changes_nothing() -> None:
    client = zone({"example.org": REJECT})
    result = judge("example.org", client, by_spf=spf("temperror", "evil.example"))
    assert (result.status, result.disposition) == (DmarcStatus.FAIL, Policy.REJECT)


def test_a_pass_needs_no_other_answer() -> None:
    client = zone({"example.org": REJECT}, failing=["_dmarc.org"])
    result = judge("example.org", client, by_spf=spf("temperror"), by_dkim=[dkim("pass")])
    assert (result.status, result.aligned_by) == (DmarcStatus.PASS, ("dkim",))


def test_nothing_to_wait_for_without_a_policy() -> None:
    """Section 5.4: p=none "MUST NOT modify existing mail handling processes"."""
    result = judge("example.org", zone({"example.org": "v=DMARC1; p=none"}), by_spf=spf("temperror"))
    assert (result.status, result.retry) == (DmarcStatus.TEMPERROR, False)


@pytest.mark.parametrize(
    ("by_spf", "retry"),
    [
        (spf("pass", "example.org"), False),  # a pass, or no policy: nothing that delays mail
        (spf("pass", "mail.example.org"), True),
        (spf("temperror", "example.org"), True),
        (spf("pass", "evil.example"), False),
        (spf("fail", "example.org"), False),
    ],
)
def test_a_policy_that_cannot_be_had(by_spf: SpfResult, retry: bool) -> None:
    """Section 5.3.6: neither pass nor fail; a 451 only where a pass could still come."""
    result = judge("example.org", zone({}, failing=["_dmarc.example.org"]), by_spf=by_spf)
    assert (result.status, result.retry, result.disposition) == (DmarcStatus.TEMPERROR, retry, Policy.NONE)


def test_an_unknown_organization_is_no_pass_and_no_fail() -> None:
    client = zone({"news.example.org": REJECT}, failing=["_dmarc.example.org"])
    result = judge("news.example.org", client, by_dkim=[dkim("pass", "mail.example.org")])
    assert (result.status, result.retry) == (DmarcStatus.TEMPERROR, True)
    assert judge("news.example.org", client, by_dkim=[dkim("pass", "evil.example")]).status is DmarcStatus.FAIL


LABELS = st.sampled_from(["a", "b", "example", "org", "net", "com"])
NAMES = st.lists(LABELS, min_size=1, max_size=10).map(".".join)
RECORDS = st.dictionaries(
    NAMES,
    st.sampled_from(["v=DMARC1; p=reject", "v=DMARC1; p=reject; psd=n", "v=DMARC1; p=none; psd=y", "x"]),
    max_size=5,
)


@given(NAMES, NAMES, RECORDS, st.lists(NAMES, max_size=2))
def test_any_tree_has_a_verdict(author: str, identifier: str, records: dict[str, str], failing: list[str]) -> None:
    """Bounded questions; a pass only for what is below one organisation; the same from both sides."""
    client = zone(records, failing=[f"_dmarc.{name}" for name in failing])
    result = judge(author, client, by_dkim=[dkim("pass", identifier)])
    assert len(client.asked) <= 17
    if result.status is DmarcStatus.PASS and author != identifier:
        organization = result.organizational_domain
        assert all(f".{name}".endswith(f".{organization}") for name in (author, identifier))
        assert walk(identifier, client).organizational_domain == organization
    if result.disposition is not Policy.NONE:
        assert result.status is DmarcStatus.FAIL
