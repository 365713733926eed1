"""The Cohorts and Learner pages run, whatever the store holds; what they draw is held in tests/web/learners."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.learners import runs
from core.learners.runs import CohortRun
from tests.pages.asking import page, said, well
from tests.web.deployments import rollout
from tests.web.learners.made import make_run

PAGES = ("cohorts", "learner")


@pytest.fixture
def run(home: Path) -> CohortRun:
    return make_run(home, 400)


@pytest.mark.parametrize("name", PAGES)
def test_an_empty_store(root: Path, name: str) -> None:
    app = well(page(root, name))
    assert "No cohorts have been found yet" in said(app)


def test_everything_about_a_run(root: Path, run: CohortRun) -> None:
    app = well(page(root, "cohorts"))
    text = said(app)
    assert "400 learners, 5 cohorts" in text
    assert "simulated" in text
    assert all(cohort.sentence in text for cohort in run.model.cohorts)
    assert any("All 400 learners; a cell is a count." in caption.value for caption in app.caption)


def test_a_link_says_which_run_and_which_traits(root: Path, home: Path, run: CohortRun) -> None:
    newer = make_run(home, 300, seed=8)
    assert "300 learners" in said(well(page(root, "cohorts")))
    app = well(page(root, "cohorts", run=run.id, x="events_per_week", y="half_life_days"))
    assert "400 learners" in said(app)
    assert (app.selectbox(key="choice-x").value, app.selectbox(key="choice-y").value) == (
        "events_per_week",
        "half_life_days",
    )
    app.selectbox(key="choice-run").set_value(newer.id).run()
    assert app.query_params["run"] in (newer.id, [newer.id])
    assert "300 learners" in said(well(app))


def test_a_box_by_numbers_is_counted(root: Path, run: CohortRun) -> None:
    app = page(root, "cohorts")
    app.slider(key="box-x-velocity").set_value((0.0, 0.4)).run()
    assert "cc-chosen" in said(well(app))
    assert "random sample" not in said(app)  # so few are all listed


def test_of_a_large_box_a_sample_is_listed_and_called_one(root: Path, home: Path) -> None:
    make_run(home, 2_600, events=False)
    app = page(root, "cohorts")
    app.slider(key="box-y-concentration").set_value((0.0, 0.999)).run()
    text = said(well(app))
    inside = re.search(r">([\d,]+) learners, [\d.]+ % of all 2,600<", text)
    assert inside is not None
    assert 2_000 < int(inside[1].replace(",", "")) < 2_600
    assert f"A random sample of 2,000 of these {inside[1]}" in text
    assert len(app.dataframe[0].value) == 2_000


def test_a_link_that_nobody_knows_shows_the_newest(root: Path, run: CohortRun) -> None:
    assert "400 learners" in said(well(page(root, "cohorts", run="nothing", x="nothing")))


def test_a_run_whose_file_is_gone_says_so(root: Path, home: Path, run: CohortRun) -> None:
    runs.files_of(home, run.id).assignments.unlink()
    app = page(root, "cohorts")
    assert not app.exception
    assert "is gone" in app.error[0].value
    app.button(key="forget-gone").click().run()
    assert "No cohorts have been found yet" in said(well(app))


def test_forgetting_a_run(root: Path, run: CohortRun) -> None:
    app = page(root, "cohorts")
    app.button(key="forget-run").click().run()
    assert "No cohorts have been found yet" in said(well(app))


def test_a_learner_by_link(root: Path, run: CohortRun) -> None:
    app = well(page(root, "learner", learner="demo-000017"))
    text = said(app)
    assert "The centroid of" in text
    assert "Learning velocity" in text
    assert "Which version they get now" not in text
    assert any("events on" in caption.value for caption in app.caption)


def test_a_learner_gets_a_version_where_a_deployment_is_under_way(root: Path, home: Path, run: CohortRun) -> None:
    with rollout(home) as made:
        made.go_on(5)
        text = said(well(page(root, "learner", learner="demo-000017")))
    assert "Which version they get now" in text
    assert "bucket is" in text


def test_an_unknown_learner_is_offered_others(root: Path, run: CohortRun) -> None:
    app = page(root, "learner", learner="demo-00001")
    assert not app.exception
    assert "There is no learner" in app.warning[0].value
    assert [b.label for b in app.button if b.label.startswith("demo-00001")]
    next(b for b in app.button if b.label == "demo-000012").click().run()
    assert "The centroid of" in said(well(app))


def test_events_that_were_not_kept_are_told(root: Path, home: Path) -> None:
    make_run(home, 300, events=False)
    assert "did not keep" in said(well(page(root, "learner", learner="demo-000003")))
