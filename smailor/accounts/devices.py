"""What a browser says it is, in words a person knows their own device by: `Firefox on Linux`. Pure.

Browsers say what they like (RFC 9110 section 10.1.5), so the words are for recognising, never for deciding. Only words
of ours come out: nothing that a client sent is shown.
"""

MAX_READ = 500
"""Characters of a User-Agent that are looked at."""

_BROWSERS = (
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Epiphany/", "GNOME Web"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
"""Most particular first: most browsers name those that they descend from, too."""
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
)


def words(user_agent: str) -> str:
    """Return browser and system in words; empty: neither is known.

    Args:
        user_agent: the header's value, whatever it holds.
    """
    text = user_agent[:MAX_READ]
    browser = next((name for mark, name in _BROWSERS if mark in text), "")
    system = next((name for mark, name in _SYSTEMS if mark in text), "")
    return f"{browser} on {system}" if browser and system else browser or system
