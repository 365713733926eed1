"""Domain affinity: over how many domains a learner's events are spread, and whether they carry on into new ones.

With p_k the share of a learner's n events in domain k, of K domains used:

    entropy_bits   H = -sum_k p_k log2 p_k            bits, 0 to log2 K
    top_domain       = the domain of the largest p_k; of equals the first in sort order
    top_share      s = the largest p_k                 0 to 1
    concentration    = s (1 - 0.3 H / log2 K)          0 to 1; 1 where K = 1
    affinity         = specialist if H < 1.2 and s > 0.6; generalist if H > 2.0; else balanced
    transfer         = of the domains in the later half of the events (from event n // 2 on, counted from 0), the share
                       that isn't in the first half; 0 to 1, *transfers* above 0.3

H is the plug-in estimate: on average it is about (K - 1) / (2 n ln 2) bits too low [Miller 1955], which is why a
learner under 20 events is flagged `low_evidence`.

Constants of the population: none.
Null: all without an event in the window; transfer under 10 events.
Source: the product's row L2; entropy is Shannon's (1948, *A Mathematical Theory of Communication*); its bias is in
G. A. Miller (1955), *Note on the bias of information estimates*.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from core.learners.events import Event
from core.learners.traits.threshold import ENOUGH_EVENTS, above, below

SPECIALIST_BITS, SPECIALIST_SHARE, GENERALIST_BITS = 1.2, 0.6, 2.0
LOW_EVIDENCE = 20
TRANSFER, TRANSFER_STRONG = 0.3, 0.4


def shares_of(events: Sequence[Event]) -> dict[str, float]:
    """Return each domain's share of at least one event, in sort order of the domains."""
    return {domain: count / len(events) for domain, count in sorted(Counter(one.domain for one in events).items())}


def entropy_of(shares: Mapping[str, float]) -> float:
    """Return the entropy of domains' shares in bits."""
    return abs(-sum(share * math.log2(share) for share in shares.values()))  # never -0.0


def top_of(shares: Mapping[str, float]) -> str:
    """Return the domain with the largest share."""
    return max(shares, key=lambda domain: shares[domain])  # the first of equals


def concentration_of(shares: Mapping[str, float]) -> float:
    """Return how concentrated domains' shares are."""
    if len(shares) == 1:
        return 1.0
    return max(shares.values()) * (1 - 0.3 * entropy_of(shares) / math.log2(len(shares)))


def affinity_of(entropy: float, top_share: float) -> str:
    """Return what a learner is called by entropy (bits) and top share."""
    if below(entropy, SPECIALIST_BITS) and above(top_share, SPECIALIST_SHARE):
        return "specialist"
    return "generalist" if above(entropy, GENERALIST_BITS) else "balanced"


def transfer_of(events: Sequence[Event]) -> float | None:
    """Return the share of the later half's domains that the first half doesn't have. `events`: by time."""
    if len(events) < ENOUGH_EVENTS:
        return None
    half = len(events) // 2
    first = {event.domain for event in events[:half]}
    later = {event.domain for event in events[half:]}
    return len(later - first) / len(later)
