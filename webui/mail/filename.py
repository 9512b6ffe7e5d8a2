"""File names of attachments: from what a stranger wrote to what is safe to save, and into a header. Pure."""

import re
import unicodedata
from urllib.parse import quote

MAX_LENGTH = 120
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)", re.IGNORECASE)
_EXTENSIONS = {
    "text/plain": ".txt",
    "text/html": ".html",
    "text/calendar": ".ics",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "application/pdf": ".pdf",
    "message/rfc822": ".eml",
    "message/delivery-status": ".txt",
}


def extension(content_type: str) -> str:
    """Return the usual extension of a content type, with its dot; "" for one we do not know."""
    return _EXTENSIONS.get(content_type, "")


def safe(name: str, *, fallback: str) -> str:
    """Return a file name without path, controls, device names or marks that hide its extension.

    Args:
        name: as the sender wrote it.
        fallback: what to take where nothing is left.
    """
    base = name.replace("\\", "/").rpartition("/")[2]
    # Format characters (category Cf) turn "exe.txt" around on screen, or show nothing.
    visible = "".join(
        sign for sign in base if unicodedata.category(sign) not in {"Cf", "Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
    )
    cleaned = _UNSAFE.sub("_", visible).strip(" .")
    if len(cleaned) > MAX_LENGTH:
        stem, dot, suffix = cleaned.rpartition(".")
        cleaned = (
            f"{stem[: MAX_LENGTH - len(suffix) - 1]}.{suffix}" if dot and len(suffix) < 12 else cleaned[:MAX_LENGTH]
        )
    if _RESERVED.match(cleaned):
        cleaned = f"_{cleaned}"
    return cleaned or fallback


def disposition(name: str) -> str:
    """Return a Content-Disposition that makes browsers save the file under this name (RFC 6266, RFC 8187).

    Args:
        name: from `safe`.
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii") or "attachment"
    plain = re.sub(r"[^A-Za-z0-9 ._()+=@,-]", "_", ascii_name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
