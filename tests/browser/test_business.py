"""The Business case page in a browser: an input changed by keyboard, charts redrawn, the link shared."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Server, Visitor


def test_a_change_is_drawn_and_shared(server: Server, visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.open(f"{server.url}/business-case?measure=payback")
    expect(page.get_by_role("heading", name=re.compile(r"^\$72\.6 M a year"))).to_be_visible()
    expect(page.locator(".st-key-tornado .js-plotly-plot")).to_be_visible(timeout=30_000)
    field = page.get_by_role("textbox", name="Part of it counted")
    field.fill("50 % to 100 %")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile(r"^\$81\.6 M a year"))).to_be_visible()
    page.get_by_role("button", name="Share").click()
    address = page.locator("[data-testid=stCode] code").inner_text()
    assert "churn_counted=50" in address

    shared = visit(390, 844).open(address)
    expect(shared.get_by_role("heading", name=re.compile(r"^\$81\.6 M a year"))).to_be_visible()
    expect(shared.get_by_role("textbox", name="Part of it counted")).to_have_value("50 % to 100 %")
    assert shared.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
