"""libmilter's side of the milters, and the only file that imports Milter: callbacks to values, verdicts to calls.

It knows no mail: what a tenant decides (tenant.py) is applied at the end of the message. Whatever a tenant does not
expect is logged and answered with 451, so that nothing leaves unjudged. Only the callbacks that are needed are
negotiated; header and body ask for no reply, which saves a round trip each (libmilter's xxfi_negotiate).
"""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import Milter
import milter

from milters import events, workers
from milters.metrics import Board, Meter
from milters.socket_file import SOCKET_MODE, clear, listens_on, socket_path
from milters.tenant import (
    Action,
    AddHeader,
    Arrival,
    ChangeSender,
    Conversation,
    Envelope,
    Reply,
    Tenant,
    Verdict,
    try_later,
)
from smailor import scrape
from smailor.errors import ConfigError

MAX_REPLY = 400
"""Characters of a reply's text; RFC 5321 section 4.5.3.1.5 allows 512 octets a line."""

_ACTIONS = milter.ADDHDRS | milter.CHGHDRS | milter.CHGFROM | milter.SETSYMLIST
_CODES = {Action.ACCEPT: milter.ACCEPT, Action.REFUSE: milter.REJECT, Action.TRY_LATER: milter.TEMPFAIL}
_STAGES = (milter.M_HELO, milter.M_ENVRCPT, milter.M_DATA, milter.M_EOH, milter.M_EOM)
_UNREADABLE = "\ufffd"
"""Stands for an envelope sender that is no UTF-8: not empty, and nobody's address."""
_FAILED = try_later("4.3.0", "Internal error, please try again later", outcome="failed")
_LOG = logging.getLogger(__name__)


class Session(Milter.Base):
    """One connection from Postfix; many messages may come over it, one after the other."""

    tenant: ClassVar[Tenant]
    in_flight: ClassVar[workers.InFlight]
    meter: ClassVar[Meter]
    _ctx: Any

    def __init__(self) -> None:
        self._arrival = Arrival()
        self._conversation: Conversation | None = None
        self._decided: Verdict | None = None

    def negotiate(self, opts: list[int]) -> Any:
        """Ask for few macros, then let the base class switch off what has no callback here."""
        if opts[0] & milter.SETSYMLIST:
            for stage in _STAGES:
                self._ctx.setsymlist(stage, "i")
            self._ctx.setsymlist(milter.M_CONNECT, "{client_name} {client_addr}")
            self._ctx.setsymlist(milter.M_ENVFROM, "i {auth_authen} {mail_addr}")
        opts[0] &= _ACTIONS
        base: Any = super()
        return base.negotiate(opts)

    @Milter.noreply
    def header(self, name: str, value: bytes) -> Any:
        """Hand a header field to the tenant."""
        if self._decided is None:
            try:
                self._decided = self._message().header(name, value)
            except Exception:  # noqa: BLE001 - whatever a tenant does not expect is 451, see the module's docstring
                self._fail("header")
        return milter.CONTINUE

    @Milter.noreply
    def body(self, chunk: bytes) -> Any:
        """Hand a part of the body to the tenant."""
        if self._decided is None:
            try:
                self._decided = self._message().body(chunk)
            except Exception:  # noqa: BLE001 - as above
                self._fail("body")
        return milter.CONTINUE

    def eom(self) -> Any:
        """Ask the tenant for its verdict and apply it."""
        started = time.perf_counter()
        verdict = _FAILED
        try:
            verdict = self._decided or self._message().end(self._envelope())
            return self._apply(verdict)
        except Exception:  # noqa: BLE001 - as above
            self._fail("end of message")
            verdict = _FAILED
            return self._apply(verdict)
        finally:
            self._forget()
            self.meter.ended(verdict.outcome, time.perf_counter() - started)

    def abort(self) -> Any:
        """Forget the message: the client has reset or gone."""
        self._give_up()
        return milter.CONTINUE

    def close(self) -> Any:
        """Forget everything: the connection has ended."""
        self._give_up()
        return milter.CONTINUE

    def _message(self) -> Conversation:
        if self._conversation is None:
            self._conversation = self.tenant.begin(self._arrival)
            self.in_flight.begin()
        return self._conversation

    def _give_up(self) -> None:
        if self._conversation is not None:
            self.meter.ended("abandoned")
        self._forget()

    def _forget(self) -> None:
        conversation, self._conversation, self._decided = self._conversation, None, None
        if conversation is not None:
            self.in_flight.end()
            conversation.close()

    def _envelope(self) -> Envelope:
        macro = self._ctx.getsymval
        try:
            sender = macro("{mail_addr}") or ""
        except UnicodeDecodeError:  # strangers send such; a login of that kind would be nobody's and is 451
            sender = _UNREADABLE
        client = macro("{client_name}") or "", macro("{client_addr}") or ""
        return Envelope(macro("i") or "-", macro("{auth_authen}") or None, sender, *client)

    def _fail(self, step: str) -> None:
        events.failed(_LOG, self._ctx.getsymval("i"), step)
        self._decided = _FAILED

    def _apply(self, verdict: Verdict) -> Any:
        for edit in verdict.edits:
            if isinstance(edit, AddHeader):
                # Towards an MTA folds are line feeds; it makes line ends of them.
                self._ctx.addheader(edit.name, edit.value.replace("\r\n", "\n"), edit.below if edit.on_top else -1)
            elif isinstance(edit, ChangeSender):
                self._ctx.chgfrom(f"<{edit.sender}>")
            else:
                self._ctx.chgheader(edit.name, edit.occurrence, None)
        if verdict.reply is not None:
            self._ctx.setreply(*_wire_reply(verdict.reply))
        return _CODES[verdict.action]


