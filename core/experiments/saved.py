"""Experiments that were kept: an event each time, so that everybody sees the same, and nothing is lost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection

from core.experiments.experiment import Question
from core.store import Store, events

KEPT, FORGOTTEN = "experiment kept", "experiment removed"


@dataclass(frozen=True, slots=True)
class SavedExperiment:
    """An experiment's question under a name.

    Attributes:
        id: made from its name and question, for addresses. at: plan time at which it was kept. by: who did.
        simulated: how its learners were made up; "" where they are real.
    """

    id: str
    name: str
    question: Question
    at: float
    by: str
    simulated: str = ""


def to_json(question: Question) -> dict[str, Any]:
    """Return a question as plain values."""
    return json.loads(json.dumps(asdict(question)))  # type: ignore[no-any-return]


def from_json(given: Mapping[str, Any]) -> Question:
    """Return the question that plain values say; raises TypeError, ValueError for others."""
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    values["where"] = tuple((str(column), str(word)) for column, word in values.get("where", ()))
    return Question(**values)


def keep_experiment(store: Store, name: str, question: Question, actor: str, simulated: str = "") -> str:
    """Keep a question under a name; return its id. Keeping the same again changes nothing."""
    text = json.dumps([name, to_json(question)], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:10]
    with store.transaction() as tx:
        if key not in _latest(tx.connection):
            data = {"id": key, "name": name, "question": to_json(question), "simulated": simulated}
            tx.append(KEPT, actor, f"the experiment “{name}”", data=data)
    return key


def remove_experiment(store: Store, key: str, actor: str) -> bool:
    """Remove an experiment from the list; return False where there is none. It stays in the event log."""
    with store.transaction() as tx:
        found = _latest(tx.connection).get(key)
        if found is None:
            return False
        tx.append(FORGOTTEN, actor, f"the experiment “{found.name}”", data={"id": key})
    return True


def saved_experiments(connection: Connection) -> tuple[SavedExperiment, ...]:
    """Return the experiments that are kept, newest first."""
    return tuple(reversed(_latest(connection).values()))


def _latest(connection: Connection) -> dict[str, SavedExperiment]:
    latest: dict[str, SavedExperiment] = {}
    for event in events(connection, kinds=(KEPT, FORGOTTEN)):
        key = str(event.data.get("id", ""))
        latest.pop(key, None)
        if event.kind == KEPT:
            try:
                question = from_json(event.data["question"])
            except (TypeError, ValueError, KeyError):  # written by another version of this program; still in the log
                continue
            name, simulated = str(event.data.get("name", "")), str(event.data.get("simulated", ""))
            latest[key] = SavedExperiment(key, name, question, event.at, event.actor, simulated)
    return latest
