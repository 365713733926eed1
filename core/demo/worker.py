"""One analyzer as a process of its own: `/cohort/{learner}` and `/health`.

`python -m core.demo.worker --version fast --data DIR --port P --model-store URL`. It says `{"ready": PORT}` on stdout,
takes `{"fault": NAME or null}` lines on stdin, and ends when stdin is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import gc
import json
import logging
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.demo import dataset, faults
from core.demo.faults import Fault
from core.demo.net import Server, client, listen, problem
from core.demo.processes import stdin_lines
from core.learners import CohortModel, Traits, finish, observe, scan_one, traits_at, traits_of

ORIGINAL, FAST = "original", "fast"
DEPENDENCY_DOWN = "dependency-down"
CRASHED = 70
REFRESH_S = 1.0

logger = logging.getLogger(__name__)


class Analyzer:
    """Answers "which cohort is this learner in" from the learner's own events and a cohort model."""

    def __init__(self, version: str, data: dataset.Dataset) -> None:
        self.version = version
        self.model: CohortModel = data.model
        self._events = data.events

    def traits(self, index: int) -> Traits:
        """Return the traits of a learner by index, computed now."""
        constants = self.model.constants
        if self.version == FAST:
            return traits_at(finish(scan_one(self._events, index, constants), constants), 0, self._events.domains)
        return traits_of(observe(self._events.of_learner(index), constants.as_of, constants.weeks), constants)

    def answer(self, learner: str) -> dict[str, Any] | None:
        """Return the answer to send; None for a learner nobody knows."""
        index = self._events.find(learner)
        if index is None:
            return None
        traits = self.traits(index)
        cohort = self.model.cohort_of(traits)
        return {
            "learner": learner,
            "cohort": None if cohort is None else cohort.number,
            "archetype": None if cohort is None else cohort.archetype,
            "name": None if cohort is None else cohort.name,
            "version": self.version,
            "traits": dataclasses.asdict(traits),
        }


class Worker:
    """The HTTP side of an analyzer, with the faults that can befall it."""

    def __init__(self, analyzer: Analyzer, model_store: str | None) -> None:
        self.fault: Fault | None = None
        self.dependency_up = True
        self._analyzer = analyzer
        self._model_store = model_store
        self._chance = random.Random(1)
        self.app = Starlette(
            routes=[Route("/cohort/{learner:path}", self._cohort), Route("/health", self._health)],
        )

    async def _cohort(self, request: Request) -> Response:
        fault = self.fault
        if not self.dependency_up:
            return problem(503, "the model store can't be reached", type=DEPENDENCY_DOWN)
        if fault is Fault.SLOW:
            await asyncio.sleep(faults.SLOW_S)
        if fault is Fault.CRASH and self._chance.random() < faults.CRASH_CHANCE:
            logger.error("crashing, as asked")
            os._exit(CRASHED)
        if fault is Fault.ERRORS and self._chance.random() < faults.ERROR_SHARE:
            return problem(500, "failed, as asked")
        learner = request.path_params["learner"]
        answer = self._analyzer.answer(learner)
        if answer is None:
            return problem(404, "no such learner", learner=learner)
        if fault is Fault.WRONG_COHORT and answer["cohort"] is not None and faults.gets_wrong_cohort(learner):
            cohorts = self._analyzer.model.cohorts
            wrong = cohorts[(answer["cohort"] + 1) % len(cohorts)]
            answer |= {"cohort": wrong.number, "archetype": wrong.archetype, "name": wrong.name}
        return JSONResponse(answer)

    async def _health(self, _: Request) -> Response:
        # Alive, whatever its dependency does: a closed store makes it fall back, not disappear.
        return JSONResponse({"status": "ok", "dependency": "up" if self.dependency_up else "down"})

    async def refresh_model(self) -> None:
        """Ask the model store for its model every second, for ever; note when it can't be reached."""
        assert self._model_store is not None
        etag = ""
        async with client(timeout_s=0.5) as http:
            while True:
                try:
                    response = await http.get(self._model_store, headers={"If-None-Match": etag})
                    if response.status_code == 200:
                        self._analyzer.model = CohortModel.from_json(response.text)
                        etag = response.headers["ETag"]
                    elif response.status_code != 304:
                        response.raise_for_status()
                    up = True
                except (httpx.HTTPError, ValueError, KeyError) as error:
                    up = False
                    if self.dependency_up:
                        logger.warning("model store: %s", error or type(error).__name__)
                self.dependency_up = up
                await asyncio.sleep(REFRESH_S)


def _on_line(worker: Worker, line: bytes) -> None:
    fault = json.loads(line)["fault"]
    worker.fault = None if fault is None else Fault(fault)
    logger.info("fault: %s", fault)


async def _run(version: str, folder: Path, port: int, model_store: str | None) -> None:
    data = dataset.load(folder)
    analyzer = Analyzer(version, data)
    analyzer.answer(str(data.events.learners[0]))  # load the compiled code before the first request
    worker = Worker(analyzer, model_store)
    sock = listen(port)
    server = Server(worker.app)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    tasks = [asyncio.create_task(stdin_lines(lambda line: _on_line(worker, line), stop))]
    if model_store is not None:
        tasks.append(asyncio.create_task(worker.refresh_model()))
    gc.collect()
    gc.freeze()
    sys.stdout.write(json.dumps({"ready": sock.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    await server.serve(sockets=[sock])
    for task in tasks:
        task.cancel()


def main() -> None:
    """Run one worker until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", choices=[ORIGINAL, FAST], required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--model-store")
    options = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format=f"%(asctime)s {options.version} %(levelname)s %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    asyncio.run(_run(options.version, options.data, options.port, options.model_store))


if __name__ == "__main__":
    main()
