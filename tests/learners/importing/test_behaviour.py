"""What docs/importing.md states of awkward input, one test each."""

import csv
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.learners.events import EventsError
from core.learners.importing import collect, files, open_events, parse_mapping, read_events
from core.learners.importing.stream import REPEATED

HEADER = "learner_id,ts,domain,skill,type,score,acted\n"
GOOD = "a,2025-10-01T12:00:00Z,maths,sums,practice,0.5,\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str | bytes, name: str = "events.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def times(path: Path, mapping: str = "") -> list[str]:
    stream = open_events(path, mapping=parse_mapping(mapping) if mapping else None)
    return [moment.astimezone(UTC).isoformat() for batch in stream for moment in batch.column("ts").to_pylist()]


PLAIN = "learner_id: learner_id\nts: ts\ndomain: domain\nskill: skill\n"


@pytest.mark.parametrize(
    ("written", "mapping", "expected"),
    [
        ("2025-10-01T12:00:00", "", "2025-10-01T12:00:00+00:00"),
        ("2025-10-01 12:00:00+02:00", "", "2025-10-01T10:00:00+00:00"),
        ("2025-10-01T12:00:00.1234567Z", "", "2025-10-01T12:00:00.123456+00:00"),
        ("2025-10-01", "", "2025-10-01T00:00:00+00:00"),
        ("20251001", "", "2025-10-01T00:00:00+00:00"),
        ("1759320000", "", "2025-10-01T12:00:00+00:00"),
        ("2025-10-01T12:00:00", PLAIN + "time_zone: Europe/Berlin", "2025-10-01T10:00:00+00:00"),
        ("2025-12-01T12:00:00", PLAIN + "time_zone: Europe/Berlin", "2025-12-01T11:00:00+00:00"),
        ("2025-10-26T02:30:00", PLAIN + "time_zone: Europe/Berlin", "2025-10-26T00:30:00+00:00"),  # there twice
        ("2025-03-30T02:30:00", PLAIN + "time_zone: Europe/Berlin", "2025-03-30T01:30:00+00:00"),  # not there at all
        ("2025-10-01T12:00:00", PLAIN + 'time_zone: "-03:30"', "2025-10-01T15:30:00+00:00"),
        ("2025-10-01T12:00:00Z", PLAIN + "time_zone: Europe/Berlin", "2025-10-01T12:00:00+00:00"),
        ("1759320000123", PLAIN.replace("ts: ts", "ts: {from: ts, unit: ms}"), "2025-10-01T12:00:00.123000+00:00"),
        ("01/10/2025 12.30", PLAIN.replace("ts: ts", 'ts: {from: ts, format: "%d/%m/%Y %H.%M"}'),
         "2025-10-01T12:30:00+00:00"),
    ],
)  # fmt: skip
def test_times_without_a_zone_are_utc_or_what_the_mapping_says(
    write: Callable[..., Path], written: str, mapping: str, expected: str
) -> None:
    text = f"learner_id,ts,domain,skill\na,{written},d,s\n"
    assert times(write(text), mapping) == [expected]
    # Beside a value that only the slow way can read, the same comes out.
    assert times(write(text + "a,2024-W01-1,d,s\n"), mapping)[0] == expected


def test_implausible_times_are_rejected(write: Callable[..., Path]) -> None:
    stream = open_events(write(HEADER + GOOD + "a,9999-01-01,d,s,,,\na,1066-10-14,d,s,,,\na,,d,s,,,\n"))
    assert sum(batch.num_rows for batch in stream) == 1
    assert stream.rejected.reasons == {"ts is missing or not a time": 1, "ts is not between 1970 and 2100": 2}


def test_repeated_rows_are_dropped_and_counted(write: Callable[..., Path], tmp_path: Path) -> None:
    other = "a,2025-10-01T12:00:00Z,maths,sums,practice,0.75,\n"
    stream = open_events(write(HEADER + GOOD + other + GOOD + GOOD)).write_rejected(tmp_path / "bad.jsonl")
    events = collect(stream)
    assert events.score.tolist() == [0.5, 0.75]
    assert events.rejected == stream.rejected.reasons == {REPEATED: 2}
    assert stream.rejected.examples[REPEATED][0].value == "a at 2025-10-01T12:00:00+00:00"
    assert stream.rows == 2
    rows = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert [json.loads(row["original"])["skill"] for row in rows] == ["sums", "sums"]


