"""The Cohorts and Learner pages as people use them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Locator, Page, expect

from core.learners import runs
from core.learners.runs import CohortRun
from tests.browser.conftest import Server, Visitor, dashboard, port_of_its_own, start, stop
from tests.web.learners.made import make_run

Visit = Callable[..., Visitor]


@pytest.fixture(scope="module")
def run_and_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CohortRun, Server]]:
    home = tmp_path_factory.mktemp("cohorts") / "home"
    home.mkdir()
    run = make_run(home, 3_000)
    port = port_of_its_own()
    server = start(home, port, dashboard(port), CANARY_TICK_S="5")
    try:
        server.wait_until(server.answers)
        yield run, server
    finally:
        stop(server)


def test_a_box_on_the_map_is_counted_exactly(run_and_server: tuple[CohortRun, Server], visit: Visit) -> None:
    run, server = run_and_server
    page = visit(1280, 1500).open(f"{server.url}/cohorts?run={run.id}&x=velocity&y=concentration")
    expect(page.get_by_role("heading", name="3,000 learners, 5 cohorts")).to_be_visible()
    expect(page.locator(".cc-cohort")).to_have_count(5)
    plane = page.locator("[class*=st-key-map] .nsewdrag").first
    expect(plane).to_be_visible(timeout=30_000)
    plane.scroll_into_view_if_needed()
    left, top, width, height = page.locator("[class*=st-key-map] .nsewdrag").first.evaluate(
        "e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; }"
    )
    page.mouse.move(left + 0.25 * width, top + 0.3 * height)
    page.mouse.down()
    page.mouse.move(left + 0.4 * width, top + 0.5 * height, steps=4)
    page.mouse.move(left + 0.6 * width, top + 0.75 * height, steps=4)
    page.mouse.up()
    heading = page.locator(".cc-chosen h3")
    expect(heading).to_have_text(re.compile(r"^[\d,]+ learners, "))
    x0, x1, y0, y1 = page.locator("[class*=st-key-map] .js-plotly-plot").evaluate(
        "e => { const s = e.layout.selections[0]; return [s.x0, s.x1, s.y0, s.y1]; }"
    )
    table = pq.read_table(runs.files_of(server.home, run.id).assignments)
    x, y = table["velocity"].to_numpy(), table["concentration"].to_numpy()
    inside = (x >= min(x0, x1)) & (x <= max(x0, x1)) & (y >= min(y0, y1)) & (y <= max(y0, y1))
    assert 100 < inside.sum() < 3_000
    assert heading.inner_text().startswith(f"{inside.sum():,} learners, ")
    expect(page.locator(".cc-chosen")).to_contain_text("ROI, revenue / cost")
    expect(page.get_by_role("heading", name=f"All {inside.sum():,} of them")).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download these learners").click()
    assert len(waiting.value.path().read_text().splitlines()) == inside.sum() + 1


def test_the_map_is_seen_before_its_chart_and_at_the_same_place(
    run_and_server: tuple[CohortRun, Server], visit: Visit
) -> None:
    run, server = run_and_server
    visitor = visit(1280, 1500)
    visitor.page.route("**/PlotlyChart.*", lambda _: None)  # never comes
    page = visitor.open(f"{server.url}/cohorts?run={run.id}&x=velocity&y=concentration")
    image = page.locator(".cc-map-picture img").first
    expect(image).to_be_visible()
    assert image.evaluate("e => e.decode().then(() => e.naturalWidth)") == 240
    seen = box_of(image)
    page.unroute_all(behavior="ignoreErrors")
    page.reload()
    drawn = page.locator("[class*=st-key-map] .heatmaplayer image")
    drawn.wait_for(state="attached", timeout=30_000)
    page.wait_for_function("document.querySelector('[class*=st-key-map] .nsewdrag').getBoundingClientRect().width > 0")
    assert box_of(drawn) == pytest.approx(seen, abs=3)


def box_of(what: Locator) -> list[float]:
    """Return left, top, width and height, pixels of the page."""
    found: list[float] = what.evaluate(
        "e => { const r = e.getBoundingClientRect(), top = document.querySelector('.cc-map-picture')"
        ".getBoundingClientRect(); return [r.left - top.left, r.top - top.top, r.width, r.height]; }"
    )
    return found


def test_a_learner_by_link(run_and_server: tuple[CohortRun, Server], visit: Visit) -> None:
    run, server = run_and_server
    page = visit().open(f"{server.url}/learner?run={run.id}&learner=demo-000017")
    expect(page.get_by_role("heading", name="demo-000017")).to_be_visible()
    expect(page.get_by_text("The centroid of")).to_be_visible()
    expect(page.locator(".cc-strip")).to_have_count(13)
    expect(page.locator(".st-key-activity .js-plotly-plot")).to_be_visible(timeout=30_000)
    page.get_by_label("Learner's id").fill("demo-000042")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="demo-000042")).to_be_visible()
    assert "learner=demo-000042" in page.url
    page.get_by_role("link", name="All learners of this run").click()
    expect(page.get_by_role("heading", name="3,000 learners, 5 cohorts")).to_be_visible()
    assert page.url.endswith(f"/cohorts?run={run.id}")


def fits(page: Page) -> None:
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone(run_and_server: tuple[CohortRun, Server], visit: Visit, scheme: str) -> None:
    run, server = run_and_server
    visitor = visit(390, 844, scheme)
    page = visitor.open(f"{server.url}/cohorts?run={run.id}")
    expect(page.locator(".cc-cohort")).to_have_count(5)
    expect(page.locator("[class*=st-key-map] .js-plotly-plot")).to_be_visible(timeout=30_000)
    fits(page)
    page = visitor.open(f"{server.url}/learner?run={run.id}&learner=demo-000017")
    expect(page.locator(".cc-strip")).to_have_count(13)
    fits(page)


def test_a_run_is_seen_and_stopped_by_anybody(serve: Callable[..., Server], visit: Visit) -> None:
    server = serve()
    mine, colleagues = visit().open(f"{server.url}/cohorts"), visit(scheme="dark").open(f"{server.url}/cohorts")
    expect(mine.get_by_role("heading", name="No cohorts have been found yet")).to_be_visible()
    mine.get_by_role("radio", name="Made-up learners").click()
    mine.get_by_label("Learners").fill("500000")
    mine.keyboard.press("Enter")
    mine.get_by_role("button", name="Find cohorts", exact=True).click()
    for page in (mine, colleagues):
        expect(page.locator(".cc-job")).to_contain_text("500,000 made-up learners")
    colleagues.get_by_role("button", name="Stop it").click()
    expect(colleagues.get_by_text("nothing of it is kept").first).to_be_visible()
    for page in (mine, colleagues):
        expect(page.locator(".cc-job")).to_have_count(0)
    assert [path for path in (server.home / runs.FOLDER).rglob("*") if path.is_file()] == []


def test_a_file_becomes_cohorts(serve: Callable[..., Server], visit: Visit, tmp_path: Path) -> None:
    lines = ["learner_id,ts,domain,skill,type,score"]
    lines += [
        f"u{i % 80},2025-10-{1 + i % 28:02d}T1{i % 10}:00:00Z,d{i % (1 + i % 4)},s{i % 9},practice,"
        for i in range(3_000)
    ]
    (tmp_path / "events.csv").write_text("\n".join([*lines, "u1,never,d,s,practice,"]) + "\n")
    server = serve()
    page = visit().open(f"{server.url}/cohorts")
    page.get_by_role("textbox", name="File or folder").fill(str(tmp_path / "nowhere.csv"))
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Find cohorts", exact=True).click()
    expect(page.get_by_text("no such file")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Dismiss").click()
    page.get_by_role("radio", name="Upload").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "events.csv")
    start_ = page.get_by_role("button", name="Find cohorts", exact=True)
    expect(start_).to_be_enabled()
    start_.click()
    expect(page.get_by_role("heading", name=re.compile(r"^80 learners, "))).to_be_visible(timeout=90_000)
    expect(page.get_by_text("events.csv").first).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Rejected rows, CSV").click()
    assert "never" in waiting.value.path().read_text()
    assert not list((server.home / runs.FOLDER / "uploads").iterdir())
