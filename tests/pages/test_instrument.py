"""The Instrument page as people use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyarrow import parquet

from core.demo.experiment import METRICS, NOTHING, make_experiment, write_experiment
from core.experiments import Question, keep_experiment
from core.web.instrument import reading
from core.web.reading import store
from tests.pages.asking import page, said, well
from tests.web.deployments import rollout


@pytest.fixture
def kept(tmp_path: Path, home: Path) -> str:
    path = tmp_path / "same.parquet"
    write_experiment(path, make_experiment(6_000, 5, NOTHING))
    question = Question(
        paths=(str(path),), variant="variant", control="original", metrics=METRICS, segments=("region",)
    )
    return keep_experiment(store(), "both the same", question, "test", "simulated learners")


def test_without_data_it_offers_to_choose_some(root: Path) -> None:
    assert "choose some first" in said(well(page(root, "instrument")))


def test_it_says_whether_it_is_fit_or_why_not(root: Path, kept: str) -> None:
    app = well(page(root, "instrument", splits="200"))
    text = said(app)
    assert "Simulated: simulated learners" in text
    assert "Not fit for use" in text  # 6,000 learners don't show 2 %
    assert "an effect of 2 % is seen in" in text
    assert "6,000 learners, split into random halves 200 times" in text
    assert len(app.get("plotly_chart")) == 3


def test_a_link_says_how_to_check(root: Path, kept: str) -> None:
    app = well(
        page(root, "instrument", splits="200", effect="0.05", of="original", same="1", metric="churn", experiment=kept)
    )
    text = said(app)
    assert "3,000 learners" in text
    assert "Sizes of the arms" in text
    assert "a planted 5 % is found in" in text
    assert app.selectbox(key="choice-metric").value == "churn"
    app.toggle(key="same-choice").set_value(False).run()
    assert "Sizes of the arms" not in said(well(app))


def test_nonsense_in_a_link_is_ignored(root: Path, kept: str) -> None:
    well(page(root, "instrument", splits="-1", effect="x", of="nobody", metric="none", deployment="none"))


def test_recorded_requests(root: Path, kept: str, home: Path) -> None:
    with rollout(home) as made:
        made.go_on(10)
    assert "requests in" in said(well(page(root, "instrument", splits="200")))


def test_data_that_are_gone_are_told(root: Path, kept: str, tmp_path: Path) -> None:
    (tmp_path / "same.parquet").unlink()
    app = page(root, "instrument")
    assert not app.exception
    assert "can't be checked" in app.error[0].value


def test_the_download_is_what_the_command_prints(root: Path, kept: str, home: Path) -> None:
    from core.web.experiments.reading import saved

    one = saved()[0]
    found = reading.check(one, reading.Asked(200, 0.02, "", same=True))
    document = json.loads(reading.document(one, found, None))
    assert document["simulated"] == "simulated learners"
    assert document["observed"]["state"] in ("pass", "fail")
    assert len(document["metrics"]) == 5


def test_another_file_can_be_checked(root: Path, kept: str, tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    write_experiment(other, make_experiment(2_000, 6, NOTHING))
    app = page(root, "instrument", splits="200")
    app.text_input(key="new-path").set_value(str(other)).run()
    app.button(key="new-start").click().run()
    assert "2,000 learners, split into random halves 1,000 times" in said(well(app))


def test_learners_who_all_had_one_version_can_be_checked(root: Path, home: Path, tmp_path: Path) -> None:
    made = tmp_path / "all.parquet"
    write_experiment(made, make_experiment(3_000, 6, NOTHING))
    path = tmp_path / "one.parquet"
    parquet.write_table(parquet.read_table(made).drop_columns(["variant"]), path)
    app = page(root, "instrument", splits="200")
    app.text_input(key="new-path").set_value(str(path)).run()
    assert app.selectbox(key=f"new-variant-{path}").value == "(none)"
    assert app.button(key="new-start").label == "Check"
    app.button(key="new-start").click().run()
    assert "3,000 learners, split into random halves 1,000 times" in said(well(app))
    assert all(toggle.key != "same-choice" for toggle in app.toggle)  # there are no arms that could be the same
    app.switch_page("../../pages/experiment.py").run()
    assert "Is the new version better?" in said(well(app))  # which it is no experiment for
