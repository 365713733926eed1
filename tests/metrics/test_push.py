"""Request records into samples and per-learner totals."""

from __future__ import annotations

import stat
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.metrics import Aggregated, ProbeRecord, RequestRecord, Spans, aggregate, learner_hasher
from core.store import Clock, Sample, histogram

NOW = 1_000_000.0
SPANS = Spans(Clock(), 30.0, frozenset({"original", "fast"}), slow_ms=250.0, phase_started=NOW - 600)


def request(**changed: Any) -> RequestRecord:
    return RequestRecord(**{"ts": NOW - 10, "learner": "u1", "version": "fast", "latency_ms": 12.0} | changed)


def added(
    *records: RequestRecord,
    probes: tuple[ProbeRecord, ...] = (),
    spans: Spans = SPANS,
    reports_on: tuple[str, ...] = (),
) -> Aggregated:
    return aggregate(
        "b1",
        records,
        probes,
        spans=spans,
        now=NOW,
        hashed=lambda learner: f"#{learner}",
        reports_on=frozenset(reports_on),
    )


def told(found: Aggregated) -> list[Sample]:
    """Return the samples that hold any figures."""
    return [s for s in found.samples if s.requests or s.fallbacks or s.probes]


def test_nothing_comes_to_nothing() -> None:
    assert added() == Aggregated((), (), 0, {})


def test_a_batch_of_nothing_is_a_healthy_zero_of_each_version_reported_on() -> None:
    found = added(reports_on=("fast", "original", "a third"))
    assert sorted(s.version for s in found.samples) == ["fast", "original"]
    assert all(s.start <= NOW < s.start + 30 for s in found.samples)
    assert (told(found), found.totals, found.accepted, found.rejected) == ([], (), 0, {})


def test_a_version_nobody_asked_for_is_a_healthy_zero_where_the_sender_reports_on_it() -> None:
    found = added(request(segment="new"), reports_on=("original",))
    zero = [s for s in found.samples if s.version == "original"]
    assert [(s.requests, s.probes, s.segment) for s in zero] == [(0, 0, "")]


def test_a_sender_says_nothing_of_a_version_that_another_one_reports_on() -> None:
    assert {s.version for s in added(request(), reports_on=("fast",)).samples} == {"fast"}


def test_a_sender_whose_every_record_is_refused_shows_nothing_alive() -> None:
    assert added(request(ts=NOW + 999), reports_on=("fast",)).samples == ()


def test_one_request_is_one_sample_aligned_to_the_plans_spans() -> None:
    (sample,) = told(added(request()))
    assert (sample.start % 30, sample.seconds) == (0, 30)
    assert sample.start <= NOW - 10 < sample.start + 30
    assert (sample.requests, sample.errors, sample.slow) == (1, 0, 0)
    assert histogram.quantile(histogram.decode(sample.latency), 0.5) == pytest.approx(12, rel=0.02)


def test_errors_slow_requests_and_comparisons_are_counted() -> None:
    (sample,) = told(
        added(
            request(ok=False),
            request(latency_ms=250.0),
            request(latency_ms=250.1),
            request(compared=True, disagreed=True),
            request(compared=True),
            request(disagreed=True),  # not compared: there is nothing it could have disagreed with
        )
    )
    assert (sample.requests, sample.errors, sample.slow) == (6, 1, 1)
    assert (sample.compared, sample.disagreed) == (2, 1)


def test_a_fallback_says_nothing_about_the_version_it_stood_in_for() -> None:
    found = added(request(fallback=True, ok=False, latency_ms=900.0, compared=True, disagreed=True, revenue=9.0))
    (sample,) = told(found)
    assert (sample.fallbacks, sample.requests, sample.errors, sample.compared, sample.latency) == (1, 0, 0, 0, b"")
    assert found.totals == ()


def test_slow_requests_are_not_counted_where_a_latency_is_missing() -> None:
    (sample,) = told(added(request(latency_ms=900.0), request(latency_ms=None)))
    assert sample.slow is None
    (sample,) = told(added(request(latency_ms=900.0), spans=replace(SPANS, slow_ms=None)))
    assert sample.slow is None


