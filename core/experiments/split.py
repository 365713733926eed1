"""Was the traffic split as planned? If not, nothing that follows can be believed (sample ratio mismatch)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

GATE = 0.001
"""p below which the split isn't what was planned, and no effect is shown [Fabijan et al., KDD 2019]."""


@dataclass(frozen=True, slots=True)
class Split:
    """Units in each arm against the shares that were planned.

    Attributes:
        observed: units by arm. expected: units by arm, had the split been exact.
        statistic: chi-square. p_value: of it. ok: p_value >= `GATE`.
    """

    observed: Mapping[str, int]
    expected: Mapping[str, float]
    statistic: float
    p_value: float

    @property
    def ok(self) -> bool:
        """Whether the split can be what was planned."""
        return self.p_value >= GATE


def check_split(arms: Sequence[str], counts: Sequence[float], shares: Mapping[str, float] | None = None) -> Split:
    """Test counts against planned shares by chi-square.

    Args:
        arms: names. counts: units in each.
        shares: planned for each arm, in any unit; equal shares by default.

    Raises:
        ValueError: no share for an arm, or one for something that isn't an arm.
    """
    shares = shares or dict.fromkeys(arms, 1.0)
    if set(shares) != set(arms) or min(shares.values()) <= 0:
        raise ValueError(f"expected a share above zero for each of {', '.join(arms)}; found {dict(shares)}")
    total = float(np.sum(counts))
    planned = np.array([shares[arm] for arm in arms]) / sum(shares.values()) * total
    statistic = float(((np.asarray(counts) - planned) ** 2 / planned).sum()) if total else 0.0
    p_value = float(special.chdtrc(len(arms) - 1, statistic)) if len(arms) > 1 else 1.0
    return Split(
        dict(zip(arms, map(int, counts), strict=True)),
        dict(zip(arms, planned.tolist(), strict=True)),
        statistic,
        p_value,
    )
