"""A made-up experiment with planted effects, so that there is something to find and to be found right.

Always labelled simulated. What is planted holds in expectation, exactly: factors of segments average to 1, differences
to 0, over the population that learners are drawn from, so that the truth behind every interval is known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

SIMULATED = "simulated learners"
LEARNERS = 500_000
DAYS = 14
CONTROL, TREATMENT = "original", "fast"
FIRST_DAY = np.datetime64("2025-10-17")
METRICS = (
    "ROI=roi(revenue,cost)",
    "completion=rate(completed)",
    "churn=rate(churned)",
    "revenue=mean(revenue)",
    "velocity=mean(velocity)",
)
"""As `canary experiment` and `canary aa` take them."""

_REVENUE = 70.0  # of a learner in 14 days at 150 a month
_ROI = 1.51
_LEVEL_SD, _NOISE_SD, _COST_SD = 0.55, 0.35, 0.20  # of logarithms
_COST_FOLLOWS = 0.3  # the power of a learner's level that cost goes with
_ACTIVITY = 6.0
_VELOCITY_CONCENTRATION = 12.0


@dataclass(frozen=True, slots=True)
class Planted:
    """What is planted.

    Attributes:
        roi: relative difference of ROI, revenue divided by cost, with the cost the same.
        completion, churn, velocity: control and treatment.
    """

    roi: float = 0.058
    completion: tuple[float, float] = (0.75, 0.82)
    churn: tuple[float, float] = (0.20, 0.17)
    velocity: tuple[float, float] = (0.35, 0.38)

    @property
    def effects(self) -> Mapping[str, float]:
        """The true difference of each metric of `METRICS`, by name; of ROI and revenue the relative one."""
        return {
            "ROI": self.roi,
            "completion": self.completion[1] - self.completion[0],
            "churn": self.churn[1] - self.churn[0],
            "revenue": self.roi,
            "velocity": self.velocity[1] - self.velocity[0],
        }


PLANTED = Planted()
"""What the first user reported."""
NOTHING = Planted(0.0, (0.75, 0.75), (0.20, 0.20), (0.35, 0.35))
"""No effect at all: an A/A experiment."""


@dataclass(frozen=True, slots=True)
class _Level:
    """A level of a segment: its share of learners, revenue beside the average, completion and churn beside the average,
    and how strongly the effects show in it."""

    share: float
    revenue: float = 1.0
    completion: float = 0.0
    churn: float = 0.0
    strength: float = 1.0


SEGMENTS: dict[str, dict[str, _Level]] = {
    "archetype": {
        "Fast Learner": _Level(0.18, 1.15, 0.06, -0.05, 1.25),
        "Specialist": _Level(0.22, 1.05, 0.02, -0.01, 1.15),
        "Power User": _Level(0.12, 1.60, 0.08, -0.08, 1.00),
        "Long-term Retainer": _Level(0.20, 0.95, 0.01, -0.04, 0.90),
        "Generalist": _Level(0.28, 0.65, -0.08, 0.09, 0.70),
    },
    "domain": {
        "algebra": _Level(0.26), "biology": _Level(0.18), "history": _Level(0.14), "languages": _Level(0.24),
        "programming": _Level(0.18, 1.2),
    },
    "age_band": {
        "under 25": _Level(0.34, 0.85, -0.02, 0.02), "25 to 34": _Level(0.31),
        "35 to 49": _Level(0.23, 1.15, 0.02, -0.02), "50 and over": _Level(0.12, 1.1, 0.01),
    },
    "experience": {
        "new": _Level(0.40, 0.8, -0.03, 0.04), "returning": _Level(0.35), "veteran": _Level(0.25, 1.3, 0.04, -0.04),
    },
    "region": {
        "Europe": _Level(0.34, 1.05), "North America": _Level(0.30, 1.2), "Asia Pacific": _Level(0.24, 0.85),
        "Latin America": _Level(0.12, 0.7),
    },
    "device": {
        "phone": _Level(0.55, 0.9, -0.01, 0.01), "computer": _Level(0.37, 1.15, 0.02, -0.01), "tablet": _Level(0.08),
    },
}  # fmt: skip
"""Drawn independently of each other."""

TIERS = {
    "engagement": ("activity_before", ("low", "medium", "high"), (3.5, 7.5)),
    "revenue_tier": ("revenue_before", ("small", "middle", "large"), (40.0, 85.0)),
}
"""Segments told from the time before: the column, the levels, and where one ends and the next begins."""

SEGMENT_NAMES = (*SEGMENTS, *TIERS)


def make_experiment(
    learners: int = LEARNERS,
    seed: int = 7,
    planted: Planted = PLANTED,
    first: int = 0,
) -> pa.Table:
    """Return one row a learner, half of them with the treatment; the same seed gives the same learners.

    Columns: learner_id, variant, enrolled (a date; figures are those of the 14 days after it), revenue, cost,
    completed, churned, velocity, revenue_before and activity_before (covariates), the segments of `SEGMENT_NAMES`.

    Args:
        learners: at least 2. first: number of the first learner, in its id.
    """
    rng = np.random.default_rng(seed)
    treated = rng.permutation(learners) < learners // 2
    codes = {name: _drawn(levels, learners, rng) for name, levels in SEGMENTS.items()}

    def of(attribute: str, *, about: float) -> NDArray[np.float64]:
        """Return what all segments give a learner, as factors that average to 1 or differences that average to 0."""
        total = np.full(learners, about)
        for name, levels in SEGMENTS.items():
            values = np.array([getattr(level, attribute) for level in levels.values()])
            mean = float(values @ _shares(levels))
            total = total * (values / mean)[codes[name]] if about else total + (values - mean)[codes[name]]
        return total

    level = _lognormal(rng, _LEVEL_SD, learners)
    typical = _REVENUE * of("revenue", about=1.0) * level
    archetype = codes["archetype"]
    lift = planted.roi * _strengths(weighted=True)[archetype]
    revenue = typical * _lognormal(rng, _NOISE_SD, learners) * np.where(treated, 1 + lift, 1.0)
    follows = level**_COST_FOLLOWS * math.exp(_COST_FOLLOWS * (1 - _COST_FOLLOWS) * _LEVEL_SD**2 / 2)
    cost = _REVENUE / _ROI * follows * _lognormal(rng, _COST_SD, learners)

    strength = _strengths(weighted=False)[archetype]

    def share(ends: tuple[float, float], attribute: str) -> NDArray[np.float64]:
        return ends[0] + of(attribute, about=0.0) + np.where(treated, (ends[1] - ends[0]) * strength, 0.0)

    completed = rng.random(learners) < share(planted.completion, "completion")
    churned = rng.random(learners) < share(planted.churn, "churn")
    middle = planted.velocity[0] + np.where(treated, (planted.velocity[1] - planted.velocity[0]) * strength, 0.0)
    velocity = rng.beta(middle * _VELOCITY_CONCENTRATION, (1 - middle) * _VELOCITY_CONCENTRATION)
    before = {
        "revenue_before": typical * _lognormal(rng, _NOISE_SD, learners),
        "activity_before": rng.poisson(_ACTIVITY * level),
    }
    enrolled = FIRST_DAY + rng.integers(DAYS, size=learners)
    width = max(6, len(str(first + learners - 1)))
    columns: dict[str, pa.Array] = {
        "learner_id": pa.array(
            np.char.add("sim-", np.char.zfill(np.arange(first, first + learners).astype(str), width))
        ),
        "variant": _words(treated.astype(np.int8), (CONTROL, TREATMENT)),
        "enrolled": pa.array(enrolled),
        "revenue": pa.array(revenue.round(2)),
        "cost": pa.array(cost.round(2)),
        "completed": pa.array(completed.astype(np.int8)),
        "churned": pa.array(churned.astype(np.int8)),
        "velocity": pa.array(velocity.round(4)),
        "revenue_before": pa.array(before["revenue_before"].round(2)),
        "activity_before": pa.array(before["activity_before"]),
    }
    columns |= {name: _words(codes[name].astype(np.int8), tuple(SEGMENTS[name])) for name in SEGMENTS}
    for name, (source, levels, bounds) in TIERS.items():
        columns[name] = _words(np.searchsorted(bounds, before[source]).astype(np.int8), levels)
    return pa.table(columns).replace_schema_metadata({"simulated": SIMULATED, "planted": json.dumps(asdict(planted))})


def write_experiment(path: Path, table: pa.Table) -> None:
    """Write an experiment as Parquet; its metadata say that it is simulated, and what is planted. Raises OSError."""
    new = path.with_name(f".{path.name}.new")
    try:
        pq.write_table(table, new, compression="zstd")
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _shares(levels: Mapping[str, _Level]) -> NDArray[np.float64]:
    return np.array([level.share for level in levels.values()])


def _drawn(levels: Mapping[str, _Level], learners: int, rng: np.random.Generator) -> NDArray[np.intp]:
    codes: NDArray[np.intp] = np.searchsorted(np.cumsum(_shares(levels))[:-1], rng.random(learners), side="right")
    return codes


def _strengths(*, weighted: bool) -> NDArray[np.float64]:
    """Return how strongly effects show in each archetype, 1 on average: over learners, or `weighted` by revenue."""
    levels = SEGMENTS["archetype"]
    strengths = np.array([level.strength for level in levels.values()])
    weights = _shares(levels)
    if weighted:
        weights = weights * [level.revenue for level in levels.values()]
    found: NDArray[np.float64] = strengths / (strengths @ weights / weights.sum())
    return found


def _lognormal(rng: np.random.Generator, sd: float, size: int) -> NDArray[np.float64]:
    """Return values with a mean of exactly 1."""
    values: NDArray[np.float64] = np.exp(rng.normal(-(sd**2) / 2, sd, size))
    return values


def _words(codes: NDArray[np.int8], names: tuple[str, ...]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names))
