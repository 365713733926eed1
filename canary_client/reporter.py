"""Keeps what a service answered until the server has it: bounded, each batch counted once, on a thread of its own."""

from __future__ import annotations

import atexit
import logging
import os
import random
import socket
import threading
import time
import uuid
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from canary_client import records
from canary_client.sending import Answer, Fate, Sender

logger = logging.getLogger("canary_client")

FIRST_RETRY_S, LAST_RETRY_S = 0.5, 30.0
SKEW_S = 5.0
"""From this difference of the two clocks on, it is worth a line in the log."""


@dataclass(frozen=True)
class Stats:
    """What has become of what was recorded, since the reporter was made.

    Attributes:
        recorded: requests and probes that were kept. waiting: of these, not yet sent.
        accepted, repeated, rejected: as the server counted; rejected by reason.
        dropped: the oldest, because the server could not be reached for too long. invalid: could not be told at all.
        unreported: requests of which a middleware did not learn version or learner.
        batches: sent. failures: attempts to send that failed. last_error: the latest, "" when the last one went well.
        skew_s: our clock's lead over the server's (with the way there), seconds; None before the first batch.
    """

    recorded: int
    waiting: int
    accepted: int
    repeated: int
    rejected: Mapping[str, int]
    dropped: int
    invalid: int
    unreported: int
    batches: int
    failures: int
    last_error: str
    skew_s: float | None


@dataclass
class _Batch:
    id: str
    requests: list[dict[str, Any]]
    probes: list[dict[str, Any]]
    dropped: int = 0  # records lost before this batch, told to the server with it

    @property
    def size(self) -> int:
        return len(self.requests) + len(self.probes)


@dataclass
class _Counts:
    recorded: int = 0
    accepted: int = 0
    repeated: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    dropped: int = 0
    invalid: int = 0
    unreported: int = 0
    batches: int = 0
    failures: int = 0
    last_error: str = ""
    skew_s: float | None = None


