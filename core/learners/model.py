"""The cohort model: found once on a population, then frozen: a learner's cohort depends on their own events only."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.learners import kernel
from core.learners.clustering import Matrix, choose_k, kmeans, nearest, try_k
from core.learners.cohorts import Cohort, Scaler, describe_cohorts, features_of, fit_scaler, quality_figures
from core.learners.constants import Constants
from core.learners.events import Events, EventsError
from core.learners.recall_fit import recall_of
from core.learners.traits import WEEKS, Traits

CANDIDATES = tuple(range(3, 9))
"""Numbers of cohorts that are tried."""


@dataclass(frozen=True, slots=True)
class CohortModel:
    """Constants, scaler, centroids and names.

    Attributes:
        centroids: shape (k, used features), scaled.
        cohorts: one a centroid.
        silhouettes, stabilities: of each k that was tried, see `clustering.Tried`.
        quality: figures by name, see `cohorts.quality_figures`; `stability` of the k taken, where it could be tried.
    """

    constants: Constants
    scaler: Scaler
    centroids: Matrix
    cohorts: tuple[Cohort, ...]
    silhouettes: dict[int, float]
    stabilities: dict[int, float] = field(default_factory=dict)
    quality: dict[str, float] = field(default_factory=dict)

    def assign(self, table: NDArray[np.void]) -> NDArray[np.int64]:
        """Return each learner's cohort number (table of dtype `traits.TRAITS`); NOT_KNOWN without events."""
        return self.scaler.assign(table, self.centroids)

    def cohort_of(self, traits: Traits) -> Cohort | None:
        """Return one learner's cohort; None without events in the window."""
        if traits.events == 0:
            return None
        assert traits.events_per_week is not None
        row = (  # in the order of cohorts.FEATURES
            traits.velocity,
            traits.concentration,
            traits.reuse_rate,
            traits.recency_weighted_reuse,
            math.log1p(traits.events_per_week),
            traits.responsiveness,
        )
        features = np.array([[math.nan if value is None else value for value in row]])
        return self.cohorts[int(nearest(self.scaler(features), self.centroids)[0][0])]

    def to_json(self) -> str:
        """Return the model as JSON; `from_json` gives the same model back, to the last bit."""
        return json.dumps(
            {
                "constants": dataclasses.asdict(self.constants),
                "scaler": {**dataclasses.asdict(self.scaler), "left_out": dict(self.scaler.left_out)},
                "centroids": self.centroids.tolist(),
                "cohorts": [dataclasses.asdict(cohort) for cohort in self.cohorts],
                "silhouettes": self.silhouettes,
                "stabilities": self.stabilities,
                "quality": self.quality,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> CohortModel:
        """Read what `to_json` wrote."""
        data: dict[str, Any] = json.loads(text)
        scaler = data["scaler"]
        return cls(
            constants=Constants.from_dict(data["constants"]),
            scaler=Scaler(
                tuple(scaler["columns"]), tuple(scaler["medians"]), tuple(scaler["spreads"]), dict(scaler["left_out"])
            ),
            centroids=np.array(data["centroids"], dtype=np.float64).reshape(len(data["cohorts"]), -1),
            cohorts=tuple(Cohort(**cohort) for cohort in data["cohorts"]),
            silhouettes={int(k): score for k, score in data["silhouettes"].items()},
            stabilities={int(k): score for k, score in data["stabilities"].items()},
            quality=data["quality"],
        )


def find_cohorts(
    events: Events,
    *,
    as_of: int | None = None,
    weeks: int = WEEKS,
    k: int | None = None,
    candidates: tuple[int, ...] = CANDIDATES,
    seed: int = 0,
) -> tuple[CohortModel, NDArray[np.void]]:
    """Find the cohorts of a population with the fast analyzer; return the model and the traits table.

    Args:
        k: number of cohorts; None: chosen from `candidates`, see `clustering.choose_k`.
    Raises EventsError when there is no event.
    """
    end = events.as_of if as_of is None else as_of
    scanned = kernel.scan(events, end, weeks, recall=recall_of(events, end, weeks))
    return cohorts_of(scanned, k=k, candidates=candidates, seed=seed)


def cohorts_of(
    scanned: kernel.Scan, *, k: int | None = None, candidates: tuple[int, ...] = CANDIDATES, seed: int = 0
) -> tuple[CohortModel, NDArray[np.void]]:
    """Find the cohorts of learners that have been scanned; return the model and the traits table."""
    constants = scanned.constants()
    table = kernel.finish(scanned, constants)
    active = table["events"] > 0
    features = features_of(table if active.all() else table[active])
    if not len(features):
        raise EventsError("no learner has an event in the window: nothing to find cohorts in")
    scaler = fit_scaler(features)
    points = scaler(features)
    tried = try_k(points, candidates if k is None else (k,), seed)
    k = choose_k(tried) if k is None else max(1, min(k, len(points)))
    centroids, inertia = kmeans(points, k, seed)
    labels, _ = nearest(points, centroids)
    kept = np.bincount(labels, minlength=k) > 0
    if not kept.all():  # there are fewer different learners than cohorts were asked for
        centroids, k = centroids[kept], int(kept.sum())
        labels, _ = nearest(points, centroids)
    quality = quality_figures(points, centroids, inertia, seed)
    if k in tried:
        quality["stability"] = tried[k].stability
    model = CohortModel(
        constants=constants,
        scaler=scaler,
        centroids=centroids,
        cohorts=tuple(describe_cohorts(features, labels, k, scaler.left_out)),
        silhouettes={number: found.silhouette for number, found in tried.items()},
        stabilities={number: found.stability for number, found in tried.items()},
        quality=quality,
    )
    return model, table
