"""What the Experiment and Segments pages say and draw of an experiment."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from core.experiments import Findings, Question, answer, daily, markdown, read, recommendations
from core.web.experiments import figures, html
from core.web.palette import DARK, LIGHT
from core.web.views import experiment, segments
from tests.experiments.making import learners, saved


@pytest.fixture(scope="module")
def question(tmp_path_factory: pytest.TempPathFactory) -> Question:
    path = saved(learners(20_000), tmp_path_factory.mktemp("data") / "learners.parquet")
    return Question(
        paths=(str(path),),
        variant="version",
        control="old",
        metrics=("spend=mean(revenue)", "cost=mean(cost)", "left=rate(completed)"),
        covariates=("spend=before",),
        margins=("spend=-3%",),
        lower_is_better=("left",),
        segments=("region",),
        day="day",
    )


@pytest.fixture(scope="module")
def found(question: Question) -> Findings:
    return answer(read(question), question)


def test_the_headline_says_the_decision_with_its_numbers(found):
    view = experiment.headline(found, "new")
    assert view.mark is experiment.WORSE
    assert view.title.startswith("new is worse on left (+")
    assert "spend of new is +" in view.detail
    assert "split as planned (p = " in view.detail


def test_a_bad_split_is_the_headline(question):
    asked = replace(question, expected={"old": 3.0, "new": 1.0})
    view = experiment.headline(answer(read(asked), asked), "new")
    assert view.mark.word == "traffic not split as planned"
    assert view.title == "No decision: the traffic was not split as planned."


def test_without_chance_no_effect_is_claimed(question):
    asked = replace(question, randomised=False)
    made = answer(read(asked), asked)
    assert experiment.headline(made, "new").mark is experiment.DIFFERENCE
    assert recommendations(made, "spend", "new") == ()


def test_rows_are_in_words(found):
    spend, cost, left = experiment.rows(found, "new")
    assert (spend.mark, cost.mark, left.mark) == (experiment.BETTER, experiment.OPEN, experiment.WORSE)
    assert "CUPED took away" in spend.about
    assert "margin -3 %: met" in spend.about
    assert "0.0000" not in "".join((spend.p, spend.adjusted))
    text = html.effects([spend, cost, left], "old", "new")
    assert text.count("<tr") == 4


def test_effects_and_their_course_are_drawn(found):
    view = experiment.effects(found, "new")
    assert view.names == ("spend", "cost", "left")
    assert view.margin[0] == pytest.approx(-3)
    assert math.isnan(view.margin[1])
    drawing, told = figures.effects(view, "old", 0.05, LIGHT)
    assert "spend +" in told
    assert {trace["type"] for trace in drawing["data"]} == {"scatter"}
    json.dumps(drawing["data"], allow_nan=False)
    by_day = daily(found.table, found.design, found.design.metrics[0], "new")
    course = experiment.course(by_day)
    assert len(course.days) == 10
    assert course.days == tuple(sorted(course.days))
    assert all(
        wide_low < low < value < high < wide_high
        for value, low, high, wide_low, wide_high in zip(
            course.value, course.low, course.high, course.always_low, course.always_high, strict=True
        )
    )
    assert course.value[-1] == pytest.approx(100 * float(by_day.effect.relative[-1]))
    drawing, told = figures.course(course, "spend", 0.05, DARK)
    json.dumps(drawing["data"], allow_nan=False)
    assert "at all days together" in told


def test_the_last_day_is_the_whole_experiment(found):
    metric = found.design.metrics[0]
    by_day = daily(found.table, found.design, metric, "new")
    whole = found.comparison("spend", "new").effect
    assert float(by_day.effect.difference[-1]) == pytest.approx(float(whole.difference), rel=1e-9)
    assert float(by_day.effect.variance[-1]) == pytest.approx(float(whole.variance), rel=1e-9)


def test_segments_are_drawn_beside_the_whole(found):
    view = segments.forest(found, "spend", "new")
    assert [(level.dimension, level.level) for level in view.levels] == [("region", "EU"), ("region", "US")]
    assert view.levels[0].value == pytest.approx(10, abs=3)
    assert view.levels[1].value == pytest.approx(20, abs=3)
    assert view.levels[0].value < view.levels[0].shrunken < view.levels[1].shrunken < view.levels[1].value
    drawing, told = figures.forest(view, "old", 0.05, LIGHT)
    assert drawing["data"][1]["customdata"][1][:2] == ["region", "EU"]
    assert "region: US" in told
    json.dumps(drawing, allow_nan=False)


def test_the_heat_map_turns_what_is_better_upwards(found):
    view = segments.heat(found, "new")
    assert view.metrics == ("spend", "cost", "left")
    for value, toward in zip(view.value, view.toward, strict=True):
        assert toward[0] == value[0]
        assert toward[2] == -value[2]
    drawing, told = figures.heat(view, "old", DARK)
    assert len(drawing["data"][1]["customdata"]) == 6
    assert "region: EU" in told
    json.dumps(drawing, allow_nan=False)


def test_too_few_learners_are_not_shown(question):
    asked = replace(question, fewest=6_000)
    made = answer(read(asked), asked)
    view = segments.forest(made, "spend", "new")
    assert all(math.isnan(level.value) and level.mark is segments.FEW for level in view.levels)
    assert "are not shown" in segments.forest_note(made, "spend", "new")
    assert segments.heat(made, "new").said[0][0].endswith("too few to show")
    rows = segments.table(made.segments)
    assert all(row[6:] == (None,) * 15 for row in rows)
    (card,) = segments.spreads(made, "spend", "new")
    assert "Fewer than two levels" in card.said


def test_recommendations_cite_their_numbers(found):
    first, *_ = recommendations(found, "spend", "new")
    assert first.startswith("new does most for region US (")
    assert "after Holm" in first
    assert " %" in first


def test_the_report_has_every_figure(found):
    text = markdown(found, "My experiment", ["Simulated: made-up learners"])
    assert text.startswith("# My experiment")
    assert "**Simulated: made-up learners**" in text
    assert "new is worse on left" in text
    for heading in ("## Metrics", "## By region"):
        assert heading in text
    assert text.count("| spend | new |") == 3
