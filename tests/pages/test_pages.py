"""Every page runs, whatever the store holds; what it draws is held in tests/web, what clicks do in tests/browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.delivery import Action, State
from core.settings import get_settings
from core.store import Store, Trouble
from tests.pages.asking import page, said
from tests.web.deployments import Rollout, rollout

PAGES = ("live", "checkpoints", "history", "sources", "system", "settings")


@pytest.fixture
def running(home: Path) -> Iterator[Rollout]:
    with rollout(home) as made:
        made.go_on(20)
        yield made


@pytest.mark.parametrize("name", PAGES)
def test_an_empty_store(root: Path, name: str) -> None:
    app = page(root, name)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("name", PAGES)
def test_a_deployment_under_way(root: Path, running: Rollout, name: str) -> None:
    app = page(root, name)
    assert not app.exception
    assert not app.error
    # Settings shows no figures of it.
    assert ("Simulated: learners and revenue are made up" in said(app)) is (name != "settings")


def test_an_examination_says_what_is_wrong_and_how_to_mend_it(root: Path, running: Rollout) -> None:
    app = page(root, "settings")
    app.button(key="examine").click().run()
    assert not app.exception
    assert "canary drill restore" in said(app)
    app.toggle(key="set").set_value(True).run()
    assert "<code>home</code>" in said(app)
    assert "<code>lease_s</code>" not in said(app)


def test_a_database_that_cannot_be_written_is_said_on_every_page(
    root: Path, running: Rollout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "trouble", Trouble.FULL)
    for name in PAGES:
        assert "be written (full)" in said(page(root, name))


def test_buttons_are_disabled_with_the_reason(root: Path, running: Rollout) -> None:
    app = page(root, "live")
    disabled = {
        key: app.button(key=key).disabled for key in ("rollback", "do-hold", "do-advance", "do-start", "do-retry")
    }
    assert disabled == {"rollback": False, "do-hold": False, "do-advance": False, "do-start": True, "do-retry": True}
    assert any("Not now: it has been started already" in c.value for c in app.caption)


def test_a_click_holds(root: Path, running: Rollout) -> None:
    app = page(root, "live")
    app.button(key="do-hold").click().run()
    assert running.status.state is State.HOLDING
    assert "On hold in canary" in said(app)
    assert app.toast[0].value == "On hold: held by hand."


def test_a_rollback_asks_first(root: Path, running: Rollout) -> None:
    app = page(root, "live")
    app.button(key="rollback").click().run()
    assert running.status.state is State.RUNNING
    app.text_input(key="reason").set_value("because")
    app.button(key="confirm-harm").click().run()
    assert (running.status.state, running.status.why) == (State.ROLLED_BACK, "because")


def test_a_page_that_is_behind_the_times_advances_nothing(root: Path, running: Rollout) -> None:
    app = page(root, "live")
    app.button(key="do-advance").click().run()
    running.do(Action.HOLD)
    app.button(key="confirm").click().run()
    assert running.status.share == 0.01
    assert "changed since you looked" in app.warning[0].value


def test_a_wrong_plan_is_told_with_its_line(root: Path) -> None:
    app = page(root, "live")
    app.segmented_control(key="plan-way").set_value("Paste").run()
    app.text_area(key="plan-text").set_value("name: x\nflag: 3 %\n").run()
    assert "mistakes" in app.error[0].value
    assert not [b for b in app.button if b.key == "deploy"]


def test_sources_are_read_back_and_a_query_can_be_tried(
    root: Path, running: Rollout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text((root / "data/sources/example.yaml").read_text().replace(":9090", ":9").replace("5 s ", "300 ms "))
    monkeypatch.setenv("CANARY_SOURCES", str(file))
    get_settings.cache_clear()
    app = page(root, "sources")
    assert not app.exception
    assert "Not asked yet" in said(app)
    assert app.text_area[0].value == 'http_requests_total{version="{{version}}"}'
    assert list(app.selectbox(key="try-figure").options)[:2] == ["requests", "errors"]
    app.button(key="try").click().run()
    assert "Unreachable: it can&#x27;t be reached" in said(app)
    assert "http_requests_total{version=&quot;fast&quot;}" in said(app)


def test_a_mistake_in_the_sources_file_is_shown_with_its_line(
    root: Path, running: Rollout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text((root / "data/sources/example.yaml").read_text().replace("flag: analyzer", "flog: analyzer"))
    monkeypatch.setenv("CANARY_SOURCES", str(file))
    get_settings.cache_clear()
    app = page(root, "sources")
    assert "The sources file has 2 mistakes" in said(app)
    assert f"{file}:6:5" in said(app)
