"""A plan is read whole or refused with every mistake named, and nothing but PlanError ever comes out."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.delivery.plan import Figure, Guardrail, Limit, Trigger
from core.delivery.planfile import PlanError, Problem, load_plan, parse_plan

PLANS = Path(__file__).resolve().parents[2] / "data" / "plans"
DEFAULT = (PLANS / "default.yaml").read_text(encoding="utf-8")
SMALL = """\
name: small
flag: analyzer
baseline: old
candidate: new
triggers:
  - error_rate > 1.5 % for 2 min
phases:
  - name: canary
    traffic: 1 %
    lasts: 1 h
    criteria:
      - error_rate < 1 %
  - name: all
    traffic: 100 %
    lasts: permanent
    checkpoints: every 1 d, 2 times
    criteria:
      - error_rate < 1 %
"""


def problems(text: str) -> list[Problem]:
    with pytest.raises(PlanError) as caught:
        parse_plan(text)
    return caught.value.problems


def only_problem(text: str) -> Problem:
    found = problems(text)
    assert len(found) == 1, "\n".join(map(str, found))
    return found[0]


def small(old: str, new: str) -> str:
    """The small plan with one text replaced, once."""
    assert old in SMALL
    return SMALL.replace(old, new, 1)


def test_the_default_plan_is_the_table_of_the_first_users_deployment() -> None:
    plan = load_plan(PLANS / "default.yaml")
    canary, ramp, rollout = plan.phases
    assert [p.share for p in plan.phases] == [0.01, 0.1, 1.0]
    assert [p.starts for p in plan.phases] == [1761912000.0, 1762005600.0, 1762099200.0]
    assert [p.lasts_s for p in plan.phases] == [7200, 14400, 13 * 86400]
    assert [p.permanent for p in plan.phases] == [False, False, True]
    assert canary.checkpoints == (900, 1800, 3600, 5400, 7200)
    assert ramp.checkpoints == (900, 1800, 3600, 7200, 10800, 14400)
    assert rollout.checkpoints == tuple(86400 * day for day in range(1, 14))
    assert canary.criteria == (
        Limit(Figure.ERROR_RATE, "<", 0.01),
        Limit(Figure.LATENCY_P99, "<", 200.0),
        Limit(Figure.AVAILABILITY, ">", 0.999),
        Limit(Figure.REVENUE, ">", -0.03),
        Limit(Figure.INCIDENTS, "==", 0),
    )
    assert [c.value for c in ramp.criteria] == [0.005, 200.0, 0.9995, -0.03, 0.05, 0]
    assert [c.value for c in rollout.criteria] == [0.001, 200.0, 0.9995, 0.0, 0.05, 0]
    assert plan.triggers == (
        Trigger(Limit(Figure.ERROR_RATE, ">", 0.015), 120),
        Trigger(Limit(Figure.LATENCY_P99, ">", 250.0), 300),
        Trigger(Limit(Figure.AVAILABILITY, "<", 0.99), 300),
        Trigger(Limit(Figure.REVENUE, "<", -0.05), 600),
        Trigger(Limit(Figure.DISAGREEMENT, ">", 0.01), 300),
        Trigger(Limit(Figure.FALLBACK_RATE, ">", 0.2), 120, "hold"),
    )
    assert (plan.sample_s, plan.silent_after_s, plan.silent_rollback_s) == (30, 90, 600)
    assert (plan.compare_share, plan.revenue_unit, plan.simulated) == (0.05, "learner", "")
    assert plan.text == DEFAULT


def test_the_demo_plan_differs_only_where_it_says() -> None:
    plan, default = load_plan(PLANS / "demo.yaml"), load_plan(PLANS / "default.yaml")
    assert (plan.flag, plan.baseline, plan.candidate) == (default.flag, default.baseline, default.candidate)
    assert plan.triggers == default.triggers
    assert plan.guardrails == default.guardrails
    assert plan.guardrails
    assert plan.skip_gaps
    assert plan.revenue_unit == "request"
    assert plan.simulated == "learners and revenue are made up"
    for mine, theirs in zip(plan.phases[:2], default.phases[:2], strict=True):
        asked = tuple(limit for limit in theirs.criteria if limit.figure is not Figure.SEGMENT_SPREAD)
        assert (mine.share, mine.lasts_s, mine.checkpoints, mine.criteria) == (
            theirs.share, theirs.lasts_s, theirs.checkpoints, asked,
        )  # fmt: skip
    assert (plan.phases[2].lasts_s, plan.phases[2].permanent) == (3600, False)


def test_what_is_left_out_has_the_documented_defaults() -> None:
    plan = parse_plan(SMALL)
    assert (plan.sample_s, plan.min_requests, plan.min_requests_quantile) == (30, 100, 300)
    assert (plan.confidence, plan.evidence, plan.gauge_quorum) == (0.95, 0.001, (2, 5))
    assert plan.phases[0].starts is None
    assert plan.phases[0].at_end == "hold"


def test_every_option_is_read() -> None:
    plan = parse_plan(
        SMALL.replace("lasts: 1 h", "lasts: 1 h\n    at_end: roll back\n    starts: 2025-10-31T14:00:30+02:00")
        + "sample: 1 min\nminimum: {rate: 50, quantile: 500}\nsilence: {hold: 5 min, rollback: 1 h}\n"
        "disagreement: {compare: 0 %}\nrevenue: {per: request, currency: EUR}\ngauges: {breach: 3 of 7 samples}\n"
        "confidence: 99 %\nevidence: 0.01 %\nsalt: spring term\nsplit_check: no\nskip_gaps: yes\nsimulated: all of it\n"
    )
    assert (plan.sample_s, plan.min_requests, plan.min_requests_quantile) == (60, 50, 500)
    assert (plan.silent_after_s, plan.silent_rollback_s, plan.compare_share) == (300, 3600, 0)
    assert (plan.revenue_unit, plan.currency, plan.gauge_quorum) == ("request", "EUR", (3, 7))
    assert (plan.confidence, plan.evidence, plan.salt) == (0.99, 0.0001, "spring term")
    assert (plan.split_check, plan.skip_gaps, plan.simulated) == (False, True, "all of it")
    assert (plan.phases[0].at_end, plan.phases[0].starts) == ("roll back", 1761912030.0)


def test_silence_follows_the_sample_where_it_is_left_out() -> None:
    assert parse_plan("sample: 1 min\n" + SMALL).silent_after_s == 180
    assert parse_plan("sample: 10 min\n" + SMALL.replace("for 2 min", "for 1 h")).silent_rollback_s == 1800


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("[15 min, 30 min]", (900, 1800, 3600)),  # the end is always one
        ("[60 min]", (3600,)),
        ("every 20 min", (1200, 2400, 3600)),
        ("every 25 min", (1500, 3000, 3600)),
        ("every 15 min, 2 times", (900, 1800, 3600)),
    ],
)
def test_checkpoints(written: str, seconds: tuple[float, ...]) -> None:
    assert parse_plan(small("lasts: 1 h", f"lasts: 1 h\n    checkpoints: {written}")).phases[0].checkpoints == seconds


def test_a_problem_is_one_line_with_its_place() -> None:
    problem = only_problem(small("traffic: 1 %", "traffic: 1"))
    assert str(problem) == 'plan.yaml:9:14: phases[0].traffic: "1" — expected a percentage such as "1 %"'


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "value", "expected"),
    [
        ("flag: analyzer\n", "", 1, "flag", "", "key of the feature flag"),
        ("flag: analyzer", "flag:", 2, "flag", "", "a name of letters"),
        ("flag: analyzer", "flag: a/b", 2, "flag", "a/b", "a name of letters"),
        ("candidate: new", "candidate: old", 4, "candidate", "old", "another version"),
        ("candidate: new", "candidate: new\ncandidate: newer", 5, "candidate", "candidate", "already in line 4"),
        ("candidate: new", "candidate: new\nsampel: 30 s", 5, "sampel", "sampel", 'did you mean "sample"?'),
        ("candidate: new", "candidate: new\nsample: 30", 5, "sample", "30", "with its unit"),
        ("candidate: new", "candidate: new\nsilence: 90 s", 5, "silence", "90 s", "a mapping with hold, rollback"),
        ("candidate: new", "candidate: new\nsilence: {rollback: 10 s}", 5, "silence.rollback", "10 s", "silence.hold"),
        ("candidate: new", "candidate: new\nsilence: {hold: 10 s}", 5, "silence.hold", "10 s", "one sample, 30 s"),
        ("candidate: new", "candidate: new\nskip_gaps: maybe", 5, "skip_gaps", "maybe", "true or false"),
        ("candidate: new", "candidate: new\nconfidence: 100 %", 5, "confidence", "100 %", "below 100 %"),
        ("candidate: new", "candidate: new\nrevenue: {per: pupil}", 5, "revenue.per", "pupil", "learner, request"),
        (
            "candidate: new",
            "candidate: new\ngauges: {breach: 6 of 5 samples}",
            5,
            "gauges.breach",
            "6 of 5 samples",
            "2 of 5",
        ),
        ("> 1.5 % for 2 min", "> 1.5 %", 6, "triggers[0]", "error_rate > 1.5 %", "how long"),
        ("> 1.5 % for 2 min", "> 1.5 for 2 min", 6, "triggers[0]", "error_rate > 1.5 for 2 min", "percentage"),
        ("> 1.5 % for 2 min", "> 1.5 % for 30 s", 6, "triggers[0]", "error_rate > 1.5 % for 30 s", "2 samples, 1 min"),
        ("> 1.5 % for 2 min", "> 1.5 % for 2 min, then pray", 6, "triggers[0]", None, "hold, roll back"),
        ("> 1.5 % for 2 min", "< 1.5 % for 2 min", 6, "triggers[0]", None, "act on a healthy candidate"),
        ("error_rate > 1.5 %", "availability > 99 %", 6, "triggers[0]", None, "act on a healthy candidate"),
        ("error_rate > 1.5 %", "memory > 1 GB", 6, "triggers[0]", None, "only warns"),
        ("error_rate > 1.5 %", "incidents < 1", 6, "triggers[0]", None, "incidents > 0"),
        ("error_rate > 1.5 %", "latency_p99 > 250", 6, "triggers[0]", None, '"250 ms"'),
        ("error_rate > 1.5 %", "latncy_p99 > 250 ms", 6, "triggers[0]", None, 'did you mean "latency_p99"?'),
        (
            "triggers:\n  - error_rate > 1.5 % for 2 min",
            "triggers: []",
            5,
            "triggers",
            "an empty list",
            "nothing rolls back",
        ),
        (
            "- error_rate < 1 %",
            "- error_rate > 1 %",
            12,
            "phases[0].criteria[0]",
            "error_rate > 1 %",
            "less of it is better",
        ),
        ("- error_rate < 1 %", "- error_rate == 1 %", 12, "phases[0].criteria[0]", None, "< or >"),
        ("- error_rate < 1 %", "- error_rate < 100 %", 12, "phases[0].criteria[0]", None, "both excluded"),
        (
            "- error_rate < 1 %",
            "- error_rate < 1 %\n      - error_rate < 2 %",
            13,
            "phases[0].criteria[1]",
            None,
            "has one",
        ),
        ("- error_rate < 1 %", "- incidents == 3", 12, "phases[0].criteria[0]", None, "incidents == 0"),
        ("- error_rate < 1 %", "- [error_rate]", 12, "phases[0].criteria[0]", "a list", "such as"),
        ("traffic: 1 %", "traffic: 0 %", 9, "phases[0].traffic", "0 %", "more than 0 %"),
        ("traffic: 1 %", "traffic: 101 %", 9, "phases[0].traffic", "101 %", "at most 100 %"),
        ("traffic: 100 %", "traffic: 1 %", 14, "phases[1].traffic", "1 %", "more than the phase before"),
        ("name: all", "name: canary", 13, "phases[1].name", "canary", "phases[0] has this one"),
        ("lasts: 1 h", "lasts: 10 s", 10, "phases[0].lasts", "10 s", "at least one sample"),
        ("lasts: 1 h", "lasts: a while", 10, "phases[0].lasts", "a while", 'or "permanent"'),
        ("lasts: 1 h", "starts: 2025-10-31 12:00\n    lasts: 1 h", 10, "phases[0].starts", None, "with its zone"),
        ("lasts: 1 h", "starts: 2025-02-30 12:00 UTC\n    lasts: 1 h", 10, "phases[0].starts", None, "exists"),
        ("lasts: 1 h", "lasts: 1 h\n    checkpoints: [90 min]", 11, "phases[0].checkpoints", "90 min", "lasts 1 h"),
        (
            "lasts: 1 h",
            "lasts: 1 h\n    checkpoints: [30 min, 30 min]",
            11,
            "phases[0].checkpoints",
            "30 min",
            "ascending",
        ),
        ("lasts: 1 h", "lasts: 1 h\n    checkpoints: [30]", 11, "phases[0].checkpoints[0]", "30", "with its unit"),
        ("every 1 d, 2 times", "every 1 d", 16, "phases[1].checkpoints", "every 1 d", "how many times"),
        ("every 1 d, 2 times", "every 1 d, 5000 times", 16, "phases[1].checkpoints", None, "1 to 1000"),
        ("    checkpoints: every 1 d, 2 times\n", "", 15, "phases[1].checkpoints", "", "lasts for good"),
    ],
)
def test_each_mistake_is_named_once_with_its_line(
    old: str, new: str, line: int, field: str, value: str | None, expected: str
) -> None:
    problem = only_problem(small(old, new))
    assert (problem.line, problem.field) == (line, field)
    assert expected in problem.expected
    if value is not None:
        assert problem.value == value


def test_all_mistakes_are_told_at_once_in_the_files_order() -> None:
    text = (
        SMALL.replace("baseline: old", "baseline: 'o l d'").replace("traffic: 1 %", "traffic: some").replace("1 h", "x")
    )
    found = problems(text)
    assert [p.field for p in found] == ["baseline", "phases[0].traffic", "phases[0].lasts"]
    with pytest.raises(PlanError, match=r"(?s)plan\.yaml:3:11: .*\nplan\.yaml:9:14: .*\nplan\.yaml:10:12: "):
        parse_plan(text)


def test_a_permanent_phase_is_the_last() -> None:
    text = small("lasts: 1 h", "lasts: permanent\n    checkpoints: every 1 d, 2 times")
    assert "which is permanent" in only_problem(text).expected


def test_dates_ascend() -> None:
    text = SMALL.replace("lasts: 1 h", "starts: 2025-11-02 12:00 UTC\n    lasts: 1 h").replace(
        "lasts: permanent", "starts: 2025-11-01 12:00 UTC\n    lasts: permanent"
    )
    problem = only_problem(text)
    assert problem.field == "phases[1].starts"
    assert "2025-11-02 12:00 UTC" in problem.expected


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ("", 1, 1, "a plan: a mapping with name"),
        ("# nothing but a comment\n", 1, 1, "a plan"),
        ("- a\n- b\n", 1, 1, "a mapping with name"),
        ("just words", 1, 1, "a mapping with name"),
        ("name: a: b", 1, 8, "valid YAML"),
        ("name: a\n\tflag: b", 2, 1, "not a tab"),
        ("name: [a", 1, 9, "valid YAML"),
        ("name: &x a", 1, 7, "no anchors"),
        ("name: *x", 1, 7, "no anchors"),
        ("name: !!python/object/apply:os.getcwd []", 1, 7, "no anchors"),
        ("name: a\x00", 1, 8, "printable"),
        ('name: "\\UFFFFFFFF"', 1, 1, "can be read"),
        ("[" * 3000, 1, 17, "nested at most"),
        ("name: a\n---\nname: b\n", 2, 1, "one document"),
    ],
)
def test_what_is_no_plan_at_all(text: str, line: int, column: int, expected: str) -> None:
    problem = only_problem(text)
    assert (problem.line, problem.column) == (line, column)
    assert expected in problem.expected


def test_a_bomb_of_aliases_is_refused_quickly() -> None:
    rows = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    began = time.perf_counter()
    assert "no anchors" in only_problem("\n".join(rows)).expected
    assert time.perf_counter() - began < 1


def test_long_values_are_refused_quickly_and_shown_short() -> None:
    began = time.perf_counter()
    problem = only_problem(small("error_rate > 1.5 %", "x" + " " * 60_000 + "y"))
    assert time.perf_counter() - began < 2
    assert len(str(problem)) < 400


def test_what_a_terminal_would_obey_is_escaped() -> None:
    found = problems('name: "\\e[31mred\\ud800"\n"\\e]0;title\\a": 1\n')
    assert all(str(p).isprintable() for p in found)
    assert "\\x1b[31mred\\ud800" in "\n".join(map(str, found))


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(path: Path) -> str:
        with pytest.raises(PlanError) as caught:
            load_plan(path)
        return str(caught.value)

    missing = tmp_path / "missing.yaml"
    assert said(missing) == f"{missing}: no such file — expected the path of a plan file"
    assert "is a directory" in said(tmp_path)
    assert "can't be read" in said(tmp_path / "nul\0")
    plan = tmp_path / "plan.yaml"
    plan.write_bytes(b"#" * 10_000_000)
    assert "larger than 64 KiB" in said(plan)
    plan.write_bytes(b"\xef\xbb\xbfname: small\nflag: \xe9t\xe9\n")
    assert f'{plan}:2:7: "byte 0xe9" — expected text in UTF-8' in said(plan)
    plan.write_bytes("name: a".encode("utf-16"))
    assert "expected text in UTF-8" in said(plan)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "may not be read" in said(plan)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load_plan(path).phases == parse_plan(SMALL).phases
    path.write_bytes(b"\xef\xbb\xbf" + small("traffic: 1 %", "traffic: 1").replace("\n", "\r\n").encode())
    with pytest.raises(PlanError, match=re.escape("plan.yaml:9:14: phases[0].traffic")):
        load_plan(path)


def _or_plan_error(text: str) -> None:
    try:
        plan = parse_plan(text)
    except PlanError as error:
        _check_told(error)
        return
    shares = [p.share for p in plan.phases]
    assert shares == sorted(set(shares))
    assert 0 < shares[0] <= shares[-1] <= 1
    for phase in plan.phases:
        assert phase.criteria
        assert phase.checkpoints[-1] == phase.lasts_s
        assert list(phase.checkpoints) == sorted(set(phase.checkpoints))
    assert all(t.hold_s >= 2 * plan.sample_s for t in plan.triggers)
    assert plan.triggers
    assert plan.baseline != plan.candidate


def _check_told(error: PlanError) -> None:
    assert error.problems
    assert all(p.line >= 0 and p.expected for p in error.problems)
    assert str(error).encode()  # a terminal and a log have to be able to print it


@settings(max_examples=300, deadline=None)
@given(st.text() | st.text(alphabet="abc:-[]{}&*!%|>#'\"\\\t\n 0,?@`<=~\x85\ufeff", max_size=60))
def test_any_text_is_a_plan_or_a_plan_error(text: str) -> None:
    _or_plan_error(text)


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 4))
def test_any_change_to_the_default_plan_is_a_plan_or_a_plan_error(rng: random.Random, changes: int) -> None:
    text = DEFAULT
    for _ in range(changes):
        text = rng.choice((_swap_lines, _drop_line, _double_line, _swap_tokens, _break_characters, _indent))(text, rng)
    _or_plan_error(text)


def _swap_lines(text: str, rng: random.Random) -> str:
    lines = text.splitlines()
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return "\n".join(lines)


def _drop_line(text: str, rng: random.Random) -> str:
    lines = text.splitlines()
    del lines[rng.randrange(len(lines))]
    return "\n".join(lines)


def _double_line(text: str, rng: random.Random) -> str:
    lines = text.splitlines()
    lines.insert(rng.randrange(len(lines)), rng.choice(lines))
    return "\n".join(lines)


def _swap_tokens(text: str, rng: random.Random) -> str:
    tokens = re.split(r"(\s+|[:,\[\]{}-])", text)
    i, j = rng.randrange(len(tokens)), rng.randrange(len(tokens))
    tokens[i], tokens[j] = tokens[j], tokens[i]
    return "".join(tokens)


def _break_characters(text: str, rng: random.Random) -> str:
    i = rng.randrange(len(text))
    return text[:i] + rng.choice("%:-[]{}&*!<>=\t\n\0'\"9 ~é\ud800") + text[i + rng.randrange(3) :]


def _indent(text: str, rng: random.Random) -> str:
    lines = text.splitlines()
    i = rng.randrange(len(lines))
    lines[i] = " " * rng.randrange(8) + lines[i].lstrip()
    return "\n".join(lines)


GUARDRAILS = """
guardrails:
  alpha: {alpha}
  dispersion: 1.8
  rules:
    - {rule}
