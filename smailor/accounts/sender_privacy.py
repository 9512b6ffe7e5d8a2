"""Whether a workspace tells the world where its people send from: asked for every message, so a plain question."""

from smailor.database.reader import Rows


def hides_clients_of(database: Rows, *, workspace_id: int) -> bool:
    """Tell whether a workspace hides its people's clients; one that is not there tells nothing about anybody.

    Raises:
        TemporaryFailure: the database does not answer.
    """
    found = database.rows("SELECT sender_privacy FROM workspaces WHERE id = :workspace", {"workspace": workspace_id})
    return not found or bool(found[0][0])
