"""Whether somebody would be called: the roster, who is on call now, messages that could not be delivered."""

from __future__ import annotations

import time
from collections.abc import Iterator

from core.doctor.check import Installation, Verdict, check, failed, ok, warning
from core.doctor.storage import store_of
from core.oncall import LEVELS, RosterError, calls, load_roster
from core.settings import is_loopback

LATE_S = 86_400.0
"""Wall seconds for which a message that was given up is worth a word."""


@check("notifications")
def notifications(at: Installation) -> Iterator[Verdict]:
    """Is there a roster, is somebody on call, and do messages arrive?"""
    path = at.settings.roster
    if path is None:
        said = "there is no roster: nobody is called about an incident"
        if is_loopback(at.settings.host):
            yield ok(said)
        else:
            yield warning(said, "Set CANARY_ROSTER to a file; see docs/on-call.md")
        return
    try:
        roster = load_roster(path)
    except RosterError as error:
        yield failed(str(error.problems[0]), "Mend the roster; canary on-call names every mistake. Until then the one "
                     "before is used, and none after a start")  # fmt: skip
        return
    now = time.time()
    found = {level: roster.on_call(level, now) for level in LEVELS}
    missing = [level for level, member in found.items() if member is None]
    if len(missing) == len(LEVELS):
        yield failed("nobody is on call at any level now", "Add a shift that covers this hour to the roster")
    elif missing:
        yield warning(f"nobody is on call as {' or '.join(missing)} now: the next level is called instead",
                      "Add a shift that covers this hour to the roster")  # fmt: skip
    else:
        yield ok(", ".join(f"{level} {member.name}" for level, member in found.items() if member is not None))
    if (store := store_of(at)) is None:
        return
    with store.read() as connection:
        recent = [c for c in calls(connection) if now - c.created < LATE_S]
    lost = [c for c in recent if c.error and c.state != "sent" and c.attempts]
    if lost:
        yield warning(f"{len(lost)} messages of the last day were not delivered, the latest to {lost[0].person}: "
                      f"{lost[0].error}", "Check the URLs in the roster and that the service answers")  # fmt: skip
