"""format=flowed (RFC 3676): soft-broken lines joined again. Pure."""


def unflow(text: str, *, delete_space: bool) -> str:
    r"""Return the text with its soft line breaks taken out.

    Args:
        text: a text/plain part with `format=flowed`, line ends as `\n`.
        delete_space: the part said `delsp=yes`: the space that marks a soft break is not part of the text.
    """
    lines: list[str] = []
    open_depth: int | None = None
    for line in text.split("\n"):
        stripped = line.lstrip(">")
        depth = len(line) - len(stripped)
        body = stripped.removeprefix(" ")
        # A signature's separator ends in a space and is never soft (section 4.3).
        soft = body.endswith(" ") and body != "-- "
        kept = body[:-1] if soft and delete_space else body
        if open_depth == depth and body != "-- ":
            lines[-1] += kept
        else:
            lines.append(f"{'>' * depth}{' ' if depth else ''}{kept}")
        open_depth = depth if soft else None
    return "\n".join(lines)
