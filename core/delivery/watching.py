"""What sources of figures are to be asked for: the versions that serve somebody, or soon will."""

from __future__ import annotations

from core.delivery.model import State, Status
from core.delivery.service import Deliveries
from core.metrics import Sources, Watched
from core.settings import Settings


def watched(deliveries: Deliveries) -> tuple[Watched, ...]:
    """Return one entry a flag with a deployment that has anything to be judged or proved, or is about to begin."""
    flags: dict[str, list[Status]] = {}
    for status in deliveries.all():
        rolled_back = status.state is State.ROLLED_BACK and not status.verification
        if not status.state.ended or status.state.carries_traffic or rolled_back:
            flags.setdefault(status.plan.flag, []).append(status)
    return tuple(_entry(deliveries, flag, found) for flag, found in sorted(flags.items()))


def _entry(deliveries: Deliveries, flag: str, found: list[Status]) -> Watched:
    # Spans are those of the deployment that decides: a draft beside it says nothing of the traffic that comes.
    deciding = deliveries.deciding(flag) or found[0]
    versions = {version: None for status in found for version in (status.plan.candidate, status.plan.baseline)}
    return Watched(flag, deciding.plan.sample_s, tuple(versions))


def open_sources(deliveries: Deliveries, settings: Settings) -> Sources | None:
    """Return what asks the sources that the settings name, to be run beside the monitor; None where they name none."""
    if settings.sources is None:
        return None
    return Sources(deliveries.store, settings.sources, lambda: watched(deliveries), lease_s=settings.lease_s)
