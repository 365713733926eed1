"""On call: who is called about an incident, until somebody acknowledges it."""

from core.oncall.pager import LEASE, Pager, open_pager, send
from core.oncall.records import (
    Ack,
    AckRefused,
    Call,
    Link,
    OpenIncident,
    acknowledge,
    acknowledgements,
    calls,
    look_at_link,
    open_incidents,
    use_link,
)
from core.oncall.roster import LEVELS, Member, Roster, Shift, steps_due
from core.oncall.rosterfile import RosterError, duty_of, load_roster, parse_roster

__all__ = [
    "LEASE",
    "LEVELS",
    "Ack",
    "AckRefused",
    "Call",
    "Link",
    "Member",
    "OpenIncident",
    "Pager",
    "Roster",
    "RosterError",
    "Shift",
    "acknowledge",
    "acknowledgements",
    "calls",
    "duty_of",
    "load_roster",
    "look_at_link",
    "open_incidents",
    "open_pager",
    "parse_roster",
    "send",
    "steps_due",
    "use_link",
]
