"""cohort-canary: safe roll-out, honest comparison and cohorts for learner-personalisation models."""

__version__ = "0.1.0"
