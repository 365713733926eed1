"""Delivery: plan -> samples -> verdict -> action. Is it safe?"""

from core.delivery import calibration, quantities, words
from core.delivery.describe import PlanDescription, describe
from core.delivery.detection import outlook
from core.delivery.drift import Reading, read_switch, restore_switch
from core.delivery.gate import GO, NO_GO, Decision, Tally, asked_of, tally
from core.delivery.judge import judge
from core.delivery.machine import allowed, apply, decide
from core.delivery.model import (
    Action,
    Change,
    Command,
    FigureState,
    Finding,
    Refusal,
    Role,
    State,
    Status,
    Verdict,
)
from core.delivery.monitor import LEASE, Monitor
from core.delivery.needs import Traffic
from core.delivery.plan import RELATIVE, WARN_ONLY, Figure, Guardrail, Limit, Phase, Plan, SignOff, Trigger
from core.delivery.planfile import PlanError, load_plan, parse_plan
from core.delivery.practice import (
    DRILL_FLAG,
    RESTORE_DRILLED,
    ROLLBACK_DRILLED,
    RestoreDrill,
    RollbackDrill,
    back_to_baseline,
    drill_restore,
    drill_rollback,
)
from core.delivery.records import (
    CheckpointRecord,
    Conflict,
    Drill,
    Incident,
    Unknown,
    assignment_salt,
    checkpoints,
    drills,
    incidents,
    latest_verdict,
    measure_drills,
)
from core.delivery.rehearse import Rehearsal, rehearse_groups
from core.delivery.series import Series
from core.delivery.service import SWITCH_DRIFTED, SWITCH_FAILED, SWITCH_UNREADABLE, Busy, Deliveries, Outcome
from core.delivery.signoff import SignOffRefused, decisions, sign, standing, withdraw
from core.delivery.simulate import false_rollback_table
from core.delivery.watching import open_sources, watched
from core.delivery.wire import status_to_json, verdict_from_json, verdict_to_json

__all__ = [
    "DRILL_FLAG",
    "GO",
    "LEASE",
    "NO_GO",
    "RELATIVE",
    "RESTORE_DRILLED",
    "ROLLBACK_DRILLED",
    "SWITCH_DRIFTED",
    "SWITCH_FAILED",
    "SWITCH_UNREADABLE",
    "WARN_ONLY",
    "Action",
    "Busy",
    "Change",
    "CheckpointRecord",
    "Command",
    "Conflict",
    "Decision",
    "Deliveries",
    "Drill",
    "Figure",
    "FigureState",
    "Finding",
    "Guardrail",
    "Incident",
    "Limit",
    "Monitor",
    "Outcome",
    "Phase",
    "Plan",
    "PlanDescription",
    "PlanError",
    "Reading",
    "Refusal",
    "Rehearsal",
    "RestoreDrill",
    "Role",
    "RollbackDrill",
    "Series",
    "SignOff",
    "SignOffRefused",
    "State",
    "Status",
    "Tally",
    "Traffic",
    "Trigger",
    "Unknown",
    "Verdict",
    "allowed",
    "apply",
    "asked_of",
    "assignment_salt",
    "back_to_baseline",
    "calibration",
    "checkpoints",
    "decide",
    "decisions",
    "describe",
    "drill_restore",
    "drill_rollback",
    "drills",
    "false_rollback_table",
    "incidents",
    "judge",
    "latest_verdict",
    "load_plan",
    "measure_drills",
    "open_sources",
    "outlook",
    "parse_plan",
    "quantities",
    "read_switch",
    "rehearse_groups",
    "restore_switch",
    "sign",
    "standing",
    "status_to_json",
    "tally",
    "verdict_from_json",
    "verdict_to_json",
    "watched",
    "withdraw",
    "words",
]
