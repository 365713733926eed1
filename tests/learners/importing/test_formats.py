"""Each format's records become the events they mean, in every shape in which they are exported."""

import gzip
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from core.learners import Event, Events, EventsError, find_cohorts
from core.learners.events import DAY_US
from core.learners.importing import collect, open_events, parse_mapping, read_events
from tests.postgres import Cluster

from .samples import checked, envelope, graded, statement

NOON = int(datetime(2025, 10, 1, 12, tzinfo=UTC).timestamp()) * 1_000_000
ADA = ("ada", [Event(NOON, "https://lms.example.org/courses/maths", "https://lms.example.org/items/fractions-3",
                     "practice", 0.75)])  # fmt: skip


def save(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def rows(events: Events) -> list[tuple[str, list[Event]]]:
    return list(events.rows())


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(statement()) + "\n",
        json.dumps([statement()]),
        json.dumps([statement()], indent=2),
        json.dumps({"statements": [statement()], "more": ""}),
        json.dumps({"more": "", "statements": [statement()]}, indent=1),
        json.dumps(statement(), indent=4),
        json.dumps({"statements": [statement()], "more": ""}) + "\n" + json.dumps({"statements": [], "more": ""}),
        json.dumps(statement()) + ",\n" + json.dumps(statement()),
    ],
    ids=["lines", "array", "long array", "lrs", "long lrs", "one long statement", "lines of lrs", "commas between"],
)
def test_xapi_in_every_shape(tmp_path: Path, text: str) -> None:
    stream = open_events(save(tmp_path / "e.json", text))
    assert stream.format == "xapi"
    assert rows(collect(stream)) == [ADA]
    packed = tmp_path / "e.json.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert rows(read_events(packed)) == [ADA]


def test_xapi_scores_actors_and_what_is_skipped(tmp_path: Path) -> None:
    lines = [
        statement(1, result={"score": {"raw": 30, "min": 20, "max": 40}}),
        statement(2, result={"success": False}, timestamp="2025-10-01T12:00:01Z"),
        statement(3, result={"completion": True}, timestamp="2025-10-01T12:00:02Z"),
        statement(4, actor={"mbox": "mailto:bob@example.org"}),
        statement(5, actor={"objectType": "Group", "name": "all", "member": []}),
        statement(6, verb={"id": "http://adlnet.gov/expapi/verbs/voided"}),
        statement(7, result={"score": {"scaled": -0.5}}),
        statement(4, actor={"mbox": "mailto:bob@example.org"}, stored="2025-10-02T00:00:00Z"),
    ]
    stream = open_events(save(tmp_path / "e.jsonl", "\n".join(map(json.dumps, lines))))
    events = collect(stream)
    assert {who: [event.score for event in of] for who, of in events.rows()} == {
        "ada": [0.5, 0.0, None],
        "bob@example.org": [0.75],
    }
    assert stream.skipped == 1
    assert stream.rejected.reasons == {
        "learner_id is missing": 1,
        "score is not between 0 and 1": 1,
        "the event is there twice": 1,
    }


def test_a_record_store_with_more_pages_says_so(tmp_path: Path) -> None:
    stream = open_events(save(tmp_path / "e.json", json.dumps({"statements": [statement()], "more": "/xapi?next=2"})))
    assert len(collect(stream)) == 1
    assert stream.notes == [f"{tmp_path}/e.json: the record store has more pages than this (/xapi?next=2); "
                            "get them too"]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [json.dumps(envelope(graded())), json.dumps(envelope(graded()), indent=2), json.dumps(graded()),
     json.dumps([envelope(graded()), envelope()])],
    ids=["line", "long", "event", "array of envelopes"],
)  # fmt: skip
def test_caliper_in_every_shape(tmp_path: Path, text: str) -> None:
    stream = open_events(save(tmp_path / "e.json", text))
    assert stream.format == "caliper"
    skill = "https://lms.example.org/courses/7/assess/1"
    assert rows(collect(stream)) == [("554433", [Event(NOON, "CPS 435-01", skill, "assessment", 0.75)])]


def test_caliper_sessions_are_skipped_and_bare_addresses_read(tmp_path: Path) -> None:
    lines = [
        envelope(graded(1, type="SessionEvent"), graded(2, actor="https://lms.example.org/users/9", generated=None)),
        envelope(graded(3, type="ViewEvent", object="https://lms.example.org/pages/1", group=None, generated=None)),
    ]
    stream = open_events(save(tmp_path / "e.jsonl", "\n".join(map(json.dumps, lines))))
    found = rows(collect(stream))
    assert found == [
        ("554433", [Event(NOON, "all", "https://lms.example.org/pages/1", "training")]),
        ("9", [Event(NOON, "CPS 435-01", "https://lms.example.org/courses/7/assess/1", "assessment")]),
    ]
    assert stream.skipped == 1


