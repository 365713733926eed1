"""A deployment whose traffic a webhook carries: moved, read back, watched; a webhook that is gone is seen through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.delivery import Action, Command, Deliveries, Monitor, State, incidents
from core.delivery import monitor as monitor_module
from core.settings import Settings
from core.store import Store
from core.traffic import open_flags, open_switch
from tests.delivery.acting import plan
from tests.traffic.test_webhook import SECRET, Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_a_webhook_carries_a_deployment(home: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor_module, "SWITCH_EVERY_S", 0.0)
    monkeypatch.setattr(monitor_module, "SWITCH_RETRY_S", (0.0, 0.0))
    settings = Settings(home=home, switch="webhook", webhook_url=receiver.url, webhook_secret=SECRET, lease_s=60.0)
    store = Store.open(settings.url, home)
    flags = open_flags(settings, store)
    deliveries = Deliveries(store, open_switch(settings, flags))
    monitor = Monitor(deliveries, settings, holder="test")
    try:
        deployment = deliveries.create(plan(), "cli:test").id

        def do(action: Action) -> bool:
            return deliveries.command(deployment, Command(action, "cli:test", "because")).switched

        assert do(Action.START)
        assert do(Action.ADVANCE)
        assert receiver.shares == {"analyzer": 0.1}
        receiver.shares["analyzer"] = 0.5
        monitor.tick()
        assert receiver.shares == {"analyzer": 0.1}
        receiver.shares["analyzer"] = 0.0
        monitor.tick()
        assert receiver.shares == {"analyzer": 0.0}
        assert deliveries.status(deployment).state is State.HOLDING
        assert "`canary switch --restore`" in deliveries.status(deployment).why
        assert do(Action.RESUME)
        assert receiver.shares == {"analyzer": 0.1}
        receiver.failures = [400] * 2
        assert not do(Action.ROLL_BACK)
        with store.read() as connection:
            assert [i.cause for i in incidents(connection, open_only=True)] == ["switch failed"]
        monitor.tick()  # refused again, and then not
        monitor.tick()
        assert receiver.shares == {"analyzer": 0.0}
        with store.read() as connection:
            assert incidents(connection, open_only=True) == []
    finally:
        flags.close()
        store.close()
