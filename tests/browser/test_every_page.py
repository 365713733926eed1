"""Every page there is: drawn without an error, and with nothing that the browser's policy had to stop."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from core.web.navigation import NAVIGATION, Entry
from tests.browser.conftest import Server, Visitor
from tests.web.deployments import Rollout

PAGES = [entry for entries in NAVIGATION.values() for entry in entries]


@pytest.mark.parametrize("entry", PAGES, ids=lambda entry: entry.name)
def test_a_page_is_drawn_and_breaks_no_rule(
    server: Server, running: Rollout, visit: Callable[..., Visitor], entry: Entry
) -> None:
    visitor = visit(width=390, scheme="dark")
    complaints: list[str] = []
    visitor.page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    path = "" if entry is PAGES[0] else entry.path
    page = visitor.open(f"{server.url}/{path}?deployment={running.id}")
    expect(page.locator("h1").first).to_be_visible()
    expect(page.locator("[data-testid=stException]")).to_have_count(0)
    assert [text for text in complaints if "Content Security Policy" in text or "Refused" in text] == []
    assert "unsafe-eval" not in (page.context.request.get(server.url).headers["content-security-policy"])
    # Nothing is wider than a phone.
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
