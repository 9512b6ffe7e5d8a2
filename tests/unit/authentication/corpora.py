"""Where the public suites of mail authentication lie: beside the clone, not in it; tests skip where it is missing."""

import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("SMAILOR_CORPORA", Path(__file__).parents[4] / "shared" / "corpora")) / "auth"


def read(name: str) -> dict[str, Any]:
    """Return a suite, or an empty one where it is missing."""
    path = FOLDER / name
    return json.loads(path.read_text("utf-8")) if path.exists() else {}
