"""HAProxy as the traffic switch: the candidate's per cent in a map of every HAProxy, and in the file of that map.

A request's learner has a place from 0 to 99, `xxh32(SEED),mod(100)` of their id, and goes to the candidate where that
is below the flag's entry in the map. An edit of the map works on the next request and lives in memory only, so the file
is written too: before the map when learners are taken away, after it when some are added. Whenever HAProxy or this
process stops in between, a restart gives the candidate the smaller share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from core.traffic.bucketing import Assignment, Place, assign
from core.traffic.flags import FlagService
from core.traffic.mapfile import MapFile
from core.traffic.runtime import KEY, RuntimeSocket
from core.traffic.switch import SwitchError, SwitchState, same_share
from core.traffic.xxh32 import xxh32

T = TypeVar("T")
PARTS = 100
"""Into how many parts HAProxy deals learners: shares are whole per cents."""


def haproxy_place(seed: int) -> Place:
    """Return where HAProxy sees a learner.

    The middle of their hundredth, so that it is never a question of rounding on which side of a share that is. The salt
    has no part in it: with one seed the same learners are in every canary.
    """

    def place(salt: str, key: str) -> float:  # noqa: ARG001
        return (xxh32(key.encode("utf-8", "surrogatepass"), seed) % PARTS + 0.5) / PARTS

    return place


class HaproxySwitch:
    """The `TrafficSwitch` over one HAProxy or several that share the traffic.

    Args:
        flags: knows what is committed, and where HAProxy sees a learner.
        runtimes: the stats sockets. map_name: the map, as haproxy.cfg names it.
        file: the map's file; None where it can't be reached from here, so that a restart brings back what it says.
    """

    watched = True

    def __init__(
        self, flags: FlagService, runtimes: Sequence[RuntimeSocket], map_name: str, file: MapFile | None
    ) -> None:
        self._flags = flags
        self._runtimes = tuple(runtimes)
        self._map = map_name
        self._file = file

    @property
    def name(self) -> str:
        """What and where it is."""
        return "HAProxy at " + ", ".join(runtime.address for runtime in self._runtimes)

    def check(self, flag: str, share: float) -> None:
        """Raise SwitchError unless the flag can be a map's key and the share is a whole per cent."""
        _key(flag)
        _per_cent(share)

    def set(self, flag: str, share: float, revision: int) -> None:
        """Set the map everywhere, and its file. What goes wrong in one place doesn't keep the others waiting.

        Raises:
            SwitchError: the share isn't what is committed, or isn't a whole per cent; a socket or the file refuses.
        """
        key, value = _key(flag), _per_cent(share)
        if self._file is None:
            self._set(flag, share, revision, key, value)
            return
        with self._file.turn():
            self._set(flag, share, revision, key, value)

    def _set(self, flag: str, share: float, revision: int, key: str, value: int) -> None:
        # Asked within one's turn: a process that was stopped for a while must not set what was decided long ago.
        self._flags.set(flag, share, revision)
        problems: list[str] = []
        fewer = value < self._kept_at_most(key)
        if fewer:
            problems += self._keep(key, value)
        answers = self._everywhere(lambda runtime: runtime.put(self._map, key, str(value)))
        problems += [str(answer) for answer in answers if isinstance(answer, SwitchError)]
        if not fewer and not problems:
            problems += self._keep(key, value)
        if problems:
            raise SwitchError("; ".join(problems))

    def get(self, flag: str) -> SwitchState:
        """Read the map of every HAProxy, and its file.

        Raises:
            SwitchError: one of them can't be read, or holds no whole per cent.
        """
        key = _key(flag)
        answers = self._everywhere(
            lambda runtime: _told(runtime.entries(self._map).get(key), f"HAProxy at {runtime.address}: {key}")
        )
        if problems := [str(answer) for answer in answers if isinstance(answer, SwitchError)]:
            raise SwitchError("; ".join(problems))
        live = [answer / PARTS for answer in answers if isinstance(answer, int)]
        kept = self._kept(key)
        return SwitchState(
            flag,
            max(live),
            None,
            self.name,
            lowest=min(live) if min(live) < max(live) else None,
            restart=None if kept is None else kept / PARTS,
        )

    def evaluate(self, flag: str, key: str) -> Assignment:
        """Say which version HAProxy gives a learner now, by the share that it holds."""
        rule = self._flags.evaluate(flag, key).rule
        return assign(replace(rule, share=self.get(flag).share), key, place_of=self._flags.place_of)

    def _keep(self, key: str, value: int) -> list[str]:
        """Write the map's file; return what went wrong."""
        try:
            if self._file is not None:
                self._file.put(key, str(value))
        except SwitchError as error:
            return [str(error)]
        return []

    def _kept(self, key: str) -> int | None:
        if self._file is None:
            return None
        return _told(self._file.get(key), f"{self._file.path}: {key}")

    def _kept_at_most(self, key: str) -> int:
        """Return what the file gives, and all learners where that can't be told."""
        try:
            return self._kept(key) or 0
        except SwitchError:
            return PARTS

    def _everywhere(self, ask: Callable[[RuntimeSocket], T]) -> list[T | SwitchError]:
        """Ask all sockets at the same time: one that hangs must not keep a rollback from the others."""

        def one(runtime: RuntimeSocket) -> T | SwitchError:
            try:
                return ask(runtime)
            except SwitchError as error:
                return error

        if len(self._runtimes) == 1:
            return [one(self._runtimes[0])]
        with ThreadPoolExecutor(len(self._runtimes)) as pool:
            return list(pool.map(one, self._runtimes))


def _key(flag: str) -> str:
    if KEY.fullmatch(flag) is None:
        raise SwitchError(
            f"flag {flag!r} can't be a key of an HAProxy map: letters, digits and . _ : / @ + - only, 200 at most"
        )
    return flag


def _per_cent(share: float) -> int:
    value = round(share * PARTS)
    if not (0 <= value <= PARTS and same_share(value / PARTS, share)):
        raise SwitchError(f"HAProxy deals learners by whole per cents: {share * PARTS:g} % can't be set")
    return value


def _told(value: str | None, where: str) -> int:
    """Return an entry's per cent; none is what haproxy.cfg gives where there is no entry, 0."""
    if value is None:
        return 0
    if not value.isdecimal() or int(value) > PARTS:
        raise SwitchError(f"{where} is {value!r}, a whole per cent from 0 to {PARTS} is expected")
    return int(value)
