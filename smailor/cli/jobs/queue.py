"""The job for the operator console's queue: loads no more than it needs, since it runs every minute."""

from pathlib import Path

from smailor.cli.context import Context
from smailor.cli.queue_file import write


def write_queue(context: Context) -> dict[str, int]:
    """Write Postfix's queue into `web.queue_file` for the operator console. Needs the group postdrop."""
    file = context.settings.web.queue_file
    return {"enabled": 0} if not file else {"enabled": 1, "bytes": write(Path(file))}
