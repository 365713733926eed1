"""Checkpoints, History, System and Settings in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Server, Visitor
from tests.services.prometheus import Prometheus, Target, needs_prometheus, until_scraped
from tests.web.deployments import Rollout, rollout

Visit = Callable[..., Visitor]


def test_checkpoints_are_report_cards(server: Server, running: Rollout, visit: Visit) -> None:
    page = visit().open(f"{server.url}/checkpoints?deployment={running.id}")
    expect(page.locator(".cc-card")).to_have_count(2)
    expect(page.locator(".cc-tile")).to_have_count(5)
    expect(page.locator(".cc-card").first).to_contain_text("error rate")


def test_a_report_is_one_file_that_needs_nothing_else(server: Server, running: Rollout, visit: Visit) -> None:
    page = visit().open(f"{server.url}/checkpoints?deployment={running.id}")
    page.get_by_role("button", name="Reports").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download").click()
    text = waiting.value.path().read_text()
    assert "simulated" in text.lower()
    assert running.id in text
    assert "<script" not in text
    assert 'src="http' not in text


def test_history_is_filtered_linked_and_downloaded(server: Server, running: Rollout, visit: Visit) -> None:
    page = visit().open(f"{server.url}/history?deployment={running.id}&kind=phase+started")
    expect(page.locator(".cc-seal")).to_contain_text("unbroken chain")
    expect(page.locator(".cc-events li")).to_have_count(1)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download what is shown").click()
    (line,) = waiting.value.path().read_text().splitlines()
    assert json.loads(line)["kind"] == "phase started"
    page.get_by_label("Text").fill("nowhere to be found")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No event passes the filter.")).to_be_visible()
    assert "text=nowhere" in page.url


def test_the_whole_log_is_downloaded_as_it_is_exported(server: Server, running: Rollout, visit: Visit) -> None:
    page = visit().open(f"{server.url}/history")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download all").click()
    header, *lines = map(json.loads, waiting.value.path().read_text().splitlines())
    assert header["count"] == len(lines)
    assert lines[-1]["hash"] == header["head"]


def test_the_system_page(server: Server, running: Rollout, visit: Visit) -> None:
    page = visit(scheme="dark").open(f"{server.url}/system")
    expect(page.get_by_text("Lease token")).to_be_visible()
    expect(page.get_by_text("canary.sqlite").first).to_be_visible()
    assert server.token("act") not in page.content()


@needs_prometheus
def test_sources_are_seen_and_a_query_is_tried(serve: Callable[..., Server], visit: Visit, tmp_path: Path) -> None:
    target = Target()
    target.born("fast", "original")
    prometheus = Prometheus(tmp_path / "prometheus", f"127.0.0.1:{target.port}")
    file = tmp_path / "sources.yaml"
    file.write_text(
        f"prometheus:\n  - name: main\n    url: {prometheus.url}\n    flag: analyzer\n    figures:\n"
        '      requests: http_requests_total{version="{{version}}"}\n'
        "      errors: {query: 'http_requests_total{code=\"500\"}', absent: zero}\n"
    )
    try:
        until_scraped(prometheus, target)
        server = serve(CANARY_SOURCES=str(file))
        with rollout(server.home):
            seen = visit(width=390)
            page = seen.open(f"{server.url}/sources")
            expect(page.locator(".cc-card")).to_contain_text("main")
            expect(page.locator(".cc-nothing")).to_contain_text("Nobody has pushed anything")
            page.get_by_role("button", name="Try it").click()
            expect(page.get_by_role("status").filter(has_text="An instant vector of 2 series")).to_be_visible()
            page.get_by_label("PromQL").fill("sum(http_requests_total")
            page.get_by_role("button", name="Try it").click()  # which takes along what was just typed
            expect(page.get_by_text("Bad query: ")).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    finally:
        prometheus.stop()
        target.down()


def test_the_settings_page_examines(server: Server, running: Rollout, visit: Visit) -> None:
    page = visit(width=390, height=844).open(f"{server.url}/settings")
    expect(page.get_by_text("where state lives: database, anchor, tokens, logs, caches")).to_be_visible()
    page.locator(".st-key-examine button:visible").click()
    expect(page.locator(".cc-headline")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("cell", name="event log")).to_be_visible()
