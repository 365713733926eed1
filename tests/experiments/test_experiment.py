"""A question answered part by part is answered the same as all at once; what must be seen as a whole is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from core.experiments import DesignError, Question, answer, document, examine, keep_experiment, read, saved_experiments
from core.store import Store
from tests.experiments.making import learners, saved


@pytest.fixture
def question(tmp_path: Path) -> Question:
    table = learners(3000).append_column("tier", pa.array([None if i % 7 == 0 else f"t{i % 3}" for i in range(3000)]))
    folder = tmp_path / "parts"
    folder.mkdir()
    order = table.sort_by([("region", "ascending"), ("version", "descending")])  # parts with other levels and versions
    for i, first in enumerate(range(0, 3000, 500)):
        saved(order.slice(first, 500), folder / f"{i}.{'csv' if i % 2 else 'parquet'}")
    return Question(
        paths=(str(folder),),
        variant="version",
        control="old",
        metrics=("spend=revenue(revenue, cap=60)", "done=rate(completed)", "roi=roi(revenue, cost)"),
        covariates=("spend=before",),
        segments=("region", "tier"),
        day="day",
    )


def test_parts_give_what_the_whole_gives(question: Question) -> None:
    by_parts = examine(question)
    whole = answer(read(question), question)
    one, other = document(by_parts.findings), document(whole)
    assert by_parts.rows == 3000
    assert one["warnings"] == other["warnings"]
    assert "values above 60 were set to it" in one["warnings"][-1]

    def same(left: object, right: object) -> None:
        if isinstance(left, dict) and isinstance(right, dict):
            assert list(left) == list(right)
            for key in left:
                same(left[key], right[key])
        elif isinstance(left, list) and isinstance(right, list):
            assert len(left) == len(right)
            for a, b in zip(left, right, strict=True):
                same(a, b)
        elif isinstance(left, float):
            assert left == pytest.approx(right, rel=1e-6, abs=1e-12)
        else:
            assert left == right

    same(one, other)
    for name in ("spend", "roi"):
        found, expected = (np.sort(f.table.extremes[name]) for f in (by_parts.findings, whole))
        np.testing.assert_allclose(found, expected)


def test_what_needs_all_values_is_read_as_a_whole(question: Question) -> None:
    for changes in ({"metrics": ("spend=revenue(revenue, cap=90%)",), "covariates": ()}, {"learner": "learner"}):
        asked = replace(question, **changes)
        assert document(examine(asked).findings) == document(answer(read(asked), asked))


def test_a_segment_of_names_is_refused(question: Question) -> None:
    for changes in ({}, {"learner": "learner"}):
        with pytest.raises(DesignError, match=r"learner has .* levels; expected"):
            examine(replace(question, segments=("learner",), **changes))


def test_one_planned_share_is_the_new_version_s(question: Question) -> None:
    found = examine(replace(question, expected=0.25, despite_split=True)).findings
    assert found.split.expected == {"new": 750.0, "old": 2250.0}


def test_experiments_are_kept_and_removed_as_events(question: Question, tmp_path: Path) -> None:
    from core.experiments import remove_experiment

    store = Store.open(f"sqlite:///{tmp_path / 'a.db'}", tmp_path)
    try:
        asked = replace(question, expected={"old": 1.0, "new": 1.0}, where=(("region", "EU"),))
        first = keep_experiment(store, "Mine", question, "me")
        second = keep_experiment(store, "Mine", asked, "me", "made up")
        assert keep_experiment(store, "Mine", question, "me") == first
        with store.read() as connection:
            found = saved_experiments(connection)
        assert [(one.id, one.simulated) for one in found] == [(second, "made up"), (first, "")]
        assert [one.question for one in found] == [asked, question]
        assert remove_experiment(store, first, "me")
        assert not remove_experiment(store, first, "me")
        with store.read() as connection:
            assert [one.id for one in saved_experiments(connection)] == [second]
    finally:
        store.close()
