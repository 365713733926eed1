from __future__ import annotations

import base64
import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from core.learners import runs
from core.learners.runs import CohortRun, features_of_row
from core.traffic import Assignment, Rule
from core.web.learners import figures, html
from core.web.learners.picture import map_picture
from core.web.palette import DARK, LIGHT
from core.web.views import cohorts, density, learner
from core.web.views.population import Population, caption, chosen, roi
from core.web.views.traits import BY_NAME, FEATURES, TRAITS
from tests.web.learners.made import make_run

VELOCITY, CONCENTRATION, RESPONSE = (BY_NAME[name] for name in ("velocity", "concentration", "responsiveness"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def run(home: Path) -> CohortRun:
    return make_run(home)


@pytest.fixture(scope="module")
def rows(home: Path, run: CohortRun) -> list[dict[str, object]]:
    return pq.read_table(runs.files_of(home, run.id).assignments).to_pylist()


@pytest.fixture(scope="module")
def everybody(run: CohortRun, rows: list[dict[str, object]]) -> Population:
    def column(name: str) -> np.ndarray:
        return np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=np.float32)

    return Population(
        pa.array([row["learner_id"] for row in rows]),
        {trait.name: column(trait.name) for trait in TRAITS},
        np.array([row["cohort"] for row in rows], dtype=np.int16),
        tuple(cohort.name for cohort in run.model.cohorts),
    )


def test_the_summary_counts_everybody_and_says_what_is_made_up(run: CohortRun) -> None:
    view = cohorts.summary(run)
    assert view.title == "1,500 learners, 5 cohorts"
    assert view.mark is cohorts.SIMULATED
    real = replace(run, found=replace(run.found, simulated=""))
    assert cohorts.summary(real).mark is cohorts.FOUND


def test_cards_come_with_the_largest_first_and_the_rules_sentence(run: CohortRun, everybody: Population) -> None:
    views = cohorts.cards(run, everybody)
    sizes = [everybody.sizes[view.number] for view in views]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == 1_500
    for view in views:
        assert view.sentence == run.model.cohorts[view.number].sentence
        assert [trait.label for trait in view.traits] == [trait.label for trait in FEATURES]
        assert all(0 <= trait.left <= 1 and trait.left + trait.width <= 1 + 1e-9 for trait in view.traits)
    assert "cc-cohort" in html.cards(views, LIGHT)


def test_a_box_is_described_exactly(everybody: Population) -> None:
    x, y = everybody.values["velocity"], everybody.values["concentration"]
    inside = density.Box(0.3, 0.6, 0.2, 0.5).holds(x, y)
    view = chosen(everybody, inside, VELOCITY, CONCENTRATION)
    assert view.learners == int(inside.sum()) == sum(part.learners for part in view.parts)
    assert view.rows[0].some == VELOCITY.say(float(x[inside].mean()))
    assert "ROI" not in " ".join(row.label for row in view.rows)
    assert f"{view.learners:,} learners" in html.chosen(view, DARK)


def test_money_is_a_ratio_of_totals_over_those_told_of() -> None:
    revenue, cost = np.array([10.0, 2.0, np.nan, 5.0]), np.array([4.0, 4.0, 1.0, np.nan])
    assert roi(revenue, cost) == 12 / 8
    assert roi(revenue[2:], cost[2:]) is None
    everybody = Population(
        pa.array(["a", "b", "c", "d"]),
        {trait.name: np.full(4, 0.5, np.float32) for trait in TRAITS},
        np.zeros(4, np.int16),
        ("one",),
        revenue,
        cost,
    )
    view = chosen(everybody, np.array([True, False, False, False]), VELOCITY, CONCENTRATION)
    told = {row.label: (row.some, row.all) for row in view.rows}
    assert told["ROI, revenue / cost"] == ("2.5", "1.5")
    assert told["Revenue a learner"] == ("10.00", "5.67")


def test_nobody_in_a_box_is_said(everybody: Population) -> None:
    view = chosen(everybody, np.zeros(1_500, bool), VELOCITY, CONCENTRATION)
    assert (view.learners, view.rows, view.parts) == (0, (), ())
    assert "Nobody" in view.said


def test_the_caption_says_who_is_not_drawn_and_why(everybody: Population) -> None:
    whole = caption(everybody, VELOCITY, CONCENTRATION, 1_500)
    assert whole.startswith("All 1,500 learners; a cell is a count.")
    values = dict(everybody.values)
    values["responsiveness"] = values["responsiveness"].copy()
    values["responsiveness"][:40] = np.nan
    missing = int(np.isnan(values["responsiveness"]).sum())
    said = caption(replace(everybody, values=values), VELOCITY, RESPONSE, 1_500 - missing)
    assert f"{1_500 - missing:,} of all 1,500" in said
    assert f"{missing:,} have no responsiveness (no feedback" in said


def test_evidence_shows_every_number_that_was_tried(run: CohortRun) -> None:
    model = replace(run.model, silhouettes={3: 0.3, 4: 0.4}, stabilities={3: 0.9, 4: 0.95})
    given = cohorts.evidence(replace(run, found=replace(run.found, model=model)))
    assert given is not None
    assert given.tried == (3, 4)
    assert "asked for" in given.said
    drawing, told = figures.evidence(given, LIGHT)
    go.Figure(drawing)
    assert "4: silhouette 0.40, stability 0.95" in told
    untried = replace(run.model, silhouettes={}, stabilities={})
    assert cohorts.evidence(replace(run, found=replace(run.found, model=untried))) is None


def test_cohorts_are_listed_with_the_largest_first(everybody: Population) -> None:
    sizes = [int((everybody.cohort == number).sum()) for number in everybody.order]
    assert sizes == sorted(sizes, reverse=True)
    assert sorted(everybody.order) == list(range(everybody.k))


def test_facts_say_what_was_rejected(run: CohortRun) -> None:
    told = dict(cohorts.facts(run))
    assert told["Rejected rows"] == "3: 3 no time"
    assert told["Learners"] == "1,500"


def test_plotly_takes_the_maps(everybody: Population) -> None:
    names = everybody.names
    for x, y in (("velocity", "concentration"), ("events_per_week", "half_life_days"), ("events", "entropy_bits")):
        values = everybody.values
        plane = density.density(BY_NAME[x], BY_NAME[y], values[x], values[y], everybody.cohort, everybody.k)
        drawing = figures.learner_map(plane, names, everybody.order, DARK)
        go.Figure(drawing)  # raises for anything that plotly doesn't know
        counts = drawing["data"][0]
        assert counts["type"] == "heatmap"
        assert counts["z"].sum() == plane.drawn == 1_500
        stops = [stop for stop, _ in counts["colorscale"]]
        assert stops == sorted(stops)
        assert (stops[0], stops[-1]) == (0, 1)  # exactly, or browsers refuse the scale
        assert all(trace["type"] in {"heatmap", "scatter", "contour"} for trace in drawing["data"])
        assert "1,500 learners" in figures.told_map(plane, names)


def test_the_picture_has_every_cell_where_the_chart_has_it(everybody: Population) -> None:
    x, y = everybody.values["velocity"], everybody.values["concentration"]
    plane = density.density(BY_NAME["velocity"], BY_NAME["concentration"], x, y, everybody.cohort, everybody.k)
    said = str(map_picture(plane, LIGHT))
    [counts, *outlines] = re.findall(r'src="data:image/png;base64,([^"]+)" alt="" style="([^"]+)"', said)
    pixels = np.asarray(Image.open(BytesIO(base64.b64decode(counts[0]))).convert("RGBA"))
    assert ((pixels[::-1, :, 3] > 0) == (plane.counts > 0)).all()
    assert counts[1] == "left:4.545%;bottom:4.545%;width:90.909%;height:90.909%"
    assert len(outlines) == len(plane.outlines)
    assert said.count("cc-diamond") == np.isfinite(plane.centres).all(axis=1).sum()
    centre = np.asarray(figures.learner_map(plane, everybody.names, [0], LIGHT)["data"][-1]["x"])
    assert f"left:{100 * (centre[0] + 0.05) / 1.1:.3f}%" in said


def test_plotly_takes_the_ridges(everybody: Population) -> None:
    for trait in TRAITS:
        middles, parts = density.by_cohort(trait, everybody.values[trait.name], everybody.cohort, everybody.k)
        drawing, told = figures.distributions(
            trait, middles, parts, everybody.cohort_means[trait.name], everybody.names, everybody.order, LIGHT
        )
        go.Figure(drawing)
        assert drawing["layout"]["yaxis"]["ticktext"] == [everybody.names[number] for number in everybody.order]
        assert trait.label in told


def test_why_gives_the_cohort_that_the_analyzer_gave(run: CohortRun, rows: list[dict[str, object]]) -> None:
    for row in rows[::100]:
        found = learner.why(run.model, row)
        assert found is not None
        assert found.near[0].own
        assert [near.own for near in found.near].count(True) == 1
        scaled = run.model.scaler(features_of_row(row))[0]
        apart = float(np.linalg.norm(run.model.centroids[found.near[0].number] - scaled)) * learner.SPREADS_TO_SD
        assert found.near[0].distance == f"{apart:.2f} sd"
        assert found.near[1].name in found.said


def test_without_events_there_is_no_cohort_and_no_reason(
    run: CohortRun, rows: list[dict[str, object]], everybody: Population
) -> None:
    quiet = dict.fromkeys(rows[0]) | {"learner_id": "quiet", "events": 0, "older": 4}
    assert learner.why(run.model, quiet) is None
    view = learner.head(run, quiet)
    assert (view.name, dict(view.facts)["Events outside it"]) == ("No cohort", "4")
    assert "quiet" in html.learner_head(view, LIGHT)
    assert all(strip.mark is None for strip in learner.strips(everybody, quiet) if strip.label != "Events")


def test_strips_place_a_learner_among_their_cohort(everybody: Population, rows: list[dict[str, object]]) -> None:
    row = rows[7]
    views = learner.strips(everybody, row)
    assert [view.label for view in views] == [trait.label for trait in TRAITS]
    own = everybody.values["velocity"][everybody.cohort == row["cohort"]]
    below = float((own < row["velocity"] - 1e-6).mean())  # type: ignore[operator]
    above = float((own > row["velocity"] + 1e-6).mean())  # type: ignore[operator]
    assert views[0].said.startswith("above" if below >= above else "below")
    assert views[0].mark == pytest.approx(row["velocity"], abs=1e-6)
    for view in views:
        assert view.wide is not None
        assert view.narrow is not None
        assert 0 <= view.wide[0] <= view.narrow[0] <= view.narrow[1] <= view.wide[1] <= 1
    assert "cc-mark" in html.strips(views, "#123456")


def test_a_learners_events_are_counted_by_week_and_domain(home: Path, run: CohortRun) -> None:
    events = runs.events_of(home, run.id, "demo-000017")
    assert events is not None
    found = learner.activity(events, run.model.constants.as_of)
    assert sum(sum(counts) for _, counts in found.domains) == events.num_rows
    assert len(found.scores) == events["score"].drop_null().length()
    assert f"{events.num_rows:,} events" in found.said
    for draw in (figures.activity, figures.scores):
        go.Figure(draw(found, LIGHT)[0])
    assert learner.activity(events[:0], run.model.constants.as_of).said == "No event."


def test_many_domains_share_a_bar_and_their_names_are_text() -> None:
    day = 86_400_000_000
    events = pa.table(
        {
            "ts": pa.array([i * day for i in range(30)], pa.timestamp("us", tz="UTC")),
            "domain": [f"<b>d{i % 15}</b>" for i in range(30)],
            "skill": ["s"] * 30,
            "score": pa.nulls(30, pa.float64()),
        }
    )
    found = learner.activity(events, 29 * day)
    assert len(found.domains) == learner.DOMAINS_SHOWN
    assert found.domains[-1][0] == learner.OTHERS
    assert sum(sum(counts) for _, counts in found.domains) == 30
    assert found.domains[0][0].startswith("&lt;b&gt;")
    assert found.scores == ()


def test_the_version_that_a_learner_gets_is_told_with_its_bucket() -> None:
    rule = Rule("analyzer", "d-1", "original", "fast", "salt", 0.01, 3, active=True)
    told = learner.versions([], {"analyzer": Assignment("fast", "candidate", 0.0043, rule), "other": "no such flag"})
    assert told == (
        ("analyzer", "fast: this learner's bucket is 0.0043; those below 0.01 get fast"),
        ("other", "no such flag"),
    )
