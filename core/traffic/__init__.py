"""Who gets which version: deterministic assignment of learners, the traffic switch, flag evaluation."""

from core.traffic import ofrep
from core.traffic.bucketing import Assignment, Rule, assign, bucket
from core.traffic.flags import FlagService
from core.traffic.ofrep import Refused
from core.traffic.switch import FlagUnavailable, FlagUnknown, SwitchError, SwitchState, TrafficSwitch

__all__ = [
    "Assignment",
    "FlagService",
    "FlagUnavailable",
    "FlagUnknown",
    "Refused",
    "Rule",
    "SwitchError",
    "SwitchState",
    "TrafficSwitch",
    "assign",
    "bucket",
    "ofrep",
]
