"""One local service from start to end: claims its directory, starts the programs in order, keeps them, cleans up.

The order of things is here; how each is done lies in the modules beside this one.
"""

import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from smailor import clock
from smailor.accounts import service as accounts
from smailor.config import load_settings
from smailor.database.engine import Database
from smailor.errors import Conflict, InvalidInput, PermissionDenied, SmailorError
from smailor.stack import directory, endpoints, state
from smailor.stack.configure import check, configure
from smailor.stack.demo import DemoAccounts, seed_demo
from smailor.stack.directory import Claim
from smailor.stack.layout import DEFAULT_BASE_PORT, DEFAULT_DIRECTORY, OPERATOR, Layout, Ports
from smailor.stack.orphans import end_orphans
from smailor.stack.ports import check_ports
from smailor.stack.programs import Programs
from smailor.stack.secrets import LocalSecrets
from smailor.stack.service_zone import publish_service_key
from smailor.stack.supervisor import Kept, Program, Supervisor
from smailor.stack.variables import Wishes

Report = Callable[[str], None]


class StartFailed(SmailorError):
    """Programs did not come up; the text has a line for each."""


class Interrupted(SmailorError):
    """Somebody stopped the service before it was ready."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `smailor up` was asked for.

    Attributes:
        run_directory: where the service lives.
        base_port: its ports are counted from here.
        database: a PostgreSQL URL; empty: SQLite in the run directory.
        resolver: `host:port` of a DNS server to ask instead of the small internet; empty: the small internet.
        demo: whether to fill it with people and mail.
        keep: whether its data outlive it.
    """

    run_directory: Path = DEFAULT_DIRECTORY
    base_port: int = DEFAULT_BASE_PORT
    database: str = ""
    resolver: str = ""
    demo: bool = True
    keep: bool = False


