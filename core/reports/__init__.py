"""Reports: a deployment's event log -> documents for people. From an exported log the same, to the byte."""

from core.reports.facts import Duty, Facts, UnknownDeployment, choose, facts_of, read_facts
from core.reports.kinds import KINDS, build
from core.reports.render import as_html, as_markdown

__all__ = [
    "KINDS",
    "Duty",
    "Facts",
    "UnknownDeployment",
    "as_html",
    "as_markdown",
    "build",
    "choose",
    "facts_of",
    "read_facts",
]
