"""The Experiment and Segments pages in a real browser: a click in a chart, downloads, a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Server, Visitor
from tests.experiments.making import learners, saved


def test_from_data_to_a_level_of_a_segment(
    serve: Callable[..., Server], visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    path = saved(learners(6000), tmp_path / "learners.csv")
    server = serve()
    page = visit().open(f"{server.url}/experiment")
    page.get_by_role("textbox", name="File or folder").fill(str(path))
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("stDataFrame")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator(".cc-headline h1")).to_contain_text("new is better on roi", timeout=30_000)
    expect(page.locator(".st-key-effects .js-plotly-plot")).to_be_visible(timeout=30_000)
    expect(page.locator(".st-key-course .js-plotly-plot")).to_be_visible()
    address = page.url
    assert "experiment=" in address
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Report").click()
    assert waiting.value.path().read_text().startswith("# learners\n")

    page.get_by_role("link", name="For whom? By segment").click()
    points = page.locator(".st-key-forest .scatterlayer .trace").last.locator("path.point")
    expect(points).to_have_count(3, timeout=30_000)
    at = points.nth(2).bounding_box()
    assert at is not None
    page.mouse.click(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    expect(page.get_by_role("button", name="region: US")).to_be_visible(timeout=30_000)
    assert "where=region%3DUS" in page.url
    page.get_by_role("button", name="region: US").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Segments, CSV").click()
    assert waiting.value.path().read_text().startswith("segment,level,metric")

    phone = visit(390, 844, "dark")
    for there in (address, address.replace("/experiment?", "/segments?")):
        small = phone.open(there)
        expect(small.locator(".cc-headline h1")).to_contain_text("new is better on roi", timeout=30_000)
        assert small.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
