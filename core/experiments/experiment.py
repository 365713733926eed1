"""An experiment as people ask for it -> its data -> its findings: what the command line and the pages share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.experiments.analysis import Design, Findings, analyse
from core.experiments.declare import Declared, declare
from core.experiments.grouping import aggregate
from core.experiments.metrics import settled
from core.experiments.observations import Observations
from core.experiments.reading import Loaded, Roles, load
from core.experiments.words import number, percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What people ask of an experiment's data.

    Attributes:
        paths: files or folders. variant, control: the column of versions, and the old one.
        metrics, covariates, margins, lower_is_better: as `declare` reads them.
        segments: columns. cluster: column of what was randomised as a whole. learner: column of learners' ids.
        day: column of the day on which a learner came in.
        expected: planned share of each version; equal by default.
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
    expected: Mapping[str, float] | None = None
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
        return Roles(self.variant, self.declared().inputs, labels, self.day, self.where)

    def design(self) -> Design:
        """Return what was declared before the data were looked at."""
        return Design(
            control=self.control,
            metrics=self.declared().metrics,
            segments=self.segments,
            day=f"day:{self.day}" if self.day else None,
            cluster=self.cluster,
            shares=self.expected,
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
    metrics = settled(design.metrics, observations)
    if design.cluster is not None:
        metrics = tuple(metric.in_clusters() for metric in metrics)
    design = replace(design, metrics=metrics)
    findings = analyse(aggregate(observations, metrics, design.labels, design.cluster), design)
    told += _of_caps(observations, findings) + _of_windows(loaded)
    return replace(findings, warnings=(*findings.warnings, *told))


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


def _of_caps(observations: Observations, findings: Findings) -> list[str]:
    told = []
    for metric in findings.design.metrics:
        if metric.cap is not None and metric.cap.value is not None:
            above = int((observations.column(metric.numerator) > metric.cap.value).sum())
            whence = f" (the {percent(metric.cap.quantile)} quantile)" if metric.cap.quantile else ""
            told.append(f"{metric.name}: {above:,} values above {number(metric.cap.value)}{whence} were set to it")
    return told


def _of_windows(loaded: Loaded) -> list[str]:
    return [
        f"{name}: {n:,} learners are censored: their window had not closed when the data end"
        for name, n in loaded.censored.items()
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
