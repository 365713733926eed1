"""A user's own switch as the traffic switch: told by POST what is decided, asked by GET what it does.

What is sent is signed, repeats carry the same idempotency key, and only the one address in the settings is ever called:
a redirect is an error. The secret and the signature never appear in a message.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import math
import ssl
import threading
import time
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import httpx

from core.traffic.bucketing import Assignment, Rule, assign
from core.traffic.flags import FlagService
from core.traffic.switch import SwitchError, SwitchState

_PAUSE_S = 0.1
"""Between two tries of one call, doubled each time."""
_MOST = 1 << 16
"""Bytes of an answer."""
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same call is worth another try."""


def checked_url(url: str, http_hosts: Collection[str] = ()) -> str:
    """Return the address if it may be called.

    Raises:
        ValueError: it isn't https (or http to this machine or a host named for it), or holds more than host and path.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"it can't be read: {error}") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError("it must begin with https:// and name a host")
    if parsed.userinfo or parsed.query or parsed.fragment:
        # Addresses are logged, by libraries too: what is secret doesn't belong there.
        raise ValueError("it must hold no user, query or fragment: the signature by webhook_secret says who calls")
    if parsed.scheme == "http" and not (_is_loopback(parsed.host) or parsed.host in http_hosts):
        raise ValueError(f"http to {parsed.host} is not encrypted: use https, or name the host in webhook_http_hosts")
    return str(parsed)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what `Canary-Signature` holds: "v1=" and the HMAC-SHA256 of `timestamp.body`, in hexadecimal."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class WebhookSwitch:
    """The `TrafficSwitch` over a user's own endpoint.

    Args:
        flags: knows what is committed.
        url: checked by `checked_url`. secret: signs. timeout_s: for a set or a get, all tries together.
        by_get: read the state back by GET; else from the answer to the POST.
    """

    def __init__(self, flags: FlagService, url: str, secret: str, timeout_s: float, *, by_get: bool = True) -> None:
        self.watched = by_get
        self._flags = flags
        self._url = url
        self._secret = secret
        self._timeout_s = timeout_s
        # The system's certificates (and SSL_CERT_FILE), but no proxy from the environment: only this address is called.
        self._tls = ssl.create_default_context() if url.startswith("https:") else False
        self._lock = threading.Lock()
        self._answered: dict[str, SwitchState] = {}

    @property
    def name(self) -> str:
        """What and where it is."""
        return f"the webhook {self._url}"

    def check(self, flag: str, share: float) -> None:
        """Any share can be set."""

    def set(self, flag: str, share: float, revision: int) -> None:
        """Tell the webhook. Raises SwitchError when it can't be told, refuses, or something else is committed."""
        self._flags.set(flag, share, revision)
        rule = self._flags.evaluate(flag, "").rule
        body = json.dumps(_message(rule), separators=(",", ":")).encode()
        answer = self._call("POST", body, {"Idempotency-Key": f"{rule.deployment}:{rule.revision}"})
        if not self.watched:
            state = self._state(flag, answer)
            with self._lock:
                self._answered[flag] = state

    def get(self, flag: str) -> SwitchState:
        """Ask the webhook, or repeat what it answered last.

        Raises:
            SwitchError: it doesn't answer, or not as expected; or nothing was asked yet in this process.
        """
        if self.watched:
            return self._state(flag, self._call("GET", b"", {}, {"flag": flag}))
        with self._lock:
            state = self._answered.get(flag)
        if state is None:
            raise SwitchError(f'{self.name} has not been told anything by this process; webhook_read is "answer"')
        return state

    def evaluate(self, flag: str, key: str) -> Assignment:
        """Say which version a learner gets by the share that the webhook says it gives."""
        rule = self._flags.evaluate(flag, key).rule
        return assign(replace(rule, share=self.get(flag).share), key, place_of=self._flags.place_of)

    def _call(self, method: str, body: bytes, headers: dict[str, str], query: dict[str, str] | None = None) -> bytes:
        """Call until it answers, or time is up."""
        ends, pause = time.monotonic() + self._timeout_s, _PAUSE_S
        while True:
            try:
                return self._try(method, body, headers, query or {}, ends)
            except _Passing as error:
                if time.monotonic() + pause >= ends:
                    raise SwitchError(f"{self.name} {error}") from None
            time.sleep(pause)
            pause *= 2

    def _try(self, method: str, body: bytes, headers: dict[str, str], query: dict[str, str], ends: float) -> bytes:
        timestamp = str(int(time.time()))
        url = httpx.URL(self._url).copy_merge_params(query)
        signed = {
            "Canary-Timestamp": timestamp,
            "Canary-Signature": signature(self._secret, timestamp, body or url.query),
            "Content-Type": "application/json",
            "Accept": "application/json",
        } | headers
        try:
            # A client of its own for each call, rare as they are: no connection that has gone stale meanwhile.
            left = max(0.01, ends - time.monotonic())
            with (
                httpx.Client(verify=self._tls, trust_env=False, follow_redirects=False, timeout=left) as http,
                http.stream(method, url, content=body or None, headers=signed) as answer,
            ):
                found = bytearray()
                for chunk in answer.iter_bytes():
                    found += chunk
                    if len(found) > _MOST:
                        raise SwitchError(f"{self.name} answers more than {_MOST:,} bytes")
                    if time.monotonic() > ends:
                        raise httpx.ReadTimeout("the answer goes on")
        except httpx.TimeoutException:
            raise _Passing(f"does not answer within {self._timeout_s:g} s") from None
        except httpx.HTTPError as error:
            raise _Passing(f"can't be reached: {error}") from None
        if answer.is_success:
            return bytes(found)
        if answer.status_code in _AGAIN:
            raise _Passing(f"answers {answer.status_code}")
        raise SwitchError(f"{self.name} refuses: {answer.status_code} {_said(bytes(found))}".rstrip())

    def _state(self, flag: str, answer: bytes) -> SwitchState:
        try:
            told = json.loads(answer)
            share, about = told["share"], told.get("flag", flag)
            known = isinstance(share, int | float) and not isinstance(share, bool)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            known, share, about = False, None, flag
        if not known or not (math.isfinite(share) and 0 <= share <= 1):
            raise SwitchError(
                f'{self.name} answers {_said(answer)}, expected JSON such as {{"flag": "{flag}", "share": 0.01}}'
            )
        if about != flag:
            raise SwitchError(f"{self.name} was asked for flag {flag!r} and answers for {about!r}")
        revision = told.get("revision")
        return SwitchState(flag, float(share), revision if isinstance(revision, int) else None, self.name)


class _Passing(Exception):
    """What may be better at the next try."""


def _message(rule: Rule) -> dict[str, Any]:
    return {
        "flag": rule.flag,
        "share": rule.share,
        "version": rule.candidate,
        "baseline": rule.baseline,
        "deployment": rule.deployment,
        "revision": rule.revision,
    }


def _said(body: bytes) -> str:
    text = " ".join(body.decode("utf-8", "replace").split())
    return repr(text[:200]) if text else "nothing"
