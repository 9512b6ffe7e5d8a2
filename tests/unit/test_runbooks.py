"""An alert at night links to a runbook: each has one, and no runbook is for an alert that is gone."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_alert_has_its_runbook():
    rules = (ROOT / "roles/monitoring/templates/rules.yml.j2").read_text()
    runbooks = (ROOT / "docs/operations.md").read_text()
    alerts = re.findall(r"- alert: (\w+)", rules)
    assert alerts
    assert set(alerts) == set(re.findall(r"^### (\w+)$", runbooks, re.MULTILINE))
    assert all(f"#{name.lower()}\n" in rules for name in alerts)
