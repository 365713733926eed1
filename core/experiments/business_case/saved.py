"""Business cases that were saved: an event each time, so that nothing is lost and an earlier one can be had again."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from core.experiments.business_case.case import Case, CaseError, parse_case
from core.store import Store, events

SAVED, FORGOTTEN = "business case saved", "business case removed"


@dataclass(frozen=True, slots=True)
class SavedCase:
    """A case as it was last saved. `at`: plan time. `by`: who did."""

    case: Case
    at: float
    by: str


def save_case(store: Store, case: Case, actor: str) -> bool:
    """Save a case under its name, over what was saved there before; return False where it is saved like that already.

    Raises:
        StoreUnavailable: the database can't be written.
    """
    text = case.to_yaml()
    with store.transaction() as tx:
        latest = _latest(tx.connection).get(case.name)
        if latest is not None and latest[0] == text:
            return False
        tx.append(SAVED, actor, f"the business case “{case.name}”", data={"name": case.name, "text": text})
    return True


def remove_case(store: Store, name: str, actor: str) -> bool:
    """Remove a case from the list; return False where there is none. What was saved stays in the event log."""
    with store.transaction() as tx:
        if name not in _latest(tx.connection):
            return False
        tx.append(FORGOTTEN, actor, f"the business case “{name}”", data={"name": name})
    return True


def saved_cases(connection: Connection) -> dict[str, SavedCase]:
    """Return the cases that are saved, by name, in alphabetical order; those that can't be read are left out."""
    found = {}
    for name, (text, at, actor) in sorted(_latest(connection).items()):
        try:
            found[name] = SavedCase(parse_case(text, name), at, actor)
        except CaseError:  # written by another version of this program; it is still in the log
            continue
    return found


def _latest(connection: Connection) -> dict[str, tuple[str, float, str]]:
    latest: dict[str, tuple[str, float, str]] = {}
    for event in events(connection, kinds=(SAVED, FORGOTTEN)):
        name = str(event.data.get("name", ""))
        latest.pop(name, None)
        if event.kind == SAVED:
            latest[name] = (str(event.data.get("text", "")), event.at, event.actor)
    return latest
