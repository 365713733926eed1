"""What can be broken in the demo, and how badly. The breaking is real and happens where each line says."""

from __future__ import annotations

from enum import StrEnum

from core.traffic import bucket


class Fault(StrEnum):
    """A fault of the candidate, switchable while the demo runs."""

    SLOW = "slow"  # the fast worker sleeps before each answer
    ERRORS = "errors"  # the fast worker answers a share of requests with 500
    CRASH = "crash"  # the fast worker's process dies while it serves, and is started again after a pause
    WRONG_COHORT = "wrong-cohort"  # the fast worker answers another cohort for a share of learners
    REVENUE = "revenue"  # what learners served by the candidate bring (simulated) drops
    DEPENDENCY = "dependency"  # the model store, which the fast worker needs, is closed

    @property
    def sentence(self) -> str:
        """What it does, for a person about to switch it on."""
        return _SENTENCES[self]


SLOW_S = 0.3
ERROR_SHARE = 0.05
CRASH_CHANCE = 0.1  # of dying at each answer: about once every ten
RESTART_PAUSE_S = 2.0
WRONG_SHARE = 0.10
REVENUE_FACTOR = 0.7

_SENTENCES = {
    Fault.SLOW: f"The candidate sleeps {SLOW_S * 1000:.0f} ms before each answer.",
    Fault.ERRORS: f"The candidate fails {ERROR_SHARE:.0%} of its answers with HTTP 500.",
    Fault.CRASH: f"The candidate's process dies once in about {1 / CRASH_CHANCE:.0f} answers and is back in seconds.",
    Fault.WRONG_COHORT: f"The candidate answers a wrong cohort for {WRONG_SHARE:.0%} of its learners.",
    Fault.REVENUE: f"Learners served by the candidate bring {1 - REVENUE_FACTOR:.0%} less (simulated) revenue.",
    Fault.DEPENDENCY: "The model store that the candidate needs is closed; the original answers in its place.",
}


def gets_wrong_cohort(learner: str) -> bool:
    """Say whether a learner is among those that WRONG_COHORT hits: always the same ones."""
    return bucket("wrong-cohort", learner) < WRONG_SHARE
