import gc
import weakref
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.demo.population import make_population
from core.learners import kernel, recall_fit
from core.learners.events import DAY_US, Event, Events, EventsError, from_events
from core.learners.importing import collect, open_events
from core.learners.names import Names, part_of, ranked, sort_order
from core.learners.partition import Parts, Population, scan_parts
from core.learners.recall_fit import recall_of

OULAD = Path(__file__).parents[3] / "shared" / "data" / "oulad"


def population(source: Path, **options: int) -> tuple[Population, dict[str, int]]:
    stream = open_events(source)
    with Parts(**options) as parts:
        parts.add_all(stream)
        found = scan_parts(parts, reject=stream.reject_repeated)
        assert parts.spilled == ("keep_bytes" in options)
    return found, stream.rejected.reasons


def assert_as_in_memory(source: Path, **options: int) -> None:
    found, rejected = population(source, **options)
    stream = open_events(source)
    events = collect(stream)
    assert found.learners.to_pylist() == events.learners.tolist()
    assert found.events == len(events)
    assert found.domains == events.domains
    assert rejected == stream.rejected.reasons
    whole = kernel.scan(events, recall=recall_of(events, events.as_of, 12))
    assert found.scan.as_of == whole.as_of
    assert found.scan.recall == whole.recall
    assert found.scan.half_lives.tobytes() == whole.half_lives.tobytes()
    assert np.array_equal(found.scan.gains, whole.gains)
    assert found.scan.sums.tobytes() == whole.sums.tobytes()


def write(events: Events, path: Path, seed: int | None = None) -> Path:
    table = events.table()
    if seed is not None:
        table = table.take(pa.array(np.random.default_rng(seed).permutation(len(table))))
    pq.write_table(table, path)
    return path


@pytest.mark.parametrize("options", [{}, {"keep_bytes": 1 << 20}, {"parts": 1}, {"parts": 256}])
@pytest.mark.parametrize("seed", [None, 1])
def test_parts_give_the_same_bits_as_all_in_memory(tmp_path: Path, options: dict[str, int], seed: int | None) -> None:
    events, _ = make_population(3000)
    assert_as_in_memory(write(events, tmp_path / "events.parquet", seed), **options)


@pytest.mark.skipif(not OULAD.exists(), reason="needs the OULAD tables in ../shared/data")
def test_parts_of_oulad(tmp_path: Path) -> None:
    assert_as_in_memory(OULAD)


