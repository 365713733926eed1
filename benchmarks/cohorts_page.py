"""The Cohorts page in a browser: from the address to the drawn map of half a million learners."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.figures import Row
from benchmarks.history import PLAN, Home, url_of
from benchmarks.servers import Server, serving
from core.delivery import load_plan
from core.demo.cohorts import made_up
from core.learners import job
from core.store import Store

NAME = "cohorts-page"
LEARNERS = 500_000
SERVERS, HITS = 3, 4
AIM_S = 1.5
_SETTLED_S = 5.0
"""After which a server that answers has read the newest run, as one has by the time that somebody looks."""

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_MAP = "[class*=st-key-map] .heatmaplayer image"
_WATCH = f"""
    const look = () => document.querySelector("{_MAP}")
        ? requestAnimationFrame(() => {{ window.drawn = performance.now(); }})
        : requestAnimationFrame(look);
    requestAnimationFrame(look);
"""


def run(folder: Path, learners: int = LEARNERS, servers: int = SERVERS, hits: int = HITS) -> list[Row]:
    """Measure on fresh servers, with a new browser profile at each hit."""
    what = f"Cohorts page, first paint with {learners:,} learners"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return [Row(NAME, what, "not measured: needs Playwright (`make install`)")]
    browser = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        return [Row(NAME, what, "not measured: needs Chromium")]
    home = _home(folder / NAME, learners)
    first: list[float] = []
    later: list[float] = []
    for _ in range(servers):
        with serving("serve", home) as server:
            time.sleep(_SETTLED_S)
            seconds = _hits(server, browser, sync_playwright, hits)
        first.append(seconds[0])
        later += seconds[1:]
    return [_row(what, first, later)]


def _row(what: str, first: list[float], later: list[float]) -> Row:
    fresh, warm = statistics.median(first), statistics.median(later)
    return Row(
        NAME,
        what,
        f"{fresh:.2f} s on a fresh server, then {warm:.2f} s (medians of {len(first)} and {len(later)}, each with an "
        "empty browser cache)",
        {"fresh_s": fresh, "later_s": warm, "slowest_s": max(first + later)},
        f"< {AIM_S:g} s",
        max(fresh, warm) < AIM_S,
    )


def _home(path: Path, learners: int) -> Home:
    """Make a home with a run over made-up learners in it."""
    path.mkdir(parents=True)
    store = Store.open(url_of(path), path)
    try:
        request = job.Request(home=str(path), url=url_of(path), made_up=learners, keep_events=False)
        job.work(store, request, job.Told(lambda _: None), made_up)
    finally:
        store.close()
    return Home(path, "", load_plan(PLAN), 0.0)


def _hits(server: Server, browser: str, playwright: Callable[[], Any], times: int) -> list[float]:
    """Open the page some times; return seconds from asking for it to the frame after the map was drawn."""
    seconds = []
    with playwright() as driver:
        opened = driver.chromium.launch(executable_path=browser, args=_ARGUMENTS)
        for _ in range(times):
            context = opened.new_context(viewport={"width": 1280, "height": 900})
            context.add_init_script(_WATCH)
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{server.port}/cohorts", wait_until="commit")
            page.locator(_MAP).wait_for(state="attached", timeout=60_000)
            page.wait_for_timeout(200)  # until the frame after
            seconds.append(page.evaluate("window.drawn") / 1e3)
            context.close()
        opened.close()
    return seconds