def test_rows_that_differ_in_any_column_are_no_repeats(write: Callable[..., Path]) -> None:
    text = "learner_id,ts,domain,skill,item\na,2025-10-01,d,s,1\na,2025-10-01,d,s,2\na,2025-10-01,d,s,1\n"
    assert len(read_events(write(text))) == 2


def test_repeats_in_parquet_are_known_by_all_columns(tmp_path: Path) -> None:
    table = pa.table({"learner_id": ["a"] * 3, "ts": [1] * 3, "domain": ["d"] * 3, "skill": ["s"] * 3, "n": [1, 2, 1]})
    pq.write_table(table, tmp_path / "e.parquet")
    assert len(read_events(tmp_path / "e.parquet")) == 2


def test_the_same_id_is_the_same_event_unless_repeats_are_kept(write: Callable[..., Path]) -> None:
    path = write("learner_id,ts,domain,skill,id\na,1,d,s,x\na,1,d,other,x\na,1,d,s,\na,1,d,s,\n")
    events = collect(open_events(path, mapping=parse_mapping(PLAIN + "id: id")))
    assert len(events) == 2  # x once; without an id the rows are compared
    kept = collect(open_events(path, mapping=parse_mapping(PLAIN + "id: id\nduplicates: keep")))
    assert len(kept) == 4


def test_events_out_of_order_are_sorted_and_ties_stay(write: Callable[..., Path]) -> None:
    text = HEADER + "b,3,d,s,,,\na,2,d,s2,,,\nb,1,d,s,,,\na,2,d,s1,,,\na,1,d,s,,,\n"
    events = read_events(write(text))
    assert [(who, [(e.ts, e.skill) for e in of]) for who, of in events.rows()] == [
        ("a", [(1_000_000, "s"), (2_000_000, "s2"), (2_000_000, "s1")]),
        ("b", [(1_000_000, "s"), (3_000_000, "s")]),
    ]


def test_empty_texts_are_missing_values(write: Callable[..., Path]) -> None:
    stream = open_events(write(HEADER + ' ,1,d,s,,,\na,1,"",s,,,\na,1,d,   ,,,\na,1,d,s,,,\n'))
    [batch] = stream
    assert batch.to_pylist() == [
        {"learner_id": "a", "ts": datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), "domain": "d", "skill": "s"}
        | {"type": "training", "score": None, "acted": None}
    ]
    assert list(stream.rejected.reasons) == ["learner_id is missing", "domain is missing", "skill is missing"]


@pytest.mark.parametrize(
    ("score", "expected"),
    [("", None), ("NaN", None), ("NA", None), ("null", None), ("0", 0.0), ("1", 1.0), ("1e-1", 0.1), ("true", 1.0)],
)
def test_scores_that_count_or_are_missing(write: Callable[..., Path], score: str, expected: float | None) -> None:
    for more in ("", "a,1,d,s,,0.25,\n", "a,1,d,s,,half,\n"):
        [batch] = open_events(write(f"{HEADER}a,1,d,s,,{score},\n{more}"))
        assert batch.column("score")[0].as_py() == expected


@pytest.mark.parametrize(
    ("score", "reason"),
    [("inf", "score is not between 0 and 1"), ("-Infinity", "score is not between 0 and 1"),
     ("1.01", "score is not between 0 and 1"), ("-0.1", "score is not between 0 and 1"),
     ("good", "score is not a number"), ("0,5", "the row has not 7 columns"), ("1_0", "score is not a number")],
)  # fmt: skip
def test_scores_that_are_rejected(write: Callable[..., Path], score: str, reason: str) -> None:
    stream = open_events(write(f"{HEADER}a,1,d,s,,{score},\n{GOOD}"))
    assert sum(batch.num_rows for batch in stream) == 1
    assert stream.rejected.reasons == {reason: 1}
    assert stream.rejected.examples[reason][0].line == 2


