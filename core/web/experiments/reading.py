"""Kept experiments -> data -> findings -> figures: what both pages read, loaded once for all who look."""

from __future__ import annotations

import csv
import io
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import streamlit as st

from core.experiments import (
    DataError,
    DeclarationError,
    DesignError,
    Findings,
    Guess,
    Loaded,
    Question,
    SavedExperiment,
    answer,
    daily,
    document,
    files_of,
    guess_roles,
    keep_experiment,
    markdown,
    part_of,
    read,
    remove_experiment,
    saved_experiments,
)
from core.experiments.business_case import LiftError, metrics_of, read_lift
from core.identity import Permission, Person
from core.store import StoreUnavailable
from core.web.actions import Told, refused
from core.web.experiments import figures
from core.web.figures import PlotlyFigure
from core.web.palette import palette
from core.web.reading import settings, store
from core.web.sources import may_not_read
from core.web.views import experiment, segments
from core.web.views.business import lift_query
from core.web.views.marks import Tone

Stamp = tuple[tuple[str, int, int], ...]
Filters = tuple[tuple[str, str], ...]
Drawing = tuple[PlotlyFigure, str]

ROOT = Path(__file__).resolve().parents[3]
UPLOADS = "experiments"
_MAKE_S = 300.0
_UNUSED_S = 86_400.0
_LOADED = 2
"""Experiments whose learners are kept in memory: about 60 MB each with 500,000 learners."""


@st.cache_data(ttl=1.0, show_spinner=False)
def saved() -> tuple[SavedExperiment, ...]:
    """Return the experiments that are kept, newest first."""
    with store().read() as connection:
        return saved_experiments(connection)


def compared() -> tuple[SavedExperiment, ...]:
    """Return those that compare versions: data of one version are kept for the Instrument page alone."""
    return tuple(one for one in saved() if one.question.variant)


def stamp(question: Question) -> Stamp:
    """Return what tells whether data have changed: each file with size and time; raises DataError where one is gone."""
    found = []
    for path in files_of(question.paths):
        at = path.stat()
        found.append((str(path), at.st_mtime_ns, at.st_size))
    return tuple(found)


@st.cache_resource(max_entries=_LOADED, show_spinner="Reading the learners …")
def loaded(key: str, at: Stamp, _question: Question) -> Loaded:  # noqa: ARG001 -- what the data are known by
    """Read an experiment's learners."""
    return read(_question)


@st.cache_resource(max_entries=16, show_spinner="Comparing …")
def findings(key: str, at: Stamp, filters: Filters, _question: Question) -> Findings:
    """Analyse an experiment, or the part of it in some levels.

    A part may be split otherwise than planned, by chance or by design, so only the whole is held to the plan.
    """
    data = loaded(key, at, _question)
    question = _question
    if filters:
        kept = tuple(name for name in question.segments if name not in dict(filters))
        question = replace(question, segments=kept, despite_split=findings(key, at, (), _question).split.ok)
    return answer(part_of(data, filters), question)


def analysed(one: SavedExperiment, filters: Filters = ()) -> tuple[Findings, Loaded]:
    """Return an experiment's findings and its data; raises DataError, DesignError, DeclarationError."""
    at = stamp(one.question)
    return findings(one.id, at, filters, one.question), loaded(one.id, at, one.question)


@st.cache_data(max_entries=32, show_spinner=False)
def effects(key: str, at: Stamp, treatment: str, theme: str | None, _found: Findings) -> Drawing | None:  # noqa: ARG001
    """Draw the effects of a treatment; None where none is relative to anything."""
    view = experiment.effects(_found, treatment)
    if view is None:
        return None
    return figures.effects(view, _found.design.control, _found.design.alpha, palette(theme))


@st.cache_data(max_entries=32, show_spinner=False)
def course(key: str, at: Stamp, metric: str, treatment: str, theme: str | None, _found: Findings) -> Drawing | None:  # noqa: ARG001
    """Draw an effect by day; None where fewer than two days are known."""
    chosen = _found.comparison(metric, treatment).metric
    by_day = daily(_found.table, _found.design, chosen, treatment)
    if len(by_day.days) < 2:
        return None
    return figures.course(experiment.course(by_day), metric, _found.design.alpha, palette(theme))


def forest(found: Findings, metric: str, treatment: str, theme: str | None) -> Drawing:
    """Draw a metric's effect by segment."""
    view = segments.forest(found, metric, treatment)
    return figures.forest(view, found.design.control, found.design.alpha, palette(theme))


def heat(found: Findings, treatment: str, theme: str | None) -> Drawing:
    """Draw all metrics' effects by segment."""
    return figures.heat(segments.heat(found, treatment), found.design.control, palette(theme))


@st.cache_data(max_entries=32, show_spinner=False)
def lifts(key: str, at: Stamp, _one: SavedExperiment, _found: Findings) -> dict[str, dict[str, str]]:  # noqa: ARG001
    """Return, by metric, the address that gives the Business case its lift; only of metrics that have one."""
    raw = json.dumps(document(_found) | ({"simulated": _one.simulated} if _one.simulated else {})).encode()
    found = {}
    for metric in [] if _found.withheld else metrics_of(raw, _one.name):
        with suppress(LiftError):
            found[metric] = lift_query(read_lift(raw, metric, _one.name))
    return found


def notes(one: SavedExperiment) -> list[str]:
    """Return what has to be known of an experiment's data first."""
    return [f"Simulated: {one.simulated}"] if one.simulated else []


