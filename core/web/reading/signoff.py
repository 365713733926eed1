"""What the Sign-off page reads."""

from __future__ import annotations

from dataclasses import dataclass

from core.delivery import Decision, Status, Tally, Verdict, decisions, latest_verdict, standing
from core.web.reading.installation import deliveries, store


@dataclass(frozen=True, slots=True)
class SignOffFound:
    """All that the Sign-off page shows, from one consistent read. `now`: plan time of it."""

    status: Status
    verdict: Verdict | None
    tally: Tally | None
    decisions: tuple[Decision, ...]
    now: float


def sign_off(deployment: str) -> SignOffFound:
    """Return how the sign-off of a deployment stands. Not cached: a person is about to agree to it."""
    status = deliveries().status(deployment)
    with store().read() as connection:
        return SignOffFound(
            status,
            latest_verdict(connection, deployment),
            standing(connection, status),
            tuple(decisions(connection, deployment)),
            store().clock().now(),
        )
