"""Recorded metrics: what is read, what is rejected and how it is said."""

from __future__ import annotations

import numpy as np
import pytest

from core.metrics import RecordedError, read_recorded


@pytest.fixture
def write(tmp_path):
    def to_file(*lines: str, name: str = "metrics.csv"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return to_file


def test_rows_become_samples(write):
    path = write(
        "ts,requests,errors,slow_requests,availability_pct,latency_p99_ms,incidents",
        "2025-10-31T12:00:00Z,1000,3,7,99.9,38.5,0",
        "2025-10-31T12:05:00Z,500,0,0,100,40,1",
    )
    read = read_recorded(path, version="fast")
    [group] = read.groups
    frame = group.frame
    assert frame.start.tolist() == [1761912000.0, 1761912300.0]
    assert group.seconds == 300.0
    assert frame.seconds.tolist() == [300.0, 300.0]
    assert set(frame.version) == {"fast"}
    assert frame.requests.tolist() == [1000, 500]
    assert frame.errors.tolist() == [3, 0]
    assert frame.slow.tolist() == [7.0, 0.0]
    assert (frame.probes.tolist(), frame.probes_ok.tolist()) == ([1000, 500], [999, 500])
    assert frame.gauges[0] == {"latency_p99": 38.5, "incidents": 0.0}
    assert group.untold == {"fallbacks", "compared"}


def test_a_percentage_without_counts_stays_a_gauge(write):
    read = read_recorded(
        write("ts,availability_pct", "2025-10-31T12:00:00Z,99.5"), version="fast", default_seconds=60.0
    )
    [group] = read.groups
    assert group.frame.gauges[0] == {"availability": 0.995}
    assert group.frame.probes.tolist() == [0]
    assert group.seconds == 60.0
    assert group.untold >= {"requests", "errors"}


def test_unknown_columns_are_named_and_missing_ones_not_measured(write):
    read = read_recorded(write("ts,requests,weather,latency_p42_ms", "1761912000,5,fine,3"), version="fast")
    unused, missing = read.warnings
    assert unused.endswith("columns not used: weather, latency_p42_ms")
    assert "not measured" in missing
    assert "errors" in missing
    assert " requests" not in missing


def test_revenue_in_totals_is_said_to_be_not_measured(write):
    read = read_recorded(write("ts,requests,revenue,learners", "1761912000,5,12.5,3"), version="fast")
    assert any("revenue is not measured" in warning for warning in read.warnings)


def test_groups_come_in_the_files_order_and_space_their_rows_themselves(write):
    path = write(
        "ts,requests,day", "1000000000,1,b", "1000000060,1,b", "1000000000,1,a", "1000000300,1,a", "1000000000,1,c"
    )
    groups = read_recorded(path, version="fast", by="day").groups
    assert [(g.value, g.seconds, len(g.frame)) for g in groups] == [("b", 60.0, 2), ("a", 300.0, 2), ("c", 60.0, 1)]
    [only] = read_recorded(path, version="fast", where=("day", "a")).groups
    assert len(only.frame) == 2


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("yesterday,5,0,100", "line 3, ts: 'yesterday'; expected a time such as"),
        ("2025-10-31T12:01:00Z,-5,0,100", "line 3, requests: '-5'; expected a whole number, 0 or more"),
        ("2025-10-31T12:01:00Z,5.5,0,100", "line 3, requests: '5.5'; expected a whole number"),
        ("2025-10-31T12:01:00Z,inf,0,100", "line 3, requests: 'inf'; expected a whole number"),
        ("2025-10-31T12:01:00Z,nan,0,100", "line 3, requests: 'nan'; expected a whole number"),
        ("2025-10-31T12:01:00Z,many,0,100", "line 3, requests: 'many'; expected a whole number"),
        ("2025-10-31T12:01:00Z,5,6,100", "line 3, errors: '6'; expected no more than the row's requests, 5"),
        ("2025-10-31T12:01:00Z,5,,100", "line 3, errors: ''; expected a number, as the row has requests"),
        ("2025-10-31T12:01:00Z,,3,100", "line 3, errors: '3'; expected requests in the same row"),
        ("2025-10-31T12:01:00Z,5,0,100.5", "line 3, availability_pct: '100.5'; expected a percentage from 0 to 100"),
        ("2025-10-31T12:01:00Z,5,0", "line 3, all columns: '3 cells'; expected 4 as in the header"),
    ],
)
def test_a_row_that_cant_be_so_is_rejected_and_named(write, row, said):
    path = write(
        "ts,requests,errors,availability_pct", "2025-10-31T12:00:00Z,5,0,100", row, "2025-10-31T12:02:00Z,5,0,100"
    )
    read = read_recorded(path, version="fast")
    assert len(read.groups[0].frame) == 2
    assert len(read.rejected) == 1
    assert str(read.rejected[0]).startswith(said)
    assert f"{path}: 1 of 3 rows rejected" in read.warnings


