"""Passwords that people choose (bcrypt) and secrets that we draw (SHA-256 of 160 random bits). Pure but for the draw.

A drawn secret cannot be guessed, so a fast digest is enough and Dovecot can look it up; a chosen one can, so it is
hashed slowly. bcrypt reads 72 bytes only: longer passwords are digested first, never cut silently.
"""

import base64
import hashlib
import secrets

import bcrypt

from smailor.errors import InvalidInput

MIN_LENGTH = 12
MAX_LENGTH = 1000
ROUNDS = 12
"""bcrypt's cost, as a power of two: about a quarter of a second."""
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""32 characters that cannot be confused when read aloud: five bits each."""


def hash_password(password: str) -> str:
    """Return the bcrypt hash of a chosen password.

    Args:
        password: 12 to 1,000 characters, NUL excluded.

    Raises:
        InvalidInput: the password is too short or too long.
    """
    if len(password) < MIN_LENGTH:
        raise InvalidInput("password", f"needs at least {MIN_LENGTH} characters")
    if len(password) > MAX_LENGTH:
        raise InvalidInput("password", f"has at most {MAX_LENGTH} characters")
    return bcrypt.hashpw(_digest(password), bcrypt.gensalt(ROUNDS)).decode("ascii")


def password_matches(password: str, password_hash: str) -> bool:
    """Tell whether the password is the one that was hashed, in a time that does not depend on where they differ."""
    return bcrypt.checkpw(_digest(password[: MAX_LENGTH + 1]), password_hash.encode("ascii"))


def _digest(password: str) -> bytes:
    """Every password as 44 characters without NUL, so that bcrypt sees all of it."""
    return base64.b64encode(hashlib.sha256(password.encode("utf-8", "surrogatepass")).digest())


def draw_secret() -> str:
    """Return a new secret of 160 random bits in eight groups, such as `k7wq-…`, for a person to copy."""
    characters = [secrets.choice(_ALPHABET) for _ in range(32)]
    return "-".join("".join(characters[start : start + 4]) for start in range(0, 32, 4))


def digest_secret(secret: str) -> str:
    """Return the lower-case hexadecimal SHA-256 under which a drawn secret is kept."""
    return hashlib.sha256(secret.encode("utf-8")).hexdigest()
