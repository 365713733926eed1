"""Quick ways and slow ways agree, whatever is in the file and wherever it is cut into blocks."""

import csv
import io
import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.learners.events import from_columns
from core.learners.importing import canonical, collect, collect_batches, files, jsonlines, open_events
from core.learners.ordering import order_of

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


words = st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=8)
cells = st.one_of(words, st.sampled_from(['"', '""', "a,b", "a\nb", "x;y", " ", "1", "\n"]))


@QUICK
@given(rows=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=30), block=st.integers(16, 200))
def test_csv_is_what_python_reads(rows: list[tuple[str, str, str]], block: int, folder: Path) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["learner_id", "ts", "domain", "skill", "note"])
    for who, domain, note in rows:
        writer.writerow([who, 1, domain, "s", note])
    path = folder / "e.csv"
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    stream = open_events(path)
    with patch.object(files, "BLOCK", block):
        found = [(row["learner_id"], row["domain"]) for batch in stream for row in batch.to_pylist()]
    kept = [(who.strip(), domain.strip()) for who, domain, _ in rows if who.strip() and domain.strip()]
    assert found == kept
    assert stream.rejected.rows == len(rows) - len(kept)
    lines = {"learner_id": [n for n, (who, _, _) in enumerate_lines(rows) if not who.strip()]}
    told = stream.rejected.examples.get("learner_id is missing", [])
    assert [refusal.line for refusal in told] == lines["learner_id"][:5]


def enumerate_lines(rows: list[tuple[str, str, str]]) -> Iterator[tuple[int, tuple[str, str, str]]]:
    line = 2
    for row in rows:
        yield line, row
        line += 1 + sum(cell.count("\n") for cell in row)


values = st.one_of(st.none(), st.booleans(), st.integers(-2, 3), st.floats(-1, 2), words)
record = st.fixed_dictionaries(
    {
        "learner_id": st.one_of(words, st.integers(0, 9)),
        "ts": st.one_of(st.integers(0, 10**9), st.sampled_from([10_000_000, 20_251_001, 20_251_399])),
        "domain": words,
        "skill": words,
    },
    optional={"score": values, "acted": values, "other": values},
)


@QUICK
@given(records=st.lists(record, min_size=1, max_size=20), junk=st.sampled_from(["", "{", "[1]", "null", '{"a": 1']))
def test_json_lines_read_by_arrow_are_what_python_reads(
    records: list[dict[str, object]], junk: str, folder: Path
) -> None:
    path = folder / "e.jsonl"
    lines = [json.dumps(one, ensure_ascii=False) for one in records]
    path.write_text("\n".join([*lines, junk]), encoding="utf-8")
    quick = open_events(path)
    found = [row for batch in quick for row in batch.to_pylist()]
    slow = open_events(path)
    with patch.object(jsonlines, "_quick", lambda *_: None):
        expected = [row for batch in slow for row in batch.to_pylist()]
    ids = [row.pop("event_id") for row in found], [row.pop("event_id") for row in expected]
    assert found == expected
    assert ids[0] == ids[1]
    assert quick.rejected.reasons == slow.rejected.reasons


moments = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1))
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@QUICK
@given(
    times=st.lists(st.tuples(moments, st.one_of(st.none(), offsets)), min_size=1, max_size=10),
    sep=st.sampled_from("T "),
)
def test_times_are_read_alike_alone_and_in_mixed_company(
    times: list[tuple[datetime, timezone | None]], sep: str
) -> None:
    told = [moment.replace(tzinfo=zone).isoformat(sep) for moment, zone in times]
    true = [(moment.replace(tzinfo=zone or UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
            for moment, zone in times]  # fmt: skip
    for column in (told, [*told, "never"]):
        micros, known = canonical.times(pa.array(column))
        assert micros[: len(true)].tolist() == true
        assert known.tolist() == [word != "never" for word in column]
    for one, micro in zip(told, true, strict=True):
        assert canonical.times(pa.array([one]))[0].tolist() == [micro]


@QUICK
@given(rows=st.lists(st.tuples(st.integers(0, 4), st.integers(-3, 3)), max_size=200))
def test_rows_are_ordered_as_a_stable_sort_orders_them(rows: list[tuple[int, int]]) -> None:
    who, ts = np.array([w for w, _ in rows], np.int32), np.array([t for _, t in rows], np.int64)
    order, bounds = order_of(who, ts, 5)
    expected = np.lexsort((ts, who))
    assert (np.arange(who.size) if order is None else order).tolist() == expected.tolist()
    assert bounds.tolist() == [0, *np.cumsum(np.bincount(who, minlength=5)).tolist()]


@QUICK
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("cab"), st.integers(1, 3), st.sampled_from("xy"), st.sampled_from([None, 0.0, 0.5])),
        max_size=40,
    ),
    block=st.integers(16, 100),
)
def test_collecting_is_sorting_and_keeping_the_first_of_equals(
    rows: list[tuple[str, int, str, float | None]], block: int, folder: Path
) -> None:
    path = folder / "c.csv"
    text = "".join(f"{who},{ts},d,{skill},{'' if score is None else score}\n" for who, ts, skill, score in rows)
    path.write_text("learner_id,ts,domain,skill,score\n" + text)
    stream = open_events(path)
    with patch.object(files, "BLOCK", block):
        events = collect(stream)
        again, dropped = collect_batches(open_events(path))
    once = list(dict.fromkeys(rows))
    expected = from_columns(
        [who for who, *_ in once],
        np.array([ts * 1_000_000 for _, ts, _, _ in once], np.int64),
        ["d"] * len(once),
        [skill for _, _, skill, _ in once],
        ["training"] * len(once),
        np.array([np.nan if score is None else score for *_, score in once]),
        np.full(len(once), -1, np.int8),
    )
    assert list(events.rows()) == list(again.rows()) == list(expected.rows())
    assert sum(events.rejected.values()) == dropped == len(rows) - len(once)
