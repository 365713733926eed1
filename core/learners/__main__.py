"""`python -m core.learners`: a run as a program of its own; see `job`."""

import sys

from core.learners.job import run

sys.exit(run())
