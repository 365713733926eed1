"""What a check is, and running all of them.

To add one: a function of an `Installation` with `@check("its name")`, in one of this room's modules, that yields `ok`,
`warning` or `failed` for each thing it looked at. It changes nothing, waits for a network for a few seconds at most,
and says how to mend what it finds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from core.delivery import Deliveries
from core.settings import Settings
from core.store import Store, StoreUnavailable
from core.traffic import SwitchSettings, open_flags, open_switch

logger = logging.getLogger(__name__)


class Grade(StrEnum):
    """How something is; the worse the later."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        check: its name. says: what is so, as a sentence. mend: what to do about it; "" where nothing is to be done.
    """

    check: str
    grade: Grade
    says: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Installation:
    """What is examined.

    Attributes:
        store: its database; None where that can't be used, of which `trouble` says why.
        deliveries: over it, with the traffic switch; None where the switch's settings can't be used, either.
        switch_trouble: why they can't.
    """

    settings: Settings
    store: Store | None
    trouble: str
    deliveries: Deliveries | None
    switch_trouble: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says of one thing; `examine` adds the check's name."""

    grade: Grade
    says: str
    mend: str = ""


Check = Callable[[Installation], Iterable[Verdict]]
CHECKS: dict[str, Check] = {}
"""Every check by its name, in the order in which they are told."""


def check(name: str) -> Callable[[Check], Check]:
    """Add a check under a name."""

    def add(function: Check) -> Check:
        CHECKS[name] = function
        return function

    return add


def ok(says: str) -> Verdict:
    """Say that something is as it should be."""
    return Verdict(Grade.OK, says)


def warning(says: str, mend: str) -> Verdict:
    """Say what will be a problem, or may be one."""
    return Verdict(Grade.WARNING, says, mend)


def failed(says: str, mend: str) -> Verdict:
    """Say what is a problem."""
    return Verdict(Grade.FAILED, says, mend)


def examine(settings: Settings) -> list[Finding]:
    """Run every check and return what they found, in the order of `CHECKS`.

    The database is opened as it is: neither made nor migrated.
    """
    with _opened(settings) as installation, ThreadPoolExecutor(len(CHECKS), thread_name_prefix="doctor") as pool:
        running = [(name, pool.submit(_run, name, function, installation)) for name, function in CHECKS.items()]
        return [Finding(name, v.grade, v.says, v.mend) for name, future in running for v in future.result()]


def _run(name: str, function: Check, installation: Installation) -> list[Verdict]:
    try:
        return list(function(installation))
    except StoreUnavailable as error:
        return [failed("the database can't be asked", str(error))]
    except Exception as error:
        logger.exception("check %s failed", name)
        return [failed(f"this could not be checked: {type(error).__name__}: {error}", "Please report it; see the log")]


@contextmanager
def _opened(settings: Settings) -> Iterator[Installation]:
    try:
        store = Store.peek(settings.url, settings.home)
    except StoreUnavailable as error:
        yield Installation(settings, None, str(error), None, "")
        return
    try:
        yield Installation(settings, store, "", *_deliveries(settings, store))
    finally:
        store.close()


def _deliveries(settings: Settings, store: Store) -> tuple[Deliveries | None, str]:
    try:
        return Deliveries(store, open_switch(settings, open_flags(settings, store))), ""
    except SwitchSettings as error:
        return None, str(error)