def test_repeated_events_are_dropped_and_told(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    rows = [
        "é,2025-10-01,d,s,0.5",
        "é,2025-10-01,d,s,",
        "é,2025-10-01,d,s,0.5",
        "b,2025-10-02,d,s,",
        "b,2025-10-02,d,s,",
    ]
    path.write_text("learner_id,ts,domain,skill,score\n" + "\n".join(rows) + "\n,2025-10-02,d,s,\n")
    assert_as_in_memory(path)
    stream = open_events(path)
    with Parts() as parts:
        for batch in stream:
            parts.add(batch)
        found = scan_parts(parts, reject=stream.reject_repeated)
    assert found.learners.to_pylist() == ["b", "é"]
    told = {example.value for example in stream.rejected.examples["the event is there twice"]}
    assert told == {"é at 2025-10-01T00:00:00+00:00", "b at 2025-10-02T00:00:00+00:00"}


def test_many_repeated_events_at_one_time(tmp_path: Path) -> None:
    """More than are compared each with each; some differ in one thing only."""
    rng = np.random.default_rng(0)
    rows = [
        f"{who},2025-10-01,d{d},s{s},{type_},{score},{acted}"
        for who, d, s, type_, score, acted in zip(
            rng.choice(["a", "b"], 400),
            rng.integers(0, 2, 400),
            rng.integers(0, 3, 400),
            rng.choice(["feedback", "training"], 400),
            rng.choice(["", "0", "-0.0", "0.5", "0.5000001"], 400),
            rng.choice(["", "yes", "no"], 400),
            strict=True,
        )
    ]
    path = tmp_path / "events.csv"
    path.write_text("learner_id,ts,domain,skill,type,score,acted\n" + "\n".join(rows) + "\n")
    assert_as_in_memory(path)
    found, rejected = population(path)
    assert found.events == len({row.replace("-0.0", "0") for row in rows}) == 400 - sum(rejected.values())


def test_rows_with_ids_of_their_own(tmp_path: Path) -> None:
    events = from_events({"a": [Event(DAY_US, "d", "s"), Event(DAY_US, "d", "s")], "b": [Event(0, "d", "s")]})
    table = events.table().append_column("note", pa.array(["one", "two", "three"]))
    pq.write_table(table, tmp_path / "e.parquet")
    assert_as_in_memory(tmp_path / "e.parquet")
    assert population(tmp_path / "e.parquet")[0].events == 3
    assert_as_in_memory(tmp_path / "e.parquet", keep_bytes=0)


def test_no_events_at_all() -> None:
    with Parts() as parts, pytest.raises(EventsError, match="no events"):
        scan_parts(parts)


def test_no_events_up_to_some_time_either() -> None:
    with Parts() as parts, pytest.raises(EventsError, match="no events"):
        scan_parts(parts, as_of=0)


@pytest.mark.parametrize("ids", [True, False])
def test_rows_in_memory_and_in_files_keep_their_order(tmp_path: Path, ids: bool) -> None:
    """Those of one learner at one time count in the order of the source: in what stays, in a file, in what waits."""
    rng = np.random.default_rng(0)
    size = 6020
    table = pa.table(
        {
            "learner_id": [f"u{number}" for number in rng.integers(0, 40, size)],
            "ts": pa.array(rng.integers(0, 50, size) * DAY_US, pa.timestamp("us")),
            "domain": [f"d{number}" for number in rng.integers(0, 5, size)],
            "skill": [f"s{number}" for number in rng.integers(0, 9, size)],
            "score": rng.random(size).round(1),
        }
        | ({"note": [str(number) for number in range(size)]} if ids else {})
    )
    pq.write_table(table, tmp_path / "e.parquet")
    [batch] = list(open_events(tmp_path / "e.parquet"))
    found = []
    for keep_bytes in (1 << 30, 1 << 15):
        with Parts(parts=4, keep_bytes=keep_bytes) as parts:
            for first in range(0, size, 200):
                parts.add(batch.slice(first, 200))
            if keep_bytes == 1 << 15:
                lying = parts.part(0, last=False).rows
                assert [isinstance(one, Path) for one in lying] == [False, True, False]
            found.append(scan_parts(parts))
    one, other = found
    assert one.events == other.events
    assert one.scan.sums.tobytes() == other.scan.sums.tobytes()
    assert np.array_equal(one.scan.gains, other.scan.gains)
    assert one.scan.half_lives.tobytes() == other.scan.half_lives.tobytes()


def test_parts_that_were_never_scanned_leave_no_memory(tmp_path: Path) -> None:
    stream = open_events(write(make_population(50)[0], tmp_path / "e.parquet"))
    with Parts() as parts:
        parts.add_all(stream)
    gone = weakref.ref(parts._memory)
    del parts
    gc.collect()
    assert gone() is None


def test_no_room_for_files_is_said(tmp_path: Path) -> None:
    stream = open_events(write(make_population(50)[0], tmp_path / "e.parquet"))
    with Parts(keep_bytes=0, folder=tmp_path / "absent") as parts, pytest.raises(EventsError, match="TMPDIR names"):
        parts.add(next(iter(stream)))


def test_names_are_numbered_once_and_keep_their_parts() -> None:
    rng = np.random.default_rng(0)
    words = [f"{number}é"[: rng.integers(1, 9)] for number in rng.integers(0, 10**8, 5000)] + ["", "\0", "\0\0"]
    names = Names(8)
    first = names.add(pa.array(words[:3000]))
    second = names.add(pa.array(words[2000:]).slice(0))
    numbers = dict(zip(words[:3000], first.tolist(), strict=True)) | dict(
        zip(words[2000:], second.tolist(), strict=True)
    )
    assert len(names) == len(set(words)) == len(set(numbers.values()))
    assert all(numbers[word] == number for word, number in zip(words[:3000], first.tolist(), strict=True))
    parts = part_of(pa.array(words), 8)
    assert all(numbers[word] % 8 == part for word, part in zip(words, parts.tolist(), strict=True))
    padded = np.array([*words[:-2], "\u07ff\u0800", "\uffff\U00010000\U0010ffff"])  # NumPy takes no zeros at the end
    assert part_of(padded, 8).tolist() == part_of(pa.array(padded.tolist()), 8).tolist()
    assert np.bincount(parts, minlength=8).min() > 300  # dealt out evenly
    in_order = sorted(set(words), key=lambda word: (numbers[word] % 8, numbers[word]))
    assert names.texts().to_pylist() == in_order
    with pytest.raises(ValueError, match="power of two"):
        Names(3)


def test_ranks_and_order_are_those_of_code_points() -> None:
    names = Names()
    numbers = names.add(pa.array(["b", "ab", "é", "a", "b"]))
    rank, words = ranked(names)
    assert words == ("a", "ab", "b", "é")
    assert rank[numbers].tolist() == [2, 1, 3, 0, 2]
    order = sort_order(names.texts())
    assert order is not None
    assert names.texts().take(pa.array(order)).to_pylist() == list(words)
    assert sort_order(pa.array(list(words), pa.large_string())) is None
    assert sort_order(pa.array(["ab", "a"], pa.large_string())) is not None
    assert ranked(Names())[1] == ()


@pytest.mark.parametrize("head", ["", "learner-"])
@pytest.mark.parametrize("digits", [4, 12])
def test_order_of_many_names(head: str, digits: int) -> None:
    rng = np.random.default_rng(3)
    words = list({f"{head}{number:0{digits}}"[: rng.integers(3, 30)] for number in rng.integers(0, 10**digits, 3000)})
    order = sort_order(pa.array(words, pa.large_string()))
    assert order is not None
    assert [words[i] for i in order] == sorted(words)


def test_the_model_of_recall_is_fitted_on_the_same_learners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall_fit, "SAMPLE", 500)
    events, _ = make_population(3000)
    found, _ = population(write(events, tmp_path / "shuffled.parquet", 1), parts=32)
    assert found.scan.recall == recall_of(events, events.as_of, 12)
    chosen = recall_fit.in_sample(found.learners)
    assert 400 < chosen.sum() < 600
