"""One POST to the server, and what its answer means for the batch."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.utils import parsedate_to_datetime
from enum import Enum
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

MAX_ANSWER = 1_000_000
MAX_WAIT_S = 60.0
_REFUSED = frozenset({400, 422})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Fate(Enum):
    """What becomes of a batch."""

    TAKEN = "taken"  # or a repeat of one that was
    LATER = "later"
    TOO_LARGE = "too large"
    REFUSED = "refused"


@dataclass(frozen=True)
class Answer:
    """What the server said.

    Attributes:
        why: in words, where it isn't "taken". wait_s: how long it asks us to wait; None: it doesn't say.
        accepted, repeated, rejected: as the server counted. skew_s: our clock against the server's.
    """

    fate: Fate
    why: str = ""
    wait_s: float | None = None
    accepted: int = 0
    repeated: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    skew_s: float | None = None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow none: the token is for one server."""


class Sender:
    """Posts batches to one address."""

    def __init__(self, url: str, token: str | Callable[[], str], timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"}:
            raise ValueError(f"url: expected http://... or https://..., found {url!r}")
        self._url = f"{url.rstrip('/')}/api/v1/requests"
        self._token = token
        self._timeout_s = timeout_s
        # This machine is reached without a proxy, whatever the environment says; others as it says.
        direct = [urllib.request.ProxyHandler({})] if parts.hostname in _LOOPBACK else []
        self._opener = urllib.request.build_opener(_NoRedirects, *direct)

    def send(self, body: Mapping[str, Any], timeout_s: float | None = None) -> Answer:
        """Send one batch, and wait for the answer. Raises nothing that the network or the server can cause."""
        try:
            token = self._token() if callable(self._token) else self._token
            data = json.dumps({**body, "sent": time.time()}, separators=(",", ":")).encode()
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
            request = urllib.request.Request(self._url, data, headers, method="POST")
            limit = self._timeout_s if timeout_s is None else min(self._timeout_s, timeout_s)
            with self._opener.open(request, timeout=max(0.05, limit)) as answer:
                return _taken(answer.read(MAX_ANSWER))
        except urllib.error.HTTPError as error:
            with error:
                return _not_taken(error)
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            return Answer(Fate.LATER, f"{type(error).__name__}: {reason}")


def _taken(body: bytes) -> Answer:
    found = json.loads(body)
    if not isinstance(found, dict) or "accepted" not in found:
        raise ValueError("the answer is not cohort-canary's: is the url right?")
    return Answer(
        Fate.TAKEN,
        accepted=int(found["accepted"]),
        repeated=int(found.get("repeated", 0)),
        rejected={str(reason): int(count) for reason, count in found.get("rejected", {}).items()},
        skew_s=found.get("skew_s"),
    )


def _not_taken(error: urllib.error.HTTPError) -> Answer:
    why = f"HTTP {error.code}"
    try:
        detail = json.loads(error.read(MAX_ANSWER)).get("detail", "")
        why += f": {str(detail)[:300]}" if detail else ""
    except (OSError, HTTPException, ValueError, AttributeError):
        pass
    if error.code == 413:
        return Answer(Fate.TOO_LARGE, why)
    if error.code in _REFUSED:
        return Answer(Fate.REFUSED, why)
    return Answer(Fate.LATER, why, retry_after(error.headers, time.time()))


def retry_after(headers: Mapping[str, str] | Message, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for, `MAX_WAIT_S` at most; None without a valid one."""
    told = headers.get("Retry-After", "").strip()
    try:
        seconds = float(told) if told.isdigit() else parsedate_to_datetime(told).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, seconds), MAX_WAIT_S)
