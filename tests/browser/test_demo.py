"""The demo as a stranger sees it: real requests, a fault, a rollback that nobody had to ask for."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Server, Visitor, port_of_its_own, start, stop


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Server]:
    home, port = tmp_path / "home", port_of_its_own()
    home.mkdir()
    command = [sys.executable, "-m", "core.cli", "demo", "--port", str(port), "--learners", "1500", "--speed", "40"]
    server = start(home, port, command)
    try:
        server.wait_until(server.answers, within_s=120)
        yield server
    finally:
        stop(server)


@pytest.mark.serial  # other tests beside it would make its real requests slow, which is a fault of its own
def test_a_fault_is_rolled_back_by_itself(demo: Server, visit: Callable[..., Visitor]) -> None:
    page = visit().open(demo.url)
    expect(page.get_by_role("heading", name=re.compile("Canary: 1 %"))).to_be_visible(timeout=60_000)
    expect(page.locator(".cc-banner").first).to_contain_text("Simulated: learners and revenue are made up")
    expect(page.locator(".cc-banner").first).to_contain_text("40 ×")
    page.get_by_role("radio", name="Errors").click()
    expect(page.get_by_text("The candidate is broken now: errors.")).to_be_visible(timeout=20_000)

    title = page.get_by_role("heading", name="Rolled back: every learner gets original")
    expect(title).to_be_visible(timeout=120_000)
    expect(page.locator(".cc-stopwatch")).to_contain_text("by monitor")
    expect(page.locator(".cc-stopwatch")).not_to_contain_text("not yet", timeout=30_000)
    # By the trigger, or by the guardrail that compares it with the baseline, whichever had the evidence first.
    expect(page.locator(".cc-headline").first).to_contain_text("rror rate")
    expect(page.locator(".cc-row-bad").first).to_contain_text("Error rate")
    page.goto(f"{demo.url}/system")
    expect(page.get_by_role("cell", name="monitor", exact=True)).to_be_visible()
