"""Experiments: aggregates -> estimates -> decisions. Is it better, and for whom?"""

from core.experiments import business_case, instrument, sequential
from core.experiments.aggregates import Aggregates
from core.experiments.analysis import Comparison, Daily, Design, DesignError, Findings, Segment, Spread, analyse, daily
from core.experiments.cells import day_name, day_number
from core.experiments.declare import FORMS, DeclarationError, Declared, declare
from core.experiments.estimates import POWER, Effect, Estimate, compare_means
from core.experiments.experiment import Examined, Question, answer, examine, part_of, read
from core.experiments.grouping import OVERALL, Table, aggregate
from core.experiments.guess import Column, Guess, MetricGuess, guess_roles, likely_control
from core.experiments.heterogeneity import SPREAD, Heterogeneity, SpreadState, heterogeneity, spread_state
from core.experiments.inputs import within_window
from core.experiments.intervals import fieller
from core.experiments.margins import MarginResult, MarginState, check_margin
from core.experiments.metrics import Cap, Margin, Mean, Metric, Rate, Ratio, Revenue, settled
from core.experiments.multiplicity import benjamini_hochberg, holm
from core.experiments.novelty import Trend, trend
from core.experiments.observations import MISSING, Labels, Observations
from core.experiments.power import Baseline, baseline, learners_needed, power_of, smallest_difference
from core.experiments.ratio import LEVEL, PerUnit, RevenueChange, aggregates, compare, revenue, roi
from core.experiments.reading import Loaded, Rejections, Roles, load
from core.experiments.report import document
from core.experiments.saved import SavedExperiment, keep_experiment, remove_experiment, saved_experiments
from core.experiments.sources import DataError, RejectedRow, columns_of, files_of
from core.experiments.split import GATE, Split, check_split
from core.experiments.telling import (
    Verdict,
    decision,
    in_per_cent,
    markdown,
    recommendations,
    relative_words,
    sentence,
    sentences,
    spread_sentence,
)
from core.experiments.words import number, percent, probability

__all__ = [
    "FORMS",
    "GATE",
    "LEVEL",
    "MISSING",
    "OVERALL",
    "POWER",
    "SPREAD",
    "Aggregates",
    "Baseline",
    "Cap",
    "Column",
    "Comparison",
    "Daily",
    "DataError",
    "DeclarationError",
    "Declared",
    "Design",
    "DesignError",
    "Effect",
    "Estimate",
    "Examined",
    "Findings",
    "Guess",
    "Heterogeneity",
    "Labels",
    "Loaded",
    "Margin",
    "MarginResult",
    "MarginState",
    "Mean",
    "Metric",
    "MetricGuess",
    "Observations",
    "PerUnit",
    "Question",
    "Rate",
    "Ratio",
    "RejectedRow",
    "Rejections",
    "Revenue",
    "RevenueChange",
    "Roles",
    "SavedExperiment",
    "Segment",
    "Split",
    "Spread",
    "SpreadState",
    "Table",
    "Trend",
    "Verdict",
    "aggregate",
    "aggregates",
    "analyse",
    "answer",
    "baseline",
    "benjamini_hochberg",
    "business_case",
    "check_margin",
    "check_split",
    "columns_of",
    "compare",
    "compare_means",
    "daily",
    "day_name",
    "day_number",
    "decision",
    "declare",
    "document",
    "examine",
    "fieller",
    "files_of",
    "guess_roles",
    "heterogeneity",
    "holm",
    "in_per_cent",
    "instrument",
    "keep_experiment",
    "learners_needed",
    "likely_control",
    "load",
    "markdown",
    "number",
    "part_of",
    "percent",
    "power_of",
    "probability",
    "read",
    "recommendations",
    "relative_words",
    "remove_experiment",
    "revenue",
    "roi",
    "saved_experiments",
    "sentence",
    "sentences",
    "sequential",
    "settled",
    "smallest_difference",
    "spread_sentence",
    "spread_state",
    "trend",
    "within_window",
]
