"""Take the pictures in docs/pictures from a demo that really runs: `make screenshots`.

Starts `canary demo` with a home of its own, waits until there is something to see, and photographs each page in a real
Chromium.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
WATCHED_S = 100.0  # at the demo's speed: three checkpoints of the canary phase
DESKTOP = {"width": 1360, "height": 900}
PHONE = {"width": 390, "height": 844}
SHOTS = [
    ("live", "", "light", DESKTOP),
    ("live-dark", "", "dark", DESKTOP),
    ("live-phone", "", "light", PHONE),
    ("checkpoints", "checkpoints", "light", DESKTOP),
    ("history", "history", "light", DESKTOP),
    ("system", "system", "light", DESKTOP),
]


@contextmanager
def demo(home: Path) -> Iterator[str]:
    """Run the demo, and give its address once it answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [str(Path(sys.executable).with_name("canary")), "demo", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"CANARY_HOME": str(home)}, stdin=subprocess.DEVNULL)
    try:
        for _ in range(240):
            if process.poll() is not None:
                sys.exit(f"the demo ended with exit code {process.returncode} before it answered")
            try:
                httpx.get(f"{address}/healthz", timeout=2)
                break
            except httpx.TransportError:
                time.sleep(0.5)
        else:
            sys.exit("the demo did not answer within two minutes")
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def photograph(browser: Browser, address: str, name: str, path: str, scheme: str, size: dict[str, int]) -> None:
    """Save one page as docs/pictures/NAME.png, once its script has run."""
    page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{address}/{path}")
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)
    page.wait_for_timeout(3_000)  # charts draw themselves after the script
    page.screenshot(path=PICTURES / f"{name}.png")
    page.close()
    print(f"docs/pictures/{name}.png")


def main() -> None:
    """Take all pictures."""
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next((found for found in map(shutil.which, names) if found), None)
    if chromium is None:
        sys.exit("Chromium is needed: sudo apt-get install chromium")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, demo(Path(home)) as address, sync_playwright() as playwright:
        print(f"The demo runs at {address}; the pictures follow in {WATCHED_S:.0f} s", file=sys.stderr)
        time.sleep(WATCHED_S)
        arguments = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
        ]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        for shot in SHOTS:
            photograph(browser, address, *shot)
        browser.close()


if __name__ == "__main__":
    main()
