"""Pushes what a client measured to the public HTTP API: in batches, with a bounded buffer, each counted once."""

from __future__ import annotations

import logging
import uuid
from collections import deque
from collections.abc import Sequence
from typing import Any

import httpx

logger = logging.getLogger(__name__)

MAX_BATCHES = 200  # at 0.75 s a batch, two and a half minutes without the API


class Pusher:
    """Sends batches in order; keeps those that can't be sent yet, and drops the oldest when there are too many."""

    def __init__(self, http: httpx.AsyncClient, url: str, token: str, flag: str, versions: Sequence[str]) -> None:
        """Push to `url`; `versions` are those whose every request is reported, so that none is a healthy zero."""
        self.dropped = 0
        self.sent = 0
        self._http = http
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._about = {"flag": flag, "versions": list(versions)}
        self._waiting: deque[dict[str, Any]] = deque()
        self._failing = False

    def add(self, requests: list[dict[str, Any]], probes: list[dict[str, Any]]) -> None:
        """Queue a batch; an empty one says that there was nothing, not that nobody looked."""
        if len(self._waiting) == MAX_BATCHES:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append({"batch": uuid.uuid4().hex, **self._about, "requests": requests, "probes": probes})

    async def flush(self) -> None:
        """Send what is waiting, oldest first, until one can't be sent; that one keeps its id for the next attempt."""
        while self._waiting:
            batch = self._waiting[0]
            try:
                response = await self._http.post(self._url, json=batch, headers=self._headers)
            except httpx.HTTPError as error:
                self._failed(f"{error or type(error).__name__}")
                return
            if response.status_code in {408, 425, 429} or response.status_code >= 500:
                self._failed(f"HTTP {response.status_code}")
                return
            if self._waiting and self._waiting[0] is batch:  # unless it was dropped meanwhile
                self._waiting.popleft()
            if response.is_success:
                self.sent += 1
                rejected = response.json().get("rejected")
                if rejected:
                    logger.warning("batch %s: %s rejected", batch["batch"], rejected)
            else:
                self.dropped += 1
                logger.error("batch refused with HTTP %s: %s", response.status_code, response.text[:500])
            if self._failing:
                logger.warning("figures can be pushed again; %d batches dropped", self.dropped)
                self._failing = False

    def _failed(self, why: str) -> None:
        if not self._failing:
            logger.warning("figures can't be pushed, kept for later: %s", why)
            self._failing = True