def test_nan_and_infinite_scores_in_parquet(tmp_path: Path) -> None:
    scores = [float("nan"), float("inf"), 0.5, None]
    table = pa.table(
        {"learner_id": ["a"] * 4, "ts": [1, 2, 3, 4], "domain": ["d"] * 4, "skill": ["s"] * 4, "score": scores}
    )
    pq.write_table(table, tmp_path / "e.parquet")
    stream = open_events(tmp_path / "e.parquet")
    assert [score for batch in stream for score in batch.column("score").to_pylist()] == [None, 0.5, None]
    assert [str(r) for r in stream.rejected.examples["score is not between 0 and 1"]] == [
        f'{tmp_path}/e.parquet:2: score is not between 0 and 1: "inf"'
    ]


def test_a_learner_without_a_usable_event_is_none(write: Callable[..., Path]) -> None:
    events = read_events(write(HEADER + GOOD + "b,yesterday,maths,sums,practice,0.5,\n"))
    assert events.learners.tolist() == ["a"]
    nobody = read_events(write(HEADER + "b,yesterday,maths,sums,practice,0.5,\n"))
    assert (len(nobody), nobody.learners.size, nobody.offsets.tolist()) == (0, 0, [0])
    with pytest.raises(EventsError, match="no events"):
        _ = nobody.as_of


def test_texts_that_are_too_long_or_have_a_nul(tmp_path: Path) -> None:
    words = {"learner_id": "u" * 256, "domain": "d" * 1001, "skill": "s\0", "type": "t" * 1001}
    rows = [{"learner_id": "u", "domain": "d", "skill": "s", "type": "t", "ts": 1} | {k: v} for k, v in words.items()]
    fitting = {"learner_id": "u" * 255, "domain": "d" * 1000, "skill": "s" * 1000, "type": "t" * 1000, "ts": 1}
    pq.write_table(pa.Table.from_pylist([*rows, fitting]), tmp_path / "e.parquet")
    stream = open_events(tmp_path / "e.parquet")
    assert sum(batch.num_rows for batch in stream) == 1
    assert stream.rejected.reasons == {
        "learner_id is longer than 255 characters": 1,
        "domain is longer than 1000 characters": 1,
        "skill has a NUL character": 1,
        "type is longer than 1000 characters": 1,
    }


def test_ids_that_look_like_numbers_stay_text(write: Callable[..., Path], tmp_path: Path) -> None:
    ids = ["007", "7", "7.0", "1e3", "NA", "0x1F", "9007199254740993"]
    rows = "".join(f"{who},{n},d,s,,,\n" for n, who in enumerate(ids, 1))
    assert read_events(write(HEADER + rows)).learners.tolist() == sorted(ids)
    lines = "".join(json.dumps({"learner_id": who, "ts": 1, "domain": "d", "skill": "s"}) + "\n" for who in ids)
    assert read_events(write(lines, "e.jsonl")).learners.tolist() == sorted(ids)
    for column in ([7, 8], [7.0, 8.0], pa.array([7, 8], pa.int8())):
        pq.write_table(pa.table({"learner_id": column, "ts": [1, 1], "domain": ["d"] * 2, "skill": ["s"] * 2}),
                       tmp_path / "e.parquet")  # fmt: skip
        assert read_events(tmp_path / "e.parquet").learners.tolist() == ["7", "8"]


def test_a_10_mb_line_is_read_if_it_is_valid(write: Callable[..., Path]) -> None:
    note = "x" * 10_000_000
    text = f"learner_id,ts,domain,skill,note\na,1,d,s,{note}\nb,1,d,s,\n"
    assert read_events(write(text)).learners.tolist() == ["a", "b"]
    record = {"learner_id": "a", "ts": 1, "domain": "d", "skill": "s", "note": note}
    assert len(read_events(write(json.dumps(record) + "\n", "e.jsonl"))) == 1
    assert len(read_events(write(json.dumps([record]), "e.json"))) == 1
    stream = open_events(write(f"{HEADER}{GOOD}a,1,d,{note},,,\n"))
    assert sum(batch.num_rows for batch in stream) == 1
    assert stream.rejected.reasons == {"skill is longer than 1000 characters": 1}


