"""Experiments: aggregates -> estimates -> decisions. Is it better, and for whom?"""

from core.experiments import business_case
from core.experiments.ratio import LEVEL, POWER, Comparison, Mean, compare, revenue

__all__ = ["LEVEL", "POWER", "Comparison", "Mean", "business_case", "compare", "revenue"]
