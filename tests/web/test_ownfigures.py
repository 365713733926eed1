"""This server's memory and hit rate reach the judge where a plan asks, and make no quiet source look alive."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.delivery import Action, Command, Deliveries, Figure, FigureState, Monitor, State, latest_verdict, parse_plan
from core.learners import LearnerRows
from core.learners.cache import LocalCache
from core.settings import Settings
from core.store import Clock, Sample, Store, add_samples, load_samples
from core.traffic import FlagService
from core.web.ownfigures import OwnFigures, asked_for, resident_bytes
from tests.delivery.acting import PLAN_TEXT
from tests.learners.test_runs import keep, population

PLAN = PLAN_TEXT.replace(
    "criteria: [error_rate < 1 %]", "criteria: [error_rate < 1 %, memory < 64 GB, cache_hit_rate > 70 %]", 1
)


class Scene:
    def __init__(self, home: Path, text: str) -> None:
        self.store = Store.open(f"sqlite:///{home / 'canary.sqlite'}", home)
        self.flags = FlagService(self.store)
        self.deliveries = Deliveries(self.store, self.flags)
        self.at = self.begin = float(int(time.time()))
        self.go(0)
        keep(self.store, population())
        self.rows = LearnerRows(self.store, LocalCache(1000, 60.0))
        self.own = OwnFigures(self.deliveries, self.rows)
        self.id = self.deliveries.create(parse_plan(text, "plan.yaml"), "cli:test").id
        self.deliveries.command(self.id, Command(Action.START, "cli:test", "try it"))
        self.monitor = Monitor(self.deliveries, Settings(home=home, lease_s=60.0))
        self.monitor.tick()

    def go(self, seconds: float) -> None:
        self.at += seconds
        self.store.set_clock(Clock(time.time(), self.at, 1e-9))

    def span(self, number: int) -> None:
        """Let a span pass in which both versions answer requests, and four of five lookups find something."""
        samples = [
            Sample(f"{version}-{number}", self.begin + 30 * number, 30.0, version, requests=200)
            for version in ("original", "fast")
        ]
        with self.store.transaction() as tx:
            add_samples(tx.connection, "analyzer", samples)
        for _ in range(5):
            self.rows.membership(f"u{number:03d}")
        self.go(30)

    def samples(self) -> list[tuple[float, str, dict[str, float]]]:
        with self.store.read() as connection:
            frame = load_samples(connection, "analyzer")
        rows = zip(frame.start, frame.version, frame.gauges, strict=True)
        return [(float(start), str(version), gauges) for start, version, gauges in rows if gauges]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def scene(home: Path) -> Iterator[Scene]:
    made = Scene(home, PLAN)
    yield made
    made.flags.close()
    made.store.close()


def test_what_a_plan_asks_for_is_judged(scene: Scene) -> None:
    for number in range(7):
        scene.span(number)
        assert len(scene.own.record()) == 1
        scene.own.record()  # a span is told once
    told = scene.samples()
    assert len(told) == 14
    assert {version for _, version, _ in told} == {"original", "fast"}
    for _, _, gauges in told[2:]:
        assert gauges["cache_hit_rate"] == 0.8
        assert 10e6 < gauges["memory"] < 64e9
    assert "cache_hit_rate" not in told[0][2]  # of the time before nothing is known
    scene.monitor.tick()
    with scene.store.read() as connection:
        verdict = latest_verdict(connection, scene.id)
    found = {finding.figure: finding for finding in verdict.criteria}
    assert found[Figure.CACHE_HIT_RATE].value == 0.8
    assert found[Figure.MEMORY].value == pytest.approx(resident_bytes(), rel=0.5)
    assert found[Figure.MEMORY].state is not FigureState.NOT_MEASURED


def test_a_source_that_has_gone_quiet_is_silent_all_the_same(scene: Scene) -> None:
    for number in range(3):
        scene.span(number)
        scene.own.record()
        scene.monitor.tick()
    for _ in range(4):
        scene.go(30)
        scene.own.record()
        scene.monitor.tick()
    assert len(scene.samples()) == 6
    assert scene.deliveries.status(scene.id).state is State.HOLDING


def test_nobody_asked_means_no_hit_rate(scene: Scene) -> None:
    scene.span(0)
    scene.own.record()
    with scene.store.transaction() as tx:
        add_samples(tx.connection, "analyzer", [Sample("late", scene.begin + 30, 30.0, "fast", requests=9)])
    scene.own.record()
    _, version, gauges = scene.samples()[-1]
    assert (version, sorted(gauges)) == ("fast", ["memory"])


def test_a_plan_that_does_not_ask_gets_nothing(home: Path) -> None:
    scene = Scene(home, PLAN_TEXT)
    scene.span(0)
    assert asked_for(parse_plan(PLAN_TEXT, "plan.yaml")) == frozenset()
    assert scene.own.record() == []
    assert scene.samples() == []
    scene.flags.close()
    scene.store.close()
