"""Numbers in addresses of pages: those that the databases can hold. A larger one names nothing: there is no page."""

from typing import Any

from flask import Flask
from werkzeug.routing import IntegerConverter, Map

LARGEST = 2**63 - 1


class _Number(IntegerConverter):
    """`<int:number>`, of at most 64 bits."""

    def __init__(self, map: Map, **options: Any) -> None:  # noqa: A002 - the library's name
        super().__init__(map, **{"max": LARGEST, **options})


def init_app(app: Flask) -> None:
    """Let every `<int:…>` of the pages be such a number; before their rules are made."""
    app.url_map.converters["int"] = _Number
