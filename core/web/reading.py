"""Store -> records -> views, once a second for all viewers: what every page reads, cached, and nothing that writes."""

from __future__ import annotations

import io
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st
from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy import Connection, func, select

from core.delivery import (
    DRILL_FLAG,
    CheckpointRecord,
    Decision,
    Deliveries,
    Drill,
    Figure,
    Incident,
    Plan,
    Reading,
    State,
    Status,
    Tally,
    Traffic,
    Verdict,
    checkpoints,
    decisions,
    drills,
    incidents,
    latest_verdict,
    read_switch,
    standing,
)
from core.delivery import outlook as say_outlook
from core.delivery.words import limit as say_limit
from core.doctor import Finding, examine
from core.learners import CacheStats
from core.settings import Origin, Settings, origins
from core.store import (
    Clock,
    Event,
    Lease,
    Store,
    Verification,
    business_sums,
    compaction_generation,
    current_lease,
    events,
    export_log,
    load_samples,
    schema,
    verify_log,
)
from core.web import actions, figures
from core.web.palette import palette
from core.web.ratelimit import RateLimit
from core.web.state import get_app_state
from core.web.views.curves import DRAWN, Bins
from core.web.views.history import mark_of
from core.web.views.system import size
from core.web.views.times import exact_time

OUTLOOK_SAMPLES = 240  # two hours of 30 s samples
TTL_S = 1.0
TAIL_S = 900.0
"""Plan seconds for which samples are still shown after a deployment has ended."""
_KEPT = 8
_MARKED = (
    "phase started", "phase passed", "held", "halted", "resumed", "rolled back", "retried", "aborted", "completed",
    "rollback verified",
)  # fmt: skip
_SAID = frozenset(_MARKED) - {"phase passed"}
_MONITOR = "monitor"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is known of one deployment, from one consistent read.

    Attributes:
        verdict: the monitor's latest word on the present phase; None before the first.
        began: plan time at which the present attempt's first phase began; None before.
        newest: plan time at which the candidate's newest sample ends; None where there is none.
        drill: the rollback of the present attempt, if there was one.
        marks: the events to mark in charts, oldest first.
    """

    status: Status
    verdict: Verdict | None
    checkpoints: tuple[CheckpointRecord, ...]
    lease: Lease | None
    clock: Clock
    wall: float
    began: float | None
    newest: float | None
    drill: Drill | None
    incidents: tuple[Incident, ...]
    marks: tuple[Event, ...]

    @property
    def now(self) -> float:
        """Plan time of the reading."""
        return self.clock.plan(self.wall)


def store() -> Store:
    """Return the store of this installation."""
    return get_app_state().store


def deliveries() -> Deliveries:
    """Return the deployments of this installation."""
    return get_app_state().deliveries


def settings() -> Settings:
    """Return the settings of this process."""
    return get_app_state().settings


def limits() -> RateLimit:
    """Return how often one person may change something."""
    return get_app_state().limits


class _Watch:
    """The samples of one deployment since some moment, kept in sums and added to as they come in."""

    def __init__(self, plan: Plan, origin: float) -> None:
        self.plan = plan
        self.origin = origin
        self.lock = threading.Lock()
        self.generation: int | None = None
        self._begin()

    def _begin(self) -> None:
        self.cursor = 0
        self.bins = Bins((self.plan.candidate, self.plan.baseline), self.origin, self.plan.sample_s)

    def refresh(self, connection: Connection) -> None:
        """Add what the store has gained; begin anew when old samples were compacted."""
        generation = compaction_generation(connection, self.plan.flag)
        if generation != self.generation:
            self.generation = generation
            self._begin()
        frame = load_samples(connection, self.plan.flag, since=self.origin, after_seq=self.cursor)
        if len(frame):
            self.cursor = int(frame.seq.max())
            self.bins.add(frame)


_watches: OrderedDict[tuple[str, str, float], _Watch] = OrderedDict()
_watches_lock = threading.Lock()


def _watch(of: Store, status: Status, origin: float) -> _Watch:
    key = (of.url, status.id, origin)
    with _watches_lock:
        watch = _watches.setdefault(key, _Watch(status.plan, origin))
        _watches.move_to_end(key)
        while len(_watches) > _KEPT:
            _watches.popitem(last=False)
    return watch


@st.cache_data(ttl=TTL_S, max_entries=50, show_spinner=False)
def names() -> list[tuple[str, str, State]]:
    """Return every deployment but those of drills, newest first: (id, plan's name, state)."""
    return [(s.id, s.plan.name, s.state) for s in deliveries().all() if s.plan.flag != DRILL_FLAG]


def shown(wanted: str | None, last: str | None = None) -> str | None:
    """Return the id of the deployment to show; None where there is none.

    The one asked for if it exists. Else the one that was shown last, so that a page doesn't turn to another deployment
    under somebody's hand, until it carries no traffic and a newer one waits, or a newer one carries traffic. Else the
    one that carries traffic, else the one that waits to, else the newest.
    """
    known = names()
    place = {id_: i for i, (id_, _, _) in enumerate(known)}
    if wanted in place:
        return wanted
    newer = known[: place[last]] if last in place else known
    started = next(((id_, state) for id_, _, state in newer if state not in {State.DRAFT, State.SCHEDULED}), None)
    waiting = next((id_ for id_, _, state in newer if state in {State.DRAFT, State.SCHEDULED}), None)
    serving = started[0] if started is not None and started[1].carries_traffic else None
    if last in place:
        return serving or (last if known[place[last]][2].carries_traffic else waiting) or last
    return serving or waiting or (known[0][0] if known else None)


@st.cache_data(ttl=TTL_S, max_entries=50, show_spinner=False)
def snapshot(deployment: str) -> Snapshot:
    """Read all that is known of a deployment. Shared by all viewers for a second."""
    return take(store(), deliveries().status(deployment))


def take(of: Store, status: Status) -> Snapshot:
    """Read all that is known of a deployment besides its status."""
    wall, clock = time.time(), of.clock()
    with of.read() as connection:
        log = events(connection, deployment=status.id, kinds=_MARKED)
        began = next(
            (e.at for e in log if e.kind in {"phase started", "retried"} and e.data.get("attempt") == status.attempt),
            None,
        )
        rolled = [d for d in drills(connection, status.id) if d.attempt == status.attempt]
        verdict = latest_verdict(connection, status.id)
        if verdict is not None and status.phase_started is not None and verdict.at < status.phase_started:
            verdict = None  # of the phase or the attempt before: this one has not been judged yet
        found = Snapshot(
            status=status,
            verdict=verdict,
            checkpoints=tuple(checkpoints(connection, status.id)),
            lease=current_lease(connection, _MONITOR),
            clock=clock,
            wall=wall,
            began=began,
            newest=None,
            drill=rolled[0] if rolled else None,
            incidents=tuple(incidents(connection, status.id)),
            marks=tuple(log),
        )
        if status.phase_started is None:
            return found
        watch = _watch(of, status, status.phase_started)
        with watch.lock:
            watch.refresh(connection)
            newest = watch.bins.newest(status.plan.candidate)
    return replace(found, newest=newest)


@st.cache_data(ttl=10.0, max_entries=20, show_spinner=False)
def outlook(deployment: str) -> str:
    """Say how long an error rate half as bad again would take to be seen in the phase to come; "" where none is.

    Computed from the traffic and the baseline's errors of the last `OUTLOOK_SAMPLES` samples.
    """
    status, of = deliveries().status(deployment), store()
    plan = status.plan
    following = max(status.phase + 1, 0)
    if status.state.ended or following >= len(plan.phases):
        return ""
    now = of.clock().now()
    with of.read() as connection:
        frame = load_samples(connection, plan.flag, since=now - OUTLOOK_SAMPLES * plan.sample_s)
    lasted = now - float(frame.start.min()) if len(frame) else 0.0
    mine, theirs = (frame.select(frame.version == version) for version in (plan.candidate, plan.baseline))
    requests, served = int(theirs.requests.sum()), int(mine.requests.sum())
    traffic = Traffic(0.0) if lasted <= 0 else Traffic((requests + served) / lasted, candidate_per_s=served / lasted)
    return say_outlook(plan, plan.phases[following], traffic, int(theirs.errors.sum()), requests)


def _until(status: Status, now: float) -> float:
    ended = status.state in {State.ROLLED_BACK, State.ABORTED}
    return min(now, status.judged_at + TAIL_S) if ended and status.judged_at is not None else now


def _window_of(plan: Plan, figure: Figure) -> tuple[float, int]:
    """Return how triggers see a figure: (plan seconds, fewest trials)."""
    hold = next((t.hold_s for t in plan.triggers if t.limit.figure is figure), 2 * plan.sample_s)
    return hold, plan.min_requests if figure.quantile is None else plan.min_requests_quantile


def drawable(plan: Plan, phase: int) -> list[Figure]:
    """Return the figures that a chart can be drawn of: those of the plan first, then the latencies it doesn't name."""
    named = [c.figure for c in plan.phases[max(phase, 0)].criteria] + [t.limit.figure for t in plan.triggers]
    return [f for f in dict.fromkeys([*named, Figure.LATENCY_P50]) if f in DRAWN]


@st.cache_data(ttl=TTL_S, max_entries=100, show_spinner=False)
def sparklines(deployment: str, theme: str | None) -> dict[Figure, str]:
    """Return a small picture, as a data URI, of each figure in the present phase."""
    status, of, colours = deliveries().status(deployment), store(), palette(theme)
    if status.phase_started is None:
        return {}
    watch, plan = _watch(of, status, status.phase_started), status.plan
    pictures = {}
    with watch.lock:
        for figure in drawable(plan, status.phase):
            window, minimum = _window_of(plan, figure)
            until = _until(status, of.clock().now())
            lines = [
                watch.bins.curve(figure, version, window, minimum, until).value
                for version in (plan.candidate, plan.baseline)
            ]
            limits = [t.limit.value for t in plan.triggers if t.limit.figure is figure]
            pictures[figure] = figures.sparkline(lines[0].tolist(), lines[1].tolist(), colours, limits)
    return {figure: picture for figure, picture in pictures.items() if picture}


@st.cache_data(ttl=TTL_S, max_entries=100, show_spinner=False)
def chart(deployment: str, figure: Figure | None, whole: bool, theme: str | None) -> tuple[figures.PlotlyFigure, str]:
    """Return the chart of a figure (None: traffic) and its text alternative.

    `whole`: of the present attempt, else of its present phase.
    """
    found, of = snapshot(deployment), store()
    status, plan, colours = found.status, found.status.plan, palette(theme)
    origin = (found.began if whole else status.phase_started) or status.created
    until = _until(status, found.now)
    watch = _watch(of, status, origin)
    with watch.lock:
        with of.read() as connection:
            watch.refresh(connection)
        if figure is None:
            candidate, baseline = watch.bins.rate(plan.candidate), watch.bins.rate(plan.baseline)
        else:
            window, minimum = _window_of(plan, figure)
            candidate, baseline = (
                watch.bins.curve(figure, v, window, minimum, until) for v in (plan.candidate, plan.baseline)
            )
    limits = [] if figure is None else _limits(plan, status.phase, figure)
    marks = [
        figures.EventMark(
            e.at,
            mark_of(e.kind).word + (f": {e.data['phase']}" if e.kind == "phase started" else ""),
            mark_of(e.kind).tone,
            e.kind in _SAID,
        )
        for e in found.marks
        if origin <= e.at <= until
    ]
    judged = [
        figures.Judged(f_at, finding.value, finding.low, finding.high, str(finding.state))
        for f_at, finding in (
            (record.at, finding)
            for record in found.checkpoints
            if record.attempt == status.attempt and record.at >= origin
            for finding in record.verdict.criteria
        )
        if finding.figure is figure and finding.value is not None
    ]
    drawing = figures.over_time(
        figure,
        (plan.candidate, candidate),
        (plan.baseline, baseline),
        colours,
        limits=limits,
        marks=marks,
        judged=judged,
        span=(origin, max(until, origin + 10 * plan.sample_s)),
    )
    return drawing, figures.told(figure, (plan.candidate, candidate), (plan.baseline, baseline), limits)


def _limits(plan: Plan, phase: int, figure: Figure) -> list[figures.LimitLine]:
    lines = [
        figures.LimitLine(c.value, f"criterion: {say_limit(c)}", acting=False)
        for c in plan.phases[max(phase, 0)].criteria
        if c.figure is figure
    ]
    acts = {"roll back": "rolls back", "hold": "holds"}
    return lines + [
        figures.LimitLine(t.limit.value, f"{acts[t.then]}: {say_limit(t.limit)}", acting=True)
        for t in plan.triggers
        if t.limit.figure is figure
    ]


@dataclass(frozen=True, slots=True)
class SignOffFound:
    """All that the Sign-off page shows, from one consistent read. `now`: plan time of it."""

    status: Status
    verdict: Verdict | None
    tally: Tally | None
    decisions: tuple[Decision, ...]
    now: float


def sign_off(deployment: str) -> SignOffFound:
    """Return how the sign-off of a deployment stands. Not cached: a person is about to agree to it."""
    status = deliveries().status(deployment)
    with store().read() as connection:
        return SignOffFound(
            status,
            latest_verdict(connection, deployment),
            standing(connection, status),
            tuple(decisions(connection, deployment)),
            store().clock().now(),
        )


@st.cache_data(ttl=10.0, max_entries=20, show_spinner=False)
def learners_seen(deployment: str) -> dict[str, int]:
    """Return how many learners each version has served since the phase began, where the source tells."""
    status = deliveries().status(deployment)
    if status.phase_started is None:
        return {}
    with store().read() as connection:
        return {
            version: sums.learners
            for version, sums in business_sums(connection, deployment, status.phase_started).items()
        }


@st.cache_data(ttl=TTL_S, max_entries=100, show_spinner=False)
def log(deployment: str | None, kinds: tuple[str, ...], actor: str | None, text: str | None) -> list[Event]:
    """Return the events that pass a filter, newest first."""
    with store().read() as connection:
        return events(
            connection,
            deployment=deployment or None,
            kinds=kinds or None,
            actor=actor or None,
            text=text or None,
            newest_first=True,
        )


@st.cache_data(ttl=5.0, max_entries=5, show_spinner=False)
def actors() -> list[str]:
    """Return everybody who is in the event log."""
    with store().read() as connection:
        return list(connection.scalars(select(schema.event.c.actor).distinct().order_by(schema.event.c.actor)))


@st.cache_data(ttl=60.0, max_entries=5, show_spinner=False)
def verified(count: int) -> Verification:  # noqa: ARG001 -- a longer log is another answer
    """Walk the whole event log and compare it with its anchor; kept until the log has grown, a minute at most."""
    return verify_log(store())


def export() -> str:
    """Return the whole event log as `canary log` exports it."""
    file = io.StringIO()
    with store().read() as connection:
        export_log(connection, file)
    return file.getvalue()


def deployment_names() -> list[tuple[str, str]]:
    """Return every deployment, newest first: (id, what it is called in a list)."""
    return [(id_, f"{name} · {id_.rsplit('-', 1)[-1]} · {state}") for id_, name, state in names()]


def log_length() -> int:
    """Return how many events there are."""
    with store().read() as connection:
        return connection.scalar(select(func.count()).select_from(schema.event)) or 0


@st.cache_data(ttl=TTL_S, max_entries=5, show_spinner=False)
def monitor_lease() -> tuple[Lease | None, Clock, float]:
    """Return the monitor's lease, the plan's clock and the wall time."""
    of = store()
    with of.read() as connection:
        return current_lease(connection, _MONITOR), of.clock(), time.time()


def learner_cache() -> CacheStats:
    """Return what this process's cache of learners' cohorts has done."""
    return get_app_state().learners.stats()


@st.cache_data(ttl=5.0, max_entries=5, show_spinner=False)
def traffic_switch() -> tuple[str, dict[str, Reading | None]]:
    """Return what the traffic switch is, and what it does with each flag that has begun (see `read_switch`)."""
    service = deliveries()
    flags = sorted({s.plan.flag for s in service.all() if s.phase >= 0})
    return service.switch.name, {flag: read_switch(service, flag) for flag in flags}


@st.cache_data(ttl=5.0, max_entries=5, show_spinner=False)
def all_drills() -> list[Drill]:
    """Return every rollback, newest first."""
    with store().read() as connection:
        return drills(connection)


@st.cache_data(ttl=10.0, max_entries=5, show_spinner=False)
def database() -> tuple[tuple[str, str], ...]:
    """Return what is known of the database: its address without a password, its size and how many rows it holds."""
    of = store()
    facts = [("Address", of.engine.url.render_as_string(hide_password=True)), ("Kind", of.engine.dialect.name)]
    if of.engine.dialect.name == "sqlite" and of.engine.url.database:
        files: Sequence[Path] = [
            p for p in (Path(of.engine.url.database), Path(of.engine.url.database + "-wal")) if p.exists()
        ]
        facts.append(("Size", size(sum(p.stat().st_size for p in files))))
    with of.read() as connection:
        for table in (
            schema.deployment,
            schema.event,
            schema.sample,
            schema.checkpoint,
            schema.incident,
            schema.learner_total,
        ):
            rows = connection.scalar(select(func.count()).select_from(table)) or 0
            facts.append((f"Rows of {table.name.replace('_', ' ')}", f"{rows:,}"))
    return tuple(facts)


@st.cache_data(ttl=2.0, max_entries=5, show_spinner=False)
def demo_faults() -> actions.Faults | None:
    """Return what can be broken in the demo and what is; None where it doesn't answer."""
    return actions.faults(settings())


def forget() -> None:
    """Forget what was read, because somebody has just changed it."""
    for cached in (names, snapshot, sparklines, chart, log):
        cached.clear()


@st.cache_data(ttl=10.0, max_entries=2, show_spinner=False)
def examined() -> tuple[list[Finding], str]:
    """Return what the doctor finds, and when that was; one examination for all viewers."""
    return examine(settings()), exact_time(time.time())


def effective_settings() -> tuple[Settings, dict[str, Origin], Settings | None, str]:
    """Return the settings of this process, where each comes from, what one started now would have, and why it can't."""
    try:
        came_from = origins()
    except (SettingsError, ValueError) as error:
        return settings(), dict.fromkeys(Settings.model_fields, Origin.DEFAULT), None, f"canary.toml: {error}"
    try:
        return settings(), came_from, Settings(), ""
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
        return settings(), came_from, None, said
