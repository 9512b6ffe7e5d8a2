"""What every command has at hand: settings, database, resolver, sealer, each made when first asked for."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from smailor.config import Settings, load_settings
from smailor.database import revision
from smailor.database.engine import Database
from smailor.dns.resolver import Resolver
from smailor.domains.records import ServiceNames
from smailor.sealing import Sealer


@dataclass
class Context:
    """The wiring of one run of the command line.

    Attributes:
        config: the configuration file that was asked for, if any.
    """

    config: str | None

    @cached_property
    def settings(self) -> Settings:
        """The configuration; raises ConfigError."""
        return load_settings(Path(self.config) if self.config else None)

    @cached_property
    def bare_database(self) -> Database:
        """The database whatever its schema, for `smailor database upgrade`."""
        return Database(self.settings.database.url)

    @cached_property
    def database(self) -> Database:
        """The database, of this program's schema; raises SchemaOutdated."""
        revision.check(self.bare_database)
        return self.bare_database

    @cached_property
    def resolver(self) -> Resolver:
        """The DNS client."""
        return Resolver(self.settings.dns.servers, self.settings.dns.timeout_seconds)

    @cached_property
    def sealer(self) -> Sealer:
        """Seals private keys."""
        return Sealer(self.settings.secrets.sealing_keys)

    @property
    def service_names(self) -> ServiceNames:
        """The names that tenants' DNS records point to."""
        service = self.settings.service
        return ServiceNames(service.hostname, service.spf_include, service.postmaster)

    def close(self) -> None:
        """Close what was opened."""
        if "bare_database" in self.__dict__:
            self.bare_database.dispose()
