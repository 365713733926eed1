"""Services that report what they answer, without the service: `python -m benchmarks.senders PORT FLAG RATE SECONDS`.

One process with the client, as a service has it; the token is in PUSH. Records are made up, as the demo's are; prints
what became of them as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from benchmarks.history import LEARNERS, SEGMENTS
from benchmarks.servers import ROOT, Server
from benchmarks.wire import HOST
from canary_client import Reporter
from core.demo.processes import end

STEP_S = 0.01


@contextmanager
def reporting(server: Server, processes: int, rate: float, seconds: float) -> Iterator[list[subprocess.Popen[str]]]:
    """Let services report `rate` records a second together; `said` waits for their end."""
    command = [sys.executable, "-m", "benchmarks.senders", str(server.port), server.home.plan.flag]
    command += [str(rate / processes), str(seconds)]
    environment = {
        **os.environ,
        "PUSH": server.push,
        "VERSIONS": f"{server.home.plan.candidate},{server.home.plan.baseline}",
    }
    started = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    try:
        yield started
    finally:
        end(started)


def main() -> None:
    """Report, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("flag")
    parser.add_argument("rate", type=float)
    parser.add_argument("seconds", type=float)
    options = parser.parse_args()
    candidate, baseline = os.environ["VERSIONS"].split(",")
    reporter = Reporter(f"http://{HOST}:{options.port}", os.environ["PUSH"], options.flag, [candidate, baseline])
    draw = random.Random(os.getpid())
    began = time.perf_counter()
    recorded, spent = 0, 0.0
    while (now := time.perf_counter() - began) < options.seconds:
        due = int(now * options.rate)
        before = time.perf_counter()
        for _ in range(due - recorded):
            reporter.record(
                learner=f"learner-{draw.randrange(LEARNERS)}",
                version=candidate if draw.random() < 0.1 else baseline,
                latency_ms=min(190.0, draw.lognormvariate(3.0, 0.5)),
                segment=f"segment-{draw.randrange(SEGMENTS)}",
                revenue=0.1,
            )
        spent += time.perf_counter() - before
        recorded = due
        time.sleep(STEP_S)
    took = time.perf_counter() - began
    waiting = reporter.stats().waiting
    reporter.flush(30.0)
    final = asdict(reporter.stats()) | {
        "seconds": took,
        "waiting_at_end": waiting,
        "us_per_record": 1e6 * spent / recorded,
    }
    reporter.close()
    sys.stdout.write(json.dumps(final) + "\n")


if __name__ == "__main__":
    main()
