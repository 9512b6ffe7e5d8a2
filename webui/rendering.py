"""What templates can call beside their own values: filters for sizes, times and names, and the page's frame."""

import functools
import hashlib
from datetime import datetime

from babel.numbers import format_decimal
from flask import Flask
from flask_babel import format_date, format_datetime, format_time
from flask_babel import gettext as _
from flask_login import current_user
from markupsafe import Markup

from smailor.accounts.permissions import Permission
from smailor.address import DomainName
from smailor.errors import InvalidInput, SmailorError
from webui import access, navigation
from webui.context import context
from webui.mail.folders import to_url
from webui.texts import language
from webui.workspace.creating import may_create

HUES = 8
SEEN = 4096
"""How many names and addresses are remembered with what was made of them: lists show the same ones again and again."""


def init_app(app: Flask) -> None:
    """Register filters and globals."""
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        size=size,
        number=number,
        moment=moment,
        day=day,
        long_moment=long_moment,
        exact_moment=exact_moment,
        initials=initials,
        hue=hue,
        folder_url=to_url,
        unicode_address=unicode_address,
    )

    @app.context_processor
    def frame() -> dict[str, object]:
        return {
            "service_name": context().settings.service.name,
            "person": current_user.view if _signed_in() else None,
            "memberships": access.memberships if _signed_in() else tuple,
            "may": access.may,
            "navigation": navigation,
            "may_create": may_create,
            "Permission": Permission,
        }


def _signed_in() -> bool:
    try:
        return bool(current_user.is_authenticated)
    except SmailorError:
        return False


def number(value: float) -> str:
    """Return a number as the page's language writes it: `1,234`."""
    return _number(value, language())


@functools.lru_cache(10_000)
def _number(value: float, code: str) -> str:
    # A page shows the same few over and over; a hundred of them took Babel 2 ms.
    return format_decimal(value, locale=code)


def size(count: int) -> str:
    """Return a number of bytes for people: `12 KB`."""
    value = float(count)
    if value < 1024:
        return str(_("%(number)s bytes", number=count))
    for unit in ("KB", "MB", "GB"):
        value /= 1024
        if value < 1024 or unit == "GB":
            break
    return f"{number(round(value) if unit == 'KB' or value >= 10 else round(value, 1))} {unit}"


def moment(when: datetime | None) -> Markup:
    """Return a time for a list: the hour today, the day this year, the date before that. A script makes it local."""
    if when is None:
        return Markup("")
    today = context().clock()
    if when.date() == today.date():
        text = format_time(when, "HH:mm")
    else:
        text = format_date(when, "d MMM" if when.year == today.year else "d MMM y")
    return Markup('<time datetime="{}" data-style="short">{}</time>').format(_iso(when), text)


def day(when: datetime) -> str:
    """Return a date in words, within a sentence."""
    return str(format_date(when, "long"))


def long_moment(when: datetime | None) -> Markup:
    """Return a time in full, in UTC; a script makes it local."""
    if when is None:
        return Markup("{}").format(_("no date"))
    text = format_datetime(when, "EEEE, d MMMM y, HH:mm 'UTC'")
    return Markup('<time datetime="{}" data-style="long">{}</time>').format(_iso(when), text)


def exact_moment(when: datetime) -> Markup:
    """Return a time to the second, in UTC, for records; a script makes it local."""
    text = format_datetime(when, "y-MM-dd HH:mm:ss")
    return Markup('<time datetime="{}" data-style="exact">{}</time>').format(_iso(when), text)


def _iso(when: datetime) -> str:
    return when.isoformat(timespec="seconds").replace("+00:00", "Z")


def initials(name: str) -> str:
    """Return one or two letters for a person without a picture."""
    words = [word for word in name.replace("@", " ").replace(".", " ").split() if word[:1].isalnum()]
    return ("".join(word[0] for word in words[:2]) or "?").upper()


@functools.lru_cache(SEEN)
def hue(name: str) -> int:
    """Return a number below HUES, always the same for a name."""
    return hashlib.sha256(name.casefold().encode("utf-8", "replace")).digest()[0] % HUES


@functools.lru_cache(SEEN)
def unicode_address(address: str) -> str:
    """Return an address as people write it: U-labels where the domain has any."""
    local_part, at, domain = address.rpartition("@")
    try:
        return f"{local_part}{at}{DomainName.parse(domain).unicode}"
    except (InvalidInput, UnicodeError):
        return address