class Reporter:
    """Takes records from any thread and sends them in the background. Nothing it does raises into the service.

    Use one a process, for as long as the process lives. After a fork the child has one of its own, with nothing in it.
    """

    def __init__(
        self,
        url: str,
        token: str | Callable[[], str],
        flag: str,
        versions: Iterable[str] = (),
        *,
        source: str | None = None,
        interval_s: float = 2.0,
        heartbeat_s: float = 10.0,
        timeout_s: float = 5.0,
        close_s: float = 2.0,
        max_records: int = 50_000,
        max_batch: int = 1_000,
        start: bool = True,
    ) -> None:
        """Report to a server.

        Args:
            url: of the server, "http://127.0.0.1:8501". token: for pushing figures, or what returns it when asked.
            flag: that the versions are of.
            versions: those of which this process reports every request it answers, so that none is a healthy zero.
            source: what the server calls us; default: host and process id.
            interval_s: from one batch to the next. heartbeat_s: without a record, from one sign of life to the next;
                keep it under the plan's sample interval.
            timeout_s: of one attempt. close_s: how long the end of the process may be held up.
            max_records: kept when the server can't be reached; beyond, the oldest are dropped and counted.
            max_batch: records in one batch.
            start: begin to send at once.

        Raises:
            ValueError: the url is none, or an amount is not above zero.
        """
        if min(interval_s, heartbeat_s, timeout_s, max_records, max_batch) <= 0 or close_s < 0:
            raise ValueError("times, max_records and max_batch must be above zero")
        self._sender = Sender(url, token, timeout_s)
        self._about = {"flag": flag, "versions": [str(version) for version in versions]}
        self._source = source
        self._interval_s, self._heartbeat_s, self._close_s = interval_s, heartbeat_s, close_s
        self._max_records, self._max_batch = max_records, min(max_batch, max_records)
        self._counts = _Counts()
        self._is_parent = False
        self._begin()
        _alive.add(self)
        if start:
            self.start()

    def _begin(self) -> None:
        """Set up what belongs to one process."""
        self._changed = threading.Condition(threading.Lock())
        self._fresh: deque[tuple[str, dict[str, Any]]] = deque()
        self._waiting: deque[_Batch] = deque()
        self._sending: _Batch | None = None
        self._held = 0
        self._dropped_untold = 0
        self._said: set[str] = set()
        self._thread: threading.Thread | None = None
        self._stopping = self._flushing = False
        self._failures = 0
        self._deadline = float("inf")
        self._name = (self._source or f"{socket.gethostname()}:{os.getpid()}")[: records.MAX_NAME]

    # --- what the service calls

    def record(
        self,
        *,
        learner: str | int,
        version: str,
        latency_ms: float | None = None,
        ok: bool = True,
        fallback: bool = False,
        compared: bool = False,
        disagreed: bool = False,
        segment: str = "",
        region: str = "",
        revenue: float = 0.0,
        cost: float = 0.0,
        ts: float | None = None,
    ) -> bool:
        """Keep one answered request.

        Args:
            learner: whom it was for; the server keeps a keyed hash only. version: that the flag gave.
            latency_ms: None where it wasn't measured. ok: answered without an error.
            fallback: served by the fallback instead of `version`.
            compared, disagreed: the baseline computed the answer too; and came to another one.
            segment, region, revenue, cost: where there are any.
            ts: when it was answered, seconds since 1970; default: now.

        Returns:
            False where it can't be told (`Stats.invalid`): it says too little or what can't be. Never raises.
        """
        at = time.time() if ts is None else ts
        return self._take(
            "requests",
            lambda: records.request(
                at,
                learner,
                version,
                latency_ms,
                ok,
                fallback,
                compared,
                disagreed,
                segment,
                region,
                revenue,
                cost,
            ),
        )

    def probe(self, version: str, ok: bool, ts: float | None = None) -> bool:
        """Keep one health probe of a version: whether it was answered. Never raises; returns as `record`."""
        at = time.time() if ts is None else ts
        return self._take("probes", lambda: records.probe(at, version, ok))

    def skip(self) -> None:
        """Count a request of which nobody said version and learner; said once in the log, as it may be a mistake."""
        with self._changed:
            self._counts.unreported += 1
        self.complain(
            "unreported",
            "a request was not reported: nothing said which version answered it and whom; install VersionHook, call "
            "note(), or give the middleware extractors (said once; counted in stats().unreported)",
            level=logging.INFO,
        )

    def stats(self) -> Stats:
        """Return what has become of what was recorded."""
        with self._changed:
            known = dict(self._counts.__dict__, rejected=dict(self._counts.rejected))
            return Stats(waiting=self._held, **known)

    def start(self) -> None:
        """Begin to send, if that hasn't begun: where `start=False` was given because the process is yet to fork."""
        try:
            with self._changed:
                if self._thread is None and not self._stopping:
                    self._thread = threading.Thread(target=self._run, name="canary-client", daemon=True)
                    self._thread.start()
        except RuntimeError as error:  # no more threads, or the interpreter is ending
            self._thread = None
            self.complain("thread", f"figures can't be sent: {error}")

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Send what is there now; True when the server has all of it before the time is up."""
        self.start()
        with self._changed:
            self._flushing = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._held == 0, timeout_s)

    def close(self, timeout_s: float | None = None) -> bool:
        """Send what is there, within `timeout_s` (default `close_s`), and stop; True when nothing was left unsent."""
        limit = self._close_s if timeout_s is None else timeout_s
        with self._changed:
            self._deadline = time.monotonic() + limit
            self._stopping = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(limit)
        with self._changed:
            left = self._held
        if left:
            self.complain("closed", f"{left} records were not sent before the end")
        _alive.discard(self)
        return left == 0

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- keeping

    def _take(self, kind: str, make: Callable[[], dict[str, Any]]) -> bool:
        try:
            record = make()
        except Exception as error:  # noqa: BLE001 -- whatever the caller passed in, the caller goes on
            with self._changed:
                self._counts.invalid += 1
            self.complain("invalid", f"a record can't be told to the server: {error} (said once; counted in stats())")
            return False
        with self._changed:
            if self._held >= self._max_records:
                self._drop_oldest()
            self._fresh.append((kind, record))
            self._held += 1
            self._counts.recorded += 1
            if len(self._fresh) == self._max_batch:
                self._changed.notify_all()
        return True

    def _drop_oldest(self) -> None:
        lost = 1
        if self._waiting:
            batch = self._waiting.popleft()
            lost = batch.size
            self._dropped_untold += batch.dropped
        elif self._fresh:
            self._fresh.popleft()
        else:
            return  # all of it is on its way
        self._held -= lost
        self._counts.dropped += lost
        self._dropped_untold += lost

    def _pack(self) -> None:
        """Make batches of what is fresh; of nothing an empty one, where a sign of life is due."""
        with self._changed:
            while self._fresh:
                some = [self._fresh.popleft() for _ in range(min(len(self._fresh), self._max_batch))]
                self._waiting.append(
                    _Batch(
                        uuid.uuid4().hex,
                        [record for kind, record in some if kind == "requests"],
                        [record for kind, record in some if kind == "probes"],
                        self._dropped_untold,
                    )
                )
                self._dropped_untold = 0

    # --- sending: everything below runs on the thread

    def _run(self) -> None:
        due = time.monotonic() + self._interval_s * random.random()  # many processes don't come all at once
        self._spoke = -float("inf")
        while True:
            with self._changed:
                self._changed.wait_for(self._is_time, max(0.0, due - time.monotonic()))
                self._flushing = False
            try:
                asked_s = self._turn()
            except Exception as error:  # noqa: BLE001 -- ours: the service must not lose its reporter to it
                asked_s = 0.0
                self._put_back()
                self.complain("turn", f"figures can't be sent: {error}", trace=True)
            self._failures = 0 if asked_s is None else self._failures + 1
            if self._stopping and (self._failures or not self._held or time.monotonic() >= self._deadline):
                return
            due = time.monotonic() + (self._interval_s if asked_s is None else _backoff(self._failures, asked_s))

    def _is_time(self) -> bool:
        return self._stopping or self._flushing or (not self._failures and len(self._fresh) >= self._max_batch)

    def _turn(self) -> float | None:
        """Send what there is; None, or the seconds that the server asks us to wait where it can't take all."""
        self._pack()
        now = time.monotonic()
        if self._waiting or (now - self._spoke >= self._heartbeat_s and self._lives() and not self._stopping):
            self._spoke = now
            if not self._waiting:
                self._waiting.append(_Batch(uuid.uuid4().hex, [], []))
            return self._send_waiting()
        return None

    def _lives(self) -> bool:
        """Say whether a sign of life is true: not of a process that only forks those that answer requests."""
        return not (self._is_parent and self._counts.recorded == 0)

    def _put_back(self) -> None:
        with self._changed:
            if self._sending is not None:
                self._waiting.appendleft(self._sending)
                self._sending = None

    def _send_waiting(self) -> float | None:
        """Send batches until none is left or one fails; None, or the seconds that the server asks us to wait."""
        while True:
            with self._changed:
                if not self._waiting:
                    return None
                batch = self._sending = self._waiting.popleft()
            left = self._deadline - time.monotonic()
            told: dict[str, Any] = {"dropped": batch.dropped} if batch.dropped else {}
            body = {"batch": batch.id, "source": self._name, **self._about, **told}
            answer = self._sender.send({**body, "requests": batch.requests, "probes": batch.probes}, left)
            with self._changed:
                self._sending = None
                self._settle(batch, answer)
                self._changed.notify_all()
            self._tell(answer)
            if answer.fate is Fate.LATER:
                return answer.wait_s or 0.0

    def _settle(self, batch: _Batch, answer: Answer) -> None:
        counts = self._counts
        if answer.fate is Fate.TAKEN:
            self._held -= batch.size
            counts.batches += 1
            counts.accepted += answer.accepted
            counts.repeated += answer.repeated
            counts.rejected.update(answer.rejected)
            counts.last_error = ""
            counts.skew_s = answer.skew_s if answer.skew_s is not None else counts.skew_s
            return
        counts.failures += 1
        counts.last_error = answer.why
        if answer.fate is Fate.LATER and batch.size:
            self._waiting.appendleft(batch)  # with its id: what arrived after all isn't counted twice
        elif answer.fate is Fate.TOO_LARGE and batch.size > 1:
            self._waiting.extendleft(reversed(_halves(batch)))
        else:  # refused, or a sign of life that is out of date by the next attempt
            self._held -= batch.size
            counts.dropped += batch.size
            self._dropped_untold += batch.size + batch.dropped

    def _tell(self, answer: Answer) -> None:
        """Say in the log what changed: a line when sending begins to fail, and one when it works again."""
        if answer.fate is Fate.TAKEN:
            if "sending" in self._said:
                logger.warning("figures are sent again; %d records were dropped so far", self._counts.dropped)
            self._said.discard("sending")
            for reason, count in answer.rejected.items():
                self.complain(f"rejected {reason}", f"the server rejected {count} records: {reason} (said once)")
            if answer.skew_s is not None and abs(answer.skew_s) > SKEW_S:
                self.complain("skew", f"this clock is {answer.skew_s:+.0f} s against the server's: set one of them")
        elif answer.fate is Fate.LATER:
            self.complain("sending", f"figures can't be sent and are kept for later: {answer.why}")
        else:
            self.complain(f"batch {answer.fate.value}", f"a batch was {answer.fate.value}: {answer.why}")

    def complain(self, kind: str, text: str, *, level: int = logging.WARNING, trace: bool = False) -> None:
        """Write one line about each kind of trouble to the log, not one a request."""
        if kind not in self._said:
            self._said.add(kind)
            logger.log(level, "%s", text, exc_info=trace)

    # --- processes

    def _forked_in_child(self) -> None:
        running = self._thread is not None
        self._counts = _Counts()
        self._is_parent = False
        self._begin()  # what the parent holds it sends itself
        if running:
            self.start()

    def _forked_in_parent(self) -> None:
        self._is_parent = True


