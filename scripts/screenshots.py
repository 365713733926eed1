"""The pictures in docs/pictures, taken of a demo that really runs: a canary under way, then broken and rolled back.

usage: python scripts/screenshots.py [--out docs/pictures] [--wait SECONDS]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
DESKTOP, PHONE = (1280, 900), (390, 844)
READY_S, ROLLED_BACK_S = 180.0, 180.0


@contextmanager
def demo() -> Iterator[str]:
    """Run the demo in a home of its own; yield the dashboard's address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="canary-pictures-") as folder:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("CANARY_", "STREAMLIT_"))}
        command = [sys.executable, "-m", "core.cli", "demo", "--port", str(port)]
        process = subprocess.Popen(command, cwd=ROOT, env=env | {"CANARY_HOME": folder}, start_new_session=True)
        try:
            yield _ready(process, f"http://127.0.0.1:{port}")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _ready(process: subprocess.Popen[bytes], url: str) -> str:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        if process.poll() is not None:
            sys.exit(f"the demo ended with exit code {process.returncode}")
        try:
            if httpx.get(f"{url}/_stcore/health", timeout=2).status_code == 200:
                return url
        except httpx.HTTPError:
            time.sleep(0.5)
    sys.exit(f"the demo is not ready after {READY_S:g} s")


def visit(browser: Browser, size: tuple[int, int], scheme: str, url: str) -> Page:
    """Open a page as somebody with that screen and appearance would."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,  # type: ignore[arg-type]
        device_scale_factor=2 if size == PHONE else 1,
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)
    return page


def take(page: Page, path: Path, *, whole: bool = False) -> None:
    """Take a picture; `whole`: of all of the page, not only of what the screen shows."""
    size = page.viewport_size
    if whole and size is not None:
        height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        page.set_viewport_size({"width": size["width"], "height": min(height + 90, 4000)})
        page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
    page.wait_for_timeout(2500)
    page.screenshot(path=path)
    page.context.close()
    print(path)


def people(browser: Browser, url: str, out: Path) -> None:
    """Take the pictures of the Cohorts and Learner pages, with a box drawn on the map."""
    for scheme, name in (("light", "cohorts.png"), ("dark", "cohorts-dark.png")):
        page = visit(browser, (1280, 1200), scheme, f"{url}/cohorts?x=velocity&y=concentration")
        plane = page.locator("[class*=st-key-map] .nsewdrag").first
        expect(plane).to_be_visible(timeout=30_000)
        plane.scroll_into_view_if_needed()
        page.wait_for_timeout(1500)
        left, top, width, height = plane.evaluate(
            "e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; }"
        )
        page.mouse.move(left + 0.5 * width, top + 0.6 * height)
        page.mouse.down()
        page.mouse.move(left + 0.7 * width, top + 0.75 * height, steps=4)
        page.mouse.move(left + 0.95 * width, top + 0.88 * height, steps=4)
        page.mouse.up()
        expect(page.locator(".cc-chosen h3")).to_be_visible(timeout=30_000)
        take(page, out / name, whole=True)
    take(visit(browser, PHONE, "light", f"{url}/cohorts"), out / "cohorts-phone.png", whole=True)
    take(visit(browser, DESKTOP, "light", f"{url}/learner?learner=demo-000017"), out / "learner.png", whole=True)
    take(visit(browser, PHONE, "dark", f"{url}/learner?learner=demo-000017"), out / "learner-phone.png", whole=True)


def money(browser: Browser, url: str, out: Path) -> None:
    """Take the pictures of the Business case page, which needs nothing but the case that comes with it."""
    for size, scheme, name in (
        (DESKTOP, "light", "business-case.png"),
        (DESKTOP, "dark", "business-case-dark.png"),
        (PHONE, "light", "business-case-phone.png"),
    ):
        page = visit(browser, size, scheme, f"{url}/business-case?measure=payback")
        expect(page.locator(".st-key-tornado .js-plotly-plot")).to_be_visible(timeout=30_000)
        take(page, out / name, whole=True)


def trial(browser: Browser, url: str, out: Path) -> None:
    """Take the pictures of the Experiment, Segments and Instrument pages, of made-up learners."""
    page = visit(browser, DESKTOP, "light", f"{url}/experiment")
    page.get_by_role("button", name="Compare 100,000 made-up learners").click()
    expect(page.locator(".st-key-course .js-plotly-plot")).to_be_visible(timeout=120_000)
    take(page, out / "experiment.png", whole=True)
    page = visit(browser, DESKTOP, "light", f"{url}/segments")
    expect(page.locator(".st-key-heat .js-plotly-plot")).to_be_visible(timeout=60_000)
    take(page, out / "segments.png", whole=True)
    page = visit(browser, DESKTOP, "light", f"{url}/instrument?splits=5000")
    expect(page.locator(".st-key-drifts .js-plotly-plot")).to_be_visible(timeout=180_000)
    take(page, out / "instrument.png", whole=True)


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--wait", type=float, default=75.0, help="wall seconds of canary before the first picture")
    options = parser.parse_args()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    chromium = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
    if chromium is None:
        sys.exit("Chromium is needed (apt-get install chromium).")
    with demo() as url, sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        live = visit(browser, DESKTOP, "light", url)
        expect(live.get_by_role("heading", name=re.compile("Canary: 1 %"))).to_be_visible(timeout=60_000)
        live.wait_for_timeout(1000 * options.wait)
        take(live, out / "live.png", whole=True)
        take(visit(browser, DESKTOP, "dark", url), out / "live-dark.png")
        take(visit(browser, PHONE, "light", url), out / "live-phone.png")
        take(visit(browser, DESKTOP, "light", f"{url}/checkpoints"), out / "checkpoints.png")
        people(browser, url, out)
        money(browser, url, out)
        trial(browser, url, out)

        broken = visit(browser, DESKTOP, "light", url)
        broken.get_by_role("radio", name="Errors").click()
        title = broken.get_by_role("heading", name=re.compile("^Rolled back"))
        expect(title).to_be_visible(timeout=1000 * ROLLED_BACK_S)
        if "Error rate" not in broken.locator(".cc-headline p").inner_text():
            sys.exit("It was rolled back before the fault could be: this machine is too busy for a picture. Try again.")
        expect(broken.locator(".cc-stopwatch")).not_to_contain_text("not yet", timeout=60_000)
        broken.context.close()
        take(visit(browser, DESKTOP, "light", url), out / "rolled-back.png")
        take(visit(browser, DESKTOP, "light", f"{url}/history"), out / "history.png")
        take(visit(browser, DESKTOP, "light", f"{url}/system"), out / "system.png")
        browser.close()


if __name__ == "__main__":
    main()
