from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.learners import read_events
from core.learners.events import DAY_US, Event, EventsError, from_events

OULAD = Path(__file__).parents[3] / "shared" / "data" / "oulad"

ROWS = """learner_id,ts,domain,skill,type,score,acted
007,2025-10-01T12:00:00Z,maths,sums,practice,0.5,
007,2025-10-01T11:00:00+01:00,maths,sums,feedback,,true
b,yesterday,maths,sums,practice,0.5,
,2025-10-01,maths,sums,practice,0.5,
c,2025-10-01,,sums,practice,0.5,
c,2025-10-01,maths,,practice,0.5,
c,2025-10-01,maths,sums,practice,1.5,
c,2025-10-01,maths,sums,practice,good,
c,2025-10-01,maths,sums,practice,0.5,perhaps
"""


def test_csv_is_sorted_and_bad_rows_are_counted_by_reason(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(ROWS)
    events = read_events(path)
    noon = int(datetime(2025, 10, 1, 12, tzinfo=UTC).timestamp()) * 1_000_000
    assert list(events.rows()) == [
        (
            "007",
            [
                Event(noon - 2 * 3_600_000_000, "maths", "sums", "feedback", None, True),
                Event(noon, "maths", "sums", "practice", 0.5, None),
            ],
        )
    ]
    assert events.rejected == {
        "learner_id is missing": 1,
        "ts is missing or not a time": 1,
        "domain is missing": 1,
        "skill is missing": 1,
        "score is not a number": 1,
        "score is not between 0 and 1": 1,
        "acted is not true or false": 1,
    }


def test_parquet_round_trip(tmp_path: Path) -> None:
    events = from_events(
        {
            "b": [Event(2, "x", "s", "feedback", None, False), Event(1, "y", "r", "training", 0.25)],
            "a": [Event(3, "x", "r")],
        }
    )
    pq.write_table(events.table(), tmp_path / "events.parquet")
    again = read_events(tmp_path / "events.parquet")
    assert list(again.rows()) == list(events.rows())
    assert again.find("b") == 1
    assert again.find("nobody") is None


def test_numbers_are_seconds(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("learner_id,ts,domain,skill\na,1.5,d,s\na,99999999999999,d,s\n")
    events = read_events(tmp_path / "e.csv")
    assert events.ts.tolist() == [1_500_000]
    assert events.rejected == {"ts is missing or not a time": 1}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("e.csv", "learner_id,ts,skill\na,1,s\n", "column domain is missing"),
        ("e.json", "{}", "column learner_id, ts, domain, skill is missing"),
        ("e.parquet", "not parquet", "none of the formats tried"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str, text: str, expected: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(EventsError, match=expected):
        read_events(tmp_path / name)
    with pytest.raises(EventsError, match="no such file"):
        read_events(tmp_path / "absent.csv")


def test_published_oulad_tables(tmp_path: Path) -> None:
    (tmp_path / "studentAssessment.csv").write_text(
        "id_assessment,id_student,date_submitted,is_banked,score\n1,11,3,0,80\n2,11,-1,1,\n"
    )
    (tmp_path / "assessments.csv").write_text(
        "code_module,code_presentation,id_assessment,assessment_type,date,weight\nAAA,2013J,1,TMA,19,10\nAAA,2014B,2,Exam,,100\n"
    )
    [(learner, events)] = read_events(tmp_path).rows()
    october = int(datetime(2013, 10, 1, tzinfo=UTC).timestamp()) * 1_000_000
    february = int(datetime(2014, 2, 1, tzinfo=UTC).timestamp()) * 1_000_000
    assert learner == "11"
    assert events == [
        Event(october + 3 * DAY_US, "AAA TMA", "AAA TMA", "assessment", 0.8),
        Event(february - DAY_US, "AAA Exam", "AAA Exam", "assessment", None),
    ]


@pytest.mark.skipif(not OULAD.exists(), reason="needs the OULAD tables in ../shared/data")
def test_oulad() -> None:
    events = read_events(OULAD)
    assert (len(events), events.learners.size) == (173_912, 23_369)
    assert np.all(np.diff(events.ts)[np.diff(np.repeat(np.arange(23_369), np.diff(events.offsets))) == 0] >= 0)
