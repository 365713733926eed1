"""An experiment as people ask for it -> its data -> its findings: what the command line and the pages share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.experiments.analysis import Design, DesignError, Findings, analyse
from core.experiments.declare import Declared, declare
from core.experiments.grouping import Table, aggregate
from core.experiments.inputs import Within
from core.experiments.metrics import Metric, settled
from core.experiments.observations import Observations
from core.experiments.reading import (
    Loaded,
    Rejections,
    Roles,
    load,
    nothing_left,
    outcomes,
    read_batches,
    simulated_of,
)
from core.experiments.sources import files_of
from core.experiments.words import number, percent

LEVELS = 500
"""Levels that a segment may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What people ask of an experiment's data.

    Attributes:
        paths: files or folders. variant, control: the column of versions, and the old one; "" where all had the same,
            so that there is nothing to compare.
        metrics, covariates, margins, lower_is_better: as `declare` reads them.
        segments: columns. cluster: column of what was randomised as a whole. learner: column of learners' ids.
        day: column of the day on which a learner came in.
        expected: planned share of each version, or of the new one where there are two; equal by default.
        where: (column, word): only rows that hold it.
        as_of: last day that windows may end on.
    """

    paths: tuple[str, ...]
    variant: str
    control: str
    metrics: tuple[str, ...]
    covariates: tuple[str, ...] = ()
    margins: tuple[str, ...] = ()
    lower_is_better: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    cluster: str | None = None
    learner: str | None = None
    day: str | None = None
    expected: Mapping[str, float] | float | None = None
    where: tuple[tuple[str, str], ...] = ()
    alpha: float = 0.05
    fewest: int = 100
    as_of: float | None = None
    despite_split: bool = False
    randomised: bool = True

    def declared(self) -> Declared:
        """Return its metrics; raises DeclarationError."""
        return declare(self.metrics, self.covariates, self.margins, self.lower_is_better)

    def roles(self) -> Roles:
        """Return which columns are what."""
        labels = tuple(dict.fromkeys(name for name in (*self.segments, self.cluster, self.learner) if name is not None))
        return Roles(self.variant or None, self.declared().inputs, labels, self.day, self.where)

    def shares(self, arms: Sequence[str]) -> Mapping[str, float] | None:
        """Return the planned share of each version; raises DesignError where one share is said of more than two."""
        if not isinstance(self.expected, (int, float)):
            return self.expected
        if len(arms) != 2 or not 0 < self.expected < 1:
            each = ", ".join(f"{arm}={1 / len(arms):.2g}" for arm in arms)
            raise DesignError(f"a share of {self.expected:g} is planned; expected one of each version, such as {each}")
        return {arm: 1 - self.expected if arm == self.control else float(self.expected) for arm in arms}

    def design(self) -> Design:
        """Return what was declared before the data were looked at; shares wait for the versions there are."""
        return Design(
            control=self.control,
            metrics=self.declared().metrics,
            segments=self.segments,
            day=f"day:{self.day}" if self.day else None,
            cluster=self.cluster,
            alpha=self.alpha,
            fewest=self.fewest,
            despite_split=self.despite_split,
            randomised=self.randomised,
        )


def read(question: Question) -> Loaded:
    """Read what a question needs; raises DataError, DeclarationError."""
    return load(question.paths, question.roles(), question.as_of)


def answer(loaded: Loaded, question: Question) -> Findings:
    """Analyse data in memory.

    Raises:
        DesignError, DeclarationError: the question doesn't fit the data.
    """
    observations, design = loaded.observations, question.design()
    told: list[str] = []
    if question.learner is not None:
        observations, design, told = _one_arm_each(observations, design, question.learner)
    for name in question.segments:
        if (levels := len(observations.labels[name].names)) > LEVELS:
            raise DesignError(f"{name} has {levels:,} levels; expected at most {LEVELS:,} of a segment")
    metrics = settled(design.metrics, observations)
    if design.cluster is not None:
        metrics = tuple(metric.in_clusters() for metric in metrics)
    table = aggregate(observations, metrics, design.labels, design.cluster)
    findings = analyse(table, replace(design, metrics=metrics, shares=question.shares(table.arms)))
    told += _of_caps(metrics, _capped(metrics, observations)) + _of_windows(loaded.censored)
    return replace(findings, warnings=(*findings.warnings, *told))


@dataclass(frozen=True, slots=True)
class Examined:
    """Findings, and what was read for them; see `Loaded`."""

    findings: Findings
    rows: int
    rejected: Rejections
    simulated: str


def examine(question: Question) -> Examined:
    """Read and analyse: part by part in bounded memory, where no metric needs all values at once.

    A quantile, clusters, learners' ids, and windows up to the last time in the data do; they are read as a whole.

    Raises:
        DataError, DesignError, DeclarationError: as `read` and `answer`.
    """
    declared, roles = question.declared(), question.roles()
    unknown = question.as_of is None and any(isinstance(need, Within) for need in declared.inputs.values())
    quantile = any(metric.cap is not None and metric.cap.value is None for metric in declared.metrics)
    if question.learner or question.cluster or unknown or quantile:
        data = read(question)
        return Examined(answer(data, question), data.rows, data.rejected, data.simulated)
    rejected, censored, above = Rejections(), Counter[str](), Counter[str]()
    total: Table | None = None
    design, metrics, rows = question.design(), declared.metrics, 0
    files = files_of(question.paths)
    for path in files:
        for part, count in read_batches(path, roles, rejected):
            rows += count
            part, open_windows = outcomes(part, roles, question.as_of)
            censored.update(open_windows)
            above.update(_capped(metrics, part))
            if not len(part):
                continue
            table = aggregate(part, metrics, design.labels)
            total = table if total is None else total + table
            for name in question.segments:
                if len(total.of(name)) > LEVELS:
                    raise DesignError(f"{name} has more than {LEVELS:,} levels; expected fewer of a segment")
    if total is None:
        raise nothing_left(files, roles, rows, rejected)
    findings = analyse(total.in_order(), replace(design, shares=question.shares(sorted(total.arms))))
    told = _of_caps(metrics, above) + _of_windows(censored)
    found = replace(findings, warnings=(*findings.warnings, *told))
    return Examined(found, rows, rejected, simulated_of(files))


def _one_arm_each(observations: Observations, design: Design, learner: str) -> tuple[Observations, Design, list[str]]:
    """Leave out learners who were in two arms; rows of one learner become one unit."""
    codes, arms = observations.labels[learner].codes.astype(np.int64), len(observations.variant.names)
    size = len(observations.labels[learner].names)
    seen = np.bincount(codes * arms + observations.variant.codes, minlength=size * arms).reshape(size, arms) > 0
    crossed = seen.sum(axis=1) > 1
    told = []
    if crossed.any():
        told.append(
            f"{int(crossed.sum()):,} of {size:,} learners were in more than one version, and are left out; "
            "if the new version made them change, the rest is biased"
        )
        observations = observations.where(~crossed[codes])
    rows = len(observations)
    learners = int((~crossed).sum())
    if rows > learners and design.cluster is None:
        told.append(
            f"{rows:,} rows are of {learners:,} learners: the learner is the unit, and the rows of one count together"
        )
        design = replace(design, cluster=learner)
    return observations, design, told


def _capped(metrics: Sequence[Metric], observations: Observations) -> dict[str, int]:
    """Return how many values of each capped metric lie above its cap."""
    return {
        metric.name: int((observations.column(metric.numerator) > metric.cap_of(metric.numerator)).sum())
        for metric in metrics
        if metric.cap is not None
    }


def _of_caps(metrics: Sequence[Metric], above: Mapping[str, int]) -> list[str]:
    told = []
    for metric in metrics:
        if metric.cap is not None and metric.cap.value is not None:
            whence = f" (the {percent(metric.cap.quantile)} quantile)" if metric.cap.quantile else ""
            count = above[metric.name]
            told.append(f"{metric.name}: {count:,} values above {number(metric.cap.value)}{whence} were set to it")
    return told


def _of_windows(censored: Mapping[str, int]) -> list[str]:
    return [
        f"{name}: {n:,} learners are censored: their window had not closed when the data end"
        for name, n in censored.items()
        if n
    ]


def part_of(loaded: Loaded, filters: Sequence[tuple[str, str]]) -> Loaded:
    """Return the data of some levels only: (label, level) each, all of which must hold.

    Raises:
        KeyError: there is no such label.
    """
    observations = loaded.observations
    keep = np.ones(len(observations), dtype=bool)
    for label, level in filters:
        labels = observations.labels[label]
        keep &= np.isin(labels.codes, [i for i, name in enumerate(labels.names) if name == level])
    return replace(loaded, observations=observations.where(keep)) if filters else loaded
