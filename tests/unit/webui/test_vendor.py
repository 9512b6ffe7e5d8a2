"""Packages for browsers: what is committed is what the lock says, and nothing else is ever taken."""

import importlib.util
import io
import tarfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location("vendor", PROJECT / "scripts" / "vendor.py")
vendor = importlib.util.module_from_spec(spec)
spec.loader.exec_module(vendor)


def package(**files: bytes) -> bytes:
    """An npm package with these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def lock(archive: bytes, **files: str) -> dict:
    return {
        "name": "thing",
        "version": "1.0.0",
        "integrity": vendor.integrity(archive),
        "folder": "webui/static/vendor/thing",
        "files": files,
    }


def test_what_is_committed_is_what_the_lock_made():
    assert vendor.problems() == []


def test_only_named_files_are_taken():
    archive = package(a=b"wanted", b=b"not wanted")
    assert vendor.wanted_files(lock(archive, a="a.css"), archive) == {vendor.VENDOR / "thing" / "a.css": b"wanted"}


def test_a_package_with_another_digest_is_refused():
    archive = package(a=b"wanted")
    with pytest.raises(vendor.VendorError, match="not what was pinned"):
        vendor.wanted_files(lock(archive, a="a.css"), package(a=b"other"))


def test_a_package_without_a_wanted_file_is_refused():
    archive = package(a=b"wanted")
    with pytest.raises(vendor.VendorError, match="no package/b"):
        vendor.wanted_files(lock(archive, b="b.css"), archive)


def test_a_link_in_a_package_is_no_file():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo("package/a")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(vendor.VendorError, match="no file"):
        vendor.wanted_files(lock(out.getvalue(), a="a"), out.getvalue())


def test_a_file_changed_by_hand_is_noticed(monkeypatch, tmp_path):
    sums = tmp_path / "SHA256SUMS"
    sums.write_text(f"{'0' * 64}  webui/static/vendor/packages.toml\n")
    monkeypatch.setattr(vendor, "SUMS", sums)
    found = vendor.problems()
    assert any("changed by hand" in problem for problem in found)
    assert any("is in no package" in problem for problem in found)