def _backoff(failures: int, asked_s: float) -> float:
    own = min(LAST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures - 1, 10)) * random.uniform(0.5, 1.0)
    return max(own, asked_s * random.uniform(1.0, 1.2))


def _halves(batch: _Batch) -> list[_Batch]:
    def half(requests: list[dict[str, Any]], probes: list[dict[str, Any]], dropped: int) -> _Batch:
        return _Batch(uuid.uuid4().hex, requests, probes, dropped)

    if not batch.probes or not batch.requests:
        r, p = len(batch.requests) // 2, len(batch.probes) // 2
        return [
            half(batch.requests[:r], batch.probes[:p], batch.dropped),
            half(batch.requests[r:], batch.probes[p:], 0),
        ]
    return [half(batch.requests, [], batch.dropped), half([], batch.probes, 0)]


_alive: weakref.WeakSet[Reporter] = weakref.WeakSet()


def _each(work: Callable[[Reporter], None]) -> None:
    for reporter in list(_alive):
        work(reporter)


def _close_all() -> None:
    deadline = time.monotonic() + max((reporter._close_s for reporter in _alive), default=0.0)
    for reporter in list(_alive):
        reporter.close(max(0.0, deadline - time.monotonic()))


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        after_in_child=lambda: _each(Reporter._forked_in_child),
        after_in_parent=lambda: _each(Reporter._forked_in_parent),
    )
