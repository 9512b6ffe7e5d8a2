"""What a person does by looking at the page: wait until it can be used."""

from playwright.sync_api import Page


def until_ready(page: Page) -> None:
    """Wait until the page's scripts are at work: keys are heard, links with a dialog open it."""
    page.locator("html[data-ready]").wait_for(state="attached")
