"""The private authority, as a TLS client sees it."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store

from smailor.stack.certificates import Authority


def test_a_client_that_trusts_the_authority_accepts_its_certificates(tmp_path, now):
    authority = Authority.load_or_make(tmp_path / "ca.pem", tmp_path / "ca.key", now=now)
    authority.issue(tmp_path / "c.pem", tmp_path / "c.key", names=("mx.smailor.test", "mail.smailor.test"), now=now)
    leaf = x509.load_pem_x509_certificate((tmp_path / "c.pem").read_bytes())
    for name in ("mx.smailor.test", "mail.smailor.test", "localhost"):
        verifier = PolicyBuilder().store(Store([authority.certificate])).time(now)
        verifier.build_server_verifier(x509.DNSName(name)).verify(leaf, [])
    assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)


def test_keys_are_readable_by_their_owner_alone(tmp_path, now):
    authority = Authority.load_or_make(tmp_path / "ca.pem", tmp_path / "ca.key", now=now)
    authority.issue(tmp_path / "c.pem", tmp_path / "c.key", names=("a.test",), now=now)
    for key in ("ca.key", "c.key"):
        assert (tmp_path / key).stat().st_mode & 0o777 == 0o600


def test_the_authority_of_a_kept_directory_stays_the_same(tmp_path, now):
    first = Authority.load_or_make(tmp_path / "ca.pem", tmp_path / "ca.key", now=now)
    second = Authority.load_or_make(tmp_path / "ca.pem", tmp_path / "ca.key", now=now)
    assert second.certificate == first.certificate
