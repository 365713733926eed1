"""Which files and databases of the server somebody at a page may have read."""

from __future__ import annotations

from pathlib import Path

from core.identity import Person, Role
from core.settings import Settings


def may_not_read(settings: Settings, person: Person, source: str) -> str:
    """Return why a person may not have a source read, as a clause; "" where they may.

    Who sits at the server's machine could read it anyway. Who signs in from elsewhere gets what `data_folders` names;
    a database, whose address may hold a password or lead anywhere, is for admins.
    """
    if person.local or not source:
        return ""
    if "://" in source or source.startswith("sqlite:"):
        return "" if Role.ADMIN in person.roles else "only an admin may have a database read; upload a file instead"
    try:
        path = Path(source).expanduser().resolve()
    except (OSError, RuntimeError, ValueError):
        return "this is no path"
    if any(path.is_relative_to(folder.expanduser().resolve()) for folder in settings.data_folders):
        return ""
    named = ", ".join(str(folder) for folder in settings.data_folders) or "none so far"
    return f"people who sign in may have files read in the folders of CANARY_DATA_FOLDERS only ({named}); or upload it"
