"""The circumstances of a request, as the use cases around accounts want them."""

from smailor.accounts.desk import Asked
from webui import people, texts
from webui.context import context


def asked() -> Asked:
    """Return in which language, from where and when something is asked for."""
    return Asked(language=texts.language(), source=people.source(), now=context().clock())
