"""Redis as the cache that processes share: short time-outs, no repeats; what fails is left to the breaker."""

from __future__ import annotations

from urllib.parse import urlsplit

from core.learners.cache import Cache, LocalCache, SharedCache
from core.settings import Settings

PREFIX = "cohort-canary:1:"
"""Before each key; the number is that of the values' form."""

_SCHEMES = ("redis", "rediss", "unix")


class CacheSettings(Exception):
    """The cache's settings can't be used. The text names the setting."""


class RedisClient:
    """Keys and values in a Redis database.

    Args:
        url: as redis-py reads it. ttl_s: after which Redis forgets. timeout_s: to connect, and to be answered.
    """

    def __init__(self, url: str, ttl_s: float, timeout_s: float) -> None:
        try:
            import redis  # an extra: only who names a Redis needs it
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise CacheSettings("cache_url: needs the redis package: pip install 'cohort-canary[redis]'") from None
        self.failure: type[Exception] = redis.RedisError
        self._ttl_ms = max(1, round(1000 * ttl_s))
        try:
            self._client = redis.Redis.from_url(
                url,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                retry=Retry(NoBackoff(), 0),  # its default tries three more times, and each would cost a time-out
            )
        except (ValueError, redis.RedisError) as error:
            raise CacheSettings(f"cache_url: {error}") from None

    def get(self, key: str) -> bytes | None:
        """Return a value, or None."""
        value = self._client.get(PREFIX + key)
        return value.encode() if isinstance(value, str) else value  # text where the address says decode_responses

    def put(self, key: str, value: bytes) -> None:
        """Set a value, until it runs out."""
        self._client.set(PREFIX + key, value, px=self._ttl_ms)


def open_cache(settings: Settings) -> Cache:
    """Return the cache that the settings choose. A Redis is connected to at first use, and may be down.

    Raises:
        CacheSettings: they can't be used.
    """
    local = LocalCache(settings.cache_entries, settings.cache_ttl_s)
    if settings.cache_url is None:
        return local
    scheme = urlsplit(settings.cache_url).scheme
    if scheme not in _SCHEMES:
        raise CacheSettings(f"cache_url: {scheme or 'it'!r} is unknown; expected redis://, rediss:// or unix://")
    return SharedCache(local, RedisClient(settings.cache_url, settings.cache_ttl_s, settings.cache_timeout_s))
