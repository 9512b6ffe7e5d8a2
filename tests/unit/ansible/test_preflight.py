"""What check.yml finds missing in the service's zone, and in a server's names."""

import importlib.util
from pathlib import Path

PREFLIGHT = Path(__file__).parents[3] / "ansible" / "preflight"
WISHES = {
    "domain": "example.org",
    "mx": ["mx1.example.org"],
    "names": ["mail.example.org"],
    "spf_include": "_spf.example.org",
    "srs_domain": "srs.example.org",
    "mta_sts": ["example.org"],
}
COMPLETE = {
    ("mx1.example.org", "A"): ["192.0.2.10"],
    ("mail.example.org", "AAAA"): ["2001:db8::10"],
    ("example.org", "MX"): ["mx1.example.org"],
    ("srs.example.org", "MX"): ["mx1.example.org"],
    ("_spf.example.org", "TXT"): ["v=spf1 a:mx1.example.org -all"],
    ("example.org", "TXT"): ["some-site-verification=1", "v=spf1 include:_spf.example.org -all"],
    ("srs.example.org", "TXT"): ["v=spf1 include:_spf.example.org -all"],
    ("_dmarc.example.org", "TXT"): ["v=DMARC1; p=reject"],
    ("_mta-sts.example.org", "TXT"): ["v=STSv1; id=1"],
    ("_smtp._tls.example.org", "TXT"): ["v=TLSRPTv1; rua=mailto:postmaster@example.org"],
    ("example.org", "CAA"): ['0 issue "letsencrypt.org"'],
}


def load(name):
    spec = importlib.util.spec_from_file_location(f"preflight_{name}", PREFLIGHT / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


zone, server = load("zone"), load("server")


class FakeZone(zone.Zone):
    def __init__(self, records):
        self._records = records

    def records(self, name, kind):
        return self._records.get((name, kind), [])


def test_a_complete_zone_is_left_alone():
    assert zone.findings(FakeZone(COMPLETE), WISHES) == []


def test_each_missing_record_is_named_with_the_line_that_adds_it():
    for name, kind in COMPLETE:
        rest = {key: value for key, value in COMPLETE.items() if key != (name, kind)}
        found = zone.findings(FakeZone(rest), WISHES)
        assert found, (name, kind)
        for entry in found:
            assert entry["fix"].startswith("Add to the zone:  "), (name, kind)
            assert f"{name}. " in entry["fix"], (name, kind)


def test_only_what_mail_cannot_do_without_stands_in_the_way():
    records = {key: value for key, value in COMPLETE.items() if key[1] != "CAA" and "_tls" not in key[0]}
    assert [entry["blocks"] for entry in zone.findings(FakeZone(records), WISHES)] == [False, False]


def test_an_address_of_somebody_else_is_told():
    [found] = server.check_names("mx1.example.org", ["192.0.2.10"])
    assert "not this server's" in found["what"]


def test_a_clock_that_is_right_or_wrong(monkeypatch):
    monkeypatch.setattr(server.time, "time", lambda: 1000.0)
    assert server.check_clock(998.0, seconds=5) == []
    [found] = server.check_clock(900.0, seconds=5)
    assert "+100 s" in found["what"]


def test_a_resolver_elsewhere_is_worth_knowing(tmp_path):
    file = tmp_path / "resolv.conf"
    file.write_text("search example.org\nnameserver 192.0.2.53\n")
    [found] = server.check_resolver(file, spamhaus=False)
    assert not found["blocks"]
    file.write_text("nameserver 127.0.0.1\nnameserver ::1\noptions edns0 trust-ad\n")
    assert server.check_resolver(file, spamhaus=False) == []
