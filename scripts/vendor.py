"""Fetch what others made for browsers: npm packages, pinned by version and digest in webui/static/vendor/packages.toml.

    scripts/vendor.py           fetch, compare, unpack the files named there, make the icon sprite; needs npm
    scripts/vendor.py --check   compare what is committed with the lock; needs neither npm nor a net

A package whose digest is another than the lock's is not unpacked, and nothing is changed. No code of a package is run.
"""

import base64
import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
VENDOR = PROJECT / "webui" / "static" / "vendor"
LOCK = VENDOR / "packages.toml"
SUMS = VENDOR / "SHA256SUMS"
SPRITE = PROJECT / "webui" / "static" / "icons.svg"
OURS = VENDOR.parent / "own-icons.svg"
"""Symbols of our own, in the sprite as they are."""
OUTLINE = 'fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round"'
MAX_FILE_BYTES = 5 * 1024 * 1024


class VendorError(Exception):
    """What keeps a package from being taken."""


def integrity(archive: bytes) -> str:
    """Return the digest of a package as registries write it (W3C Subresource Integrity)."""
    return "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()


def wanted_files(package: dict[str, Any], archive: bytes) -> dict[Path, bytes]:
    """Return the content of each file that the lock names, by where it belongs.

    Raises:
        VendorError: the package is another than the pinned one, or lacks a file.
    """
    if integrity(archive) != package["integrity"]:
        raise VendorError(f"{package['name']} {package['version']} is not what was pinned: {integrity(archive)}")
    folder = PROJECT / package["folder"]
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        found = {folder / name: _member(tar, f"package/{place}") for place, name in package["files"].items()}
        if package.get("icons"):
            found[SPRITE] = _sprite(package, tar)
    return found


def problems() -> list[str]:
    """Say where what is committed is not what the lock made."""
    listed = dict(reversed(line.split("  ", 1)) for line in SUMS.read_text("utf-8").splitlines())
    found = [f"{name} is missing" for name in listed if not (PROJECT / name).is_file()]
    found += [
        f"{name} was changed by hand: change packages.toml and run make vendor"
        for name, digest in listed.items()
        if (PROJECT / name).is_file() and _sha256((PROJECT / name).read_bytes()) != digest
    ]
    folders = {PROJECT / package["folder"] for package in _packages()}
    present = {path for folder in folders for path in folder.rglob("*") if path.is_file()}
    found += [f"{path.relative_to(PROJECT)} is in no package" for path in present if _name(path) not in listed]
    return sorted(found)


def fetch(package: dict[str, Any]) -> bytes:
    """Return a package's archive from the registry that npm is set up for."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", folder]
        subprocess.run([*command, f"{package['name']}@{package['version']}"], check=True, stdout=subprocess.DEVNULL)
        (path,) = Path(folder).iterdir()
        return path.read_bytes()


def main() -> int:
    """Fetch, or check."""
    if "--check" in sys.argv[1:]:
        found = problems()
        print("\n".join(found) or "What is vendored is what the lock says.")
        return int(bool(found))
    contents: dict[Path, bytes] = {}
    try:
        for package in _packages():
            contents |= wanted_files(package, fetch(package))
            print(f"{package['name']} {package['version']}: {len(package['files'])} files")
    except (VendorError, subprocess.CalledProcessError, FileNotFoundError) as error:
        print(f"Nothing was changed: {error}", file=sys.stderr)
        return 1
    for path, content in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    contents[LOCK], contents[OURS] = LOCK.read_bytes(), OURS.read_bytes()
    lines = [f"{_sha256(content)}  {_name(path)}\n" for path, content in sorted(contents.items())]
    SUMS.write_text("".join(lines), "utf-8")
    return 0


def _packages() -> list[dict[str, Any]]:
    packages: list[dict[str, Any]] = tomllib.loads(LOCK.read_text("utf-8"))["package"]
    return packages


def _sprite(package: dict[str, Any], tar: tarfile.TarFile) -> bytes:
    symbols = [OURS.read_text("utf-8").strip()]
    for name, place in sorted(package["icons"].items()):
        source = _member(tar, f"package/icons/{place}.svg").decode("utf-8")
        shapes = re.findall(r"<(?:path|circle|rect|line|ellipse)\b[^>]*/>", source)
        drawn = "".join(" ".join(shape.split()) for shape in shapes if 'stroke="none"' not in shape)
        paint = OUTLINE if place.startswith("outline/") else 'fill="currentColor"'
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24" {paint}>{drawn}</symbol>')
    head = f"<!-- Tabler Icons {package['version']}, MIT, see vendor/tabler-icons/LICENSE; logos are our own. -->"
    return "\n".join(['<svg xmlns="http://www.w3.org/2000/svg">', head, *symbols, "</svg>", ""]).encode()


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    try:
        member = tar.getmember(name)
    except KeyError as error:
        raise VendorError(f"there is no {name} in it") from error
    file = tar.extractfile(member) if member.isfile() and member.size <= MAX_FILE_BYTES else None
    if file is None:
        raise VendorError(f"{name} is no file, or a very large one")
    return file.read()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _name(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


if __name__ == "__main__":
    sys.exit(main())
