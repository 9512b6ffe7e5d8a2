"""`smailor limits …`, `smailor suppression …`, `smailor suspend`, `unsuspend`, `suspension` and `pause`."""

from pathlib import Path

import click

from smailor import clock
from smailor.address import Address
from smailor.cli.acting import actor, expiry, optional_reason_option, reason_option
from smailor.cli.context import Context
from smailor.cli.domain import workspace_option
from smailor.cli.output import json_option, show
from smailor.errors import InvalidInput
from smailor.sending import (
    limit_service,
    pause_service,
    plans,
    suppression_service,
    suspension_service,
)
from smailor.sending.subject import Subject
from smailor.sending.suppression import write_csv
from smailor.sending.suspension import Part, Suspension, parts

MAX_CSV_BYTES = 20 * 1024 * 1024


@click.group()
def limits() -> None:
    """How much an account, a domain or a workspace may send."""


@limits.command("show")
@click.argument("subject")
@json_option
@click.pass_obj
def limits_show(context: Context, subject: str, as_json: bool) -> None:
    """Show the limits of an address, a domain or a workspace, and what is used of them now."""
    views = limit_service.show_limits(
        context.database, subject=Subject.parse(subject), plans=plans.plans_of(context.settings), now=clock.now()
    )
    show(views, as_json=as_json)


@limits.command("set")
@click.argument("subject")
@click.argument("measure")
@click.argument("maximum", type=int)
@reason_option
@click.option("--expires", metavar="WHEN", help="A date, or days from now such as 7d; until cleared if left out.")
@json_option
@click.pass_obj
def limits_set(
    context: Context, subject: str, measure: str, maximum: int, reason: str, expires: str | None, as_json: bool
) -> None:
    """Give SUBJECT another limit than its plan's, at once. MEASURE is one of those that `limits show` shows."""
    now, whom = clock.now(), Subject.parse(subject)
    limit_service.set_limit(
        context.database,
        subject=whom,
        measure=measure,
        maximum=maximum,
        reason=reason,
        expires_at=expiry(expires, now),
        actor=actor(),
        now=now,
    )
    views = limit_service.show_limits(context.database, subject=whom, plans=plans.plans_of(context.settings), now=now)
    show(next(view for view in views if view.measure == measure), as_json=as_json)


@limits.command("clear")
@click.argument("subject")
@click.argument("measure", required=False)
@optional_reason_option
@json_option
@click.pass_obj
def limits_clear(context: Context, subject: str, measure: str | None, reason: str, as_json: bool) -> None:
    """Let the plan's limit hold again, for one measure or for all."""
    whom = Subject.parse(subject)
    cleared = limit_service.clear_limit(
        context.database, subject=whom, measure=measure, reason=reason, actor=actor(), now=clock.now()
    )
    show({"scope": whom.scope, "subject": whom.name, "cleared": cleared}, as_json=as_json)


@click.group()
def suppression() -> None:
    """Addresses that a workspace does not write to."""


@suppression.command("list")
@workspace_option
@click.option("--search", default="", help="Only addresses that contain this.")
@json_option
@click.pass_obj
def suppression_list(context: Context, workspace: str, search: str, as_json: bool) -> None:
    """List them."""
    show(suppression_service.list_suppressed(context.database, workspace=workspace, search=search), as_json=as_json)


@suppression.command("add")
@click.argument("address")
@workspace_option
@optional_reason_option
@json_option
@click.pass_obj
def suppression_add(context: Context, address: str, workspace: str, reason: str, as_json: bool) -> None:
    """Refuse messages to ADDRESS from now on."""
    entry = suppression_service.add(
        context.database, workspace=workspace, address=address, reason=reason, actor=actor(), now=clock.now()
    )
    show(entry, as_json=as_json)


@suppression.command("remove")
@click.argument("address")
@workspace_option
@json_option
@click.pass_obj
def suppression_remove(context: Context, address: str, workspace: str, as_json: bool) -> None:
    """Let the workspace write to ADDRESS again."""
    suppression_service.remove(context.database, workspace=workspace, address=address, actor=actor(), now=clock.now())
    show({"address": address, "removed": True}, as_json=as_json)


