"""Drills: a rollback and a restore done for practice, measured, and remembered in the event log. No learner moves."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from core.delivery.model import Action, Command
from core.delivery.planfile import parse_plan
from core.delivery.service import Deliveries
from core.store import (
    Manifest,
    Store,
    backup_name,
    make_backup,
    restore_backup,
    scratch_database,
)
from core.traffic import FlagService, SwitchError

DRILL_FLAG = "canary-drill"
"""Nobody asks for this flag."""

ROLLBACK_DRILLED, RESTORE_DRILLED = "rollback drilled", "restore drilled"
LEARNERS = tuple(f"drill-{n}" for n in range(300))

_PLAN = f"""
name: rollback-drill
flag: {DRILL_FLAG}
baseline: before
candidate: after
simulated: a drill; no learner asks for this flag
triggers: [error_rate > 1.5 % for 2 min]
phases:
  - name: drill
    traffic: 100 %
    lasts: 1 h
    checkpoints: [1 h]
    criteria: [error_rate < 1 %]
"""


@dataclass(frozen=True, slots=True)
class RollbackDrill:
    """A rollback done for practice.

    Attributes:
        deployment: that was rolled back. ok: whether all went as it should.
        before: how many of `learners` evaluations gave the candidate before; astray: and after the rollback.
        decided_s: wall seconds until the decision was committed and the switch read back.
        seen_s: until an evaluation gave the baseline.
        switch: that was drilled, in words. problem: what went wrong; "" for nothing.
    """

    deployment: str
    ok: bool
    learners: int
    before: int
    astray: int
    decided_s: float
    seen_s: float
    switch: str
    problem: str


def drill_rollback(deliveries: Deliveries, actor: str) -> RollbackDrill:
    """Give a flag that nobody asks for to a candidate, take it back, and measure that.

    It goes the way of every rollback: the same transaction, the same event, the same switch set and read back.

    Raises:
        StoreUnavailable: the database can't be written.
    """
    for left in deliveries.all():  # by a drill that was killed
        if left.plan.flag == DRILL_FLAG and not left.state.ended:
            deliveries.command(left.id, Command(Action.ABORT, actor, "left over from a drill that was stopped"))
    made = deliveries.create(parse_plan(_PLAN, "drill"), actor, "a drill")
    started = deliveries.command(made.id, Command(Action.START, actor, "a drill: nobody asks for this flag"))
    try:
        before = _candidates(deliveries)
    except SwitchError:
        before = 0
    began = time.monotonic()
    outcome = deliveries.command(made.id, Command(Action.ROLL_BACK, actor, "a drill: nobody asks for this flag"))
    decided_s = time.monotonic() - began
    astray, problem = len(LEARNERS), ""
    try:
        deliveries.switch.evaluate(DRILL_FLAG, LEARNERS[0])
        seen_s = time.monotonic() - began
        astray = _candidates(deliveries)
    except SwitchError as error:
        seen_s, problem = time.monotonic() - began, str(error)
    if not problem and not (started.switched and outcome.switched):
        problem = "the traffic switch has not confirmed it"
    if not problem and (before < len(LEARNERS) or astray):
        problem = f"{before} of {len(LEARNERS)} got the candidate before, and {astray} after the rollback"
    drill = RollbackDrill(
        made.id, not problem, len(LEARNERS), before, astray, decided_s, seen_s, deliveries.switch.name, problem
    )
    said = f"rolled back in {decided_s:.2f} s, {astray} of {len(LEARNERS)} evaluations astray" if drill.ok else problem
    with deliveries.store.transaction() as tx:
        tx.append(ROLLBACK_DRILLED, actor, said, made.id, asdict(drill))
    return drill


def _candidates(deliveries: Deliveries) -> int:
    return sum(deliveries.switch.evaluate(DRILL_FLAG, learner).variant == "candidate" for learner in LEARNERS)


@dataclass(frozen=True, slots=True)
class RestoreDrill:
    """A backup restored for practice.

    Attributes:
        backup: that was restored: its file's name. created: when it was made.
        ok: whether it came back whole and answers as the original.
        events: in its log. rows: in all its tables.
        flags: compared with the original's, `learners` evaluations each; moved_on: flags that changed since the backup,
            which can't be compared.
        backup_s, restore_s, verify_s: wall seconds of each part; 0 where the backup was there already.
        problems: what isn't right, as sentences.
    """

    backup: str
    created: str
    ok: bool
    events: int
    rows: int
    flags: int
    moved_on: int
    learners: int
    backup_s: float
    restore_s: float
    verify_s: float
    problems: tuple[str, ...]


def drill_restore(
    deliveries: Deliveries,
    actor: str,
    *,
    program: str,
    backup: Path | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> RestoreDrill:
    """Restore a backup, a fresh one unless another is named, beside the installation, and compare the two.

    Args:
        deliveries: of the installation, which goes on as it is.
        actor: for the event log. program: version of this program.
        backup: to be restored; None: one is made.
        told: is told what is being done.

    Raises:
        BackupError: the backup can't be made or read, or there is no place to restore it to.
        StoreUnavailable: the database can't be used.
    """
    store = deliveries.store
    backup_s = 0.0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="canary-drill-")))
        if backup is None:
            told("making a backup")
            began, backup = time.monotonic(), folder / backup_name(datetime.now(UTC))
            make_backup(store, backup, program=program)
            backup_s = time.monotonic() - began
        told("restoring it into a scratch place")
        began, home = time.monotonic(), folder / "home"
        url = stack.enter_context(scratch_database(store.url, folder))
        restored = restore_backup(backup, url, home)
        restore_s = time.monotonic() - began
        told("comparing it with the original")
        began = time.monotonic()
        copy = Store.open(url, home)
        stack.callback(copy.close)
        problems, flags, moved_on = _compared(store, copy)
        verify_s = time.monotonic() - began
    manifest: Manifest = restored.manifest
    found = (*restored.problems, *problems)
    if manifest.log_problem:
        found = (*found, f"the event log was broken when the backup was made: {manifest.log_problem}")
    drill = RestoreDrill(
        backup.name, manifest.created, not found, manifest.events, sum(manifest.tables.values()), flags, moved_on,
        len(LEARNERS), backup_s, restore_s, verify_s, found,
    )  # fmt: skip
    said = f"{manifest.events:,} events and {flags} flags came back whole in {restore_s + verify_s:.1f} s"
    with store.transaction() as tx:
        tx.append(RESTORE_DRILLED, actor, said if drill.ok else "; ".join(found), "", asdict(drill))
    return drill


def _compared(store: Store, copy: Store) -> tuple[list[str], int, int]:
    """Evaluate every flag of a copy for some learners, and the original's if it is at the same revision still."""
    here, there = FlagService(store), FlagService(copy)
    problems, same, moved_on = [], 0, 0
    try:
        for flag in there.flags():
            rules = [service.evaluate(flag, "").rule for service in (here, there)]
            if (rules[0].deployment, rules[0].revision) != (rules[1].deployment, rules[1].revision):
                moved_on += 1
                continue
            other = sum(here.evaluate(flag, who).value != there.evaluate(flag, who).value for who in LEARNERS)
            if other:
                problems.append(f"flag {flag}: {other} of {len(LEARNERS)} learners would get another version")
            same += not other
    except SwitchError as error:
        problems.append(f"the restored flags can't be evaluated: {error}")
    finally:
        here.close()
        there.close()
    return problems, same, moved_on


def back_to_baseline(deliveries: Deliveries, actor: str, reason: str) -> list[str]:
    """Roll back every deployment that was under way when a backup was made; return their ids.

    What was decided since isn't known: it may have been rolled back for a good reason.
    """
    done = []
    for status in deliveries.all():
        if status.state.carries_traffic and not status.state.ended and status.share > 0:
            outcome = deliveries.command(status.id, Command(Action.ROLL_BACK, actor, reason))
            if outcome.refusal is None:
                done.append(status.id)
    return done
