from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import func, select

from core.store import Accepted, Sample, SampleFrame, add_samples, load_samples, remember_batch, schema
from core.store.samples import REMEMBER_S
from tests.store.making import T0, looks


def put(store, samples, flag="flag"):
    with store.transaction() as tx:
        return add_samples(tx.connection, flag, samples)


def get(store, flag="flag", **span):
    with store.read() as connection:
        return load_samples(connection, flag, **span)


def same(a: SampleFrame, b: SampleFrame) -> bool:
    names = [name for name in SampleFrame.__slots__ if name not in {"seq", "slow"}]
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names) and np.array_equal(
        a.slow, b.slow, equal_nan=True
    )


def test_samples_come_back_as_they_went_in(store):
    samples = looks(3)
    assert put(store, samples) == Accepted(48, 0)
    assert same(get(store), SampleFrame.of(samples))


def test_gauges_that_are_not_told_are_null_not_json_null(store):
    put(store, [Sample("a", T0, 30.0, "fast"), Sample("b", T0, 30.0, "fast", gauges={"memory": 1.0})])
    with store.read() as connection:
        assert connection.scalar(select(func.count()).where(schema.sample.c.gauges.is_(None))) == 1
    assert list(get(store).gauges) == [None, {"memory": 1.0}]


def test_a_repeat_is_ignored_and_counted(store):
    first = Sample("a", T0, 30.0, "fast", requests=1)
    assert put(store, [first, replace(first, requests=9)]) == Accepted(1, 1)
    assert put(store, [first, replace(first, id="b")]) == Accepted(1, 1)
    assert get(store).requests.tolist() == [1, 1]
    assert put(store, [first], flag="another flag") == Accepted(1, 0)


def test_many_ids_are_looked_up_in_parts(store):
    samples = [Sample(f"{'long ' * 50}{i}", T0, 30.0, "fast") for i in range(1234)]
    assert put(store, samples) == Accepted(1234, 0)
    assert put(store, samples) == Accepted(0, 1234)


def test_a_batch_is_new_once_until_it_is_forgotten(store):
    now = time.time()
    with store.transaction() as tx:
        assert remember_batch(tx.connection, "b1", now)
        assert not remember_batch(tx.connection, "b1", now + 5)
        assert remember_batch(tx.connection, "b1", now + REMEMBER_S + 6)
        assert tx.connection.scalar(select(func.count()).select_from(schema.received)) == 1


def test_nothing_of_a_transaction_that_failed_is_remembered(store):
    sample = Sample("a", T0, 30.0, "fast")

    def failing():
        with store.transaction() as tx:
            add_samples(tx.connection, "flag", [sample])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert put(store, [sample]) == Accepted(1, 0)


def test_a_span_and_the_rest(store):
    put(store, looks(4, segments=1))
    assert sorted(set(get(store, since=T0 + 30, until=T0 + 90).start)) == [T0 + 30, T0 + 60]
    frame = get(store)
    rest = get(store, after_seq=int(frame.seq[4]))
    assert rest.seq.tolist() == frame.seq[5:].tolist()
    assert same(rest, frame.select(frame.seq > frame.seq[4]))


def test_no_samples_are_a_frame_too(store):
    assert len(get(store)) == len(SampleFrame.of([])) == 0
    assert SampleFrame.of([Sample("a", T0, 30.0, "fast")]).gauges.tolist() == [None]


@pytest.mark.sqlite
def test_of_four_hours_of_samples_only_what_is_new_is_read(store):
    put(store, looks(480))
    quickest = {}
    for name, span in {"all": {}, "rest": {"after_seq": 7_680 - 16}}.items():
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            frame = get(store, **span)
            times.append(time.perf_counter() - begun)
        quickest[name] = min(times)
        assert len(frame) == (7_680 if name == "all" else 16)
    assert quickest["rest"] < quickest["all"] / 3  # one part in 480; `make bench` measures both
