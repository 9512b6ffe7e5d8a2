"""Processes of the milters: `smailor-milter signing --config FILE`, `smailor-milter dmarc --config FILE`."""

import importlib
import logging
from collections.abc import Callable
from pathlib import Path

import click

from milters import adapter, events
from milters.metrics import Meter
from milters.tenant import Tenant
from smailor import log
from smailor.config import Settings, load_settings
from smailor.errors import ConfigError, SmailorError

_LOG = logging.getLogger(__name__)


@click.group()
def main() -> None:
    """Milters of the mail service, each a process beside Postfix."""


_CONFIG = click.option(
    "--config", "path", type=click.Path(path_type=Path), help="TOML file; default $SMAILOR_CONFIG or /etc/smailor."
)


@main.command()
@_CONFIG
def signing(path: Path | None) -> None:
    """Judge the From of submitted mail and sign it; for submission and non-SMTP mail only."""
    _serve("signing", path, adapter.ContentSession)


@main.command()
@_CONFIG
def dmarc(path: Path | None) -> None:
    """Check SPF, DKIM, ARC and DMARC of mail from outside; for port 25 only."""
    _serve("dmarc", path, adapter.ArrivalSession)


def _serve(name: str, path: Path | None, session: type[adapter.Session]) -> None:
    # Only the one milter's parts are imported, before the fork: what both need would be in the memory of each.
    make_tenant: Callable[[Settings, Meter], Tenant] = importlib.import_module(f"milters.wire_{name}").make_tenant
    try:
        settings = load_settings(path)
        log.set_up(settings.log.level, f"{name}-milter")
        adapter.serve(
            name,
            getattr(settings.milter, f"{name}_socket"),
            getattr(settings.milter, f"{name}_workers"),
            lambda meter: make_tenant(_read_anew(path, settings), meter),
            session=session,
            metrics=getattr(settings.milter, f"{name}_metrics"),
        )
    except SmailorError as error:
        raise SystemExit(f"smailor-milter: {error}") from error


def _read_anew(path: Path | None, known: Settings) -> Settings:
    """Return what a new worker goes by: the configuration as it is now, or the one before where that is broken."""
    try:
        return load_settings(path)
    except ConfigError as error:
        events.config_refused(_LOG, reason=str(error))
        return known


if __name__ == "__main__":
    main()
