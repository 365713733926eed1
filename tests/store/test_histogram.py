from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.store import histogram
from core.store.samples import quantile_of
from tests.store.making import frame_of_latencies

latencies = st.lists(
    st.floats(min_value=histogram.MIN_MS, max_value=500_000, allow_nan=False), min_size=1, max_size=200
)


@settings(max_examples=60, deadline=None)
@given(latencies, st.integers(1, 7), st.sampled_from([0.5, 0.95, 0.99]), st.randoms(use_true_random=False))
def test_quantile_of_any_partition_is_within_two_per_cent(ms, parts, q, random):
    where = np.array([random.randrange(parts) for _ in ms])
    values = np.array(ms)
    frame = frame_of_latencies([values[where == part] for part in range(parts)])
    exact = np.sort(values)[max(1, int(np.ceil(q * len(values)))) - 1]
    merged = quantile_of(frame, q)
    assert merged is not None
    assert abs(merged / exact - 1) <= 0.02


@given(latencies)
def test_a_histogram_reads_back_as_it_was(ms):
    counts = histogram.counts_of(ms)
    assert np.array_equal(histogram.decode(histogram.encode(counts)), counts)
    assert np.array_equal(histogram.merge([histogram.encode(counts)] * 3), 3 * counts)


def test_groups_are_merged_apart():
    blobs = [histogram.encode(histogram.counts_of([ms])) for ms in (1.0, 50.0, 50.0)] + [b""]
    merged = histogram.merge_groups(blobs, [0, 2, 2, 1], 3)
    assert merged.sum(axis=1).tolist() == [1, 0, 2]


def test_nothing_has_no_quantile():
    assert quantile_of(frame_of_latencies([]), 0.99) is None
    assert quantile_of(frame_of_latencies([np.array([])]), 0.99) is None
