"""A report's row as plain values for the database, and back. Pure."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from smailor.authentication.report_row import (
    Disposition,
    DkimFact,
    Override,
    OverrideType,
    ReportRow,
    SpfFact,
)


def facts_of(row: ReportRow) -> dict[str, Any]:
    """Return the row as JSON can hold it."""
    facts = asdict(row)
    facts["disposition"] = row.disposition.value
    if row.override is not None:
        facts["override"] = {"type": row.override.type.value, "comment": row.override.comment}
    facts["dkim"] = [asdict(fact) for fact in row.dkim]
    return facts


def row_of(facts: dict[str, Any]) -> ReportRow:
    """Return the row that `facts_of` was given."""
    override = facts["override"]
    return ReportRow(
        **{
            **facts,
            "disposition": Disposition(facts["disposition"]),
            "override": override and Override(OverrideType(override["type"]), override["comment"]),
            "dkim": tuple(DkimFact(**fact) for fact in facts["dkim"]),
            "spf": facts["spf"] and SpfFact(**facts["spf"]),
        }
    )


def digest_of(facts: dict[str, Any]) -> str:
    """Return what equal rows have in common and no others."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
