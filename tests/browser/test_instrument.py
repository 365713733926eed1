"""The Instrument page in a browser: the verdict, its charts, a choice that goes into the address; on a phone, too."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from core.demo.experiment import METRICS, NOTHING, make_experiment, write_experiment
from core.experiments import Question, keep_experiment
from core.settings import Settings
from core.store import Store
from tests.browser.conftest import Server, Visitor


def test_a_check_is_drawn_and_shared(server: Server, visit: Callable[..., Visitor], tmp_path: Path) -> None:
    path = tmp_path / "same.parquet"
    write_experiment(path, make_experiment(6_000, 5, NOTHING))
    question = Question(
        paths=(str(path),), variant="variant", control="original", metrics=METRICS, segments=("region",)
    )
    settings = Settings(home=server.home)
    store = Store.open(settings.url, settings.home)
    key = keep_experiment(store, "both the same", question, "test", "simulated learners")
    store.close()

    visitor = visit()
    page = visitor.open(f"{server.url}/instrument?experiment={key}&splits=200")
    expect(page.get_by_role("heading", name="Not fit for use")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Simulated: simulated learners")).to_be_visible()
    for chart in ("p-values", "drifts", "smallest"):
        expect(page.locator(f".st-key-{chart} .js-plotly-plot")).to_be_visible(timeout=30_000)
    page.get_by_text("Both versions were the same").click()
    expect(page.get_by_role("heading", name="What the real arms say")).to_be_visible(timeout=30_000)
    expect(page).to_have_url(re.compile("same=1"))

    phone = visit(390, 844).open(page.url)
    expect(phone.get_by_role("heading", name="What the real arms say")).to_be_visible(timeout=30_000)
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert not visitor.strangers
