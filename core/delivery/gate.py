"""What a sign-off is bound to, and whether enough people have agreed. Pure.

A phase that asks for sign-off shuts a gate once its time is up. It is bound to the states of that moment's verdicts
by a hash; when a state changes it is another gate, and what was decided at the one before is stale for good, also if
the states change back: the hash has the deployment's revision in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from core.delivery.model import Status, Verdict
from core.delivery.plan import SignOff

GO, NO_GO = "go", "no-go"


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person said, in one seat, at one gate.

    Attributes:
        gate: that it is bound to. person: their address. decision: "go" or "no-go".
        at: plan time. withdrawn: plan time at which it was taken back; None while it stands.
    """

    id: str
    deployment: str
    attempt: int
    phase: int
    gate: str
    seat: str
    person: str
    decision: str
    comment: str
    at: float
    withdrawn: float | None = None

    def stands_at(self, gate: str) -> bool:
        """Say whether it counts at a gate."""
        return self.gate == gate and self.withdrawn is None


@dataclass(frozen=True, slots=True)
class Tally:
    """How a sign-off stands: which seats said go, which no-go, which are still to decide."""

    go: tuple[str, ...]
    no_go: tuple[str, ...]
    missing: tuple[str, ...]
    quorum: int

    @property
    def complete(self) -> bool:
        """Whether the gate opens."""
        return len(self.go) >= self.quorum and not self.no_go

    def __str__(self) -> str:
        """Say how it stands, as a clause."""
        said = f"{len(self.go)} of {self.quorum} say go"
        if self.no_go:
            said += f", {', '.join(self.no_go)} {'says' if len(self.no_go) == 1 else 'say'} no-go"
        return said + (f"; to decide: {', '.join(self.missing)}" if self.missing else "")


def asked_of(status: Status) -> SignOff | None:
    """Return who has to agree before the phase under way is left; None where nobody has."""
    return status.plan.phases[status.phase].sign_off if status.phase >= 0 else None


def is_due(status: Status, now: float) -> bool:
    """Say whether the phase's time is up, so that people can be asked."""
    ends = status.phase_ends
    return asked_of(status) is not None and ends is not None and now >= ends


def states_of(verdict: Verdict) -> str:
    """Return the states of a verdict as text: of every criterion, and which triggers are breached."""
    criteria = [[str(f.figure), f.limit.op, f.limit.value, str(f.state)] for f in verdict.criteria]
    breached = [[str(f.figure), f.limit.op, f.limit.value, f.then] for f in verdict.breached]
    return json.dumps([verdict.phase, criteria, breached], separators=(",", ":"))


def gate_of(status: Status, states: str) -> str:
    """Return the hash that decisions are bound to: of the deployment at this revision, attempt, phase, and states."""
    parts = [status.id, status.revision, status.attempt, status.phase, states]
    return sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()


def tally(asked: SignOff, decisions: Sequence[Decision], gate: str) -> Tally:
    """Count the decisions that stand at a gate; one for each seat."""
    standing = {d.seat: d.decision for d in decisions if d.stands_at(gate)}
    return Tally(
        tuple(seat for seat in asked.seats if standing.get(seat) == GO),
        tuple(seat for seat in asked.seats if standing.get(seat) == NO_GO),
        tuple(seat for seat in asked.seats if seat not in standing),
        asked.quorum,
    )
