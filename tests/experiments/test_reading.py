"""Files of any kind and in any state become the same observations; what can't be used is counted and named."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from core.experiments import DataError, DeclarationError, Observations, Question, declare, read, within_window
from tests.experiments.making import learners, saved

QUESTION = Question(
    paths=(),
    variant="version",
    control="old",
    metrics=("spend=mean(revenue)", "done=rate(completed)"),
    covariates=("spend=before",),
    segments=("region",),
    learner="learner",
    day="day",
)


def ask(*paths: Path, **changes: object) -> Question:
    from dataclasses import replace

    return replace(QUESTION, paths=tuple(map(str, paths)), **changes)


def same(one: Observations, other: Observations) -> None:
    assert one.columns == other.columns
    np.testing.assert_allclose(one.numbers, other.numbers, rtol=1e-12)
    for name in one.labels:
        left, right = ([labels.names[c] for c in labels.codes] for labels in (one.labels[name], other.labels[name]))
        assert left == right


def test_csv_parquet_gzip_and_folders_are_the_same(tmp_path: Path) -> None:
    table = learners(500)
    csv, parquet = saved(table, tmp_path / "a.csv"), saved(table, tmp_path / "a.parquet")
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(csv.read_bytes()))
    folder = tmp_path / "parts"
    folder.mkdir()
    saved(table.slice(0, 200), folder / "1.parquet")
    saved(table.slice(200), folder / "2.parquet")
    expected = read(ask(parquet)).observations
    for path in (csv, packed, folder):
        same(read(ask(path)).observations, expected)
    assert expected.labels["day:day"].names[0] == "2025-11-01"


def test_rows_that_cannot_be_used_are_counted_and_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "version,region,day,before,revenue,completed,learner\n"
        "old,EU,2025-11-01,1,2,yes,a\n"
        'new,"US\nnorth",2025-11-01,1,2.5,no,b\n'
        "new,EU,2025-11-02,1,good,no,c\n"
        ",EU,2025-11-02,1,2,no,d\n"
        "new,EU,2025-11-02,1,2,perhaps,e\n"
        "new,EU,yesterday,1,2,1,f\n"
        "new,EU\n"
        "\n"
        "new,,2025-11-02,NA,,1,g\n"
    )
    found = read(ask(path))
    assert found.rows == 7
    assert found.rejected.rows == 5
    told = [str(row) for row in found.rejected.examples]
    assert f"{path}:5: revenue is 'good'; expected a number" in told
    assert f"{path}:6: version is ''; expected a version" in told
    assert f"{path}:9: the row is '2 columns'; expected 7 as in the header" in told
    assert len(found.observations) == 3
    assert np.isnan(found.observations.column("revenue")[2])
    region = found.observations.labels["region"]
    assert region.names[region.codes[2]] == "(missing)"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty; expected a line with the names"),
        (b"version,version\n", "column 'version' is there twice"),
        (b"version,x\nold,1\n", "no column 'revenue'; the columns are version, x"),
        (b"\xff\xfe\x00", "neither Parquet nor UTF-8"),
        (b"PAR1 and no more", "the Parquet file can't be read"),
    ],
)
def test_files_that_cannot_be_read_say_why(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=told):
        read(ask(path))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read(ask(tmp_path / "a.csv"))
    with pytest.raises(DataError, match="the folder holds no file"):
        read(ask(tmp_path))
    path = saved(learners(10), tmp_path / "a.csv")
    with pytest.raises(DataError, match="no row with region=Mars is left"):
        read(ask(path, where=(("region", "Mars"),)))


def test_only_the_rows_asked_for(tmp_path: Path) -> None:
    table = learners(300)
    found = read(ask(saved(table, tmp_path / "a.csv"), where=(("region", "EU"),)))
    assert found.rows == len(found.observations) == table["region"].to_pylist().count("EU")


def test_outcomes_in_a_window() -> None:
    event, exposure = np.array([3.0, 9.0, np.nan, 26.0, np.nan, 5.0]), np.array([0.0, 0.0, 0.0, 25.0, 25.0, np.nan])
    outcome, censored = within_window(event, exposure, 7, as_of=30)
    np.testing.assert_array_equal(outcome, [1, 0, 0, np.nan, np.nan, np.nan])
    assert censored == 2  # whether or not the event has come already


def test_windows_are_read_from_times(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "version,joined,left\nold,2025-11-01,2025-11-03T12:00:00Z\nold,2025-11-01,\nnew,2025-11-02,2025-11-20\n"
        "new,2025-11-18,2025-11-19\n"
    )
    question = Question(paths=(str(path),), variant="version", control="old", metrics=("churn=churn(left, joined, 7)",))
    found = read(question)
    np.testing.assert_array_equal(found.observations.numbers[0], [1, 0, 0, np.nan])
    assert list(found.censored.values()) == [1]


def test_words_become_outcomes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("version,result\nold,Pass\nold,Fail\nnew,Distinction\nnew,\n")
    question = Question(
        paths=(str(path),), variant="version", control="old", metrics=("ok=rate(result=Pass|Distinction)",)
    )
    np.testing.assert_array_equal(read(question).observations.numbers[0], [1, 0, 1, np.nan])


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("revenue", "expected NAME=KIND"),
        ("n=mean(x)", "give it another name"),
        ("a=median(x)", "there is no kind 'median'"),
        ("a=ratio(x)", "as in ratio(NUMERATOR, DENOMINATOR); found 1"),
        ("a=revenue(x, cap=lots)", "not a number, nor a percentage"),
        ("a=revenue(x, cap=120%)", "not between 0 % and 100 %"),
        ("a=mean()", "expected columns between the brackets"),
        ("a=churn(x, y, soon)", "not a number of days"),
    ],
)
def test_metrics_that_cannot_be_understood_say_what_was_expected(metric: str, told: str) -> None:
    with pytest.raises(DeclarationError) as error:
        declare([metric])
    assert told in str(error.value)
    assert repr(metric) in str(error.value)


def test_covariates_and_margins_belong_to_metrics() -> None:
    with pytest.raises(DeclarationError, match="there is no metric 'b'; declared: a"):
        declare(["a=mean(x)"], ["b=y"])
    with pytest.raises(DeclarationError, match="not a number other than zero"):
        declare(["a=mean(x)"], margins=["a=0%"])
    with pytest.raises(DeclarationError, match="less is worse, but lower is said to be better"):
        declare(["a=mean(x)"], margins=["a=-3%"], lower_is_better=["a"])
    (metric,) = declare(["a=mean(x)"], ["a=y"], ["a=+3%"]).metrics
    assert metric.lower_is_better
    assert metric.columns == ("x", "y")
