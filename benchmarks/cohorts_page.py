"""The Cohorts page in a browser: from the address to the map of half a million learners, and to the chart of it."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

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
_MAP = ".cc-map-picture img"
_CHART = "[class*=st-key-map] .heatmaplayer image"
_WATCH = f"""
    const seen = (what, name) => {{
        const look = () => [...document.querySelectorAll(what)].some((image) => image.complete ?? true)
            ? requestAnimationFrame(() => {{ window[name] = performance.now(); }})
            : requestAnimationFrame(look);
        requestAnimationFrame(look);
    }};
    seen("{_MAP}", "drawn");
    seen("{_CHART}", "charted");
"""


class _Hit(NamedTuple):
    """Seconds from asking for the page until the map was seen, and until its chart was."""

    map: float
    chart: float


def run(folder: Path, learners: int = LEARNERS, servers: int = SERVERS, hits: int = HITS) -> list[Row]:
    """Measure on fresh servers, with a new browser profile at each hit."""
    what = f"Cohorts page, until the map of {learners:,} learners is seen"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return [Row(NAME, what, "not measured: needs Playwright (`make install`)")]
    browser = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        return [Row(NAME, what, "not measured: needs Chromium")]
    home = _home(folder / NAME, learners)
    first: list[_Hit] = []
    later: list[_Hit] = []
    for _ in range(servers):
        with serving("serve", home) as server:
            time.sleep(_SETTLED_S)
            found = _hits(server, browser, sync_playwright, hits)
        first.append(found[0])
        later += found[1:]
    return [_row(what, first, later)]


def _row(what: str, first: list[_Hit], later: list[_Hit]) -> Row:
    fresh, warm = (statistics.median(hit.map for hit in hits) for hits in (first, later))
    chart = statistics.median(hit.chart for hit in later)
    return Row(
        NAME,
        what,
        f"{fresh:.2f} s on a fresh server, then {warm:.2f} s (medians of {len(first)} and {len(later)}, each with an "
        f"empty browser cache); the chart, in which boxes are drawn, stands after {chart:.2f} s",
        {"fresh_s": fresh, "later_s": warm, "slowest_s": max(hit.map for hit in first + later), "chart_s": chart},
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


def _hits(server: Server, browser: str, playwright: Callable[[], Any], times: int) -> list[_Hit]:
    """Open the page some times; count to the frame after the map, and after the chart, was there."""
    hits = []
    with playwright() as driver:
        opened = driver.chromium.launch(executable_path=browser, args=_ARGUMENTS)
        for _ in range(times):
            context = opened.new_context(viewport={"width": 1280, "height": 900})
            context.add_init_script(_WATCH)
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{server.port}/cohorts", wait_until="commit")
            page.locator(_CHART).wait_for(state="attached", timeout=60_000)
            page.wait_for_timeout(200)  # until the frame after
            hits.append(_Hit(*(at / 1e3 for at in page.evaluate("[window.drawn, window.charted]"))))
            context.close()
        opened.close()
    return hits
