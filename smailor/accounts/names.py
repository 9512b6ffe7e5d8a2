"""Names that people give and see: of themselves, of workspaces, inboxes and devices. Pure."""

from smailor.errors import InvalidInput

MAX_NAME = 200


def clean_name(field: str, name: str) -> str:
    """Return a name that people see, with white space folded.

    Raises:
        InvalidInput: it is empty, longer than 200 characters, or has characters that cannot be seen (control
            characters, and those that turn the direction of writing).
    """
    folded = " ".join(name.split())
    if not folded or len(folded) > MAX_NAME:
        raise InvalidInput(field, f"has 1 to {MAX_NAME} characters")
    if not folded.isprintable():
        raise InvalidInput(field, "has characters that cannot be shown")
    return folded
