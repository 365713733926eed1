from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from core.store import (
    Rule,
    Sample,
    SampleFrame,
    add_samples,
    compact,
    compaction_generation,
    histogram,
    latency_of,
    load_samples,
    quantile_of,
)
from core.store import compaction as module
from core.store.samples import COUNTS
from tests.store.making import T0, looks

DAY = 86_400.0
NOW = T0 + 3 * DAY


def put(store, samples):
    with store.transaction() as tx:
        add_samples(tx.connection, "flag", samples)


def get(store, **span) -> SampleFrame:
    with store.read() as connection:
        return load_samples(connection, "flag", **span)


def generation(store) -> int:
    with store.read() as connection:
        return compaction_generation(connection, "flag")


def sums(frame: SampleFrame) -> dict[tuple[str, ...], object]:
    out: dict[tuple[str, ...], object] = {}
    for version, segment in product(sorted(set(frame.version)), sorted(set(frame.segment))):
        part = frame.select((frame.version == version) & (frame.segment == segment))
        out[version, segment] = (
            [int(getattr(part, name).sum()) for name in COUNTS],
            float(np.nansum(part.slow)),
            int(part.requests[~np.isnan(part.slow)].sum()),
            latency_of(part).tolist(),
            [quantile_of(part, q) for q in (0.5, 0.95, 0.99)],
        )
    return out


def test_sums_and_quantiles_stay_exactly_what_they_were(store):
    put(store, looks(150, segments=3))
    before = get(store)
    done = compact(store, "flag", NOW)
    after = get(store)
    assert (done.removed, done.inserted, done.more) == (900, len(after), False)
    assert len(after) < len(before) / 9
    assert set(after.seconds) == {300.0}
    assert not np.any(after.start % 300)
    assert sums(after) == sums(before)
    edge = np.ceil((T0 + 600) / 300) * 300  # any span that begins and ends with a bucket
    assert sums(after.select(after.start >= edge)) == sums(before.select(before.start >= edge))


def test_an_hour_after_a_fortnight(store):
    put(store, looks(300, segments=1))
    before = sums(get(store))
    compact(store, "flag", NOW)
    assert set(get(store).seconds) == {300.0}
    compact(store, "flag", T0 + 20 * DAY)
    assert set(get(store).seconds) == {3600.0}
    assert sums(get(store)) == before
    again = get(store)
    assert compact(store, "flag", T0 + 20 * DAY).removed == 0
    assert get(store).seq.tolist() == again.seq.tolist()


def test_both_rules_at_once_end_the_same(store):
    put(store, looks(130, segments=1))
    before = sums(get(store))
    compact(store, "flag", T0 + 20 * DAY)
    assert set(get(store).seconds) == {3600.0}
    assert sums(get(store)) == before


def test_the_young_stay_and_doing_it_again_changes_nothing(store):
    old, young = looks(20, segments=1), looks(20, segments=1, start=NOW - DAY)
    put(store, old)
    put(store, [Sample(f"y{s.id}", s.start, s.seconds, s.version) for s in young])
    compact(store, "flag", NOW)
    first = get(store)
    assert (first.seconds == 30.0).sum() == 40
    at = generation(store)
    assert compact(store, "flag", NOW).removed == 0
    assert get(store).seq.tolist() == first.seq.tolist()
    assert generation(store) == at


def test_whoever_reads_on_is_told_to_begin_again(store):
    put(store, looks(20, segments=1))
    assert generation(store) == 0
    last = int(get(store).seq.max())
    compact(store, "flag", NOW)
    assert generation(store) > 0
    assert get(store).seq.min() > last  # numbers are never given twice


def test_a_late_sample_is_added_at_the_next_compaction(store):
    put(store, looks(20, segments=1))
    compact(store, "flag", NOW)
    put(store, [Sample("late", T0 + 60, 30.0, "fast", "segment 0", "eu", requests=7, slow=1)])
    before = sums(get(store))
    rows = len(get(store))
    compact(store, "flag", NOW)
    assert len(get(store)) == rows - 1
    assert sums(get(store)) == before


def test_gauges_keep_the_worst(store):
    put(store, looks(10, segments=1, start=np.floor(T0 / 300) * 300))
    compact(store, "flag", NOW)
    assert get(store).gauges.tolist() == [{"memory": 9.0, "availability": 1 - 9e-4}] * 2


def test_told_and_untold_slow_requests_are_kept_apart(store):
    put(
        store,
        [Sample(str(i), T0 + i, 1.0, "fast", requests=10, slow=1 if i % 2 else None) for i in range(4)],
    )
    compact(store, "flag", NOW)
    frame = get(store)
    assert sorted(zip(frame.requests.tolist(), np.nan_to_num(frame.slow, nan=-1).tolist(), strict=True)) == [
        (20, -1.0),
        (20, 2.0),
    ]


def test_longer_samples_are_left_alone(store):
    put(store, [Sample("h", T0, 3600.0, "fast", requests=1), Sample("m", T0 + 17, 300.0, "fast", requests=1)])
    assert compact(store, "flag", NOW).removed == 0


def test_so_many_batches_at_a_time(store):
    put(store, looks(240, segments=1))
    before = sums(get(store))
    steps = 0
    while compact(store, "flag", NOW, batches=1).more:
        steps += 1
        assert sums(get(store)) == before
    assert steps >= 3
    assert set(get(store).seconds) == {300.0}


def test_of_two_at_once_one_wins_and_nothing_is_lost(store, monkeypatch):
    put(store, looks(60, segments=1))
    before = sums(get(store))
    merge = module._merge
    overtaken = []

    def slow_merge(frame, bucket_s):
        merged = merge(frame, bucket_s)
        if not overtaken:
            overtaken.append(True)
            compact(store, "flag", NOW)  # another process is quicker
        return merged

    monkeypatch.setattr(module, "_merge", slow_merge)
    assert compact(store, "flag", NOW).more
    assert sums(get(store)) == before


def test_rules_can_be_set(store):
    put(store, looks(40, segments=1))
    compact(store, "flag", T0 + 1300, [Rule(60.0, 60.0), Rule(600.0, 120.0)])
    assert set(get(store).seconds) == {60.0, 120.0}


@pytest.mark.parametrize("flag", ["flag", "another"])
def test_other_flags_are_not_touched(store, flag):
    put(store, looks(20, segments=1))
    rows = len(get(store))
    compact(store, "another", NOW)
    assert len(get(store)) == rows


def test_a_histogram_of_many_requests_does_not_overflow(store):
    blob = histogram.encode(np.bincount([200], weights=[2**31], minlength=histogram.BUCKETS))
    put(store, [Sample(str(i), T0 + 30 * i, 30.0, "fast", latency=blob) for i in range(10)])
    with_all = int(latency_of(get(store)).sum())
    compact(store, "flag", NOW)
    assert int(latency_of(get(store)).sum()) == with_all
