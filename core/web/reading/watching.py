"""The samples of the deployments that are looked at, kept in sums, so that a refresh reads only what is new."""

from __future__ import annotations

import threading
from collections import OrderedDict

from sqlalchemy import Connection

from core.delivery import Plan, Status
from core.store import Store, compaction_generation, load_samples
from core.web.views.curves import Bins

_KEPT = 8


class Watch:
    """The samples of one deployment since some moment, kept in sums and added to as they come in."""

    def __init__(self, plan: Plan, origin: float) -> None:
        self.plan = plan
        self.origin = origin
        self.lock = threading.Lock()
        self.generation: int | None = None
        self._begin()

    def _begin(self) -> None:
        self.cursor = 0
        self.bins = Bins((self.plan.candidate, self.plan.baseline), self.origin, self.plan.sample_s)

    def refresh(self, connection: Connection) -> None:
        """Add what the store has gained; begin anew when old samples were compacted."""
        generation = compaction_generation(connection, self.plan.flag)
        if generation != self.generation:
            self.generation = generation
            self._begin()
        frame = load_samples(connection, self.plan.flag, since=self.origin, after_seq=self.cursor)
        if len(frame):
            self.cursor = int(frame.seq.max())
            self.bins.add(frame)


_watches: OrderedDict[tuple[str, str, float], Watch] = OrderedDict()

_watches_lock = threading.Lock()


def watched(of: Store, status: Status, origin: float) -> Watch:
    """Return the samples of a deployment since some plan time; those looked at last are kept."""
    key = (of.url, status.id, origin)
    with _watches_lock:
        watch = _watches.setdefault(key, Watch(status.plan, origin))
        _watches.move_to_end(key)
        while len(_watches) > _KEPT:
            _watches.popitem(last=False)
    return watch
