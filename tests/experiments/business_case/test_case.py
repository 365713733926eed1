"""Cases in files: read, written, every mistake told with its place; the lift of an experiment; what was reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.experiments.business_case import (
    CaseError,
    LiftError,
    Uncertain,
    as_json,
    beside,
    evaluate,
    load_case,
    metrics_of,
    parse_case,
    read_lift,
    sentences,
    verdict,
    with_texts,
)

SHORT = "name: short\nlearners: 1,000\nrevenue: 10\nlift: 5 %\n"


@pytest.fixture
def first(root: Path):
    return load_case(root / "data" / "business" / "first-user.yaml")


def problems(text: str, folder: Path | None = None) -> list[str]:
    with pytest.raises(CaseError) as caught:
        parse_case(text, "c.yaml", folder)
    return [str(problem) for problem in caught.value.problems]


def test_it_is_written_so_that_it_reads_back(first):
    assert parse_case(first.to_yaml()) == first
    assert parse_case(parse_case(SHORT).to_yaml()) == parse_case(SHORT)


def test_what_is_left_out_has_its_default():
    case = parse_case(SHORT)
    assert case.currency == "USD"
    assert case.inputs.churn_counted == Uncertain(1.0)
    assert case.inputs.costs == Uncertain(0.0)


def test_every_mistake_is_told_with_its_place():
    text = (
        "name: x\nlearners: many\nrevenue: 10\nlift:   5\nchurn_savd: 3 %\nreported: {payback: 1}\ncurrency: dollars\n"
    )
    found = problems(text)
    assert [line.split(": ")[0] for line in found] == [
        "c.yaml:2:11",
        "c.yaml:4:9",
        "c.yaml:5:1",
        "c.yaml:6:12",
        "c.yaml:7:11",
    ]
    assert '"many" — expected a number such as "500,000"' in found[0]
    assert 'did you mean "churn_saved"?' in found[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a business case: a mapping"),
        ("- 1", "a mapping with name"),
        ("name: x", "revenue a month"),
        (SHORT + "lift: 6 %", "each key once"),
        (SHORT.replace("5 %", "[1]"), "a percentage"),
        (SHORT + "reported: {multiple: 1 to 2}", "one figure"),
        (SHORT + "notes: nothing", "a list of sentences"),
        (SHORT + "notes: [" + ", ".join(["a"] * 21) + "]", "at most 20 sentences"),
        (SHORT.replace("short", "''"), "printable characters"),
        (SHORT.replace("5 %", "&a 5 %"), "no anchors"),
        (SHORT.replace("5 %", "{experiment: r.json, metric: ROI}"), "files are for files"),
        (SHORT.replace("5 %", "{experiment: r.json}"), "the metric whose relative difference"),
    ],
)
def test_what_is_no_case(text, expected):
    assert expected in "\n".join(problems(text))


def test_files_that_cannot_be_read(tmp_path):
    for path, expected in ((tmp_path / "none.yaml", "no such file"), (tmp_path, "is a directory")):
        with pytest.raises(CaseError, match=expected):
            load_case(path)
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(CaseError, match=r"latin.yaml:1:10: .*byte 0xe9"):
        load_case(tmp_path / "latin.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * 70_000)
    with pytest.raises(CaseError, match="larger than"):
        load_case(tmp_path / "large.yaml")


RESULT = {
    "metrics": [
        {"name": "ROI", "relative": 0.0581, "relative_ci": [0.0543, 0.0627]},
        {"name": "churn", "relative": None, "relative_ci": None},
        {"name": "twice", "relative": 0.1, "relative_ci": [0, 1]},
        {"name": "twice", "variant": "new", "relative": 0.2, "relative_ci": [0, 1]},
        {"name": "huge", "relative": 50, "relative_ci": [0, 100]},
    ],
    "simulated": "made-up learners",
}


def test_the_lift_of_an_experiment(tmp_path):
    (tmp_path / "r.json").write_text(json.dumps(RESULT))
    (tmp_path / "c.yaml").write_text(SHORT.replace("5 %", "{experiment: r.json, metric: ROI}"))
    case = load_case(tmp_path / "c.yaml")
    assert case.inputs.lift == Uncertain(0.0581, 0.0543, 0.0627)
    assert case.lift_source == "experiment r.json, metric ROI"
    assert case.simulated == "made-up learners"
    # It is kept with its origin, and loses it when somebody types another.
    assert parse_case(case.to_yaml()) == case
    assert with_texts(case, {**case.texts, "learners": "2,000"}).lift_source
    typed = with_texts(case, {**case.texts, "lift": "6 %"})
    assert (typed.lift_source, typed.simulated) == ("", "")


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("roi", 'lift.metric: "no metric "roi"" — expected one of ROI, churn, twice of 3, twice of new, huge'),
        ("churn", "has no relative difference with an interval"),
        ("twice", 'no metric "twice"'),
        ("huge", "a lift from -100 % to 1,000 %"),
    ],
)
def test_a_lift_that_cannot_be_taken_is_told_at_its_place(tmp_path, metric, expected):
    (tmp_path / "r.json").write_text(json.dumps(RESULT))
    found = problems(SHORT.replace("5 %", f"{{experiment: r.json, metric: {metric}}}"), tmp_path)
    assert found[0].startswith("c.yaml:4:36: ")
    assert expected in found[0]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"metrics": []}', b'{"metrics": [1]}', b"[" * 100_000, b"\xff"])
def test_what_is_no_experiment(raw):
    with pytest.raises(LiftError, match="canary experiment --json"):
        read_lift(raw, "ROI", "r.json")


def test_a_missing_experiment_is_told_at_its_place(tmp_path):
    (found,) = problems(SHORT.replace("5 %", "{experiment: r.json, metric: ROI}"), tmp_path)
    assert found.startswith("c.yaml:4:20: lift.experiment: ")
    assert "No such file" in found


def test_one_of_several_new_versions():
    assert read_lift(json.dumps(RESULT).encode(), "twice of new", "r").lift.value == 0.2


def test_an_interval_at_another_level_is_stretched_to_95_per_cent():
    metric = {"name": "ROI", "relative": 0.05, "relative_ci": [0.05 - 2.5758293, 0.05 + 2.5758293]}
    found = read_lift(json.dumps({"alpha": 0.01, "metrics": [metric]}).encode(), "ROI", "r").lift
    assert (found.low, found.high) == pytest.approx((0.05 - 1.9599640, 0.05 + 1.9599640), abs=1e-5)


def test_a_lift_without_randomisation_says_so():
    result = {**RESULT, "randomised": False}
    assert "may not be an effect" in read_lift(json.dumps(result).encode(), "ROI", "r").source


def test_metrics_are_listed_once():
    assert metrics_of(json.dumps(RESULT).encode(), "r.json") == ("ROI", "churn", "twice of 3", "twice of new", "huge")


def test_inputs_typed_on_a_page_are_checked_all_at_once(first):
    with pytest.raises(CaseError) as caught:
        with_texts(first, {**first.texts, "lift": "much", "costs": "-1"})
    assert [problem.field for problem in caught.value.problems] == ["lift", "costs"]


def test_reported_figures_stand_beside_and_are_compared_at_their_own_digits(first):
    rows = {row.label: row for row in beside(first, evaluate(first.inputs))}
    assert (rows["Payback"].computed, rows["Payback"].reported, rows["Payback"].agrees) == (
        "1.08 days",
        "0.9 days",
        False,
    )
    assert (rows["Multiple, net"].computed, rows["Multiple, net"].reported) == ("1,012 ×", "1,011 ×")
    assert rows["Multiple, net"].agrees is False
    assert rows["Annual benefit"].agrees is True
    assert (rows["Learners saved"].computed, rows["Learners saved"].note) == ("15,000", "7,500 of them counted")
    assert rows["Learners saved"].agrees is False
    assert rows["Costs"].reported == ""
    assert rows["Costs"].agrees is None


def test_it_says_how_it_computes(first):
    said = "\n".join(sentences(first, evaluate(first.inputs)))
    assert "500,000 learners × $150 × 12 months × 5.8 % = $52.2 M a year" in said
    assert "15,000 learners × 50 % counted = 7,500 × $2,400 = $18 M" in said
    assert "$36 M, and $90.6 M a year in all" in said
    assert "1.08 days" in said


def test_it_says_how_sure_it_is(first):
    assert "in all 100,000 draws" in verdict(evaluate(first.inputs))
    risky = with_texts(first, {**first.texts, "lift": "0 % (-9 % to 9 %)", "churn_saved": "0 %", "savings": "0"})
    assert "do not bring back the costs in 50" in verdict(evaluate(risky.inputs))
    exact = with_texts(first, {**first.texts, "lift": "5.8 %"})
    assert "Every input is exact" in verdict(evaluate(exact.inputs))


def test_json_has_no_infinities(first):
    lost = with_texts(first, {**first.texts, "lift": "-50 % (-90 % to 20 %)"})
    document = json.dumps(as_json(lost, evaluate(lost.inputs)), allow_nan=False)
    assert json.loads(document)["measures"]["payback_days"]["value"] is None
