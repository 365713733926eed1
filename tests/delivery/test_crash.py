"""Kill the monitor with -9 at random moments, in real processes over a real database: nothing lost, nothing twice.

Two monitors run all the time, one leading and one standing by; after each kill the dead one is started again. Meanwhile
samples arrive and deployments go through their phases; some are rolled back by a fault. Every change of a deployment
bumps its revision in the same transaction as its event, so the log must hold each revision exactly once: a missing one
is a lost event, a repeated one an action done twice. `make soak` runs it with 200 kills.
"""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from core.delivery import Action, Command, State
from core.store import current_lease, verify_log
from tests.delivery.acting import Pusher, audit, open_deliveries, plan

KILLS = int(os.environ.get("CANARY_KILLS", "40"))
LEASE_S = 1.5
SPEED = 120.0  # a sample span of 30 s takes a quarter of a second, a whole roll-out 5.5 s


@pytest.mark.slow
@pytest.mark.timeout(120 + 10 * KILLS)
def test_killed_at_random_moments_nothing_is_lost_or_done_twice(home, database, capsys):
    wanted = KILLS if database.startswith("sqlite") else KILLS // 8
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    deliveries = open_deliveries(home, SPEED)
    pusher = Pusher(deliveries.store)
    began = time.monotonic()
    monitors = [_start(home), _start(home)]
    gaps, kills = [], 0
    try:
        _deploy(deliveries, pusher, dice)
        _run(deliveries, pusher, dice, until=lambda: _lease(deliveries) is not None, at_most_s=30)
        starting_s = time.monotonic() - began
        while kills < wanted or not gaps:
            _run_for(deliveries, pusher, dice, dice.uniform(0.05, 1.2))
            lease = _lease(deliveries)
            victim = dice.randrange(2)
            leads = lease is not None and f":{monitors[victim].pid}:" in lease.holder
            killed_at = time.time()
            monitors[victim].kill()
            monitors[victim].wait(10)
            monitors[victim] = _start(home)
            kills += 1
            if leads:
                _run(deliveries, pusher, dice, until=lambda at=killed_at: _lease(deliveries).beat > at, at_most_s=30)
                gaps.append(_lease(deliveries).beat - killed_at)
        # Let the last monitor finish what is under way.
        _run_for(deliveries, pusher, dice, 4 * LEASE_S)
    finally:
        for monitor in monitors:
            monitor.send_signal(signal.SIGTERM)
        codes = [monitor.wait(15) for monitor in monitors]

    lost, doubled = audit(deliveries)
    summary = (
        f"{kills} kills ({len(gaps)} of the leader, seed {seed}), {len(deliveries.all())} deployments, "
        f"{verify_log(deliveries.store).count} events: lost {lost}, doubled {doubled}, "
        f"longest gap {max(gaps, default=0.0):.2f} s (lease {LEASE_S} s)"
    )
    with capsys.disabled():
        print(f"\n{summary}")
    assert (lost, doubled) == (0, 0), summary
    assert codes == [0, 0]
    assert gaps, summary
    # The lease runs out at most LEASE_S after the last beat; the one standing by then needs one tick.
    # It may have been killed a moment before, and then has to start first, which takes as long as it did here.
    assert max(gaps) < LEASE_S + 2.0 + starting_s, f"{summary}; a monitor starts in {starting_s:.2f} s"
    assert {State.COMPLETED, State.ROLLED_BACK} & {s.state for s in deliveries.all()}
    deliveries.store.close()


def _start(home):
    environment = {**os.environ, "CANARY_HOME": str(home), "CANARY_LEASE_S": str(LEASE_S), "CANARY_TICK_S": "0.3"}
    with (home / "monitor.log").open("ab") as log:
        command = [sys.executable, "-m", "core.cli", "monitor"]
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def _lease(deliveries):
    with deliveries.store.read() as connection:
        return current_lease(connection, "monitor")


def _deploy(deliveries, pusher, dice):
    pusher.error_share["fast"] = dice.choice([0.0, 0.0, 0.2])
    status = deliveries.create(plan(), "cli:test")
    deliveries.command(status.id, Command(Action.START, "cli:test", "try it"))


def _run_for(deliveries, pusher, dice, seconds):
    end = time.monotonic() + seconds
    _run(deliveries, pusher, dice, until=lambda: time.monotonic() > end, at_most_s=seconds + 5)


def _run(deliveries, pusher, dice, *, until, at_most_s):
    """Push samples, and deploy anew whenever a roll-out has ended, until something is so."""
    end = time.monotonic() + at_most_s
    while not until():
        assert time.monotonic() < end, "the monitors did not get there in time; see monitor.log"
        pusher.push()
        current = deliveries.current()
        if current.state is State.HOLDING:
            deliveries.command(current.id, Command(Action.RESUME, "cli:test", "go on", extend_s=60.0))
        elif current.state.ended:
            _deploy(deliveries, pusher, dice)
        time.sleep(0.05)
