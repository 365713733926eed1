"""How often one person or token may change something; taking learners off a candidate has an allowance of its own."""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter


class RateLimit:
    """So many changes a minute for each caller of this process; thread-safe.

    Protecting learners is counted apart, so that nobody who has used up their changes is kept from rolling back.
    """

    def __init__(self, per_minute: int) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._item = RateLimitItemPerMinute(per_minute)

    def wait_s(self, caller: str, *, protects: bool = False) -> int:
        """Count a change; return 0 where it may be made, else after how many seconds the next one may."""
        key = ("protect" if protects else "change", caller)
        if self._limiter.hit(self._item, *key):
            return 0
        reset = self._limiter.get_window_stats(self._item, *key).reset_time
        return max(1, math.ceil(reset - time.time()))