@suppression.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@workspace_option
@json_option
@click.pass_obj
def suppression_import(context: Context, file: Path, workspace: str, as_json: bool) -> None:
    """Add the addresses of a CSV file: address, reason, date; other services' exports are read, too."""
    if file.stat().st_size > MAX_CSV_BYTES:
        raise InvalidInput("file", f"has more than {MAX_CSV_BYTES // 1024**2} MiB; split it")
    text = file.read_bytes().decode("utf-8", "replace")
    imported, added = suppression_service.import_csv(
        context.database, workspace=workspace, text=text, actor=actor(), now=clock.now()
    )
    show(
        {
            "read": len(imported.entries),
            "added": added,
            "unread": imported.unread,
            "problems": imported.problems,
        },
        as_json=as_json,
    )


@suppression.command("export")
@workspace_option
@json_option
@click.pass_obj
def suppression_export(context: Context, workspace: str, as_json: bool) -> None:
    """Print the list as CSV."""
    entries = suppression_service.list_suppressed(context.database, workspace=workspace)
    if as_json:
        show(entries, as_json=True)
    else:
        click.echo(write_csv(entries), nl=False)


@click.command()
@click.argument("subject")
@click.option("--sending", is_flag=True, help="It sends nothing.")
@click.option("--receiving", is_flag=True, help="Its mail waits.")
@click.option("--login", is_flag=True, help="Nobody of it logs in: web, IMAP, submission, ManageSieve.")
@reason_option
@json_option
@click.pass_obj
def suspend(
    context: Context, subject: str, sending: bool, receiving: bool, login: bool, reason: str, as_json: bool
) -> None:
    """Stop an address, a domain or a workspace, at once and on every host."""
    whom, what = Subject.parse(subject), parts(sending=sending, receiving=receiving, login=login)
    entry = suspension_service.suspend(
        context.database, subject=whom, parts=what, reason=reason, actor=actor(), now=clock.now()
    )
    row = _row(entry)
    if Part.LOGIN in what:
        row["connections_ended"] = suspension_service.end_connections(
            context.database, context.settings.dovecot, subject=whom
        )
    show(row, as_json=as_json)


@click.command()
@click.argument("subject")
@optional_reason_option
@json_option
@click.pass_obj
def unsuspend(context: Context, subject: str, reason: str, as_json: bool) -> None:
    """Let an address, a domain or a workspace go on."""
    whom = Subject.parse(subject)
    lifted = suspension_service.lift(context.database, subject=whom, reason=reason, actor=actor(), now=clock.now())
    show({"scope": whom.scope, "subject": whom.name, "lifted": lifted}, as_json=as_json)


@click.group()
def suspension() -> None:
    """What is suspended; see also `suspend` and `unsuspend`."""


@suspension.command("list")
@click.option("--workspace", help="Of this workspace only.")
@json_option
@click.pass_obj
def suspension_list(context: Context, workspace: str | None, as_json: bool) -> None:
    """List the suspensions in force."""
    found = suspension_service.list_suspensions(context.database, workspace=workspace)
    show([_row(entry) for entry in found], as_json=as_json)


@click.group()
def pause() -> None:
    """Accounts that look unlike themselves and wait for a confirmation."""


@pause.command("list")
@json_option
@click.pass_obj
def pause_list(context: Context, as_json: bool) -> None:
    """List them."""
    show(pause_service.list_pauses(context.database), as_json=as_json)


@pause.command("confirm")
@click.argument("account")
@json_option
@click.pass_obj
def pause_confirm(context: Context, account: str, as_json: bool) -> None:
    """Let a paused account go on."""
    account = str(Address.parse(account))
    pause_service.confirm(context.database, account=account, actor=actor(), now=clock.now())
    show({"account": account, "confirmed": True}, as_json=as_json)


def _row(entry: Suspension) -> dict[str, object]:
    return {
        "scope": entry.subject.scope,
        "subject": entry.subject.name,
        "parts": sorted(entry.parts),
        "reason": entry.reason,
        "set_by": entry.set_by,
        "since": entry.since,
    }
