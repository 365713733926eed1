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


def test_a_case_is_saved_under_the_name_typed_last(server: Server, visit: Callable[..., Visitor]) -> None:
    """The click comes before any page has been drawn with the name."""
    page = visit().open(f"{server.url}/business-case")
    expect(page.get_by_role("heading", name=re.compile("a year"))).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("textbox", name="Name", exact=True).fill("One of mine")
    page.get_by_role("button", name="Save it").click()
    expect(page.get_by_text("“One of mine” was last saved")).to_be_visible()
    assert page.url.endswith("?case=One+of+mine")