@Milter.header_leading_space
class ContentSession(Session):
    """Shows the tenant what a message says: no callback but for header and body."""


@Milter.header_leading_space
class ArrivalSession(Session):
    """Shows the tenant how a message reaches us, too. No reply is asked for, so that it costs no round trip."""

    @Milter.noreply
    def connect(self, hostname: str, family: int, hostaddr: tuple[Any, ...] | str | None) -> Any:
        """Remember the client; it is another one after XCLIENT."""
        del hostname, family
        self._arrival = Arrival(client_ip=str(hostaddr[0]) if isinstance(hostaddr, tuple) else "")
        return milter.CONTINUE

    @Milter.noreply
    def hello(self, hostname: str) -> Any:
        """Remember what the client calls itself."""
        self._arrival = replace(self._arrival, helo=hostname)
        return milter.CONTINUE

    @Milter.noreply
    def envfrom(self, sender: str, *parameters: str) -> Any:
        """Remember the reverse path."""
        del parameters
        self._arrival = replace(self._arrival, mail_from=sender, recipients=())
        return milter.CONTINUE

    @Milter.noreply
    def envrcpt(self, recipient: str, *parameters: str) -> Any:
        """Remember a forward path."""
        del parameters
        self._arrival = replace(self._arrival, recipients=(*self._arrival.recipients, recipient))
        return milter.CONTINUE


def _header_bytes(context: Any, name: str, value: bytes) -> Any:
    return context.getpriv().header(name, value)


def _wire_reply(reply: Reply) -> tuple[str, str, str]:
    """Return the reply as libmilter wants it: printable ASCII, bounded, percent signs doubled."""
    text = reply.text.encode("ascii", "backslashreplace").decode("ascii")
    text = "".join(character if character.isprintable() else "?" for character in text)[:MAX_REPLY]
    return str(reply.code), reply.enhanced, text.replace("%", "%%")


def serve(
    name: str,
    address: str,
    count: int,
    make_tenant: Callable[[Meter], Tenant],
    *,
    session: type[Session] = ContentSession,
    metrics: str = "",
) -> None:
    """Listen and serve until SIGTERM or SIGINT, in several processes that share one socket.

    Args:
        name: of the milter, for libmilter.
        address: `unix:/path`.
        count: worker processes.
        make_tenant: called once in each worker, after the fork: database connections do not survive one.
        session: what the tenant is shown of a message.
        metrics: `host:port` of the page for Prometheus, which the workers serve in turn; empty: none.

    Raises:
        ConfigError: a socket cannot be made; the text says why.
    """
    board = Board(count)
    page = scrape.listen(metrics) if metrics else None
    path = socket_path(address)
    clear(path)
    in_flight = session.in_flight = workers.InFlight()
    Milter.factory = session
    _register(name, path)
    listener = _open(path)

    def work(lifeline: workers.Lifeline) -> None:
        session.meter = board.meter(lifeline.number)
        session.tenant = make_tenant(session.meter)
        if page is not None:
            scrape.serve(page, board.page)
        workers.leave_when_told(lifeline, listener, in_flight, last=session.tenant.close)
        try:
            milter.main()
        finally:  # a signal straight to this worker, or libmilter gave up; the parent starts another one
            in_flight.wait_until_quiet(workers.LEAVE_SECONDS)
            session.tenant.close()

    events.listening(_LOG, address, count)
    try:
        workers.supervise(count, work, before_stop=lambda: path.unlink(missing_ok=True), died=board.worker_died)
    finally:
        path.unlink(missing_ok=True)


def _register(name: str, path: Path) -> None:
    milter.set_flags(_ACTIONS)
    # What a session does not want of these it negotiates away.
    milter.set_connect_callback(Milter.connect_callback)
    milter.set_helo_callback(lambda context, hostname: context.getpriv().hello(hostname))
    milter.set_envfrom_callback(lambda context, *words: context.getpriv().envfrom_bytes(*words))
    milter.set_envrcpt_callback(lambda context, *words: context.getpriv().envrcpt_bytes(*words))
    milter.set_header_callback(_header_bytes)
    milter.set_body_callback(lambda context, chunk: context.getpriv().body(chunk))
    milter.set_eom_callback(lambda context: context.getpriv().eom())
    milter.set_abort_callback(lambda context: context.getpriv().abort())
    milter.set_close_callback(Milter.close_callback)
    milter.setconn(f"unix:{path}")
    # No settimeout: between MAIL and the end of a large message on a slow line Postfix has nothing to tell us, so
    # libmilter's own two hours are right.
    milter.register(name, negotiate=Milter.negotiate_callback)


def _open(path: Path) -> int:
    """Make the listening socket and return its descriptor, non-blocking.

    All workers wait on it and one gets the connection; a blocking accept() would keep the others, and they would not
    see that they are to stop. Accepted sockets do not inherit the flag (Linux).
    """
    try:
        milter.opensocket(True)
        path.chmod(SOCKET_MODE)
    except (milter.error, OSError) as error:
        raise ConfigError(f"milter socket {path}: cannot be made ({error}); does its directory exist?") from error
    open_now = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    descriptor = next(number for number in open_now if listens_on(number, path))
    os.set_blocking(descriptor, False)
    return descriptor
