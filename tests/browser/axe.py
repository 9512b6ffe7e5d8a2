"""axe-core, put into a page by the browser itself, since the pages' own policy would refuse it."""

from pathlib import Path

from playwright.sync_api import Page

AXE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
GRAVE = {"serious", "critical"}


def findings(page: Page) -> list[str]:
    """What axe finds grave, with the elements that it is about."""
    # Colours glide from one theme to the other: look when they have come to rest.
    page.evaluate("Promise.allSettled(document.getAnimations().map((one) => one.finished))")
    # Not by add_init_script, which would want to run in the frame of a message, too, where nothing may.
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE)
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{finding['id']}: {node['target']} {node['failureSummary']}"
        for finding in result["violations"]
        if finding["impact"] in GRAVE
        for node in finding["nodes"][:5]
    ]
