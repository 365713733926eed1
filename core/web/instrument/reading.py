"""Kept experiments -> instrument checks -> figures, computed once for all who look."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from core.experiments import SavedExperiment, answer
from core.experiments.instrument import (
    Instrument,
    RequestCheck,
    as_json,
    as_used,
    check_instrument,
    check_requests,
)
from core.store import load_samples
from core.web.experiments import reading as experiments
from core.web.experiments.reading import Stamp
from core.web.instrument import figures
from core.web.instrument.figures import Drawing
from core.web.palette import palette
from core.web.reading import deliveries, store
from core.web.views import instrument


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the check.

    Attributes:
        splits: how many. target: effect that has to be seen.
        only: the learners of this version only; "" for all.
        same: both versions were the same, so that what differs between them counts.
    """

    splits: int
    target: float
    only: str
    same: bool


@st.cache_resource(max_entries=8, show_spinner="Splitting the learners into random halves …")
def checked(key: str, at: Stamp, asked: Asked, _one: SavedExperiment) -> Instrument:
    """Check the instrument on an experiment's learners; raises DataError, DesignError, DeclarationError."""
    question = _one.question
    data = experiments.loaded(key, at, question)
    seen = data.observations
    if asked.only:
        names = seen.variant.names
        seen = seen.where(np.isin(seen.variant.codes, [i for i, name in enumerate(names) if name == asked.only]))
    counted_by, note = as_used(seen, question.learner, question.cluster)
    found = check_instrument(
        seen,
        question.declared().metrics,
        splits=asked.splits,
        segments=question.segments,
        unit=question.learner,
        cluster=counted_by,
        alpha=question.alpha,
        target=asked.target,
    )
    if note:
        found = replace(found, notes=(note, *found.notes))
    if asked.same:
        found = replace(found, observed=answer(data, replace(question, segments=(), day=None)))
    return found


def check(one: SavedExperiment, asked: Asked) -> Instrument:
    """Check the instrument on data as they are now. Raises as `checked`, and OSError."""
    return checked(one.id, experiments.stamp(one.question), asked, one)


def charts(found: Instrument, metric: str, theme: str | None) -> tuple[Drawing, Drawing, Drawing]:
    """Draw how p is spread, what drifts, and the smallest effects."""
    colours = palette(theme)
    own = next(each for each in found.checks if each.metric.name == metric)
    return (
        figures.p_values(own, colours),
        figures.drifts(instrument.drifts(found, metric), found.limit, colours),
        figures.smallest(instrument.smallest(found), found.target, colours),
    )


@st.cache_data(ttl=30.0, show_spinner=False)
def requests(deployment: str) -> RequestCheck | None:
    """Say whether the request counts of a deployment's flag vary too much; None where there is no such deployment."""
    plan = next((one.plan for one in deliveries().all() if one.id == deployment), None)
    if plan is None:
        return None
    with store().read() as connection:
        frame = load_samples(connection, plan.flag)
    return check_requests(frame, plan.candidate, plan.baseline)


def document(one: SavedExperiment, found: Instrument, counts: RequestCheck | None) -> str:
    """Return all figures, as `canary aa --json` prints them."""
    return json.dumps(as_json(found, counts) | {"name": one.name, "simulated": one.simulated}, indent=2)
