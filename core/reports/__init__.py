"""Reports: a deployment's event log -> documents for people. From an exported log the same, to the byte."""

from core.reports.facts import Facts, UnknownDeployment, choose, facts_of
from core.reports.kinds import KINDS, build
from core.reports.render import as_html, as_markdown

__all__ = ["KINDS", "Facts", "UnknownDeployment", "as_html", "as_markdown", "build", "choose", "facts_of"]
