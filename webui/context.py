"""What every view needs, in one value: made in `create_app`, found through the current application."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import current_app

from smailor.accounts.desk import Desk
from smailor.accounts.providers import Providers
from smailor.config import Settings
from smailor.database.engine import Database
from smailor.dns.answer import DnsClient
from smailor.sealing import Sealer
from webui.courier import Courier
from webui.mail.office import PostOffice


@dataclass(frozen=True, slots=True)
class Context:
    """The application's parts.

    Attributes:
        settings: the configuration.
        database: where the state is.
        resolver: asks the DNS.
        sealer: seals DKIM private keys.
        post_office: IMAP and submission.
        desk: what letters about accounts are written with, and the passwords that are refused.
        courier: sends letters as soon as they are posted.
        clock: gives the present moment.
        providers: whom people may log in by.
    """

    settings: Settings
    database: Database
    resolver: DnsClient
    sealer: Sealer
    post_office: PostOffice
    desk: Desk
    courier: Courier
    clock: Callable[[], datetime]
    providers: Providers


def context() -> Context:
    """Return the current application's context."""
    return cast("Context", current_app.extensions["smailor"])