def as_json(one: SavedExperiment, found: Findings, data: Loaded) -> str:
    """Return all figures, as `canary experiment --json` prints them."""
    extra = {"rejected": data.rejected.to_json(), "name": one.name}
    return json.dumps(document(found) | extra | ({"simulated": one.simulated} if one.simulated else {}), indent=2)


def as_markdown(one: SavedExperiment, found: Findings) -> str:
    """Return the report."""
    return markdown(found, one.name, notes(one))


def as_csv(found: Findings) -> str:
    """Return all segments' figures."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(segments.TABLE)
    writer.writerows(segments.table(found.segments))
    return out.getvalue()


# --- Keeping ---------------------------------------------------------------------------------------------------------


def look(source: str, person: Person) -> Guess | str:
    """Look at the first rows of data; return what its columns may be, or why that can't be told."""
    if why := _may_not_read(person, source):
        return f"{why[0].upper()}{why[1:]}."
    try:
        return _guess(source, stamp(Question(paths=(source,), variant="", control="", metrics=())))
    except (DataError, OSError) as error:
        return f"{error}."


@st.cache_data(max_entries=8, show_spinner="Looking at the columns …")
def _guess(source: str, at: Stamp) -> Guess:  # noqa: ARG001 -- the data are known by it
    return guess_roles([source])


def _may_not_read(person: Person, source: str) -> str:
    """Return why a person may not have data read; what was uploaded here, under a name nobody can guess, they may."""
    if Path(source).parent == store().home / UPLOADS:
        return ""
    return may_not_read(settings(), person, source)


def keep_upload(person: Person, name: str, data: memoryview | bytes) -> Path | str:
    """Write an uploaded file to the home, under a name that nobody chose but for its endings; return where, or why not.

    Files that were uploaded a day ago and never compared are swept out.
    """
    if (refusal := refused(person, Permission.ANALYSE)) is not None:
        return refusal.text
    folder = store().home / UPLOADS
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if time.time() - old.stat().st_mtime > _UNUSED_S and not _used(old):
            old.unlink(missing_ok=True)
    endings = "".join(ending for ending in Path(name).suffixes[-2:] if ending[1:].isalnum())
    path = folder / f"{secrets.token_hex(8)}{endings}"
    path.write_bytes(data)
    return path


def make_up(person: Person, learners: int) -> tuple[Told, str]:
    """Make up an experiment, and keep it; return what to say and its id.

    A program, not an import: what makes learners up is a room above this one.
    """
    if (refusal := refused(person, Permission.ANALYSE)) is not None:
        return refusal, ""
    folder = store().home / UPLOADS
    path = folder / f"{secrets.token_hex(8)}.parquet"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "core.demo.experiment_file", str(path), str(learners), "7"]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=_MAKE_S, check=False
        )
        guess = guess_roles([path]) if done.returncode == 0 else None
    except (OSError, subprocess.TimeoutExpired, DataError) as error:
        return Told(Tone.BAD, f"Nothing was made up: {error}."), ""
    if guess is None:
        return Told(Tone.BAD, f"Nothing was made up: {done.stderr.strip()[-300:]}."), ""
    metrics = [metric for metric in guess.metrics if metric.column not in ("activity_before", "cost")]
    question = Question(
        paths=(str(path),),
        variant=guess.variant,
        control=guess.control,
        metrics=tuple(metric.written for metric in metrics),
        covariates=tuple(f"{metric.name}={metric.covariate}" for metric in metrics if metric.covariate),
        lower_is_better=tuple(metric.name for metric in metrics if metric.lower_is_better),
        segments=guess.segments,
        day=guess.day,
    )
    return keep(person, f"{learners:,} made-up learners", question)


def keep(person: Person, name: str, question: Question) -> tuple[Told, str]:
    """Read data as asked, and keep the question if it can be answered; return what to say and the experiment's id."""
    if (refusal := refused(person, Permission.ANALYSE)) is not None:
        return refusal, ""
    for path in question.paths:
        if why := _may_not_read(person, path):
            return Told(Tone.BAD, f"Nothing was read: {why}."), ""
    try:
        data = read(question)
        if question.variant:
            answer(data, question)
        key = keep_experiment(store(), name, question, person.actor, data.simulated)
    except (DataError, DesignError, DeclarationError) as error:
        return Told(Tone.BAD, f"Nothing was compared: {error}."), ""
    except (StoreUnavailable, OSError) as error:
        return Told(Tone.BAD, f"Not kept: {error}."), ""
    saved.clear()
    return Told(Tone.GOOD, f"{'Compared' if question.variant else 'Read'} “{name}”."), key


def remove(person: Person, one: SavedExperiment) -> Told:
    """Remove an experiment from the list, and what was uploaded for it."""
    if (refusal := refused(person, Permission.ANALYSE)) is not None:
        return refusal
    try:
        gone = remove_experiment(store(), one.id, person.actor)
    except StoreUnavailable as error:
        return Told(Tone.BAD, f"Not removed: {error}")
    saved.clear()
    for path in map(Path, one.question.paths):
        if path.parent == store().home / UPLOADS and not _used(path):
            path.unlink(missing_ok=True)
    return Told(Tone.GOOD, f"Removed “{one.name}”." if gone else f"There is no “{one.name}” any more.")


def _used(path: Path) -> bool:
    return any(str(path) in one.question.paths for one in saved())


def wanted(known: Sequence[SavedExperiment], key: str | None) -> SavedExperiment:
    """Return the experiment that an address names, else the newest."""
    return next((one for one in known if one.id == key), known[0])
