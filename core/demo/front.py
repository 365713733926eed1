"""The demo service's front: asks the flag which analyzer a learner gets, asks that one, and stands in where it must."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import math
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.demo import faults
from core.demo.connections import Connections, Unreachable
from core.demo.faults import Fault
from core.demo.flags import FlagClient
from core.demo.net import foreign, problem
from core.demo.revenue import LABEL, money_of
from core.demo.worker import DEPENDENCY_DOWN

logger = logging.getLogger(__name__)

WORKER_TIMEOUT_S = 5.0
ROUNDING = 1e-6
COMPARISONS = 500  # of the latest, for those who ask how they came out: several sample intervals at the demo's traffic


@dataclass(frozen=True, slots=True)
class FrontOptions:
    """What the front is told.

    Attributes:
        baseline, candidate: the versions' names. workers: address of each version's worker.
        compare_share: part of the candidate's answers that the baseline computes too.
        port: its own. token: for changing faults.
    """

    baseline: str
    candidate: str
    workers: Mapping[str, str]
    compare_share: float
    port: int
    token: str


class Front:
    """`GET /learners/{id}/cohort`, `GET /comparisons`, `GET|PUT /faults`, `GET /health`, `GET /status`."""

    def __init__(
        self,
        options: FrontOptions,
        flags: FlagClient,
        segment_of: Callable[[str], str | None],
        status: Callable[[], dict[str, Any]],
        set_fault: Callable[[Fault | None], Awaitable[None]],
    ) -> None:
        self.fault: Fault | None = None
        self.served: Counter[str] = Counter()
        self._options = options
        self._flags = flags
        self._segment_of = segment_of
        self._status = status
        self._set_fault = set_fault
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="flag")
        self._workers = {version: Connections(url, WORKER_TIMEOUT_S) for version, url in options.workers.items()}
        self._comparisons: deque[tuple[int, bool]] = deque(maxlen=COMPARISONS)
        self._comparing: set[asyncio.Task[None]] = set()
        self._next_comparison = 0
        self._rng = np.random.default_rng(11)
        self.app = Starlette(
            routes=[
                Route("/learners/{learner:path}/cohort", self._cohort),
                Route("/comparisons", self._get_comparisons),
                Route("/faults", self._get_faults),
                Route("/faults", self._put_faults, methods=["PUT"]),
                Route("/health", self._health),
                Route("/status", self._get_status),
            ]
        )

    async def _cohort(self, request: Request) -> Response:
        learner = request.path_params["learner"]
        segment = self._segment_of(learner)
        if segment is None:
            return problem(404, "no such learner", learner=learner)
        loop = asyncio.get_running_loop()
        flag = await loop.run_in_executor(self._threads, self._flags.evaluate, learner)
        version = flag.version if flag.version in self._workers else self._options.baseline
        is_candidate = version == self._options.candidate
        compare = is_candidate and self._rng.random() < self._options.compare_share

        served_by = version
        status, answer = await self._ask(version, learner)
        fallback = status == 503 and answer.get("type") == DEPENDENCY_DOWN
        if fallback:
            served_by = self._options.baseline
            status, answer = await self._ask(served_by, learner)
        self.served[f"{version} fallback" if fallback else version] += 1
        if status != 200:
            self.served[f"{version} failed"] += 1
            return problem(502, answer.get("title", "the analyzer failed"), version=version, fallback=fallback)

        comparison = self._compare_later(learner, answer) if compare and not fallback else None
        drop = faults.REVENUE_FACTOR if self.fault is Fault.REVENUE and is_candidate and not fallback else 1.0
        money = money_of(learner, self._rng, drop)
        return JSONResponse(
            answer
            | {
                "version": version,
                "served_by": served_by,
                "fallback": fallback,
                "comparison": comparison,
                "segment": segment,
                "flag": {"variant": flag.variant, "reason": flag.reason, "defaulted": flag.defaulted},
                "revenue": money.revenue,
                "cost": money.cost,
                "simulated": LABEL,
            }
        )

    def _compare_later(self, learner: str, answer: Mapping[str, Any]) -> int:
        """Let the baseline compute an answer too, without anybody waiting for it; return the comparison's number.

        Within the request it would be timed as the candidate's latency.
        """
        number = self._next_comparison
        self._next_comparison += 1

        async def compare() -> None:
            status, expected = await self._ask(self._options.baseline, learner)
            if status == 200:
                self._comparisons.append((number, not same_answer(answer, expected)))

        task = asyncio.create_task(compare())
        self._comparing.add(task)
        task.add_done_callback(self._comparing.discard)
        return number

    async def _get_comparisons(self, request: Request) -> Response:
        if refused := foreign(request, self._options.port):
            return refused
        return JSONResponse({"disagreed": dict(self._comparisons)})

    async def _ask(self, version: str, learner: str) -> tuple[int, dict[str, Any]]:
        """Return a worker's status and answer; 502 where it can't be reached."""
        try:
            status, body = await self._workers[version].get(f"/cohort/{quote(learner, safe='')}")
            return status, json.loads(body)
        except (Unreachable, ValueError) as error:
            return 502, {"title": f"the {version} analyzer can't be reached: {error}"}

    async def _get_faults(self, request: Request) -> Response:
        if refused := foreign(request, self._options.port):
            return refused
        kinds = [{"fault": fault.value, "sentence": fault.sentence} for fault in Fault]
        return JSONResponse({"fault": None if self.fault is None else self.fault.value, "faults": kinds})

    async def _put_faults(self, request: Request) -> Response:
        if refused := foreign(request, self._options.port):
            return refused
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.encode(), self._options.token.encode()):
            return problem(401, "changing faults needs the demo's token")
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return problem(415, 'send JSON: {"fault": "slow"} or {"fault": null}')
        try:
            wanted = json.loads(await request.body())["fault"]
            fault = None if wanted is None else Fault(wanted)
        except (ValueError, KeyError, TypeError):
            names = ", ".join(fault.value for fault in Fault)
            return problem(400, f'expected {{"fault": NAME or null}}, NAME one of {names}')
        self.fault = fault
        await self._set_fault(fault)
        logger.info("fault: %s", None if fault is None else fault.value)
        return JSONResponse({"fault": None if fault is None else fault.value})

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _get_status(self, request: Request) -> Response:
        if refused := foreign(request, self._options.port):
            return refused
        fault = None if self.fault is None else self.fault.value
        flag_service = "up" if self._flags.provider.down_since is None else "down, the default applies"
        return JSONResponse(
            {"fault": fault, "served": dict(self.served), "flag_service": flag_service, **self._status()}
        )

    def close(self) -> None:
        """Let go of connections and threads."""
        for connections in self._workers.values():
            connections.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._flags.close()


def same_answer(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Say whether two analyzers' answers are the same: the cohort, and each trait to rounding (1e-6)."""
    if one["cohort"] != other["cohort"] or one["traits"].keys() != other["traits"].keys():
        return False
    return all(_same(value, other["traits"][name]) for name, value in one["traits"].items())


def _same(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=0.0, abs_tol=ROUNDING)
    return a == b
