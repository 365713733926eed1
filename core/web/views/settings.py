"""Settings and what the doctor found -> what the Settings page shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr

from core.delivery.words import duration
from core.doctor import Finding, Grade
from core.settings import Origin, Settings
from core.web.views.marks import Mark, Tone

_GROUPS = (  # by the beginning of their names; what fits none comes last
    ("Server and state", ("home", "database_", "host", "port", "allowed_", "public_", "open_mode")),
    ("People and tokens", ("oidc_", "people", "session_", "read_", "push_", "act_", "changes_", "data_folders")),
    ("Monitor", ("monitor", "tick_", "lease_", "compact_")),
    ("Traffic switch", ("switch", "haproxy_", "webhook_")),
    ("Figures and cache", ("sources", "own_", "cache_")),
    ("Demo", ("demo_",)),
)
_REST = "Other"
_ORIGINS = {
    Origin.ENVIRONMENT: Mark(Tone.CALM, "terminal", "environment"),
    Origin.FILE: Mark(Tone.CALM, "description", "canary.toml"),
    Origin.DEFAULT: Mark(Tone.CALM, "remove", "default"),
}
_GRADES = {
    Grade.OK: Mark(Tone.GOOD, "check_circle", "ok"),
    Grade.WARNING: Mark(Tone.WATCH, "warning", "warning"),
    Grade.FAILED: Mark(Tone.BAD, "cancel", "failed"),
}
_WORST_FIRST = [Grade.FAILED, Grade.WARNING, Grade.OK]


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting: its name, what it is for, its value in words, and where that comes from.

    `anew`: the value that a process started now would have, where it differs; "" where it doesn't.
    """

    name: str
    what: str
    said: str
    origin: Mark
    anew: str = ""


@dataclass(frozen=True, slots=True)
class FindingRow:
    """What the doctor found of one thing."""

    mark: Mark
    check: str
    says: str
    mend: str


def setting_rows(
    settings: Settings, origins: Mapping[str, Origin], anew: Settings | None = None, *, only_set: bool = False
) -> dict[str, tuple[SettingRow, ...]]:
    """Return every setting by group.

    Args:
        settings: of this process. origins: of each.
        anew: what environment and file say now; None where they can't be read.
        only_set: leave those at their default out.
    """
    groups: dict[str, list[SettingRow]] = {name: [] for name in (*(name for name, _ in _GROUPS), _REST)}
    for name, field in type(settings).model_fields.items():
        value, origin = getattr(settings, name), origins[name]
        if only_set and origin is Origin.DEFAULT:
            continue
        now = value if anew is None else getattr(anew, name)
        changed = "" if now == value else said_of(name, now)
        row = SettingRow(name, field.description or "", said_of(name, value), _ORIGINS[origin], changed)
        groups[next((group for group, starts in _GROUPS if name.startswith(starts)), _REST)].append(row)
    return {group: tuple(rows) for group, rows in groups.items() if rows}


def said_of(name: str, value: object) -> str:
    """Say a value; of secrets only how many there are, of addresses nothing that may be a secret."""
    if isinstance(value, SecretStr):
        return "set, not shown"
    if isinstance(value, tuple) and value and all(isinstance(item, SecretStr) for item in value):
        return f"{len(value)} set, not shown"
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "compact_after_s" and isinstance(value, tuple):
        return "; ".join(f"older than {duration(age)}: {duration(span)} spans" for age, span in value)
    if name.endswith("_url"):
        return _address(str(value))
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def finding_rows(found: Sequence[Finding]) -> tuple[FindingRow, ...]:
    """Say what the doctor found, the worst first."""
    rows = sorted(found, key=lambda finding: _WORST_FIRST.index(finding.grade))
    return tuple(FindingRow(_GRADES[f.grade], f.check, f.says, f.mend) for f in rows)


def opinion(found: Iterable[Finding]) -> tuple[Mark, str]:
    """Say in a sentence how this installation is."""
    grades = [finding.grade for finding in found]
    failures, warnings = grades.count(Grade.FAILED), grades.count(Grade.WARNING)
    if failures:
        return _GRADES[Grade.FAILED], f"{failures} of {len(grades)} things need mending"
    if warnings:
        return _GRADES[Grade.WARNING], f"Nothing has failed; {warnings} of {len(grades)} things are to be thought about"
    return _GRADES[Grade.OK], f"All {len(grades)} things that were looked at are well"
