"""What keeps machines from signing up by the thousand: nothing, a second of the browser's work, or Turnstile.

`work` asks nobody else: the browser looks for a number whose hash with our challenge begins with enough zero bits. The
challenge is signed, so that none is kept for people who only look at the form; a solved one is, so that it works once.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy.exc import IntegrityError

from smailor.accounts import provider_http
from smailor.accounts.models import PendingLogin
from smailor.config import Settings
from smailor.database.engine import Database

ACTION = "sign-up"
"""What Turnstile's answers are for."""
WORK_LIFETIME = timedelta(minutes=30)
MAX_ANSWER = 4096
_USED = "captcha-used"


def challenge(settings: Settings, *, now: datetime) -> str:
    """Return a new challenge for the browser's work.

    Args:
        settings: the configuration: key and difficulty.
        now: the present moment.
    """
    expires = int((now + WORK_LIFETIME).timestamp())
    text = f"{expires}.{settings.captcha.work_bits}.{secrets.token_hex(16)}"
    return f"{text}.{_signature(settings, text)}"


def work_done(database: Database, settings: Settings, *, answer: str, now: datetime) -> bool:
    """Tell whether the browser did the work, for a challenge of ours that has not been used.

    Args:
        database: where solved challenges are kept until they would run out.
        settings: the configuration.
        answer: challenge and number, with a colon between.
        now: the present moment.
    """
    given, colon, number = answer.rpartition(":")
    text, _, signature = given.rpartition(".")
    if not colon or not answer.isascii() or len(answer) > 300 or not number.isdigit():
        return False
    if not hmac.compare_digest(signature, _signature(settings, text)):
        return False
    expires, bits, _ = text.split(".")  # ours: it is signed
    if int(expires) <= now.timestamp() or zero_bits(hashlib.sha256(answer.encode()).digest()) < int(bits):
        return False
    return _first_use(database, given, expires_at=datetime.fromtimestamp(int(expires), tz=now.tzinfo), now=now)


def turnstile_passed(settings: Settings, *, answer: str) -> bool:
    """Ask Turnstile whether its widget was passed on our form. The client's address is not told.

    Args:
        settings: the configuration.
        answer: what the widget put into the form; good once, for five minutes: Turnstile sees to it.

    Raises:
        NoAnswer: Turnstile does not answer. Nobody signs up until it does.
    """
    if not 0 < len(answer) <= MAX_ANSWER or not answer.isascii():
        return False
    told = provider_http.post_json(
        f"{settings.captcha.origin}/turnstile/v0/siteverify",
        {"secret": settings.captcha.secret_key, "response": answer},
    )
    ours = urlsplit(settings.web.public_url).hostname
    return told.get("success") is True and told.get("hostname") == ours and told.get("action") == ACTION


def zero_bits(digest: bytes) -> int:
    """Return with how many zero bits a digest begins. Pure."""
    return len(digest) * 8 - int.from_bytes(digest, "big").bit_length()


def _first_use(database: Database, given: str, *, expires_at: datetime, now: datetime) -> bool:
    used = PendingLogin(
        purpose=_USED,
        user_id=None,
        token_sha256=hashlib.sha256(f"{_USED} {given}".encode()).hexdigest(),
        values={},
        attempts=0,
        created_at=now,
        expires_at=expires_at,
    )
    try:
        with database.transaction() as session:
            session.add(used)
    except IntegrityError:
        return False
    return True


def _signature(settings: Settings, text: str) -> str:
    key = hashlib.sha256(f"captcha {settings.secrets.session_key}".encode()).digest()
    return hmac.digest(key, text.encode("utf-8", "replace"), "sha256").hex()
