"""The errors that rooms raise and faces translate (web page, CLI line, SMTP code).

Every error knows whether trying again can help (`temporary`), so that a mail-facing caller answers 4xx or 5xx
without guessing. Texts are written for the person who reads them and never hold a secret.
"""

from typing import ClassVar


class SmailorError(Exception):
    """Base of all errors that the service raises on purpose."""

    temporary: ClassVar[bool] = False


class ConfigError(SmailorError):
    """The configuration cannot be used; the text names file, line and key."""


class InvalidInput(SmailorError):
    """A value that somebody gave is not acceptable.

    Attributes:
        field: name of the value at fault, as a form or command would call it.
        message: what is wrong with it and what would be accepted.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class NotFound(SmailorError):
    """The object does not exist, or not for the one who asks."""


class Conflict(SmailorError):
    """The object exists already, or something else holds its place."""


class PermissionDenied(SmailorError):
    """The asker may not do this."""


class TemporaryFailure(SmailorError):
    """Something needed does not answer now; trying later can help."""

    temporary: ClassVar[bool] = True
