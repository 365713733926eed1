"""Who gets which version: deterministic assignment of learners, the traffic switch, flag evaluation."""

from core.traffic import ofrep
from core.traffic.bucketing import Assignment, Rule, assign, bucket
from core.traffic.choice import SwitchSettings, open_flags, open_switch
from core.traffic.flags import FlagService, committed_rule
from core.traffic.ofrep import Refused
from core.traffic.switch import FlagUnavailable, FlagUnknown, SwitchError, SwitchState, TrafficSwitch, same_share

__all__ = [
    "Assignment",
    "FlagService",
    "FlagUnavailable",
    "FlagUnknown",
    "Refused",
    "Rule",
    "SwitchError",
    "SwitchSettings",
    "SwitchState",
    "TrafficSwitch",
    "assign",
    "bucket",
    "committed_rule",
    "ofrep",
    "open_flags",
    "open_switch",
    "same_share",
]