def test_only_the_first_rejected_rows_are_named(write):
    path = write("ts,requests", *[f"100000000{i},-1" for i in range(8)], "1000000010,1")
    read = read_recorded(path, version="fast")
    assert len(read.rejected) == 8
    assert read.warnings[-1].endswith("and 3 more rejected rows")


def test_rows_without_a_figure_are_silence_not_zero(write):
    read = read_recorded(write("ts,requests", "1000000000,5", "1000000060,", "1000000120,0"), version="fast")
    assert read.groups[0].frame.requests.tolist() == [5, 0]
    assert any("1 of 3 rows hold no figure and count as silence" in w for w in read.warnings)


def test_times_without_a_zone_are_utc_and_say_so(write):
    read = read_recorded(write("ts,requests", "2025-10-31 12:00:00,5"), version="fast")
    assert read.groups[0].frame.start.tolist() == [1761912000.0]
    assert any("taken as UTC" in w for w in read.warnings)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([""], "found nothing; expected a header with the column ts"),
        (["time,requests", "1,2"], "expected a header with the column ts"),
        (["ts;requests", "1;2"], "They must be by commas"),
        (["ts,requests,requests", "1000000000,2,3"], "column requests is there twice"),
        (["ts,weather", "1000000000,2"], "expected any of requests"),
        (["ts,requests"], "no row has any figure"),
        (["ts,requests", "never,2"], "none of 1 rows can be used; the first: line 2, ts: 'never'"),
        (['ts,requests', '"1000000000,2'], "not CSV"),
    ],
)  # fmt: skip
def test_a_file_that_cant_be_read_says_why(write, lines, said):
    path = write(*lines)
    with pytest.raises(RecordedError) as caught:
        read_recorded(path, version="fast")
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_what_was_asked_for_and_isnt_there_is_named(write, tmp_path):
    path = write("ts,requests,day", "1000000000,2,monday", "1000000060,2,tuesday")
    with pytest.raises(RecordedError, match=r"no row has day = 'friday'; it holds monday, tuesday"):
        read_recorded(path, version="fast", where=("day", "friday"))
    with pytest.raises(RecordedError, match=r"no column 'week'; the columns are ts, requests, day"):
        read_recorded(path, version="fast", by="week")
    with pytest.raises(RecordedError, match="No such file"):
        read_recorded(tmp_path / "missing.csv", version="fast")
    with pytest.raises(RecordedError, match="directory"):
        read_recorded(tmp_path, version="fast")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "bytes.csv"
    path.write_bytes(b"ts,requests\n\xff\xfe\x00,1\n")
    with pytest.raises(RecordedError, match="not UTF-8"):
        read_recorded(path, version="fast")


def test_a_byte_order_mark_and_spaces_do_no_harm(tmp_path):
    path = tmp_path / "bom.csv"
    path.write_bytes("﻿ts, requests\r\n1000000000, 7\r\n\r\n".encode())
    assert read_recorded(path, version="fast").groups[0].frame.requests.tolist() == [7]


def test_nothing_is_counted_as_slow_where_nobody_counted(write):
    read = read_recorded(write("ts,requests", "1000000000,5"), version="fast")
    assert np.isnan(read.groups[0].frame.slow).all()
