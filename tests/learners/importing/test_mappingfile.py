"""A mapping is read whole, or refused with every mistake's line; the ones that come with the program can be read."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from core.learners import EventsError
from core.learners.importing import MappingError, load_mapping, open_events, parse_mapping
from core.learners.importing.mapping import Pick
from core.learners.importing.mappingfile import builtin_names

PLAIN = "learner_id: who\nts: at\ndomain: course\nskill: item\n"


@pytest.mark.parametrize("name", ["caliper", "edx", "oulad", "xapi"])
def test_those_that_come_with_the_program(name: str) -> None:
    assert name in builtin_names()
    assert load_mapping(name).format == name


def test_all_forms() -> None:
    mapping = parse_mapping(
        """
format: jsonl
time_zone: "+02:00"
duplicates: keep
id: event.uuid
learner_id: [user.id, {from: user.mail, match: "^(.+)@"}]
ts: {from: at, unit: ms}
domain: {from: [course.code, course.year], by: "-", default: none}
skill: event["item.id"]
type: [{from: verb, values: {did: practice}}, {default: training}]
score: {from: points, scale: [0, best]}
acted: {from: reply, values: {"1": "true"}, default: "false"}
segment_country: geo.country
revenue: paid
only: {from: kind, match: "^learn"}
"""
    )
    assert mapping.time_zone.utcoffset(None) == timedelta(hours=2)
    assert (mapping.drop_duplicates, mapping.time_unit) == (False, "ms")
    assert mapping.fields["domain"].picks == (Pick(("course.code", "course.year"), by="-"),)
    assert mapping.fields["type"].default == "training"
    assert mapping.fields["score"].picks == (Pick(("points",), low=0.0, high="best"),)
    assert mapping.extras() == ["segment_country", "revenue"]
    assert {"best", 'event["item.id"]', "kind"} <= set(mapping.paths())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 'm.yaml:1:1: nothing — expected a mapping with learner_id, ts, domain, skill'),
        ("learner_id: who\n", "m.yaml:1:1: ts: nothing — expected where the events' ts is"),
        (PLAIN + "skil: x\n", 'm.yaml:5:1: skil: "skil" — expected one of .*did you mean "skill"'),
        (PLAIN + "skill: x\n", "m.yaml:5:1: skill: .*each key once; it is already in line 4"),
        (PLAIN + "format: xml\n", 'm.yaml:5:9: format: "xml" — expected one of csv'),
        (PLAIN + "time_zone: Mars\n", 'm.yaml:5:12: time_zone: "Mars" — expected a time zone such as'),
        (PLAIN + "duplicates: maybe\n", "m.yaml:5:13: duplicates: .*expected one of drop, keep"),
        (PLAIN + "score: {from: x, scale: [0]}\n", "m.yaml:5:25: score.scale: .*a list of the two values"),
        (PLAIN + "score: {from: x, scale: [5, 1]}\n", "m.yaml:5:25: score.scale: .*the lower one first"),
        (PLAIN + "score: {default: 2}\n", 'm.yaml:5:18: score.default: "2" — expected a number from 0 to 1'),
        (PLAIN + "score: {form: x}\n", 'm.yaml:5:9: score.form: .*did you mean "from"'),
        (PLAIN + "type: {from: x, match: '('}\n", "m.yaml:5:24: type.match: .*a regular expression"),
        (PLAIN + "type: {match: x}\n", "m.yaml:5:7: type.from: nothing — expected a column or path"),
        (PLAIN + "type: []\n", "m.yaml:5:7: type: .*an empty list"),
        (PLAIN + "type: {from: x, values: [a]}\n", "m.yaml:5:25: type.values: .*what is found to what it means"),
        (PLAIN + "acted: {default: perhaps}\n", "m.yaml:5:18: acted.default: .*true or false"),
        (PLAIN.replace("at", "{from: at, format: '%H:%M'}", 1), "m.yaml:2:24: ts.format: .*year, month and day"),
        (PLAIN.replace("at", "{from: at, unit: weeks}", 1), "m.yaml:2:22: ts.unit: .*one of s, ms, us, ns"),
        ("format: jsonl\n" + PLAIN.replace("who", "a..b"), "m.yaml:2:13: learner_id: .*keys with dots between"),
        (PLAIN + "x: &a 1\n", "m.yaml:5:4: .*no anchors"),
        ("a: [\n", "m.yaml:2:1: .*valid YAML"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(text: str, expected: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse_mapping(text, "m.yaml")
    pattern = re.escape(expected).replace(r"\.\*", ".*")
    assert any(re.match(pattern, line) for line in str(caught.value).splitlines()), str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(MappingError) as caught:
        parse_mapping(PLAIN + "format: xml\ntime_zone: Mars\nscore: {default: 2}\n")
    assert [problem.line for problem in caught.value.problems] == [5, 6, 7]


def test_a_mapping_that_is_not_there(tmp_path: Path) -> None:
    events = tmp_path / "e.csv"
    events.write_text("who,at,course,item\na,1,d,s\n")
    with pytest.raises(EventsError, match=r"no such file — expected the path of a YAML mapping, or one of caliper"):
        open_events(events, mapping=tmp_path / "absent.yaml")
    (tmp_path / "m.yaml").write_text(PLAIN)
    assert [batch.num_rows for batch in open_events(events, mapping=str(tmp_path / "m.yaml"))] == [1]
