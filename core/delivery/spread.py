"""Segment spread: does the candidate do about the same to every segment? Success rate and mean latency. Pure.

"Under 5 %" means that every segment's effect, less the overall one, lies surely within 5 % of the baseline's mean
(Holm's intervals over the segments). What is shown to differ, Holm-adjusted over the two figures, fails; what is
neither is not known yet (core/experiments/heterogeneity.py). The unit is the request: of learners who ask many times
each the intervals are somewhat narrow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.delivery import words
from core.delivery.model import FigureState, Finding
from core.delivery.plan import Limit
from core.delivery.series import TOLERANCE_S, Floats
from core.experiments import (
    Estimate,
    Heterogeneity,
    SpreadState,
    compare_means,
    heterogeneity,
    holm,
    spread_state,
)
from core.store import SampleFrame, histogram

ALPHA = 0.05
COVERED = 0.95
"""Of the requests, that segments large enough to be judged must hold."""

_COLUMNS = ("requests", "errors", "timed", "latency", "latency_squared")
_CHUNK = 2000  # rows whose histograms are unpacked at once


@dataclass(frozen=True, slots=True, eq=False)
class SegmentSums:
    """Sums of both versions by segment and span, one row a sample.

    Attributes:
        start, end: shape (rows,), plan time. candidate: which rows are the candidate's. segment: names.
        sums: shape (rows, columns): requests, errors, requests with a latency, sum of latencies (ms), of their squares.
    """

    start: Floats
    end: Floats
    candidate: NDArray[np.bool_]
    segment: NDArray[np.object_]
    sums: Floats

    @staticmethod
    def of(frame: SampleFrame, candidate: str, baseline: str) -> SegmentSums:
        """Take what samples of the two versions tell of segments; those that name none are left out."""
        kept = ((frame.version == candidate) | (frame.version == baseline)) & (frame.segment != "")
        mine = frame.select(np.asarray(kept, dtype=bool))
        sums = np.zeros((len(mine), len(_COLUMNS)))
        sums[:, 0], sums[:, 1] = mine.requests, mine.errors
        for begin in range(0, len(mine), _CHUNK):
            rows = slice(begin, begin + _CHUNK)
            some, ms = mine.latency[rows], histogram.MIDDLES
            counts = histogram.merge_groups(some, np.arange(len(some)), len(some))
            sums[rows, 2:] = np.stack([counts.sum(axis=1), counts @ ms, counts @ ms**2], axis=1)
        is_candidate = np.asarray(mine.version == candidate, dtype=bool)
        return SegmentSums(mine.start, mine.start + mine.seconds, is_candidate, mine.segment, sums)

    def __len__(self) -> int:
        return self.start.size

    def __add__(self, other: SegmentSums) -> SegmentSums:
        return SegmentSums(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in self.__slots__))

    def totals(self, since: float, until: float) -> tuple[list[str], Floats, Floats]:
        """Return the segments' names and the sums of the candidate and of the baseline, shape (segments, columns)."""
        inside = (self.start >= since - TOLERANCE_S) & (self.end <= until + TOLERANCE_S)
        names, which = np.unique(self.segment[inside].astype(str), return_inverse=True)
        out = []
        for version in (True, False):
            of = self.candidate[inside] == version
            total = np.zeros((names.size, len(_COLUMNS)))
            np.add.at(total, which.reshape(-1)[of], self.sums[inside][of])
            out.append(total)
        return names.tolist(), out[0], out[1]


def spread_finding(
    finding: Finding, limit: Limit, told: tuple[list[str], Floats, Floats], minimum: int, elapsed_s: float
) -> Finding:
    """Judge segment spread on the sums of a phase so far; `finding` is one without numbers."""
    names, candidate, baseline = told
    least = np.minimum(candidate[:, 0], baseline[:, 0])
    large = least >= minimum
    requests = candidate[:, 0] + baseline[:, 0]
    label = finding.figure.label
    if large.sum() < 2 or requests[large].sum() < COVERED * requests.sum():
        wait_s = elapsed_s * (minimum / least[~large].max() - 1) if (least[~large] > 0).any() else None
        said = (
            f"{label}: {int(large.sum())} of {len(names)} segments have {words.count(minimum)} requests of each version"
        )
        said += f"; {words.percent(COVERED)} of requests must be in such"
        return replace(finding, state=FigureState.COLLECTING, wait_s=wait_s, sentence=said)
    kept = [name for name, is_large in zip(names, large, strict=True) if is_large]
    found = {
        "success rate": _spread(_successes(baseline[large]), _successes(candidate[large]), limit.value),
        "mean latency": _spread(_latencies(baseline[large]), _latencies(candidate[large]), limit.value),
    }
    judged = {what: of for what, of in found.items() if of is not None}
    if not judged:
        return replace(finding, state=FigureState.INCONCLUSIVE, sentence=f"{label}: nothing varies yet")
    adjusted = np.asarray(holm([of.p_value for of in judged.values()]))
    states = [spread_state(of, float(p), ALPHA) for of, p in zip(judged.values(), adjusted, strict=True)]
    state = (
        FigureState.FAIL
        if SpreadState.HETEROGENEOUS in states
        else FigureState.INCONCLUSIVE
        if SpreadState.UNKNOWN in states
        else FigureState.PASS
    )
    parts = [_said(what, of, kept, str(s)) for (what, of), s in zip(judged.items(), states, strict=True)]
    value = max(float(np.abs(of.deviation).max()) for of in judged.values())
    said = f"{label} over {len(kept)} segments: {'; '.join(parts)}; must be {words.limit(limit)}"
    return replace(
        finding, state=state, value=value, span_s=elapsed_s, trials=int(requests[large].sum()), sentence=said
    )


def _spread(control: Estimate, treatment: Estimate, limit: float) -> Heterogeneity | None:
    if not (np.isfinite(control.value).all() and np.isfinite(treatment.value).all()):
        return None
    return heterogeneity(compare_means(control, treatment, ALPHA, "Welch"), limit)


def _successes(sums: Floats) -> Estimate:
    n = sums[:, 0]
    share = (n - sums[:, 1] + 1) / (n + 2)  # of no failure at all nobody knows how rare they are
    value = 1 - sums[:, 1] / n
    return Estimate(value, share * (1 - share) / n, n, value, share * (1 - share) / n)


def _latencies(sums: Floats) -> Estimate:
    n = sums[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums[:, 3] / n
        variance = np.maximum(sums[:, 4] / n - mean**2, 0.0) / np.maximum(n - 1, 1)
    return Estimate(mean, variance, n, mean, variance)


def _said(what: str, found: Heterogeneity, names: list[str], state: str) -> str:
    most = int(np.argmax(np.abs(found.deviation)))
    far = words.percent(float(found.deviation[most]), signed=True)
    low, high = (words.percent(float(bound[most]), signed=True) for bound in (found.low, found.high))
    verdict = {"within": "within", "heterogeneous": "they differ"}.get(state, "not enough data to tell")
    return f"{what} {far} in {names[most]} ({low} to {high}), {verdict}"
