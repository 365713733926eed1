"""Runs -> columns -> views: what the Cohorts and Learner pages read, loaded once for all viewers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import streamlit as st
from numpy.typing import NDArray

from core.learners import runs
from core.learners.runs import CohortRun, RunFiles
from core.traffic import Assignment, FlagUnavailable, FlagUnknown
from core.web.figures import PlotlyFigure
from core.web.learners import figures
from core.web.learners.jobs import Jobs
from core.web.learners.picture import map_picture
from core.web.markup import Html
from core.web.palette import palette
from core.web.reading import deliveries, store
from core.web.state import get_app_state
from core.web.views import density, learner
from core.web.views.density import Box, Density
from core.web.views.population import Population
from core.web.views.traits import AXES, BY_NAME, TRAITS

_RUNS = 3
"""Runs whose columns are kept in memory: about 30 MB each with 500,000 learners."""
_PRELOADED = 2_000_000
"""Learners of a run that is worth 150 MB to a server that may never be asked for it."""
SAMPLE_COLUMNS = ("learner_id", "archetype", "velocity", "concentration", "reuse_rate", "events_per_week", "events")


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """Return the runs of this server process."""
    return Jobs(on_found=preload)


@st.cache_data(ttl=1.0, max_entries=5, show_spinner=False)
def all_runs() -> list[CohortRun]:
    """Return every run that is remembered, newest first."""
    with store().read() as connection:
        return runs.all_runs(connection)


def files(run: str) -> RunFiles:
    """Return where a run's files are."""
    return runs.files_of(store().home, run)


@st.cache_resource(max_entries=_RUNS, show_spinner=False)
def population(run: str, names: tuple[str, ...]) -> Population:
    """Load all learners of a run, for everybody who looks at it.

    Args:
        names: of its cohorts, by number.

    Raises OSError where its file is gone.
    """
    at = files(run)
    table = pq.read_table(at.assignments, columns=["learner_id", "cohort", *(trait.name for trait in TRAITS)])
    ids = table["learner_id"].combine_chunks()
    revenue, cost = _money(at, ids)
    return Population(
        ids=ids,
        values={trait.name: _floats(table[trait.name], np.float32) for trait in TRAITS},
        cohort=pc.fill_null(table["cohort"], -1).to_numpy().astype(np.int16),
        names=names,
        revenue=revenue,
        cost=cost,
    )


def _floats(column: pa.ChunkedArray, kind: type) -> NDArray[Any]:
    values: NDArray[Any] = column.cast(pa.float64()).to_numpy().astype(kind)  # a null becomes NaN
    return values


def _money(at: RunFiles, ids: pa.Array) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    if not at.money.exists():
        return None, None
    table = pq.read_table(at.money)
    place = pc.index_in(ids, value_set=table["learner_id"].combine_chunks())
    revenue, cost = (
        _floats(pa.chunked_array([table[name].combine_chunks().take(place)]), np.float64)
        for name in ("revenue", "cost")
    )
    return revenue, cost


def people(run: CohortRun) -> Population:
    """Return all learners of a run."""
    return population(run.id, tuple(cohort.name for cohort in run.model.cohorts))


@st.cache_resource(max_entries=24, show_spinner=False)
def _plane(run: str, names: tuple[str, ...], x: str, y: str) -> Density:
    everybody = population(run, names)
    values = everybody.values
    return density.density(BY_NAME[x], BY_NAME[y], values[x], values[y], everybody.cohort, everybody.k)


def plane(run: CohortRun, x: str, y: str) -> Density:
    """Return all learners of a run in the plane of two traits."""
    return _plane(run.id, tuple(cohort.name for cohort in run.model.cohorts), x, y)


@st.cache_data(max_entries=24, show_spinner=False)
def _map(run: str, names: tuple[str, ...], x: str, y: str, theme: str | None) -> tuple[PlotlyFigure, str]:
    found = _plane(run, names, x, y)
    order = population(run, names).order
    return figures.learner_map(found, names, order, palette(theme)), figures.told_map(found, names)


def learner_map(run: CohortRun, x: str, y: str, theme: str | None) -> tuple[PlotlyFigure, str]:
    """Return the map of a run's learners and its text alternative."""
    return _map(run.id, tuple(cohort.name for cohort in run.model.cohorts), x, y, theme)


@st.cache_data(max_entries=24, show_spinner=False)
def _picture(run: str, names: tuple[str, ...], x: str, y: str, theme: str | None) -> Html:
    return map_picture(_plane(run, names, x, y), palette(theme))


