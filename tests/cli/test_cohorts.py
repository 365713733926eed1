import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from core.cli.root import app
from core.demo.population import make_population
from core.learners import CohortModel, find_cohorts, kernel, runs
from core.learners.output import MODEL_KEY
from core.settings import Settings
from core.store import Store

OULAD = Path(__file__).parents[3] / "shared" / "data" / "oulad"
NAMES = [
    "learner_id",
    "velocity",
    "trend",
    "entropy_bits",
    "concentration",
    "top_domain",
    "top_share",
    "affinity",
    "reuse_rate",
    "recency_weighted_reuse",
    "half_life_days",
    "trajectory",
    "frequency",
    "responsiveness",
    "events",
    "cohort",
    "archetype",
]


@pytest.fixture
def made(tmp_path: Path, home: Path) -> Path:
    events, _ = make_population(1500)
    pq.write_table(events.table(), tmp_path / "events.parquet")
    return tmp_path / "events.parquet"


def run(*arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["cohorts", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_json_and_parquet_are_as_documented(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "cohorts.parquet"
    code, told, said = run(made, "--out", out, "--json")
    assert code == 0, said
    document = json.loads(told)
    assert list(document) == ["learners", "events", "seconds", "k", "quality", "cohorts", "rejected", "run"]
    assert list(document["seconds"]) == ["read", "traits", "cluster", "write", "total"]
    assert document["rejected"] == {"rows": 0, "reasons": {}}
    assert sum(cohort["learners"] for cohort in document["cohorts"]) == document["learners"] == 1500
    assert all(list(cohort) == ["id", "archetype", "learners", "traits"] for cohort in document["cohorts"])
    table = pq.read_table(out)
    assert table.schema.names[: len(NAMES)] == NAMES
    assert table["learner_id"].to_pylist() == sorted(table["learner_id"].to_pylist())

    # The same as from memory, and what new learners are scored with lies in the file.
    events, _ = make_population(1500)
    model, traits = find_cohorts(events)
    assert CohortModel.from_json(table.schema.metadata[MODEL_KEY].decode()).to_json() == model.to_json()
    assert table["cohort"].to_pylist() == model.assign(traits).tolist()
    assert table["velocity"].to_pylist() == traits["velocity"].tolist()


def test_k_seed_and_rejected_rows(made: Path, tmp_path: Path) -> None:
    table = pq.read_table(made)
    score = table["score"].to_pylist()
    score[:20] = [7.0] * 20
    pq.write_table(table.set_column(5, "score", pa.array(score)), made)
    told = [
        run(
            made,
            "--out",
            tmp_path / f"{n}.parquet",
            "--k",
            "3",
            "--seed",
            "5",
            "--rejected",
            tmp_path / "r.csv",
            "--json",
        )
        for n in range(2)
    ]
    first, second = (json.loads(one[1]) for one in told)
    assert first["k"] == 3
    assert first["rejected"] == {"rows": 20, "reasons": {"score is not between 0 and 1": 20}}
    assert first["cohorts"] == second["cohorts"]
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 21
    assert "20 rows rejected" in told[0][2]


def test_new_learners_are_scored_with_an_earlier_file(made: Path, tmp_path: Path) -> None:
    assert run(made, "--out", tmp_path / "c.parquet", "--k", "4")[0] == 0
    code, told, said = run(made, "--out", tmp_path / "again.parquet", "--model", tmp_path / "c.parquet", "--json")
    assert code == 0, said
    assert json.loads(told)["k"] == 4
    assert pq.read_table(tmp_path / "again.parquet").equals(pq.read_table(tmp_path / "c.parquet"))
    code, _, said = run(made, "--out", tmp_path / "x.parquet", "--model", tmp_path / "c.parquet", "--k", "3")
    assert (code, "don't go with it" in said.replace("\n", " ")) == (2, True)
    code, _, said = run(made, "--out", tmp_path / "x.parquet", "--model", made)
    assert (code, "holds no cohort model" in said.replace("\n", " ")) == (1, True)


def test_a_table_for_people(made: Path, tmp_path: Path) -> None:
    code, told, _ = run(made, "--out", tmp_path / "c.parquet", "--as-of", "2025-10-20", "--weeks", "4")
    assert code == 0
    assert "1,500 learners" in told
    assert "standard deviations from the mean learner" in told


@pytest.mark.skipif(not OULAD.exists(), reason="needs the OULAD tables in ../shared/data")
def test_a_window_that_misses_most_learners_is_said(tmp_path: Path, home: Path) -> None:
    code, told, said = run(OULAD, "--out", tmp_path / "c.parquet", "--json")
    assert code == 0
    assert "only 7 of 23,369 learners have an event in the last 12 weeks" in said.replace("\n", " ")
    assert json.loads(told)["learners"] == 23_369
    code, _, said = run(OULAD, "--weeks", "58", "--out", tmp_path / "c.parquet", "--json")
    assert code == 0
    assert "only" not in said
    cohorts = pq.read_table(tmp_path / "c.parquet", columns=["cohort", "events"])
    assert cohorts["cohort"].null_count == cohorts["events"].to_pylist().count(0)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["absent.parquet", "--out", "x.parquet"], 1, "no such file"),
        (["EVENTS", "--out", "absent/x.parquet"], 1, "can't be written"),
        (["EVENTS", "--out", "."], 2, "it is a folder"),
        (["EVENTS", "--out", "x.parquet", "--as-of", "soon"], 2, "expected a time such as"),
        (["EVENTS", "--out", "x.parquet", "--as-of", "1999-01-01"], 1, "no learner has an event in the window"),
        (["EVENTS", "--out", "x.parquet", "--scheduler", "tcp://127.0.0.1:9"], 2, "goes with --engine dask"),
        (["EVENTS", "--out", "x.parquet", "--folder", "absent"], 2, "--folder"),
        (["EVENTS"], 2, "--out"),
    ],
)
def test_what_cannot_be_done_is_said(made: Path, tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    paths = [str(made) if a == "EVENTS" else str(tmp_path / a) if a.endswith("parquet") else a for a in arguments]
    done = run(*paths)
    assert done[0] == code
    assert said in done[2].replace("\n", " ")
    assert not list(tmp_path.glob(".*"))


def test_learners_come_out_as_the_kernel_finds_them(made: Path, tmp_path: Path) -> None:
    run(made, "--out", tmp_path / "c.parquet", "--k", "2")
    events, _ = make_population(1500)
    scanned = kernel.scan(events)
    traits = kernel.finish(scanned, scanned.constants())
    table = pq.read_table(tmp_path / "c.parquet")
    top = [events.domains[code] for code in traits["top_domain"]]
    assert table["top_domain"].to_pylist() == top
    assert table["events"].to_pylist() == traits["events"].tolist()


def remembered(home: Path) -> list[runs.CohortRun]:
    store = Store.open(Settings(home=home).url, home)
    try:
        with store.read() as connection:
            return runs.all_runs(connection)
    finally:
        store.close()


def test_a_run_is_remembered_where_there_is_an_installation(made: Path, tmp_path: Path, home: Path) -> None:
    out, rows = tmp_path / "c.parquet", pq.read_table(made)
    rows = rows.append_column("revenue", pa.array([2.0] * len(rows)))
    rows = rows.append_column("cost", pa.array([None, 1.0] * (len(rows) // 2) + [None] * (len(rows) % 2)))
    pq.write_table(pa.concat_tables([rows, rows.slice(0, 7)]), made)
    code, told, _ = run(made, "--out", out, "--json")
    assert (code, json.loads(told)["run"]) == (0, None)  # there is none yet
    assert not any(home.iterdir())

    code, told, said = run(made, "--out", out, "--remember")
    assert code == 0, said
    [found] = remembered(home)
    assert f"http://127.0.0.1:8501/cohorts?run={found.id}" in told
    files = runs.files_of(home, found.id)
    assert pq.read_table(files.assignments).equals(pq.read_table(out))
    assert files.rejected.read_text().count("the event is there twice") == 7
    assert found.found.source == str(made)
    assert found.found.rejected["rows"] == 7
    assert found.found.simulated == ""
    assert set(found.found.seconds) == {"reading", "finding cohorts", "writing", "total"}
    money = pq.read_table(files.money)
    assert sum(money["revenue"].to_pylist()) == 2.0 * len(rows)
    assert CohortModel.from_json(pq.read_metadata(out).metadata[MODEL_KEY].decode()).to_json() == found.model.to_json()

    code, told, _ = run(made, "--out", out, "--json", "--rejected", tmp_path / "r.csv")  # now there is one
    assert [one.id for one in remembered(home)] == [json.loads(told)["run"], found.id]
    newest = runs.files_of(home, json.loads(told)["run"])
    assert newest.rejected.read_bytes() == (tmp_path / "r.csv").read_bytes()
    code, told, _ = run(made, "--out", out, "--json", "--no-remember")
    assert (code, json.loads(told)["run"], len(remembered(home))) == (0, None, 2)


def test_what_cannot_be_remembered_is_answered_all_the_same(made: Path, tmp_path: Path, home: Path) -> None:
    (home / "canary.sqlite").write_text("no database")
    code, told, said = run(made, "--out", tmp_path / "c.parquet", "--json")
    assert (code, json.loads(told)["run"]) == (0, None)
    assert "won't be remembered" in said
    code, _, said = run(made, "--out", tmp_path / "d.parquet", "--remember")
    assert code == 1
    assert "can't be remembered" in said
    assert not (tmp_path / "d.parquet").exists()


def test_nothing_is_kept_of_a_run_that_fails(made: Path, tmp_path: Path, home: Path) -> None:
    assert run(made, "--out", tmp_path / "c.parquet", "--remember", "--as-of", "1999-01-01")[0] == 1
    assert remembered(home) == []
    assert list((home / runs.FOLDER).iterdir()) == []
