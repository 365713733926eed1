"""The mapping that a table with other column names would need, guessed from the names; to be checked by a person."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from core.learners.importing.canonical import FIELDS, REQUIRED, is_extra

# Best first. Compared without case, underscores, spaces and dots.
_KNOWN_AS = {
    "learner_id": "learner learnerid student studentid idstudent user userid username anonstudentid person personid "
    "participant participantid member memberid account accountid actor actorid email uid",
    "ts": "timestamp datetime eventtime time date day occurredat createdat submittedat startedat starttime eventdate "
    "datesubmitted when at",
    "domain": "subject course courseid coursename coursekey topic module codemodule area field category class unit "
    "program programme",
    "skill": "skillid skillname skilltag capability concept kc knowledgecomponent kcdefault competency objective item "
    "itemid exercise exerciseid problem problemid problemname question questionid task lesson activity activityid "
    "content contentid resource object objectid assessment assessmentid",
    "type": "eventtype verb action kind event activitytype assessmenttype",
    "score": "grade result mark marks points percent percentage correct correctness outcome iscorrect success",
    "acted": "followed accepted actedon feedbackfollowed",
    "session_id": "session sessionid visit visitid",
    "revenue": "amount price income",
    "cost": "costs",
    "variant": "arm group experimentgroup treatment",
}


def guess(columns: Sequence[str]) -> dict[str, str]:
    """Return the likely column of each canonical field; each column is used once."""
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(columns)}
    free = dict(plain)
    found: dict[str, str] = {}
    for field, others in _KNOWN_AS.items():
        for word in (field.replace("_", ""), *others.split()):
            if word in free:
                found[field] = free.pop(word)
                break
    found |= {name: name for name in columns if is_extra(name) and name not in found.values()}
    return found


def suggested(columns: Sequence[str], kind: str) -> str:
    """Return a mapping as YAML that can be saved; what could not be guessed is a question in a comment."""
    found = guess(columns)
    left = [name for name in columns if name not in found.values()]
    others = ", ".join(left) or "no column is left"
    lines = [f"format: {kind}"]
    for field in FIELDS:
        if field in found:
            name = _written(found[field], kind)
            if field == "score":
                lines.append(f"score: {{from: {name}, scale: [0, 1]}}   # [0, 100] if a hundred is the best")
            else:
                lines.append(f"{field}: {name}")
        elif field in ("domain", "skill"):
            lines.append(
                f"{field}: {{default: all}}   # or the name of one of: {', '.join(left) or 'no column is left'}"
            )
        elif field in REQUIRED:
            lines.append(f'{field}: "?"   # which column is it? one of: {others}')
    lines += [f"{name}: {_written(column, kind)}" for name, column in found.items() if is_extra(name)]
    return "\n".join(lines) + "\n"


def _written(column: str, kind: str) -> str:
    """Return a column as YAML; where paths lead into records, a name with dots or brackets is one key."""
    if kind == "jsonl" and re.search(r'[.\[\]"]', column):
        column = f"[{json.dumps(column, ensure_ascii=False)}]"
    return json.dumps(column, ensure_ascii=False)
