"""Settings -> the flag service and the traffic switch of an installation."""

from __future__ import annotations

from pathlib import Path

from core.settings import Settings
from core.store import Store
from core.traffic.bucketing import bucket
from core.traffic.flags import FlagService
from core.traffic.haproxy import HaproxySwitch, haproxy_place
from core.traffic.mapfile import MapFile
from core.traffic.runtime import KEY, RuntimeSocket
from core.traffic.switch import SwitchError, TrafficSwitch
from core.traffic.webhook import WebhookSwitch, checked_url


class SwitchSettings(SwitchError):
    """The switch's settings can't be used. The text names the setting."""


def open_flags(settings: Settings, store: Store) -> FlagService:
    """Return the flag service; behind HAProxy it places learners as HAProxy does, so that both tell them the same."""
    return FlagService(store, haproxy_place(settings.haproxy_seed) if settings.switch == "haproxy" else bucket)


def open_switch(settings: Settings, flags: FlagService) -> TrafficSwitch:
    """Return the switch that the settings choose. It is opened at first use: one that is down keeps nobody waiting.

    Raises:
        SwitchSettings: they can't be used.
    """
    if settings.switch == "haproxy":
        return _haproxy(settings, flags)
    if settings.switch == "webhook":
        return _webhook(settings, flags)
    return flags


def _haproxy(settings: Settings, flags: FlagService) -> HaproxySwitch:
    if KEY.fullmatch(settings.haproxy_map.removeprefix("/")) is None:
        raise SwitchSettings(f"haproxy_map: {settings.haproxy_map!r} holds a character that a command can't")
    try:
        runtimes = [RuntimeSocket(address, settings.switch_timeout_s) for address in settings.haproxy_sockets]
    except ValueError as error:
        raise SwitchSettings(f"haproxy_sockets: {error}") from None
    file = None
    if settings.haproxy_persist:
        file = MapFile(settings.haproxy_map_file or Path(settings.haproxy_map), settings.switch_timeout_s)
    return HaproxySwitch(flags, runtimes, settings.haproxy_map, file)


def _webhook(settings: Settings, flags: FlagService) -> WebhookSwitch:
    assert settings.webhook_url is not None
    assert settings.webhook_secret is not None
    try:
        url = checked_url(settings.webhook_url, settings.webhook_http_hosts)
    except ValueError as error:
        raise SwitchSettings(f"webhook_url: {error}") from None
    secret = settings.webhook_secret.get_secret_value()
    if len(secret) < 16:
        raise SwitchSettings("webhook_secret: at least 16 characters; make one with `openssl rand -hex 32`")
    return WebhookSwitch(flags, url, secret, settings.switch_timeout_s, by_get=settings.webhook_read == "get")
