"""The built-in traffic switch: flag evaluation straight from the committed deployment.

Nothing stands between a decision and its effect: whoever commits a rollback, in whatever process, has changed what the
next evaluation answers. When the database can't be read, the last state that is known goes on, and says so.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from sqlalchemy import make_url

from core.store import Store
from core.traffic.bucketing import Assignment, Place, Rule, assign, bucket
from core.traffic.rows import DeploymentRows, RowsUnavailable, SqliteRows, SqlRows, committed_rows, rule_of
from core.traffic.switch import FlagUnavailable, FlagUnknown, SwitchError, SwitchState, same_share

RETRY_S = 0.25
"""After a failure, evaluations use the last known state for so long before they touch the database again."""


SOURCE = "the flag service"


class FlagService:
    """Evaluates flags and is the `TrafficSwitch` over them. Thread-safe; one a process.

    Args:
        store: where deployments are. Only its URL is used, and never to write.
        place_of: where each learner stands; another switch's, so that both give a learner the same version.
    """

    name = SOURCE
    watched = False  # it reads the committed row: there is nothing in between that could differ

    def __init__(self, store: Store, place_of: Place = bucket) -> None:
        self.place_of = place_of
        self._source = rows_of(store)
        self._lock = threading.Lock()
        self._version: object = None
        self._fresh: dict[str, Rule] = {}
        self._known: dict[str, Rule] = {}
        self._failed = ""
        self._retry_at = 0.0

    @property
    def blocking(self) -> bool:
        """Whether an evaluation waits for a network and so belongs off an event loop."""
        return self._source.blocking

    @property
    def stale(self) -> str:
        """Why the last evaluation could not read the database; "" when it could."""
        return self._failed

    def evaluate(self, flag: str, key: str) -> Assignment:
        """Return the version that the learner `key` gets now.

        Raises:
            FlagUnknown: no deployment of this flag was ever made.
            FlagUnavailable: the database can't be read and nothing is remembered of the flag.
        """
        rule, stale = self._rule(flag)
        return assign(rule, key, stale, self.place_of)

    def check(self, flag: str, share: float) -> None:
        """Any share can be set."""

    def flags(self) -> list[str]:
        """Return the keys of all flags, in order; the remembered ones when the database can't be read."""
        with self._lock:
            try:
                return self._source.flags()
            except RowsUnavailable:
                return sorted(self._known)

    def get(self, flag: str) -> SwitchState:
        """Read back what evaluations answer from.

        Raises:
            FlagUnknown, FlagUnavailable: as `evaluate`.
        """
        rule, stale = self._rule(flag, insist=True)
        return SwitchState(flag, rule.share, rule.revision, SOURCE, bool(stale))

    def set(self, flag: str, share: float, revision: int) -> None:
        """Verify that evaluations follow the decision; committing it was all the setting there is.

        Raises:
            SwitchError: evaluations read an older revision, another share, or no database at all.
        """
        rule, stale = self._rule(flag, insist=True)
        if stale:
            raise SwitchError(f"flag {flag}: {stale}; evaluations go on with share {rule.share:g}")
        if not same_share(rule.share, share) or rule.revision < revision:
            raise SwitchError(
                f"flag {flag}: evaluations follow deployment {rule.deployment} at share {rule.share:g}, revision "
                f"{rule.revision}, not share {share:g}, revision {revision}"
            )

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._source.close()

    def _rule(self, flag: str, *, insist: bool = False) -> tuple[Rule, str]:
        with self._lock:
            # Waiting for a lock at every evaluation would queue all callers behind it: one in RETRY_S tries.
            if self._failed and not insist and time.monotonic() < self._retry_at:
                return self._last_known(flag)
            try:
                rule = self._read(flag, insist)
            except RowsUnavailable as error:
                self._failed = str(error)
                self._retry_at = time.monotonic() + RETRY_S
                return self._last_known(flag)
            self._failed = ""
            if rule is not None:
                self._known[flag] = rule
                return rule, ""
            if flag in self._known:
                # Deployments are never deleted, so this is another database than the one that was there.
                return self._known[flag], "the database was replaced by one that does not know this flag"
            raise FlagUnknown(f"there is no flag {flag!r}")

    def _read(self, flag: str, insist: bool) -> Rule | None:
        version = self._source.version()
        if version != self._version:
            self._fresh.clear()
            self._version = version
        rule = self._fresh.get(flag)
        if rule is None and (rule := rule_of(self._source.read(flag, insist=insist))) is not None:
            self._fresh[flag] = rule
        return rule

    def _last_known(self, flag: str) -> tuple[Rule, str]:
        if flag in self._known:
            return self._known[flag], self._failed
        raise FlagUnavailable(f"nothing is known of flag {flag!r}: {self._failed}")


def committed_rule(store: Store, flag: str) -> Rule | None:
    """Return what decides a flag as it is committed, read now and not remembered; None before its first deployment.

    Raises:
        StoreUnavailable: the database can't be read.
    """
    with store.read() as connection:
        return rule_of(committed_rows(connection, flag))


def rows_of(store: Store) -> DeploymentRows:
    """Return the reader that fits the store's database."""
    url = make_url(store.url)
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return SqliteRows(Path(url.database))
    return SqlRows(store.url)