@pytest.mark.parametrize("name", ["e.csv", "e.jsonl"])
def test_a_longer_line_is_rejected_with_its_number(
    write: Callable[..., Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LONGEST_LINE", 50_000)
    monkeypatch.setattr(files, "BLOCK", 10_000)
    if name == "e.csv":
        lines = ["learner_id,ts,domain,skill", "a,1,d,s", "b,1,d," + "x" * 200_000, "c,1,d,s", "d,1,d,s"]
    else:
        one = {"ts": 1, "domain": "d", "skill": "s"}
        lines = [json.dumps({"learner_id": who} | one) for who in "abcd"]
        lines[1:1] = [""]
        lines[2] = json.dumps({"learner_id": "b", "note": "x" * 200_000} | one)
    stream = open_events(write("\n".join(lines), name))
    assert collect(stream).learners.tolist() == ["a", "c", "d"]
    [(reason, [refusal])] = stream.rejected.examples.items()
    assert reason == "the line is longer than 16 MiB"
    assert refusal.line == 3


def test_a_quote_that_is_never_closed_costs_its_line(write: Callable[..., Path]) -> None:
    stream = open_events(write(HEADER + GOOD + 'b,1,d,"s,,,\n' + GOOD.replace("a,", "c,", 1)))
    assert collect(stream).learners.tolist() == ["a", "c"]
    [refusal] = stream.rejected.examples["a quote is never closed"]
    assert (refusal.line, refusal.value) == (3, 'b,1,d,"s,,,')


def test_truncated_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"learner_id": ["a"], "ts": [1], "domain": ["d"], "skill": ["s"]}), tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    for cut in (len(whole) // 2, len(whole) - 1, 5):
        (tmp_path / "cut.parquet").write_bytes(whole[:cut])
        with pytest.raises(EventsError, match=r"cut\.parquet: the Parquet file can't be read: it is cut off"):
            open_events(tmp_path / "cut.parquet")


@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize("more", [True, False])
def test_text_in_parquet_that_is_not_utf8_costs_its_row(tmp_path: Path, dictionary: bool, more: bool) -> None:
    """As other programs write it; at the end of a word and inside, and in a column that isn't read but for repeats."""
    words = pa.array([b"ok", b"b\xff", b"\xc3\xa9", None, b"c\xffc"], pa.binary())
    skill = pa.StringArray.from_buffers(5, words.buffers()[1], words.buffers()[2], words.buffers()[0])
    columns = {"learner_id": ["a"] * 5, "ts": [1, 2, 3, 4, 5], "domain": ["d"] * 5, "skill": skill}
    if more:
        columns |= {"skill": ["s"] * 5, "note": skill}
    pq.write_table(pa.table(columns), tmp_path / "e.parquet", use_dictionary=dictionary)
    stream = open_events(tmp_path / "e.parquet")
    assert collect(stream).ts.tolist() == ([1_000_000, 3_000_000, 4_000_000] if more else [1_000_000, 3_000_000])
    name = "note" if more else "skill"
    assert [str(r) for r in stream.rejected.examples[f"{name} is not UTF-8"]] == [
        f'{tmp_path}/e.parquet:2: {name} is not UTF-8: "b\\xff"',
        f'{tmp_path}/e.parquet:5: {name} is not UTF-8: "c\\xffc"',
    ]


def test_a_time_that_python_does_not_have_is_told(tmp_path: Path) -> None:
    times = pa.array([2**62, 1, -(2**62)], pa.timestamp("us"))
    table = pa.table({"learner_id": ["a"] * 3, "ts": times, "domain": ["d"] * 3, "skill": ["s"] * 3})
    pq.write_table(table, tmp_path / "e.parquet")
    stream = open_events(tmp_path / "e.parquet")
    assert collect(stream).ts.tolist() == [1]
    told = [str(r) for r in stream.rejected.examples["ts is not between 1970 and 2100"]]
    assert told[0] == f'{tmp_path}/e.parquet:1: ts is not between 1970 and 2100: "{2**62}"'


def test_truncated_and_damaged_gzip(write: Callable[..., Path]) -> None:
    rows = "".join(f"u{n},{n},d,s,,,\n" for n in range(1, 5000))
    whole = gzip.compress((HEADER + rows).encode())
    assert len(read_events(write(whole, "e.csv.gz"))) == 4999
    assert len(read_events(write(whole, "no-such-suffix"))) == 4999
    with pytest.raises(EventsError, match="the gzip file is cut off in the middle"):
        read_events(write(whole[:-100], "e.csv.gz"))
    with pytest.raises(EventsError, match="the gzip file is damaged"):
        read_events(write(whole[:-8] + b"12345678", "e.csv.gz"))


def test_wrong_columns_are_told_with_the_mapping_they_need(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write("Student ID,Submitted At,course,item,grade\n7,2025-10-01,maths,sums,80\n")
    with pytest.raises(EventsError) as caught:
        open_events(path)
    told, _, mapping = str(caught.value).partition("\n\n")
    assert (
        "column learner_id, ts, domain, skill is missing; it has Student ID, Submitted At, course, item, grade" in told
    )
    saved = tmp_path / "mapping.yaml"
    saved.write_text(mapping.replace("scale: [0, 1]", "scale: [0, 100]"))
    [(learner, [event])] = collect(open_events(path, mapping=saved)).rows()
    assert (learner, event.domain, event.skill, event.score) == ("7", "maths", "sums", 0.8)


def test_columns_that_a_mapping_names_and_the_file_lacks(write: Callable[..., Path]) -> None:
    with pytest.raises(EventsError, match="column grade is missing, which the mapping"):
        open_events(write(HEADER + GOOD), mapping=parse_mapping(PLAIN + "score: grade"))


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff", "  \n"])
def test_an_empty_file(write: Callable[..., Path], text: str) -> None:
    with pytest.raises(EventsError, match="is empty; expected learners' events"):
        open_events(write(text))


def test_a_header_alone_has_no_events(write: Callable[..., Path]) -> None:
    assert len(read_events(write(HEADER))) == 0


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(EventsError, match="is an empty folder; expected files of events, or OULAD's tables"):
        open_events(tmp_path)
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    with pytest.raises(EventsError, match=r"a folder is read as files of one format.*photo\.png: starts with"):
        open_events(tmp_path)
    (tmp_path / "photo.png").unlink()
    for day in ("2025-10-01", "2025-10-02"):
        (tmp_path / f"{day}.csv").write_text(HEADER + GOOD.replace("2025-10-01", day))
    assert len(read_events(tmp_path)) == 2
    (tmp_path / "more.jsonl").write_text('{"learner_id": "b", "ts": 1, "domain": "d", "skill": "s"}')
    with pytest.raises(EventsError, match=r"several formats \(csv, jsonl\)"):
        open_events(tmp_path)
    (tmp_path / "assessments.csv").write_text("id_assessment\n")
    with pytest.raises(EventsError, match=r"studentAssessment\.csv is missing; expected OULAD's tables"):
        open_events(tmp_path)


def test_files_of_a_folder_may_differ_in_optional_columns(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("learner_id,ts,domain,skill\na,1,d,s\na,1,d,s\n")
    (tmp_path / "2.csv").write_text("learner_id,ts,domain,skill,variant\na,1,d,s,x\na,1,d,s,y\na,1,d,s,y\n")
    stream = open_events(tmp_path)
    assert len(collect(stream)) == 3
    assert len({batch.schema for batch in stream}) == 1
    (tmp_path / "3.csv").write_text("learner_id,ts,skill\n")
    with pytest.raises(EventsError, match=r"3\.csv: column domain is missing"):
        open_events(tmp_path)


def test_a_mapping_without_a_format_is_checked_against_the_file(write: Callable[..., Path]) -> None:
    path = write('{"u": {"id": "a"}, "t": 1}', "e.jsonl")
    text = "learner_id: u.id\nts: t\ndomain: {default: d}\nskill: {default: s}\n"
    assert collect(open_events(path, mapping=parse_mapping(text))).learners.tolist() == ["a"]
    with pytest.raises(EventsError, match=r"m\.yaml: u\.\.id: expected keys with dots between"):
        open_events(path, mapping=parse_mapping(text.replace("u.id", "u..id"), "m.yaml"))


def test_bytes_that_are_not_utf_8_cost_their_line(write: Callable[..., Path]) -> None:
    bad = "é,1,d,s,,,\n".encode("latin-1")
    stream = open_events(write(HEADER.encode() + GOOD.encode() + bad + "ü,1,d,s,,,\n".encode()))
    assert collect(stream).learners.tolist() == ["a", "ü"]
    assert [(r.line, r.value) for r in stream.rejected.examples["the line is not UTF-8"]] == [(3, "\\xe9,1,d,s,,,")]
    line = '{"learner_id": "é", "ts": 1, "domain": "d", "skill": "s"}\n'
    stream = open_events(write(line.encode() + line.encode("latin-1"), "e.jsonl"))
    assert collect(stream).learners.tolist() == ["é"]
    assert stream.rejected.reasons == {"the line is not UTF-8": 1}
    with pytest.raises(EventsError, match="is UTF-16; expected UTF-8"):
        open_events(write((HEADER + GOOD).encode("utf-16")))


def test_a_byte_order_mark_is_no_part_of_a_name(write: Callable[..., Path]) -> None:
    assert len(read_events(write("\ufeff" + HEADER + GOOD))) == 1
    assert len(read_events(write('\ufeff{"learner_id": "a", "ts": 1, "domain": "d", "skill": "s"}', "e.jsonl"))) == 1
    assert len(read_events(write('\ufeff[{"learner_id": "a", "ts": 1, "domain": "d", "skill": "s"}]', "e.json"))) == 1


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_one_per_cent_of_bad_rows_still_gives_an_answer(
    write: Callable[..., Path], tmp_path: Path, suffix: str
) -> None:
    bad = ["x,y", "a,yesterday,d,s,,,", ",1,d,s,,,", 'a,1,d,"s\nt",,2,']
    rows = [bad[n // 100 % 4] if n % 100 == 50 else f"u{n % 50},{n + 1},d,s,practice,0.5," for n in range(10_000)]
    out = tmp_path / f"bad.{suffix}"
    stream = open_events(write(HEADER + "\n".join(rows))).write_rejected(out)
    events = collect(stream)
    assert (len(events), events.learners.size) == (9_900, 50)
    assert stream.rejected.rows == 100
    assert stream.rejected.reasons == {
        "the row has not 7 columns": 25,
        "learner_id is missing": 25,
        "ts is missing or not a time": 25,
        "score is not between 0 and 1": 25,
    }
    first = stream.rejected.examples["score is not between 0 and 1"]
    assert [r.line for r in first] == [352, 753, 1154, 1555, 1956]  # each before it took two lines
    with out.open(newline="") as file:
        written = list(csv.DictReader(file)) if suffix == "csv" else [json.loads(line) for line in file]
    assert len(written) == 100
    assert {row["original"] for row in written} == set(bad)


def test_what_is_not_events_at_all(write: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(EventsError, match='starts with "Hello", which is none of the formats tried: Parquet'):
        open_events(write("Hello\nworld\n"))
    with pytest.raises(EventsError, match="no such file; expected a file of events"):
        open_events(tmp_path / "absent")
    with pytest.raises(EventsError, match='format "xls" is not known; expected auto or one of csv'):
        open_events(tmp_path, format="xls")
    with pytest.raises(EventsError, match="is csv by its content, not parquet"):
        open_events(write(HEADER), format="parquet")
    with pytest.raises(EventsError, match="column 'ts' is there twice"):
        open_events(write("learner_id,ts,ts,domain,skill\n"))
    with pytest.raises(EventsError, match="rejected rows can't be written there"):
        list(open_events(write(HEADER + GOOD)).write_rejected(tmp_path / "no" / "folder"))


def test_a_stream_can_be_read_again(write: Callable[..., Path]) -> None:
    stream = open_events(write(HEADER + GOOD + "x\n"))
    assert [batch.num_rows for batch in stream] == [batch.num_rows for batch in stream] == [1]
    assert (stream.rows, stream.rejected.rows) == (1, 1)


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_other_delimiters_and_line_ends(write: Callable[..., Path], mark: str) -> None:
    for feed in ("\n", "\r\n", "\r"):
        text = (HEADER + 'a,1,"d, e",s,,,\n').replace('"d, e"', "D").replace(",", mark).replace("D", f'"d{mark} e"')
        assert read_events(write(text.replace("\n", feed))).domains == (f"d{mark} e",)


def test_optional_columns_pass_through(write: Callable[..., Path]) -> None:
    text = "learner_id,ts,domain,skill,session_id,revenue,segment_country,other\na,1,d,s,x,2.5,FR,?\na,2,d,s,,much,,?\n"
    stream = open_events(write(text))
    [row] = [row for batch in stream for row in batch.to_pylist()]
    assert (row["session_id"], row["revenue"], row["segment_country"]) == ("x", 2.5, "FR")
    assert "other" not in row
    assert stream.rejected.reasons == {"revenue is not a number": 1}
