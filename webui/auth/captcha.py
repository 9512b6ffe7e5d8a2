"""What keeps machines from signing up: nothing so far. The form shows `widget()` and asks `solved()` when it comes."""


def widget() -> str:
    """Return what the form shows, as HTML; empty: nothing."""
    return ""


def solved() -> bool:
    """Tell whether the form that was sent comes from a person."""
    return True