def picture(run: CohortRun, x: str, y: str, theme: str | None) -> Html:
    """Return the map of a run's learners as a picture, for the time until the chart is there."""
    return _picture(run.id, tuple(cohort.name for cohort in run.model.cohorts), x, y, theme)


@st.cache_data(max_entries=24, show_spinner=False)
def _spread(run: str, names: tuple[str, ...], name: str, theme: str | None) -> tuple[PlotlyFigure, str]:
    everybody, trait = population(run, names), BY_NAME[name]
    middles, parts = density.by_cohort(trait, everybody.values[name], everybody.cohort, everybody.k)
    means = everybody.cohort_means[name]
    return figures.distributions(trait, middles, parts, means, names, everybody.order, palette(theme))


def spread(run: CohortRun, name: str, theme: str | None) -> tuple[PlotlyFigure, str]:
    """Return how a trait is spread in each cohort, and its text alternative."""
    return _spread(run.id, tuple(cohort.name for cohort in run.model.cohorts), name, theme)


def inside(run: CohortRun, x: str, y: str, box: Box) -> NDArray[np.bool_]:
    """Say which learners of a run are in a box."""
    everybody = people(run)
    across, up = BY_NAME[x], BY_NAME[y]
    return box.holds(across.place(everybody.values[across.name]), up.place(everybody.values[up.name]))


def rows_of(run: CohortRun, rows: NDArray[np.int64], columns: tuple[str, ...] | None = None) -> pa.Table:
    """Return rows of a run's assignments, read from its file."""
    table = pq.read_table(files(run.id).assignments, columns=None if columns is None else list(columns))
    return table.take(pa.array(rows))


def assignments_csv(run: CohortRun) -> bytes:
    """Return a run's assignments as CSV."""
    return as_csv(pq.read_table(files(run.id).assignments))


def as_csv(table: pa.Table) -> bytes:
    """Return a table as CSV; text that a spreadsheet would take for a formula is quoted with an apostrophe."""
    from pyarrow import csv

    ids = table["learner_id"]
    risky = pc.match_substring_regex(ids, r"^[=+\-@\t\r]")
    safe = pc.if_else(risky, pc.binary_join_element_wise("'", ids, ""), ids)
    sink = pa.BufferOutputStream()
    csv.write_csv(table.set_column(table.schema.get_field_index("learner_id"), "learner_id", safe), sink)
    return bytes(sink.getvalue().to_pybytes())


def row_of(run: str, learner_id: str) -> dict[str, Any] | None:
    """Return one learner's row of a run's assignments; None where there is no such learner."""
    row = get_app_state().learners.row(run, learner_id)
    return None if row is None else {"learner_id": learner_id, **row}


def alike(run: CohortRun, text: str, limit: int = 8) -> list[str]:
    """Return ids that begin with a text, for somebody who doesn't know the whole one; "" gives the first ones."""
    ids = people(run).ids
    if not text:
        return list(ids[:limit].to_pylist())
    return list(ids.filter(pc.starts_with(ids, text))[:limit].to_pylist())


@st.cache_data(max_entries=200, show_spinner=False)
def activity(run: str, learner_id: str, as_of: int) -> learner.Activity | None:
    """Return a learner's events; None where the run didn't keep them."""
    events = runs.events_of(store().home, run, learner_id)
    return None if events is None else learner.activity(events, as_of)


def versions(learner_id: str) -> tuple[tuple[str, str], ...]:
    """Say which version of each flag a learner gets now; nothing before the first deployment."""
    flags, given = get_app_state().flags, dict[str, Assignment | str]()
    for flag in flags.flags():
        try:
            given[flag] = flags.evaluate(flag, learner_id)
        except (FlagUnknown, FlagUnavailable) as error:
            given[flag] = f"{error}"
    return learner.versions(deliveries().all(), given)


def preload() -> None:
    """Read what the Cohorts page shows first of the newest run, before anybody asks; leave very large ones for then."""
    refresh()
    newest = next(iter(all_runs()), None)
    if newest is None or newest.found.learners > _PRELOADED or not files(newest.id).assignments.exists():
        return
    everybody = people(newest)
    _ = everybody.sizes, everybody.all_means, everybody.cohort_means
    for theme in ("light", "dark"):
        picture(newest, *AXES, theme)
        learner_map(newest, *AXES, theme)


def forget(run: str) -> None:
    """Forget a run and its files, and what was read of them."""
    runs.forget_run(store(), run)
    refresh()


def refresh() -> None:
    """Read anew which runs there are."""
    all_runs.clear()
