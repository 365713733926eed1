"""Experiments: aggregates -> estimates -> decisions. Is it better, and for whom?"""

from core.experiments import business_case
from core.experiments.aggregates import Aggregates
from core.experiments.estimates import POWER, Effect, Estimate
from core.experiments.grouping import OVERALL, Table, aggregate
from core.experiments.intervals import fieller
from core.experiments.metrics import Cap, Margin, Mean, Metric, Rate, Ratio, Revenue, settled
from core.experiments.observations import MISSING, Labels, Observations
from core.experiments.ratio import LEVEL, Comparison, PerUnit, aggregates, compare, revenue

__all__ = [
    "LEVEL",
    "MISSING",
    "OVERALL",
    "POWER",
    "Aggregates",
    "Cap",
    "Comparison",
    "Effect",
    "Estimate",
    "Labels",
    "Margin",
    "Mean",
    "Metric",
    "Observations",
    "PerUnit",
    "Rate",
    "Ratio",
    "Revenue",
    "Table",
    "aggregate",
    "aggregates",
    "business_case",
    "compare",
    "fieller",
    "revenue",
    "settled",
]