def test_edx_logs(tmp_path: Path) -> None:
    lines = [
        checked(),
        checked(event_type="/courses/x/info", event_source="server", event="{}"),
        checked(event_source="browser", event="input_a1=3"),  # the same, as the browser saw it
        checked(event_type="play_video", event_source="browser", event='{"id": "video-1", "currentTime": 0}'),
        checked(context={"user_id": "", "course_id": "c"}, username=""),
    ]
    stream = open_events(save(tmp_path / "tracking.log", "\n".join(map(json.dumps, lines)) + "\nnot json\n"))
    course, block = "course-v1:ExampleX+Maths101+2025", "block-v1:ExampleX+Maths101+2025+type@problem+block@a1"
    assert stream.format == "edx"
    assert rows(collect(stream)) == [
        ("42", [Event(NOON + 123456, course, block, "practice", 0.75),
                Event(NOON + 123456, course, "video-1", "training")])
    ]  # fmt: skip
    assert stream.skipped == 2
    assert [str(r[0]).partition(": ")[2] for r in stream.rejected.examples.values()] == [
        'the line is not JSON: "not json"',
        "learner_id is missing",
    ]


def test_json_with_paths(tmp_path: Path) -> None:
    path = save(tmp_path / "e.jsonl", '{"who": {"id": 7}, "at": 1, "tags": [{"a.b": "d"}], "what": "s", "ok": "yes"}\n')
    mapping = parse_mapping(
        'format: jsonl\nlearner_id: who.id\nts: at\ndomain: tags[0]["a.b"]\nskill: what\nacted: ok\n'
    )
    assert rows(collect(open_events(path, mapping=mapping))) == [("7", [Event(1_000_000, "d", "s", acted=True)])]


def test_a_document_that_stops_being_json(tmp_path: Path) -> None:
    whole = json.dumps([statement(n) for n in range(3)], indent=1)
    with pytest.raises(EventsError, match="ends in the middle of a JSON document, after line"):
        read_events(save(tmp_path / "e.json", whole[:-10]))
    line = whole[: whole.index("0002")].count("\n") + 1
    with pytest.raises(EventsError, match=rf"e\.json:{line}: not JSON"):
        read_events(save(tmp_path / "e.json", whole.replace('"3f2b8c1e-0000-4000-8000-000000000002"', "oops")))


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "events.db") as connection:
        connection.execute("CREATE TABLE e (learner_id, ts, domain, skill, score, acted, note)")
        connection.executemany(
            "INSERT INTO e VALUES (?, ?, ?, ?, ?, ?, ?)",
            [("007", "2025-10-01 12:00:00", "maths", "sums", 0.5, None, "x"),
             (7, "2025-10-01T12:00:00+01:00", "maths", "sums", None, 1, "x"),
             (7, "then", "maths", "sums", None, None, None)],
        )  # fmt: skip
    connection.close()
    return f"sqlite:///{tmp_path}/events.db"


def test_sql(sqlite: str) -> None:
    stream = open_events(sqlite, query="SELECT * FROM e WHERE domain = 'maths' AND note IS NOT ':x'")
    assert stream.format == "sql"
    assert rows(collect(stream)) == [
        ("007", [Event(NOON, "maths", "sums", score=0.5)]),
        ("7", [Event(NOON - 3_600_000_000, "maths", "sums", acted=True)]),
    ]
    [refusal] = stream.rejected.examples["ts is missing or not a time"]
    assert (refusal.line, refusal.value) == (3, "then")


def test_sql_of_postgresql(postgres: Cluster) -> None:
    """Types that other databases have: numbers as ids, exact numbers as scores, both kinds of times, real booleans."""
    name = postgres.create()
    try:
        postgres.execute(
            "CREATE TABLE e (who bigint, at timestamptz, local timestamp, course varchar, item uuid, "
            "mark numeric(4, 2), followed boolean)",
            name,
        )
        postgres.execute(
            "INSERT INTO e SELECT n % 3, timestamptz '2025-10-01 14:00:00+02' + n * interval '1 second', "
            "'2025-10-01 12:00:00', 'maths', '00000000-0000-4000-8000-000000000000', n / 1e4, "
            "CASE n % 3 WHEN 0 THEN true WHEN 1 THEN false END FROM generate_series(0, 9999) AS n",
            name,
        )
        mapping = "format: sql\nlearner_id: who\nts: at\ndomain: course\nskill: item\nscore: mark\nacted: followed\n"
        events = collect(open_events(postgres.url(name), mapping=parse_mapping(mapping), query="SELECT * FROM e"))
        assert (len(events), events.learners.tolist()) == (10_000, ["0", "1", "2"])
        assert [events.of_learner(who)[0] for who in range(3)] == [
            Event(NOON + who * 1_000_000, "maths", "00000000-0000-4000-8000-000000000000", "training", 0.0, acted)
            for who, acted in enumerate([True, False, None])
        ]
        assert events.of_learner(0)[-1].score == 1.0
        local = mapping.replace("ts: at", "ts: local") + "time_zone: Europe/Berlin\nduplicates: keep\n"
        stream = open_events(postgres.url(name), mapping=parse_mapping(local), query="SELECT * FROM e LIMIT 1")
        assert collect(stream).ts.tolist() == [NOON - 7_200_000_000]
        with pytest.raises(EventsError, match='the database says: relation "nowhere" does not exist'):
            open_events(postgres.url(name), query="SELECT * FROM nowhere")
    finally:
        postgres.drop(name)


