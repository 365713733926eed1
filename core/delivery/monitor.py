"""The monitor: judges what is under way, does what the verdict calls for, and proves that it happened.

One monitor acts at a time: the one that holds the lease. Its fencing token is checked inside every transaction, so a
monitor that was paused past its lease and wakes up again can't change anything. All that it needs to go on after a
crash is in the store; what it keeps in memory is a cache.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.delivery import records
from core.delivery.assignment import counted, settles_s
from core.delivery.drift import watch_switch
from core.delivery.judge import judge
from core.delivery.machine import MONITOR, decide
from core.delivery.model import Action, Assigned, Command, Seen, State, Status, Verdict
from core.delivery.plan import Figure, Phase
from core.delivery.scene import Place
from core.delivery.series import Series
from core.delivery.service import Deliveries
from core.delivery.signoff import standing
from core.delivery.spread import SegmentSums
from core.delivery.verification import EVALUATIONS, NO_TRAFFIC_SPANS, clean_window
from core.delivery.wire import finding_facts
from core.delivery.words import duration
from core.settings import Settings
from core.store import (
    BusinessSums,
    Fenced,
    Rule,
    SampleFrame,
    StoreUnavailable,
    Trouble,
    Tx,
    acquire_lease,
    beat,
    business_sums,
    compact,
    compaction_generation,
    current_lease,
    fold_learner_totals,
    hold_fence,
    keep_reserve,
    learners_of_both,
    load_samples,
    release_lease,
)
from core.traffic import SwitchError

logger = logging.getLogger(__name__)

LEASE = "monitor"
MAX_LOOKS = 500  # looks judged in one tick when catching up; beyond, the step between them is widened
BEFORE_LOOKS = 480  # samples from before a phase that tell how much counts vary
BUSINESS_SHARE = 0.05  # of its time that the monitor spends on reading per-learner totals, which cost a full scan
KEEP_HOUSE_EVERY_S = 600.0  # wall seconds
COMPACT_BATCHES = 20  # in one tick; what is left waits for the next time
SWITCH_EVERY_S = 5.0  # wall seconds between two looks at what the traffic switch does
SWITCH_RETRY_S = (1.0, 15.0)  # shortest and longest wait after a switch that could not be set or read, doubled between
FOLDED_AT_ONCE = 20_000  # learners whose totals are folded in one transaction, which all other writers wait for
NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True)
class Tick:
    """What one tick did: whether this monitor led, wall seconds it took, and how many deployments it looked at."""

    led: bool
    seconds: float
    deployments: int


class _Watch:
    """The phase so far of one deployment, kept in memory and added to as samples come in."""

    def __init__(self, status: Status) -> None:
        assert status.phase_started is not None
        self.phase_started = status.phase_started
        self.since = status.phase_started - BEFORE_LOOKS * status.plan.sample_s
        self.plan = status.plan
        self.flag = status.plan.flag
        self.generation: int | None = None
        self._forget()
        self.business: dict[str, BusinessSums] = {}
        self.verdict: Verdict | None = None
        self.assigned: Assigned | None = None
        self._business_due = time.monotonic()

    def _forget(self) -> None:
        nothing = SampleFrame.of([])
        self.cursor = 0
        self.candidate = Series.of(nothing, self.plan.candidate)
        self.baseline = Series.of(nothing, self.plan.baseline)
        asked = {(g.segment, g.region) for g in self.plan.guardrails} - {("", "")}
        self.places = dict.fromkeys(asked, (self.candidate, self.baseline))
        limits = [limit for phase in self.plan.phases for limit in phase.criteria]
        self.segments: SegmentSums | None = None
        if any(limit.figure is Figure.SEGMENT_SPREAD for limit in limits):
            self.segments = SegmentSums.of(nothing, self.plan.candidate, self.plan.baseline)

    def seen(self, until: float) -> dict[str, dict[str, int]]:
        """Return by version how many requests this phase has seen until a moment, and of how many learners if told."""
        sides = ((self.plan.candidate, self.candidate), (self.plan.baseline, self.baseline))
        counted = {v: {"requests": s.between(self.phase_started, until).total("requests")} for v, s in sides}
        for version, told in counted.items():
            if version in self.business:
                told["learners"] = self.business[version].learners
        return counted

    def recall(self, said: Verdict | None) -> None:
        """Go on from the latest verdict that the store has, by this monitor or another, where it is of this phase."""
        if said is not None and abs(said.at - said.elapsed_s - self.phase_started) < 1e-3:
            self.verdict, self.assigned = said, said.assigned

    def refresh(
        self, deliveries: Deliveries, deployment_id: str, *, with_business: bool, resumed_at: float | None = None
    ) -> None:
        """Add what the store has gained; begin anew when old samples were compacted."""
        plan, started = self.plan, self.phase_started
        with_business |= self.assigned is not None and resumed_at not in {None, self.assigned.resumed_at}
        with deliveries.store.read() as connection:
            generation = compaction_generation(connection, self.flag)
            if generation != self.generation:
                self.generation = generation
                self._forget()
            frame = load_samples(connection, self.flag, since=self.since, after_seq=self.cursor)
            began = time.monotonic()
            if with_business or began >= self._business_due:
                self.business = business_sums(connection, deployment_id, started)
                mine, theirs = (self.business.get(version) for version in (plan.candidate, plan.baseline))
                if mine is not None or theirs is not None:
                    both = learners_of_both(connection, deployment_id, started, plan.candidate, plan.baseline)
                    seen = Seen(mine.learners if mine else 0, theirs.learners if theirs else 0, both)
                    clock = deliveries.store.clock()
                    settled = clock.now() >= started + settles_s(plan, clock.speed)
                    known = self.verdict is not None and self.verdict.mismatch is not None
                    self.assigned = counted(self.assigned, seen, settled=settled, resumed_at=resumed_at, known=known)
                ended = time.monotonic()
                self._business_due = ended + (ended - began) / BUSINESS_SHARE
        if len(frame):
            self.cursor = int(frame.seq.max())
            self.candidate = self.candidate.extended(frame)
            self.baseline = self.baseline.extended(frame)
            if self.segments is not None:
                self.segments += SegmentSums.of(frame, self.plan.candidate, self.plan.baseline)
            for place, sides in self.places.items():
                there = frame.select(_is_at(frame, place))
                self.places[place] = (sides[0].extended(there), sides[1].extended(there))


class Monitor:
    """Watches every deployment of a store; see the module's text."""

    def __init__(self, deliveries: Deliveries, settings: Settings, *, holder: str | None = None) -> None:
        self.deliveries = deliveries
        self.store = deliveries.store
        self.settings = settings
        self.holder = holder or f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}"
        self._token: int | None = None
        self._heard_since = self._last_beat = self.store.clock().now()
        self._judged_to: dict[str, float] = {}
        self._watches: dict[tuple[str, int, float], _Watch] = {}
        self._kept_house = time.monotonic()
        self._last_tick = (0.0, 0.0)  # how late it began, and how long it took
        self._full = False  # the disk has kept the lease from being extended
        self._switch_looked = float("-inf")
        self._switch_failures = 0
        self._switch_due = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Tick until told to stop. Nothing that goes wrong in a tick ends the monitor: it is logged and tried again."""
        due, period = time.monotonic(), self.settings.tick_s
        while not stop.is_set():
            late = max(0.0, time.monotonic() - due)
            try:
                self.tick(late)
            except StoreUnavailable as error:
                logger.error("the monitor can't reach its database: %s", error)
            except Exception:
                logger.exception("a tick of the monitor failed; the next one tries again")
            # A tick that is late isn't made up for: the next one sees everything anyway.
            with suppress(StoreUnavailable):  # of which the tick has told; the period stays as it was
                period = self.period()
            due = max(due + period, time.monotonic())
            stop.wait(due - time.monotonic())
        try:
            self._release()
        except StoreUnavailable as error:
            logger.warning("the lease was not given back, it runs out by itself: %s", error)

    def period(self) -> float:
        """Wall seconds from one tick to the next: one a sample span of the fastest plan under way, `tick_s` at most."""
        speed = self.store.clock().speed
        spans = [watch.plan.sample_s / speed for watch in self._watches.values()]
        return max(0.1, min([self.settings.tick_s, *spans]))

    def tick(self, late_s: float = 0.0) -> Tick:
        """Look at everything once."""
        began = time.monotonic()
        if not self._lead():
            return Tick(False, time.monotonic() - began, 0)
        verdicts: dict[str, Verdict] = {}
        try:
            known = self.deliveries.all()
            live = [s for s in known if _concerns(s)]
            self._excuse_a_stall(late_s, live)
            for status in live:
                verdict = self._look_safely(status)
                if verdict is not None:
                    verdicts[status.id] = verdict
            self._watch_switch({s.plan.flag for s in known if s.phase >= 0})
            self._forget(live)
            self._keep_house(live)
            with self.store.transaction() as tx:
                self._fence(tx)
                for deployment_id, verdict in verdicts.items():
                    records.put_latest_verdict(tx, deployment_id, verdict)
                self._last_tick = (late_s, time.monotonic() - began)
                beat(tx, LEASE, self._held(), self.settings.lease_s, *self._last_tick)
            self._full = False
        except StoreUnavailable as error:
            self._full |= error.trouble is Trouble.FULL
            raise
        except Fenced:
            logger.warning("this monitor has lost its lease, by a tick that took too long or to another monitor")
            self._token = None
            return Tick(False, time.monotonic() - began, 0)
        return Tick(True, time.monotonic() - began, len(live))

    def _lead(self) -> bool:
        """Take or keep the lease; True when this monitor may act."""
        if self._token is not None:
            return True
        with self.store.read() as connection:
            before = current_lease(connection, LEASE)
        self._token = acquire_lease(self.store, LEASE, self.holder, self.settings.lease_s)
        if self._token is None:
            return False
        clock = self.store.clock()
        if (
            before is not None
            and (before.holder, before.token) == (self.holder, self._token)
            and time.time() - before.beat < 2 * self.settings.lease_s
        ):
            return True  # a tick of ours that took longer than the lease: all the time somebody listened
        # Nobody listened between the last beat and now: silence counts from now, looks from the last beat.
        self._heard_since = clock.now()
        self._judged_to.clear()
        self._watches.clear()
        if before is not None:
            self._last_beat = clock.plan(before.beat)
            gap = max(0.0, time.time() - before.beat)
            with self.store.transaction() as tx:
                self._fence(tx)
                data = {
                    "before": before.holder,
                    "holder": self.holder,
                    "gap_wall_s": round(gap, 3),
                    "token": self._token,
                }
                tx.append("monitor took over", MONITOR, f"the last tick was {duration(gap)} ago", data=data)
        else:
            self._last_beat = clock.now()
        return True

    def _held(self) -> int:
        if self._token is None:
            raise Fenced("this monitor holds no lease")
        return self._token

    def _fence(self, tx: Tx) -> None:
        # A full disk has kept the lease from being extended, and anybody from taking it: it is extended as soon as
        # anything can be written, in that very transaction. What others could write meanwhile says nothing of it.
        if self._full:
            beat(tx, LEASE, self._held(), self.settings.lease_s, *self._last_tick, run_out=True)
        else:
            hold_fence(tx, LEASE, self._held())

    def _release(self) -> None:
        if self._token is not None:
            release_lease(self.store, LEASE, self._token)
            self._token = None

    def _excuse_a_stall(self, late_s: float, live: list[Status]) -> None:
        """Count silence from now where this process itself stood still for as long as a source may be silent.

        What was sent meanwhile is still on its way in. Not again before silence would have rolled back: a machine that
        keeps standing still can't keep silence from counting.
        """
        clock = self.store.clock()
        now, stood_still_s = clock.now(), late_s * clock.speed
        plans = [status.plan for status in live]
        if any(stood_still_s >= p.silent_after_s and now - self._heard_since > p.silent_rollback_s for p in plans):
            self._heard_since = now

    def _look_safely(self, status: Status) -> Verdict | None:
        """Look at one deployment; what goes wrong with it is an incident and doesn't keep the others waiting."""
        try:
            return self._look(status)
        except Fenced:
            raise
        except StoreUnavailable as error:
            if error.trouble is not Trouble.FULL:
                raise
            self._full = True
            # One that can't be written must not keep another one from being rolled back.
            logger.error("what is known of %s can't be recorded: %s", status.id, error)
            return None
        except Exception as error:
            logger.exception("deployment %s could not be looked at", status.id)
            with self.store.transaction() as tx:
                self._fence(tx)
                known = {i.cause for i in records.incidents(tx.connection, status.id, open_only=True)}
                if NOT_JUDGED not in known:
                    summary = f"the monitor can't judge this deployment ({type(error).__name__}: {error}); see its log"
                    records.open_incident(tx, status.id, NOT_JUDGED, summary, MONITOR)
            return None

    def _look(self, status: Status) -> Verdict | None:
        """Judge one deployment at every moment that is due and act; return the last verdict."""
        if status.needs_switch and self._switch_is_due():
            self._keep_lease()
            # Judging goes on: a switch that refuses to go up, or that nothing can be recorded of, must not stop a
            # rollback from being decided.
            try:
                self._switch_did(self.deliveries.reconcile(status.id, self._fence))
            except StoreUnavailable as error:
                if error.trouble is not Trouble.FULL:
                    raise
                self._full = True
                logger.error("what the switch of %s did can't be recorded: %s", status.id, error)
            status = self.deliveries.status(status.id)
        if status.state is State.SCHEDULED:
            self._start_on_time(status)
            return None
        if status.state in {State.ROLLED_BACK, State.ABORTED}:
            self._prove_rollback(status)
            return None
        return self._judge(status)

    def _switch_is_due(self) -> bool:
        """Say whether the switch may be tried: after failures, which may cost a time-out each, less and less often."""
        return time.monotonic() >= self._switch_due

    def _switch_did(self, well: bool) -> None:
        shortest, longest = SWITCH_RETRY_S
        self._switch_failures = 0 if well else self._switch_failures + 1
        wait = 0.0 if well else min(longest, shortest * 2.0 ** (self._switch_failures - 1))
        self._switch_due = time.monotonic() + wait

    def _keep_lease(self) -> None:
        """Extend the lease before waiting for a switch, which may take all of its time-out and is still bounded."""
        try:
            with self.store.transaction() as tx:
                self._fence(tx)
                beat(tx, LEASE, self._held(), self.settings.lease_s, *self._last_tick)
        except StoreUnavailable as error:
            if error.trouble is not Trouble.FULL:  # on a full disk nobody can take it
                raise
            self._full = True

    def _watch_switch(self, flags: set[str]) -> None:
        """Look whether the traffic still is as it was decided, also long after: what is rolled back stays so."""
        now = time.monotonic()
        if not self.deliveries.switch.watched or now - self._switch_looked < SWITCH_EVERY_S:
            return
        self._switch_looked = now
        for flag in sorted(flags):
            if self._switch_is_due():
                self._keep_lease()
                self._switch_did(watch_switch(self.deliveries, flag, self._fence))

    def _start_on_time(self, status: Status) -> None:
        now = self.store.clock().now()
        if status.next_start is not None and now >= status.next_start:
            command = Command(Action.START, MONITOR, "its planned time has come", by_person=False)
            self.deliveries.command(status.id, command, expected_revision=status.revision, fence=self._fence)

    def _judge(self, status: Status) -> Verdict | None:
        assert status.phase_started is not None
        key = (status.id, status.attempt, status.phase_started)
        watch = self._watches.get(key)
        if watch is None:
            watch = self._watches[key] = _Watch(status)
            with self.store.read() as connection:
                watch.recall(records.latest_verdict(connection, status.id))
        phase = status.plan.phases[status.phase]
        now = self.store.clock().now()
        moments = self._moments(status, phase, now)
        ends = status.phase_ends
        closes = any(number is not None for _, number in moments) or (ends is not None and now >= ends)
        resumed = status.judged_at if status.judged_at is not None and status.judged_at > status.phase_started else None
        watch.refresh(self.deliveries, status.id, with_business=closes, resumed_at=resumed)
        with self.store.read() as connection:
            open_incidents = len(records.incidents(connection, status.id, open_only=True))
            agreed = standing(connection, status)
        signed = status.gate if agreed is not None and agreed.complete else ""
        verdict: Verdict | None = None
        hold: Command | None = None
        unrecorded: StoreUnavailable | None = None
        for moment, number in moments:
            verdict = judge(
                status.plan,
                phase,
                watch.candidate,
                watch.baseline,
                moment,
                phase_started=status.phase_started,
                ended=ends is not None and moment >= ends,
                business=watch.business,
                open_incidents=open_incidents,
                listening_since=self._heard_since,
                places=watch.places,
                segments=watch.segments,
                since_resumed=resumed or status.phase_started,
                assigned=watch.assigned,
                earlier=watch.verdict,
            )
            watch.verdict = verdict
            if number is not None and unrecorded is None:  # one after the other: none is passed over
                try:
                    recorded = self._record_checkpoint(status, number, verdict, now - moment, watch)
                except StoreUnavailable as error:
                    if error.trouble is not Trouble.FULL:
                        raise
                    unrecorded = error  # is tried again; until then only what protects learners is decided
                else:
                    if recorded is None:
                        return None  # a person acted in between: the next tick judges what is then
                    status = recorded
            command = decide(status, verdict, moment, signed)
            if command is not None and command.action is Action.ROLL_BACK:
                self._act(status, command)
                return verdict
            if command is not None and command.action is Action.HOLD:
                hold = hold or command
            elif unrecorded is not None:
                continue
            elif command is not None and moment == now and hold is None:
                # Going on takes the last look, too: the phase may have ended well while nobody watched, and what is
                # known since then be bad, or nothing.
                self._act(status, command)
                return verdict
            if hold is None:
                self._judged_to[status.id] = moment
        if hold is not None:
            self._act(status, hold)
        elif unrecorded is not None:
            raise unrecorded
        return verdict

    def _moments(self, status: Status, phase: Phase, now: float) -> list[tuple[float, int | None]]:
        """Return the moments to judge, oldest first, each with the number of the checkpoint that it is (or None).

        Ends with now. After downtime it has every look that was missed, so that a breach that came and went is seen,
        and every checkpoint, so that none is skipped.
        """
        assert status.phase_started is not None
        begin = max(status.judged_at or status.phase_started, self._judged_to.get(status.id, self._last_beat))
        step = max(status.plan.sample_s, (now - begin) / MAX_LOOKS)
        looks: dict[float, int | None] = {}
        moment = begin + step
        while moment < now:
            looks[moment] = None
            moment += step
        looks[now] = None
        if status.state in {State.RUNNING, State.HOLDING}:
            times = (*phase.checkpoints[:-1], phase.checkpoints[-1] + status.extended_s) if phase.checkpoints else ()
            for number, after in enumerate(times):
                due = status.phase_started + after
                if number >= status.checkpoints_done and due <= now:
                    looks[due] = number
            ends = status.phase_ends
            if status.checkpoints_done >= len(times) and ends is not None and begin < ends <= now:
                looks[ends] = status.checkpoints_done  # the end of an extension, after the plan's own checkpoints
        return sorted(looks.items(), key=lambda look: look[0])

    def _record_checkpoint(
        self, status: Status, number: int, verdict: Verdict, late_s: float, watch: _Watch
    ) -> Status | None:
        """Remember what was judged; None, and nothing done, if the deployment was changed meanwhile."""
        record = records.CheckpointRecord(
            status.id, status.attempt, status.phase, number, verdict.at, max(0.0, late_s), verdict
        )
        with self.store.transaction() as tx:
            self._fence(tx)
            before = records.read_status(tx.connection, status.id)
            if before.revision != status.revision:
                return None
            after = replace(before, revision=before.revision + 1, checkpoints_done=number + 1)
            records.replace_deployment(tx, before, after)
            if records.add_checkpoint(tx, record):
                phase = status.plan.phases[status.phase]
                data = {
                    "phase": phase.name,
                    "number": number + 1,
                    "of": len(phase.checkpoints),
                    "state": str(verdict.state),
                    "late_s": round(record.late_s, 3),
                    "attempt": status.attempt,
                    "revision": after.revision,
                    "findings": [finding_facts(f) for f in verdict.criteria],
                    "guardrails": [finding_facts(f) for f in verdict.guardrails if f is not verdict.split],
                    "split": finding_facts(verdict.split) if verdict.split is not None else None,
                    "seen": watch.seen(verdict.at),
                }
                sentence = "; ".join(f.sentence for f in verdict.criteria)
                tx.append("checkpoint judged", MONITOR, sentence, status.id, data)
        return after

    def _act(self, status: Status, command: Command) -> None:
        outcome = self.deliveries.command(status.id, command, expected_revision=status.revision, fence=self._fence)
        if outcome.refusal is not None:
            logger.info("%s of %s: %s", command.action, status.id, outcome.refusal.reason)
            return
        logger.info("%s: %s (%s)", status.id, outcome.status.state, command.reason)
        if status.phase_started is not None and outcome.status.phase_started != status.phase_started:
            self._fold(status.id, status.phase_started)

    def _fold(self, deployment_id: str, phase_started: float) -> None:
        folded = FOLDED_AT_ONCE
        while folded >= FOLDED_AT_ONCE:
            with self.store.transaction() as tx:
                folded = fold_learner_totals(tx.connection, deployment_id, phase_started, FOLDED_AT_ONCE)

    def _prove_rollback(self, status: Status) -> None:
        """Look for the clean window that proves a rollback, or show it by evaluations where there is no traffic."""
        if status.verification or status.needs_switch or status.switched_at is None or status.rolled_back_at is None:
            return
        plan, clock = status.plan, self.store.clock()
        now = clock.now()
        with self.store.read() as connection:
            frame = load_samples(connection, plan.flag, since=status.switched_at)
        window = clean_window(frame, plan.candidate, status.switched_at, now, plan.sample_s)
        if window is not None:
            data = {
                "verified_at": window.end,
                "verified_wall": clock.wall(window.end),
                "window_start": window.start,
                "requests": window.requests,
                "candidate_requests": 0,
                "attempt": status.attempt,
            }
            took = window.end - status.rolled_back_at
            reason = f"none of {window.requests:,} requests reached the candidate, {duration(took)} after the decision"
            self._conclude(status, "rollback verified", reason, data, "verified", window.end)
            return
        since = now - NO_TRAFFIC_SPANS * plan.sample_s
        late = frame.select(frame.start + frame.seconds > since)
        if status.switched_at < since and not (late.requests.sum() or late.fallbacks.sum()):
            try:
                answers = [self.deliveries.switch.evaluate(plan.flag, f"rollback-{n}") for n in range(EVALUATIONS)]
            except SwitchError as error:
                logger.warning("%s: nothing proves its rollback yet: %s", status.id, error)
                return
            astray = sum(answer.value != plan.baseline for answer in answers)
            few = int(frame.requests.sum() + frame.fallbacks.sum())
            traffic = f"no traffic after {few:,} requests" if few else "no traffic"
            reason = f"{traffic}; {EVALUATIONS - astray} of {EVALUATIONS} flag evaluations gave the baseline"
            data = {"evaluations": EVALUATIONS, "astray": astray, "attempt": status.attempt}
            self._conclude(status, "rollback unverified", reason, data, "unverified", None)

    def _conclude(
        self, status: Status, kind: str, reason: str, data: Mapping[str, object], verification: str, at: float | None
    ) -> None:
        exposed = self._exposed(status)
        with self.store.transaction() as tx:
            self._fence(tx)
            before = records.read_status(tx.connection, status.id)
            if before.revision != status.revision:
                return
            after = replace(before, revision=before.revision + 1, verification=verification, verified_at=at)
            records.replace_deployment(tx, before, after)
            tx.append(kind, MONITOR, reason, status.id, {**data, "exposed": exposed, "revision": after.revision})

    def _exposed(self, status: Status) -> dict[str, int]:
        """Return how many requests, and of how many learners if told, the candidate answered in the last phase."""
        assert status.phase_started is not None
        with self.store.read() as connection:
            frame = load_samples(connection, status.plan.flag, since=status.phase_started)
            sums = business_sums(connection, status.id, status.phase_started)
        of_candidate = np.asarray(frame.version == status.plan.candidate, dtype=bool)
        told = {"requests": int(frame.select(of_candidate).requests.sum())}
        if status.plan.candidate in sums:
            told["learners"] = sums[status.plan.candidate].learners
        return told

    def _forget(self, live: list[Status]) -> None:
        current = {(s.id, s.attempt, s.phase_started) for s in live}
        self._watches = {key: watch for key, watch in self._watches.items() if key in current}

    def _keep_house(self, live: list[Status]) -> None:
        """Make old samples small, and set the room on the disk aside again that was given up, now and then."""
        if time.monotonic() - self._kept_house < KEEP_HOUSE_EVERY_S:
            return
        self._kept_house = time.monotonic()
        keep_reserve(self.store.home)
        for flag in {s.plan.flag for s in live}:
            rules = [Rule(age, span) for age, span in self.settings.compact_after_s]
            compact(self.store, flag, self.store.clock().now(), rules, batches=COMPACT_BATCHES)


def _is_at(frame: SampleFrame, place: Place) -> NDArray[np.bool_]:
    """Say which samples are of a segment and region; "" is any."""
    at = np.ones(len(frame), dtype=bool)
    for column, name in zip((frame.segment, frame.region), place, strict=True):
        if name:
            at &= np.asarray(column == name, dtype=bool)
    return at


def _concerns(status: Status) -> bool:
    """Say whether the monitor has anything to do for a deployment."""
    if status.state.carries_traffic or status.state is State.SCHEDULED or status.needs_switch:
        return True
    return status.state is State.ROLLED_BACK and not status.verification
