"""What the Rehearsal page says of a trial, and draws."""

from __future__ import annotations

import numpy as np

from core.delivery import calibration
from core.delivery.plan import Figure
from core.web.palette import palette
from core.web.views.trial import columns_to_group_by, curve, trial_view

P99 = Figure.LATENCY_P99


def trial(faults: int) -> calibration.Trial:
    rng = np.random.default_rng(4)
    broken = {f"f{n}": {P99: np.full(5, 450.0 + 60 * n)} for n in range(faults)}
    return calibration.try_alarm({P99: rng.normal(450, 40, 600)}, broken)


def test_the_sentence_has_the_numbers() -> None:
    found = trial(4)
    told = trial_view(found, "12 samples")
    assert told.title == f"Catches {found.caught} of 4 faults"
    assert f"stops {found.stopped} of 25 healthy spells" in told.detail
    assert [row[0].word for row in told.faults].count("caught") == found.caught
    assert told.everyday[0][0] == "p99 latency"


def test_without_faults_it_says_what_it_would_stop() -> None:
    told = trial_view(trial(0), "12 samples")
    assert told.title.startswith("Would stop ")
    assert "Add records of faults" in told.detail


def test_the_curve_marks_where_the_limit_is() -> None:
    found = trial(4)
    drawing, said = curve(found, palette("light"))
    line, here, _ = drawing["data"]
    assert (here["x"][0], here["y"][0]) == (100 * found.stopped / 25, 100 * found.caught / 4)
    assert len(line["x"]) == len(found.curve)
    assert "At the limit found" in said


def test_columns_that_are_measured_tell_nothing_apart() -> None:
    header = ["scenario", "ts", "requests", "latency_p99_ms", "availability_pct", "fault"]
    assert columns_to_group_by(header) == ["scenario", "fault"]