def test_probes_are_counted_and_show_a_source_alive_without_requests() -> None:
    (sample,) = told(added(probes=(ProbeRecord(NOW, "fast", True), ProbeRecord(NOW, "fast", False))))
    assert (sample.probes, sample.probes_ok, sample.requests) == (2, 1, 0)


def test_each_version_segment_region_and_span_is_a_sample_of_its_own() -> None:
    found = added(
        request(), request(version="original"), request(segment="new"), request(region="eu"), request(ts=NOW - 100)
    )
    assert len(told(found)) == 5
    assert len({sample.id for sample in found.samples}) == len(found.samples)


def test_the_same_batch_makes_the_same_ids_in_any_order() -> None:
    records = [request(), request(version="original"), request(ts=NOW - 100)]
    assert [s.id for s in added(*records).samples] == [s.id for s in added(*records[::-1]).samples]


def test_totals_are_kept_per_hashed_learner_while_a_phase_runs() -> None:
    records = [request(revenue=2.0, cost=1.0), request(revenue=3.0), request(learner="u2"), request(ts=NOW - 700)]
    found = {total.learner: total for total in added(*records).totals}
    assert found.keys() == {"#u1", "#u2"}
    assert (found["#u1"].requests, found["#u1"].revenue, found["#u1"].cost) == (2, 5.0, 1.0)
    assert added(*records, spans=replace(SPANS, phase_started=None)).totals == ()


def test_what_cannot_be_taken_is_counted_by_reason_and_the_rest_is_taken() -> None:
    found = added(
        request(),
        request(version="faster"),
        request(ts=NOW + 301),
        request(ts=NOW - 86_401),
        probes=(ProbeRecord(NOW, "nobody", True),),
    )
    assert found.accepted == 1
    assert sum(s.requests for s in found.samples) == 1
    assert sorted(found.rejected.values()) == [1, 1, 2]


def test_a_senders_clock_that_is_a_little_ahead_puts_nothing_into_the_future() -> None:
    (sample,) = told(added(request(ts=NOW + 299)))
    assert sample.start <= NOW


def test_wall_time_becomes_plan_time() -> None:
    clock = Clock(anchor_wall=NOW, anchor_plan=5_000.0, speed=40.0)
    (sample,) = told(added(request(ts=NOW - 3), spans=replace(SPANS, clock=clock)))
    assert sample.start == 4_860.0  # 5,000 - 3 * 40 = 4,880, in the span that begins at 162 * 30


@given(
    st.lists(
        st.builds(
            request,
            ts=st.floats(NOW - 1000, NOW),
            version=st.sampled_from(["original", "fast"]),
            ok=st.booleans(),
            fallback=st.booleans(),
            latency_ms=st.none() | st.floats(0, 1e6),
        ),
        max_size=50,
    )
)
def test_nothing_is_lost_or_doubled(records: list[RequestRecord]) -> None:
    found = added(*records)
    assert sum(s.requests + s.fallbacks for s in found.samples) == len(records) == found.accepted
    assert sum(s.errors for s in found.samples) == sum(not r.ok and not r.fallback for r in records)
    told = sum(r.latency_ms is not None and not r.fallback for r in records)
    assert sum(int(histogram.decode(s.latency).sum()) for s in found.samples) == told
    versions = Counter(r.version for r in records)
    for version, count in versions.items():
        assert sum(s.requests + s.fallbacks for s in found.samples if s.version == version) == count


def test_learners_are_hashed_with_a_key_of_this_installation(tmp_path: Path) -> None:
    one, again = learner_hasher(tmp_path), learner_hasher(tmp_path)
    other = learner_hasher(tmp_path / "other")
    assert one("u1") == again("u1") != other("u1")
    assert len(one("u1")) == 32
    assert "u1" not in one("u1")
    assert stat.S_IMODE((tmp_path / "learner.key").stat().st_mode) == 0o600
    assert one("\ud800") != one("\ud801")
