"""Every setting, once: environment (CANARY_*), then canary.toml in the working directory, then these defaults."""

from __future__ import annotations

import ipaddress
import os
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


class Settings(BaseSettings):
    """Settings of one installation.

    Raises:
        pydantic.ValidationError: for a value of the wrong kind, or open mode on an address others can reach.
    """

    model_config = SettingsConfigDict(env_prefix="CANARY_", toml_file="canary.toml", extra="forbid")

    home: Path = Field(Path("data/state"), description="where state lives: database, anchor, tokens, logs, caches")
    database_url: str | None = Field(None, description="another database than canary.sqlite in home")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8501, ge=1, le=65535, description="port to listen on")
    allowed_hosts: tuple[str, ...] = Field((), description="further Host names that browsers and clients may use")
    open_mode: bool = Field(False, description="reading needs no token; only on a loopback address")
    read_tokens: tuple[SecretStr, ...] = Field((), description="tokens for reading flags and figures")
    push_tokens: tuple[SecretStr, ...] = Field((), description="tokens for pushing figures")
    act_tokens: tuple[SecretStr, ...] = Field((), description="tokens for acting on deployments")
    public_url: str | None = Field(None, description="address of the dashboard as people reach it, for links")
    oidc_url: str | None = Field(None, description="the identity provider's .well-known/openid-configuration")
    oidc_client_id: str | None = Field(None, description="what the identity provider knows this server as")
    oidc_client_secret: SecretStr | None = Field(None, description="what proves it")
    oidc_scope: str = Field("openid email profile", description="what is asked of the identity provider")
    people: Path | None = Field(None, description="file that says who has which role and seat")
    roster: Path | None = Field(None, description="file that says who is on call; without it nobody is called")
    data_folders: tuple[Path, ...] = Field(
        (), description="folders on the server whose files people who sign in may analyse; without sign-in: all"
    )
    session_h: float = Field(12.0, gt=0, description="longest time, hours, before people sign in again")
    changes_per_minute: int = Field(60, ge=1, description="changes a minute that one person or token may make")
    sources: Path | None = Field(None, description="file that says which Prometheus to ask for what")
    monitor: bool = Field(True, description="run the monitor inside the server process")
    tick_s: float = Field(5.0, gt=0, description="longest wall time between two ticks of the monitor, seconds")
    lease_s: float = Field(6.0, gt=0, description="wall seconds without a tick after which another monitor takes over")
    switch: Literal["flags", "haproxy", "webhook"] = Field("flags", description="what moves the traffic")
    switch_timeout_s: float = Field(1.0, gt=0, description="longest wait for the switch to be set, or read, seconds")
    haproxy_sockets: tuple[str, ...] = Field((), description="stats sockets of every HAProxy: /path or host:port")
    haproxy_map: str = Field("/etc/haproxy/canary.map", description="the map, as haproxy.cfg names it")
    haproxy_map_file: Path | None = Field(None, description="the map's file as seen from here; default: haproxy_map")
    haproxy_persist: bool = Field(True, description="write the map's file, so that a restart brings the same share")
    haproxy_seed: int = Field(7, ge=0, le=0xFFFFFFFF, description="SEED in haproxy.cfg's xxh32(SEED)")
    webhook_url: str | None = Field(None, description="address that is told the share (POST) and asked for it (GET)")
    webhook_secret: SecretStr | None = Field(None, description="signs what is sent to the webhook (HMAC-SHA256)")
    webhook_read: Literal["get", "answer"] = Field(
        "get", description="how the share is read back: by GET, or from the answer to the POST"
    )
    webhook_http_hosts: tuple[str, ...] = Field(
        (), description="hosts that the webhook may reach by http, without encryption"
    )
    cache_url: str | None = Field(None, description="a Redis that server processes share learners' cohorts in")
    cache_ttl_s: float = Field(3600.0, gt=0, description="how long a learner's cohort is remembered, seconds")
    cache_entries: int = Field(10_000, ge=1, description="most learners remembered in a process, about 1 KB each")
    cache_timeout_s: float = Field(0.05, gt=0, le=1, description="longest wait for the Redis, seconds")
    own_figures: bool = Field(False, description="plans get this server's memory and cache hit rate, if they ask")
    compact_after_s: tuple[tuple[float, float], ...] = Field(
        ((2 * 86_400.0, 300.0), (14 * 86_400.0, 3_600.0)),
        description="(age, span) in plan seconds: samples older than age are merged to spans",
    )
    demo_url: str | None = Field(None, description="address of the demo service, set by `canary demo`")
    demo_token: SecretStr | None = Field(
        None, description="token of the demo service's fault switch, set by `canary demo`"
    )

    @model_validator(mode="after")
    def _open_mode_stays_at_home(self) -> Settings:
        if self.open_mode and not is_loopback(self.host):
            raise ValueError(f"open_mode is for loopback addresses only, and host is {self.host}: set tokens instead")
        return self

    @model_validator(mode="after")
    def _sign_in_is_whole(self) -> Settings:
        given = {
            "oidc_url": self.oidc_url,
            "oidc_client_id": self.oidc_client_id,
            "oidc_client_secret": self.oidc_client_secret,
        }
        missing = [name for name, value in (given | {"public_url": self.public_url}).items() if not value]
        if any(given.values()) and missing:
            raise ValueError(f"sign-in needs {', '.join(given)} and public_url; missing: {', '.join(missing)}")
        for name, url in (("public_url", self.public_url), ("oidc_url", self.oidc_url)):
            if url is None:
                continue
            parts = urlsplit(url)
            plain = parts.scheme == "http" and is_loopback(parts.hostname or "")
            if not parts.hostname or (parts.scheme != "https" and not plain):
                raise ValueError(f"{name}: {url!r}: expected https://..., or http:// on a loopback address")
            if name == "public_url" and (parts.path.strip("/") or parts.query or parts.fragment):
                raise ValueError(f"{name}: {url!r}: expected no path: the dashboard is served at the root of its host")
        return self

    @property
    def sign_in(self) -> bool:
        """Whether people sign in with an identity provider; without one only this machine's user may look and act."""
        return self.oidc_url is not None

    @model_validator(mode="after")
    def _times_fit(self) -> Settings:
        if self.lease_s <= self.tick_s:
            raise ValueError(
                f"lease_s ({self.lease_s:g}) must be longer than tick_s ({self.tick_s:g}), or no lease holds"
            )
        if any(age <= 0 or span <= 0 for age, span in self.compact_after_s):
            raise ValueError("compact_after_s: ages and spans must be above zero")
        return self

    @model_validator(mode="after")
    def _switch_is_complete(self) -> Settings:
        if self.switch == "haproxy" and not self.haproxy_sockets:
            raise ValueError('switch is "haproxy": haproxy_sockets must name at least one stats socket')
        if self.switch == "webhook" and (self.webhook_url is None or self.webhook_secret is None):
            raise ValueError('switch is "webhook": webhook_url and webhook_secret must be set')
        # The monitor waits its turn, sets, and reads; it has to be back before another monitor takes over.
        if self.switch != "flags" and 4 * self.switch_timeout_s > self.lease_s:
            raise ValueError(
                f"switch_timeout_s ({self.switch_timeout_s:g}) must be at most a quarter of lease_s ({self.lease_s:g})"
            )
        return self

    @property
    def url(self) -> str:
        """URL of the database."""
        return self.database_url or f"sqlite:///{(self.home / 'canary.sqlite').resolve()}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the environment before canary.toml."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


class Origin(StrEnum):
    """Where a setting's value comes from."""

    ENVIRONMENT = "environment"
    FILE = "canary.toml"
    DEFAULT = "default"


def origins() -> dict[str, Origin]:
    """Return where each setting comes from, as the environment and the file are now.

    Raises:
        pydantic_settings.SettingsError, tomllib.TOMLDecodeError: the file can't be read.
    """
    environment = {name.lower() for name in os.environ}
    in_file = TomlConfigSettingsSource(Settings)()
    return {
        name: Origin.ENVIRONMENT
        if f"canary_{name}" in environment
        else Origin.FILE
        if name in in_file
        else Origin.DEFAULT
        for name in Settings.model_fields
    }


def is_loopback(host: str) -> bool:
    """Say whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process, read once."""
    return Settings()
