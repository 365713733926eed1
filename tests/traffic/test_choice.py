"""Settings choose the switch, and what is wrong with them is said by the setting's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from core.settings import Settings
from core.store import Store
from core.traffic import FlagService, SwitchSettings, TrafficSwitch, bucket, open_flags, open_switch
from core.traffic.haproxy import HaproxySwitch, haproxy_place
from core.traffic.webhook import WebhookSwitch


def chosen(home: Path, store: Store, **settings: Any) -> TrafficSwitch:
    at = Settings(home=home, **settings)
    return open_switch(at, open_flags(at, store))


def test_the_flag_service_by_default(home: Path, store: Store) -> None:
    switch = chosen(home, store)
    assert isinstance(switch, FlagService)
    assert switch.place_of is bucket


def test_haproxy_and_flags_that_place_learners_as_it_does(home: Path, store: Store) -> None:
    settings = Settings(home=home, switch="haproxy", haproxy_sockets=("/run/a.sock", "10.0.0.2:9999"), haproxy_seed=3)
    flags = open_flags(settings, store)
    switch = open_switch(settings, flags)
    assert isinstance(switch, HaproxySwitch)
    assert switch.name == "HAProxy at /run/a.sock, 10.0.0.2:9999"
    assert (
        flags.place_of("any", "learner-1")
        == haproxy_place(3)("other", "learner-1")
        != haproxy_place(7)("", "learner-1")
    )


def test_a_webhook(home: Path, store: Store) -> None:
    switch = chosen(home, store, switch="webhook", webhook_url="https://a.example/s", webhook_secret="s" * 16)
    assert isinstance(switch, WebhookSwitch)
    assert switch.name == "the webhook https://a.example/s"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"switch": "magic"}, "flags"),
        ({"switch": "haproxy"}, "haproxy_sockets must name at least one"),
        ({"switch": "webhook", "webhook_url": "https://a.example"}, "webhook_url and webhook_secret must be set"),
        ({"switch": "haproxy", "haproxy_sockets": ("/a",), "switch_timeout_s": 5.0}, "at most a quarter of lease_s"),
    ],
)
def test_settings_that_do_not_fit(home: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings(home=home, **settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"haproxy_sockets": ("admin.sock",)}, r"haproxy_sockets: 'admin\.sock' is neither"),
        ({"haproxy_sockets": ("/" + "x" * 120,)}, "at most 107 bytes"),
        ({"haproxy_sockets": ("host:70000",)}, "neither"),
        ({"haproxy_map": "/etc/a map"}, "haproxy_map"),
        ({"haproxy_map": "/etc/a;shutdown"}, "haproxy_map"),
        ({"switch": "webhook", "webhook_url": "http://a.example", "webhook_secret": "s" * 16}, "webhook_url: http to"),
        (
            {"switch": "webhook", "webhook_url": "https://a.example", "webhook_secret": "short"},
            "at least 16 characters",
        ),
    ],
)
@pytest.mark.sqlite
def test_values_that_cannot_be_used(home: Path, store: Store, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SwitchSettings, match=said):
        chosen(home, store, **{"switch": "haproxy", "haproxy_sockets": ("/run/a.sock",)} | settings)
