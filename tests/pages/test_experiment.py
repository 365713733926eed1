"""The Experiment and Segments pages as people use them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

import pytest

from core.experiments import Question, keep_experiment
from core.web.experiments import reading
from core.web.reading import store
from tests.experiments.making import learners, saved
from tests.pages.asking import page, query, said, well


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return saved(learners(4000), tmp_path / "learners.parquet")


def kept(data: Path, **changes: object) -> str:
    given = {
        "paths": (str(data),),
        "variant": "version",
        "control": "old",
        "metrics": ("spend=mean(revenue)", "done=rate(completed)"),
        "segments": ("region",),
        "day": "day",
    }
    key = keep_experiment(store(), "Mine", Question(**given | changes), "somebody")
    reading.saved.clear()  # which the pages have read a moment ago
    return key


def test_from_a_file_to_a_decision(root: Path, data: Path) -> None:
    app = well(page(root, "experiment"))
    assert "Is the new version better?" in said(app)
    app.text_input(key="new-path").set_value(str(data)).run()
    assert [app.selectbox(key=f"new-{key}-{data}").value for key in ("variant", "day", "learner")] == [
        "version",
        "day",
        "learner",
    ]
    assert app.selectbox(key="new-control-version").value == "old"
    assert app.multiselect(key=f"new-segments-{data}").value == ["region"]
    app.button(key="new-start").click().run()
    assert "new is better on roi (+" in said(well(app)).replace("\u00a0", " ")
    assert len(query(app)["experiment"]) == 10
    assert len(app.get("plotly_chart")) == 2


def test_what_cannot_be_read_is_told(root: Path, tmp_path: Path) -> None:
    app = page(root, "experiment")
    app.text_input(key="new-path").set_value(str(tmp_path / "nowhere.csv")).run()
    assert not app.exception
    assert "no such file" in app.error[0].value


def test_both_pages_show_one_experiment_by_link(root: Path, data: Path) -> None:
    page(root, "experiment")
    key = kept(data)
    app = well(page(root, "segments", experiment=key, metric="done"))
    assert "done by segment" in said(app)
    assert "Are levels alike?" in said(app)
    assert len(app.get("plotly_chart")) == 2
    app = well(page(root, "experiment", experiment=key))
    assert "Day by day" in said(app)
    assert "unknown-id" not in said(app)
    app = page(root, "experiment", experiment="unknown-id")
    assert "There is no experiment unknown-id here" in app.warning[0].value


def test_a_page_is_narrowed_by_its_address(root: Path, data: Path) -> None:
    page(root, "segments")
    key = kept(data, segments=("region", "day"))
    app = well(page(root, "segments", experiment=key, where="region=EU"))
    assert app.button(key="filter-region").label == "region: EU"
    assert "a lead to test anew" in app.caption[0].value
    app.button(key="filter-region").click().run()
    assert "where" not in query(well(app))


def test_a_bad_split_shows_no_effect(root: Path, data: Path) -> None:
    page(root, "experiment")
    app = well(page(root, "experiment", experiment=kept(data, expected={"old": 3.0, "new": 1.0})))
    assert "No decision: the traffic was not split as planned" in said(app)
    assert not app.get("plotly_chart")
    app = well(page(root, "segments", experiment=kept(data, expected={"old": 3.0, "new": 1.0})))
    assert not app.get("plotly_chart")


def test_data_that_are_gone_are_told_and_the_experiment_can_be_removed(root: Path, data: Path) -> None:
    page(root, "experiment")
    key = kept(data)
    data.unlink()
    app = page(root, "experiment", experiment=key)
    assert not app.exception
    assert "can't be analysed" in app.error[0].value
    app.button(key="remove").click().run()
    assert "Is the new version better?" in said(app)


@pytest.mark.slow
def test_made_up_learners_are_labelled(root: Path) -> None:
    app = page(root, "experiment")
    app.segmented_control(key="new-way").set_value("Made-up learners").run()
    app.number_input(key="new-made-up").set_value(6000).run()
    app.button(key="new-made-up-start").click().run()
    text = said(well(app))
    assert "Simulated: simulated learners" in text
    app.button(key="remove").click().run()
    assert "Is the new version better?" in said(well(app))


def test_the_business_case_gets_the_lift_with_its_interval(root: Path, data: Path) -> None:
    key = kept(data)
    app = well(page(root, "experiment", experiment=key))
    (link,) = [each for each in app.get("page_link") if "Business case" in each.proto.label]
    carried = {name: values[0] for name, values in parse_qs(link.proto.query_string).items()}
    one = reading.compared()[0]
    found, _ = reading.analysed(one)
    effect = found.comparison("spend", "new").effect
    assert carried["lift"].startswith(f"{100 * effect.relative:.4g}"[:4])
    assert carried["lift_source"] == "experiment Mine, metric spend"
    there = well(page(root, "business_case", **carried))
    assert there.text_input(key="in-lift").value == carried["lift"]
    assert "The lift is that of experiment Mine, metric spend." in said(there)
    app.selectbox(key="worth-metric").set_value("done").run()
    (link,) = [each for each in app.get("page_link") if "Business case" in each.proto.label]
    assert "metric+done" in link.proto.query_string or "metric%20done" in link.proto.query_string