class LocalService:
    """A running service.

    Args:
        options: what it is to be like.
        report: gets each line that a person should see.
    """

    def __init__(self, options: Options, report: Report) -> None:
        self._options = options
        self._report = report
        self._layout = Layout(options.run_directory.absolute(), Ports(options.base_port))
        self._supervisor = Supervisor(report)
        self._phases: dict[str, float] = {}
        self._begun = time.monotonic()
        self._wake, self._waker = os.pipe()
        self._stopping = False
        self._may_interrupt = False
        self._database_is_ours = False

    def run(self, ready: Callable[[], None]) -> None:
        """Start the service, keep it until SIGTERM or SIGINT, take it away.

        Args:
            ready: called once, when everything answers and has been told.

        Raises:
            SmailorError: it could not start; nothing of it runs then.
        """
        self._check()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        claim = directory.claim(self._layout.root, keep=self._options.keep)
        self._begin(claim)
        try:
            with self._interruptible():
                self._start(claim)
            ready()
            self._keep()
            self._report("stopping")
        except Interrupted:
            self._end(claim)
            raise
        except BaseException:
            # The directory stays for its logs; the next `up` empties it.
            self._stop()
            if not (self._options.keep or claim.kept):
                self._clear_database(claim)
            raise
        self._end(claim)

    def _end(self, claim: Claim) -> None:
        self._stop()
        if not self._options.keep:
            self._clear_database(claim)
            claim.remove()
        claim.release()

    def _begin(self, claim: Claim) -> None:
        """Clean up after an earlier service, and make sure that this one finds room."""
        # Its supervisor may have been killed: its programs would hold the ports.
        end_orphans(claim.root)
        # From here on run.json names this process, so that `down` may come at any time.
        self._record()
        try:
            # The ports only now: those of a service that has this very directory would be a riddle.
            check_ports(self._layout.ports)
        except SmailorError:
            if not (claim.kept or claim.database):
                claim.remove()
            raise
        if claim.kept:
            self._database_is_ours = bool(claim.database) and claim.database == self._options.database
            return
        if claim.database:
            state.clear(claim.database)
            claim.remember(keep=self._options.keep)
        claim.empty()
        self._record()

    def _clear_database(self, claim: Claim) -> None:
        """Empty the PostgreSQL database again if it was empty when we began, as a run directory goes."""
        if not self._database_is_ours:
            return
        try:
            state.clear(self._options.database)
        except SmailorError as error:
            # The marker remembers it for the next `up` or `down`.
            self._report(f"the database could not be emptied: {error}")
        else:
            claim.remember(keep=False)

    def _check(self) -> None:
        if os.geteuid() != 0:
            raise PermissionDenied("starting the mail programs as their own users needs root: sudo smailor up")
        if self._options.database:
            state.check_url(self._options.database)
        host, _, port = self._options.resolver.rpartition(":")
        if self._options.resolver and not (host and port.isdigit()):
            raise InvalidInput("--resolver", "expected HOST:PORT")
        directory.check_place(self._layout)

    def _start(self, claim: Claim) -> None:
        layout = self._layout
        url = self._options.database or f"sqlite:///{layout.database_file}"
        wishes = Wishes(
            layout,
            LocalSecrets.load_or_make(layout.root / "secrets.json"),
            url,
            self._options.resolver,
            self._options.demo,
        )
        configure(wishes, now=clock.now())
        self._phases["configuration"] = self._elapsed()
        programs = Programs(layout, self._options.resolver)
        early, ours = programs.before_database(), programs.after_database()
        self._launch(early)
        check(layout)
        database = Database(url)
        # Only an existing database is looked into: looking would make SQLite's files, with root as their owner.
        if self._options.database and not claim.kept:
            state.check_empty(database)
            self._database_is_ours = True
            claim.remember(keep=self._options.keep, database=self._options.database)
        state.prepare(database, role_password=wishes.secrets.mail_role_password)
        self._phases["database"] = self._elapsed()
        self._launch(ours)
        self._await([*early, *ours])
        people = self._fill(database, wishes)
        content = endpoints.endpoints(wishes, people)
        endpoints.write(layout, content)
        self._phases["ready"] = self._elapsed()
        self._record()
        self._report(f"ready in {self._phases['ready']:.1f} s")
        for line in endpoints.welcome(content, layout.root):
            self._report(line)
        database.dispose()

    def _launch(self, programs: list[Program]) -> None:
        # An interruption between a program's start and our noting it would leave it behind.
        self._may_interrupt = False
        for program in programs:
            self._supervisor.start(program)
        self._record()
        self._may_interrupt = True
        self._interrupt_if_asked()

    def _await(self, programs: list[Program]) -> None:
        def tell(kept: Kept) -> None:
            self._report(f"{kept.program.name:<10} answers after {kept.seconds:.1f} s")

        failed = self._supervisor.wait([program.name for program in programs], tell)
        self._phases["programs"] = self._elapsed()
        if failed:
            raise StartFailed("\n".join(_why(kept) for kept in failed))

    def _fill(self, database: Database, wishes: Wishes) -> DemoAccounts:
        settings = load_settings(self._layout.config, environ={})
        publish_service_key(database, settings, self._layout.zones, now=clock.now())
        if self._options.demo:
            # The demonstration's zones are the small internet's, whatever resolver the service itself asks.
            at_home = replace(settings.dns, servers=(self._layout.ports.at("resolver"),))
            people = seed_demo(database, replace(settings, dns=at_home), zones=self._layout.zones, now=clock.now())
            self._report("demonstration filled")
        else:
            people = _operator_only(database, wishes.secrets.operator_password)
        self._phases["demonstration"] = self._elapsed()
        return people

    def _keep(self) -> None:
        while not self._stopping:
            if self._supervisor.revive():
                self._record()
            # The handler's byte ends the wait at once.
            select.select([self._wake], [], [], 0.5)

    def _stop(self) -> None:
        self._supervisor.stop()
        for gone in (self._layout.run, self._layout.endpoints):
            gone.unlink(missing_ok=True)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stopping = True
        os.write(self._waker, b".")
        self._interrupt_if_asked()

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let a signal break off what runs in this block: some of it waits long for others."""
        self._may_interrupt = True
        self._interrupt_if_asked()
        try:
            yield
        finally:
            self._may_interrupt = False

    def _interrupt_if_asked(self) -> None:
        if self._stopping and self._may_interrupt:
            self._may_interrupt = False
            raise Interrupted("stopped before it was ready")

    def _elapsed(self) -> float:
        return round(time.monotonic() - self._begun, 3)

    def _record(self) -> None:
        """Write what `status` and `down` read."""
        processes = {
            name: {
                "pid": kept.process.pid,
                "created": kept.created,
                "restarts": kept.restarts,
                "ready_seconds": kept.seconds,
                "log": str(kept.program.log),
                "given_up": kept.given_up,
            }
            for name, kept in self._supervisor.kept.items()
        }
        content = {"pid": os.getpid(), "phases": self._phases, "processes": processes}
        endpoints.write_whole(self._layout.run, json.dumps(content), mode=0o600)


def _why(kept: Kept) -> str:
    status = kept.process.poll()
    what = "did not answer in time" if status is None else f"ended with status {status}"
    return f"{kept.program.name} {what}; log: {kept.program.log}"


def _operator_only(database: Database, password: str) -> DemoAccounts:
    """The one person of a service without demonstration; in a kept directory he is there already."""
    try:
        accounts.create_user(
            database, email=OPERATOR, name="The operator", password=password, operator=True, now=clock.now()
        )
    except Conflict:
        accounts.set_password(database, email=OPERATOR, password=password)
    return DemoAccounts(OPERATOR, password, ())
