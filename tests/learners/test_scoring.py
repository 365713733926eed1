from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from core.demo.population import make_population
from core.learners import EventsError, analyze, find_cohorts, open_events, read_model, score
from core.learners.runs import features_of_row


@pytest.fixture
def found(tmp_path: Path) -> Path:
    pq.write_table(make_population(1200)[0].table(), tmp_path / "events.parquet")
    analyze(open_events(tmp_path / "events.parquet"), tmp_path / "cohorts.parquet", k=5)
    return tmp_path / "cohorts.parquet"


def test_some_learners_alone_are_scored_as_among_all(found: Path, tmp_path: Path) -> None:
    events = pq.read_table(tmp_path / "events.parquet")
    some = pc.is_in(events["learner_id"], pa.array([f"demo-{n:06}" for n in range(100, 160)]))
    pq.write_table(events.filter(some), tmp_path / "new.parquet")
    model = read_model(found)
    got = score(open_events(tmp_path / "new.parquet"), model, tmp_path / "scored.parquet", as_of=model.constants.as_of)
    assert (got.learners, got.active) == (60, 60)
    scored, among_all = pq.read_table(tmp_path / "scored.parquet"), pq.read_table(found)
    assert scored.equals(among_all.slice(100, 60))
    assert [cohort.name for cohort in got.model.cohorts] == [cohort.name for cohort in model.cohorts]
    assert [cohort.learners for cohort in got.model.cohorts] == [
        scored["cohort"].to_pylist().count(n) for n in range(5)
    ]
    assert read_model(tmp_path / "scored.parquet").to_json() == model.to_json()  # frozen: what was found stays
    # Alone they would be compared with each other.
    anew = find_cohorts(make_population(1200)[0].select(some.to_numpy()))[0]
    assert anew.constants.frequency != model.constants.frequency


def test_later_events_have_their_own_window_and_the_old_constants(found: Path, tmp_path: Path) -> None:
    events = pq.read_table(tmp_path / "events.parquet")
    shifted = pc.add(events["ts"], pa.scalar(400 * 86_400_000_000, pa.duration("us")))
    pq.write_table(events.set_column(1, "ts", shifted), tmp_path / "later.parquet")
    model = read_model(found)
    got = score(open_events(tmp_path / "later.parquet"), model, tmp_path / "later-cohorts.parquet")
    assert replace(got.model.constants, as_of=0) == replace(model.constants, as_of=0)
    assert got.model.constants.as_of == model.constants.as_of + 400 * 86_400_000_000
    assert pq.read_table(tmp_path / "later-cohorts.parquet").equals(pq.read_table(found))


def test_the_frozen_centroids_decide(found: Path) -> None:
    model = read_model(found)
    for row in pq.read_table(found).slice(0, 40).to_pylist():
        scaled = model.scaler(features_of_row(row))
        distances = ((model.centroids - scaled) ** 2).sum(axis=1)
        assert row["cohort"] == distances.argmin()


def test_files_without_a_model_are_said(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "plain.parquet")
    (tmp_path / "no.parquet").write_text("no")
    for name, said in (("absent", "no such file"), ("plain", "holds no cohort model"), ("no", "holds no cohort model")):
        with pytest.raises(EventsError, match=said):
            read_model(tmp_path / f"{name}.parquet")