"""


def guarded(rule: str, alpha: str = "5 %") -> str:
    return (
        DEFAULT[: DEFAULT.index("# Compared with")]
        + GUARDRAILS.format(rule=rule, alpha=alpha)
        + DEFAULT[DEFAULT.index("phases:") :]
    )


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("error_rate > 1.25 x baseline", Guardrail(Limit(Figure.ERROR_RATE, ">", 1.25))),
        ("slow_requests > baseline", Guardrail(Limit(Figure.SLOW_REQUESTS, ">", 1.0))),
        (
            'error_rate > 2 x baseline in segment "new, focused" in region eu, alpha 1 %, then hold',
            Guardrail(Limit(Figure.ERROR_RATE, ">", 2.0), "new, focused", "eu", 0.01, "hold"),
        ),
        ("availability < 0.99 x baseline, then roll back", Guardrail(Limit(Figure.AVAILABILITY, "<", 0.99))),
        ("latency_p99 > 1.2x baseline in region us", Guardrail(Limit(Figure.LATENCY_P99, ">", 1.2), region="us")),
    ],
)
def test_guardrails_are_read(rule: str, expected: Guardrail) -> None:
    plan = parse_plan(guarded(rule))
    assert (plan.guardrails, plan.guardrail_alpha, plan.dispersion) == ((expected,), 0.05, 1.8)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("eror_rate > 1.25 x baseline", 'did you mean "error_rate"?'),
        ("error_rate < 1.25 x baseline", "less of it is better"),
        ("error_rate > 0.8 x baseline", "a margin that leaves room"),
        ("error_rate > 99 x baseline", "a multiple of the baseline from 0.05 to 20"),
        ("revenue_vs_baseline < 0.9 x baseline", "it is relative already"),
        ("error_rate > baseline, alpha 5 %", "add up to less than guardrails.alpha, 5 %"),
        ("error_rate > baseline in segment a in segment b", "one segment"),
        ("error_rate over baseline", "a figure against the baseline's"),
        ("error_rate > 2 x baseline, then explode", "one of hold, roll back"),
    ],
)
def test_what_is_wrong_with_a_guardrail_is_told_with_its_line(rule: str, expected: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(guarded(rule))
    [problem] = caught.value.problems
    assert problem.field == "guardrails.rules[0]"
    assert expected in problem.expected
    assert guarded(rule).splitlines()[problem.line - 1].strip() == f"- {rule}"


def test_a_hold_back_leaves_learners_to_compare_with() -> None:
    plan = parse_plan(DEFAULT.replace("traffic: 100 %", "hold_back: 1 %\n    traffic: 100 %"))
    assert (plan.phases[2].share, plan.phases[2].hold_back, plan.phases[2].has_baseline) == (0.99, 0.01, True)
    assert not parse_plan(DEFAULT).phases[2].has_baseline
    with pytest.raises(PlanError, match="no hold-back where the traffic is below 100 %"):
        parse_plan(DEFAULT.replace("traffic: 10 %", "hold_back: 1 %\n    traffic: 10 %"))
