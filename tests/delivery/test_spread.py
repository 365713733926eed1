"""Segment spread: about the same for every segment, shown to differ, or not known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.delivery.judge import judge
from core.delivery.model import FigureState, Finding
from core.delivery.plan import Figure, Limit
from core.delivery.spread import SegmentSums
from core.store import Sample, SampleFrame, histogram
from tests.delivery.recordings import CANARY, PLAN, series, steady

PHASE = replace(CANARY, criteria=(Limit(Figure.SEGMENT_SPREAD, "<", 0.05),))
NAMES = ("new", "steady", "leaving", "back")


def samples(
    version: str, requests: int, slower: dict[str, float], failing: dict[str, int], seed: int = 1
) -> list[Sample]:
    """Four segments of log-normal latencies around 50 ms, in four spans."""
    rng = np.random.default_rng(seed)
    made = []
    for span in range(4):
        for name in NAMES:
            ms = 50 * slower.get(name, 1.0) * rng.lognormal(0, 0.5, requests)
            made.append(
                Sample(
                    f"{version}{span}{name}",
                    450.0 * span,
                    450.0,
                    version,
                    segment=name,
                    requests=requests,
                    errors=failing.get(name, 0),
                    latency=histogram.encode(histogram.counts_of(ms.tolist())),
                )
            )
    return made


def found(requests: int = 2000, slower=None, failing=None, both=None, **more) -> Finding:
    mine = samples("fast", requests, slower or {}, failing or {}, 1)
    theirs = samples("original", 2 * requests, both or {}, {}, 2)
    told = SegmentSums.of(SampleFrame.of([*mine, *theirs]), "fast", "original")
    spans = series(steady(60))
    phase = more.pop("phase", PHASE)
    more = {"phase_started": 0.0, "segments": told, **more}
    [finding] = judge(PLAN, phase, spans, spans, 1800.0, **more).criteria
    return finding


def test_alike_for_all_passes():
    finding = found()
    assert finding.state is FigureState.PASS
    assert finding.value < 0.05
    assert finding.sentence.startswith("segment spread over 4 segments: success rate ")
    assert "mean latency" in finding.sentence


def test_slower_for_everybody_is_no_spread():
    assert found(slower=dict.fromkeys(NAMES, 1.5)).state is FigureState.PASS


def test_segments_that_differ_by_themselves_are_no_spread():
    own = {"new": 2.0, "back": 0.5}
    assert found(slower=own, both=own).state is FigureState.PASS


def test_slower_for_one_segment_fails():
    finding = found(slower={"new": 1.3})
    assert finding.state is FigureState.FAIL
    assert "in new" in finding.sentence
    assert "they differ" in finding.sentence


def test_failing_for_one_segment_fails():
    finding = found(failing={"leaving": 300})
    assert finding.state is FigureState.FAIL
    assert "success rate -" in finding.sentence


def test_too_little_to_tell_is_inconclusive_or_collecting():
    assert found(200).state is FigureState.INCONCLUSIVE
    few = found(10)
    assert few.state is FigureState.COLLECTING
    assert few.wait_s == pytest.approx(1800 * (100 / 40 - 1))


def test_without_segments_or_baseline_it_is_not_measured():
    assert found(segments=None).state is FigureState.NOT_MEASURED
    assert found(phase=replace(PHASE, share=1.0)).state is FigureState.NOT_MEASURED


def test_sums_add_in_any_parts():
    frame = SampleFrame.of([*samples("fast", 50, {}, {}), *samples("original", 70, {}, {"new": 3})])
    whole = SegmentSums.of(frame, "fast", "original")
    half = np.arange(len(frame)) % 2 == 0
    parts = SegmentSums.of(frame.select(half), "fast", "original") + SegmentSums.of(
        frame.select(~half), "fast", "original"
    )
    for one, other in zip(whole.totals(0.0, 1800.0)[1:], parts.totals(0.0, 1800.0)[1:], strict=True):
        assert one == pytest.approx(other)
    assert whole.totals(0.0, 900.0)[1].sum() < whole.totals(0.0, 1800.0)[1].sum()