def test_sql_that_cannot_be_read(sqlite: str, tmp_path: Path) -> None:
    with pytest.raises(EventsError, match="a database needs a query"):
        open_events(sqlite)
    with pytest.raises(EventsError, match="the database says: no such table: nowhere"):
        open_events(sqlite, query="SELECT * FROM nowhere")
    with pytest.raises(EventsError, match="the query gives no rows"):
        open_events(sqlite, query="CREATE TABLE t (a)")
    with pytest.raises(EventsError, match=r"absent\.db: no such file"):
        open_events(f"sqlite:///{tmp_path}/absent.db", query="SELECT 1")
    assert not (tmp_path / "absent.db").exists()
    with pytest.raises(EventsError, match="column learner_id, ts, domain, skill is missing; it has score"):
        open_events(sqlite, query="SELECT score FROM e")
    with pytest.raises(EventsError, match=r"nosuch://me:\*\*\*@host/db: not a database that can be reached"):
        open_events("nosuch://me:secret@host/db", query="SELECT 1")
    with pytest.raises(EventsError, match="a query needs an SQLAlchemy URL"):
        open_events(tmp_path, query="SELECT 1")


def test_published_oulad_tables(tmp_path: Path) -> None:
    save(
        tmp_path / "studentAssessment.csv",
        '"id_assessment","id_student","date_submitted","is_banked","score"\n1,11,3,0,80\n2,11,-1,1,?\n3,12,1,0,50\n',
    )
    table = "code_module,code_presentation,id_assessment,assessment_type,date,weight\n"
    (tmp_path / "assessments.csv.gz").write_bytes(
        gzip.compress(f"{table}AAA,2013J,1,TMA,19,10\nAAA,2014B,2,Exam,?,100\n".encode())
    )
    save(
        tmp_path / "studentInfo.csv",
        "code_module,code_presentation,id_student,region,final_result\nAAA,2013J,11,Wales,Pass\nAAA,2014B,99,Kent,Fail\n",
    )
    save(tmp_path / "courses.csv", "code_module,code_presentation,module_presentation_length\nAAA,2013J,268\n")
    stream = open_events(tmp_path)
    october = int(datetime(2013, 10, 1, tzinfo=UTC).timestamp()) * 1_000_000
    february = int(datetime(2014, 2, 1, tzinfo=UTC).timestamp()) * 1_000_000
    assert rows(collect(stream)) == [
        (
            "11",
            [
                Event(october + 3 * DAY_US, "AAA TMA", "AAA TMA", "assessment", 0.8),
                Event(february - DAY_US, "AAA Exam", "AAA Exam", "assessment", None),
            ],
        )
    ]
    assert stream.rejected.reasons == {"ts is missing or not a time": 1}  # an assessment that isn't described
    [batch] = stream
    assert batch.column("outcome").to_pylist() == ["Pass", None]
    assert batch.column("segment_region").to_pylist() == ["Wales", None]


def test_oulad(shared_data: Path) -> None:
    stream = open_events(shared_data / "oulad")
    events = collect(stream)
    assert (len(events), events.learners.size, stream.rejected.rows) == (173_912, 23_369, 0)
    assert set(events.types) == {"assessment"}
    assert events.domains == events.skills
    assert events.domains[:2] == ("AAA TMA", "BBB CMA")
    first = np.datetime64(int(events.ts.min()), "us"), np.datetime64(events.as_of, "us")
    assert np.datetime64("2012-09-01") < first[0] < first[1] < np.datetime64("2016-01-01")
    outcomes = {word for batch in stream for word in batch.column("outcome").unique().to_pylist()}
    assert outcomes == {"Pass", "Withdrawn", "Fail", "Distinction"}
    model, table = find_cohorts(events, weeks=140, k=3)
    assert len(model.cohorts) == 3
    assert len(table) == 23_369
