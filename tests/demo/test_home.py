import time
from pathlib import Path

import pytest

from core.delivery import Action, Command, Deliveries, State, load_plan
from core.demo.home import DemoError, DemoHome
from core.settings import Settings
from core.store import Store
from core.traffic import FlagService

PLAN = Path(__file__).parents[2] / "data" / "plans" / "demo.yaml"


def start_deployment(settings: Settings) -> tuple[Store, str]:
    store = Store.open(settings.url, settings.home)
    deliveries = Deliveries(store, FlagService(store))
    status = deliveries.create(load_plan(PLAN), "test")
    deliveries.command(status.id, Command(Action.START, "test", "go"))
    return store, status.id


def test_one_demo_at_a_time(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first = DemoHome(settings)
    with pytest.raises(DemoError, match="already running"):
        DemoHome(settings)
    first.close()
    DemoHome(settings).close()


def test_a_home_that_cannot_be_one_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DemoError, match="check CANARY_HOME"):
        DemoHome(Settings(home=tmp_path / "file"))


def test_real_deployments_are_left_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    store, _ = start_deployment(settings)
    store.close()
    with pytest.raises(DemoError, match="no demo's"):
        DemoHome(settings)


def test_plan_time_runs_on_and_never_back(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    home = DemoHome(settings)
    home.wind_up(1000)
    store, deployment = start_deployment(settings)
    time.sleep(0.3)
    home.stop_clock()
    with store.read():
        status = Deliveries(store, FlagService(store)).status(deployment)
    assert status.state is State.ABORTED
    stopped = status.judged_at or status.created
    home.wind_up(10)
    store.close()
    store = Store.open(settings.url, settings.home)
    assert store.clock().speed == 10
    assert store.clock().now() >= stopped
    store.close()
    home.close()


def test_reset_forgets_deployments_and_keeps_tokens(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    home = DemoHome(settings)
    store, _ = start_deployment(settings)
    store.close()
    (tmp_path / "tokens.json").write_text("{}")
    home.reset()
    home.close()
    store = Store.open(settings.url, settings.home)
    assert Deliveries(store, FlagService(store)).all() == []
    store.close()
    assert (tmp_path / "tokens.json").exists()


def test_reset_does_not_touch_another_database(tmp_path: Path) -> None:
    home = DemoHome(Settings(home=tmp_path, database_url=f"sqlite:///{tmp_path / 'other.sqlite'}"))
    with pytest.raises(DemoError, match="CANARY_DATABASE_URL"):
        home.reset()
    home.close()
