"""The Business case page as people use it: change, link, save, remove."""

from __future__ import annotations

import json
from pathlib import Path

import streamlit as st

from tests.pages.asking import page, query, said, well


def test_it_begins_with_the_first_users_case(root: Path) -> None:
    text = said(well(page(root, "business_case")))
    assert "$72.6 M a year" in text
    assert "Reported by the first user" in text
    assert "15,000 learners × 50 % counted = 7,500" in text


def test_a_change_is_computed_and_goes_into_the_address(root: Path) -> None:
    app = page(root, "business_case")
    app.text_input(key="in-churn_counted").set_value("100 %").run()
    assert "$90.6 M a year" in said(well(app))
    assert query(app)["churn_counted"] == "100 %"
    again = well(page(root, "business_case", churn_counted="100 %"))
    assert "$90.6 M a year" in said(again)
    assert again.text_input(key="in-churn_counted").value == "100 %"
    app.button(key="undo").click().run()
    assert "$72.6 M a year" in said(well(app))
    assert "churn_counted" not in query(app)


def test_what_cannot_be_read_is_told_and_kept(root: Path) -> None:
    app = page(root, "business_case")
    app.text_input(key="in-lift").set_value("much").run()
    assert not app.exception
    text = said(app)
    assert "Nothing is computed" in text
    assert "“much” is written; expected a percentage" in text
    assert "a year, " not in text
    assert app.text_input(key="in-lift").value == "much"
    app.text_input(key="in-lift").set_value("6 %").run()
    assert "$74.4 M a year" in said(well(app))


def test_saving_and_removing(root: Path) -> None:
    app = page(root, "business_case", learners="100,000")
    app.text_input(key="save-name-The first user's fast analyzer").set_value("smaller").run()
    app.button(key="save").click().run()
    assert query(app) == {"case": "smaller"}
    assert "$16.44 M a year" in said(well(app))
    assert "$16.44 M a year" in said(well(page(root, "business_case", case="smaller")))
    app.selectbox(key="case-choice").set_value("The first user's fast analyzer").run()
    assert "$72.6 M a year" in said(well(app))
    app = page(root, "business_case", case="smaller")
    app.button(key="remove").click().run()
    assert "$72.6 M a year" in said(well(app))
    gone = page(root, "business_case", case="smaller")
    assert "There is no case “smaller” here" in gone.warning[0].value


def test_a_link_with_nonsense(root: Path) -> None:
    app = page(root, "business_case", measure="nonsense", currency="dollars", lift_source="x" * 1000)
    assert not app.exception
    assert "“dollars” is written" in said(app)


def test_every_measure_is_drawn(root: Path) -> None:
    app = page(root, "business_case")
    for measure in ("payback", "three_year_value", "multiple"):
        app = well(page(root, "business_case", measure=measure))
        assert len(app.get("plotly_chart")) == 2


def test_a_lift_of_a_simulated_experiment_is_labelled(root: Path) -> None:
    result = {
        "metrics": [{"name": "ROI", "relative": 0.05, "relative_ci": [0.04, 0.06]}],
        "simulated": "made-up learners",
    }
    app = page(root, "business_case")
    app.file_uploader(key="experiment").upload("result.json", json.dumps(result).encode(), "application/json").run()
    app.button(key="experiment-take").click().run()
    text = said(well(app))
    assert "The lift is that of experiment result.json, metric ROI" in text
    assert "Simulated: made-up learners" in text
    app.text_input(key="in-lift").set_value("6 %").run()
    assert "Simulated" not in said(well(app))


def test_the_lift_of_an_experiment_that_is_kept_here(root: Path, home: Path, tmp_path: Path) -> None:
    from core.demo.experiment import METRICS, make_experiment, write_experiment
    from core.experiments import Question, keep_experiment
    from core.web.reading import store

    path = tmp_path / "e.parquet"
    write_experiment(path, make_experiment(20_000, 3))
    question = Question(paths=(str(path),), variant="variant", control="original", metrics=METRICS)
    key = keep_experiment(store(), "autumn", question, "test", "simulated learners")
    app = page(root, "business_case")
    app.selectbox(key="experiment-kept").set_value(key).run()
    app.button(key="experiment-take").click().run()
    text = said(well(app))
    assert "The lift is that of experiment autumn, metric ROI" in text
    assert "Simulated: simulated learners" in text
    st.cache_resource.clear()


def test_who_may_only_look_saves_nothing(root: Path) -> None:
    from core.identity import Person, Role
    from core.web.business import reading

    case = reading.example()
    viewer = Person("ann@x", "Ann", frozenset({Role.VIEWER}))
    assert "may not start analyses" in reading.save(viewer, case, "mine").text
    assert "may not start analyses" in reading.remove(viewer, case.name).text
    assert reading.save(Person("bob@x", "Bob", frozenset({Role.ANALYST})), case, "mine").ok
    assert list(reading.saved()) == ["mine"]
    assert reading.saved()["mine"].by == "dashboard:bob@x"
