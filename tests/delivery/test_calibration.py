"""Calibration: what is everyday, what is not, and what both cost on the pet shop's records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from core.delivery.calibration import (
    MOST,
    WINDOW,
    CalibrationError,
    calibrate,
    document,
    interval,
    try_alarm,
    try_records,
)
from core.delivery.plan import Figure
from core.metrics import read_recorded

P99 = Figure.LATENCY_P99
P95 = Figure.LATENCY_P95
PETSHOP = Path(__file__).resolve().parents[3] / "shared" / "data" / "petshop" / "petsite_metrics.csv"


def healthy(rows: int = 1200, seed: int = 1) -> dict[Figure, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {P95: rng.normal(300, 20, rows), P99: rng.normal(450, 50, rows)}


@pytest.mark.skipif(not PETSHOP.exists(), reason="needs ../shared/data/petshop")
def test_of_16_faults_of_the_pet_shop_14_are_caught_and_1_of_48_healthy_hours_is_stopped() -> None:
    groups = {g.value: g for g in read_recorded(PETSHOP, version="petsite", by="scenario").groups}
    caught = stopped = spells = naive_caught = naive_stopped = 0
    for traffic in ("high_traffic", "low_traffic"):
        faults = [g for name, g in groups.items() if name and name.startswith(f"{traffic}/train")]
        trial = try_records(groups[f"{traffic}/healthy"], faults)
        assert len(faults) == 8
        assert all(f.after is None or f.after <= 5 for f in trial.faults)
        caught += trial.caught
        stopped += trial.stopped
        spells += trial.spells
        naive_caught += trial.naive_caught
        naive_stopped += trial.naive_stopped
    assert (caught, stopped, spells) == (14, 1, 48)  # at least 14 of 16 at no more than 5 %
    assert (naive_caught, naive_stopped) == (12, 2)


def test_no_more_of_the_spells_it_was_found_on_are_stopped_than_allowed() -> None:
    for allow in (0.0, 0.05, 0.2):
        values = healthy()
        alarm = calibrate(values, allow=allow)
        tops = [alarm.scores({f: v[i : i + 12] for f, v in values.items()}).max() for i in range(0, 1200, 12)]
        assert sum(top > alarm.limit for top in tops) <= allow * 100
        assert alarm.allowed == int(allow * 100)


def test_of_healthy_records_like_it_about_as_many_are_stopped_as_allowed() -> None:
    """The promise holds for exchangeable spells: over 200 made-up records the mean share stopped is close to 5 %."""
    shares = [(t := try_alarm(healthy(1200, seed), {})).stopped / t.spells for seed in range(200)]
    bound = stats.norm.ppf(0.999) * np.std(shares, ddof=1) / np.sqrt(len(shares))
    assert abs(np.mean(shares) - 0.05) < bound + 0.02  # 50 spells: between 2 and 3 allowed of 51 ranks


def test_a_sample_adds_no_more_than_so_much_however_bad_and_for_so_long() -> None:
    alarm = calibrate(healthy(), allow=0.05)
    quiet = {P95: np.full(12, 300.0), P99: np.full(12, 450.0)}
    one = {f: v.copy() for f, v in quiet.items()}
    one[P99][4] = 1e9
    assert alarm.scores(one).max() == MOST
    two = {f: v.copy() for f, v in one.items()}
    two[P99][4 + WINDOW - 1] = 1e9
    assert alarm.scores(two).max() == 2 * MOST
    far = {f: v.copy() for f, v in one.items()}
    far[P99][4 + WINDOW] = 1e9
    assert alarm.scores(far).max() == MOST


def test_what_is_missing_adds_nothing() -> None:
    alarm = calibrate(healthy())
    values = {P95: np.full(12, np.nan), P99: np.full(12, np.nan)}
    assert alarm.scores(values).max() == 0.0


def test_less_is_never_an_alarm() -> None:
    alarm = calibrate(healthy())
    assert alarm.scores({P95: np.zeros(12), P99: np.zeros(12)}).max() == 0.0


def test_what_nothing_can_be_calibrated_on() -> None:
    with pytest.raises(CalibrationError, match="none of error rate"):
        calibrate({})
    with pytest.raises(CalibrationError, match="are too few"):
        calibrate({P99: np.ones(30)})
    with pytest.raises(CalibrationError, match="constant series"):
        calibrate({P99: np.ones(100)})
    with pytest.raises(CalibrationError, match="broken has no p95 latency"):
        try_alarm(healthy(), {"broken": {P99: np.ones(5)}})
    constant = healthy() | {Figure.AVAILABILITY: np.zeros(1200)}
    assert calibrate(constant).left_out == (Figure.AVAILABILITY,)


def test_the_curve_goes_from_nothing_to_everything() -> None:
    trial = try_alarm(healthy(), {f"f{n}": {P95: np.full(5, 300.0 + 10 * n), P99: np.full(5, 450.0)} for n in range(8)})
    assert trial.curve[0].stopped == 0 or trial.curve[0].caught == 0
    steps = list(zip(trial.curve, trial.curve[1:], strict=False))
    assert all(a.stopped <= b.stopped and a.caught <= b.caught for a, b in steps)
    here = next(p for p in trial.curve if p.limit == trial.alarm.limit)
    assert (here.stopped, here.caught) == (trial.stopped, trial.caught)
    assert document(trial)["caught"] == trial.caught


def test_the_interval_is_the_exact_one() -> None:
    for k, n in ((0, 24), (1, 48), (24, 24), (7, 30)):
        ours = interval(k, n)
        theirs = stats.binomtest(k, n).proportion_ci(0.95, "exact")
        assert ours == pytest.approx((theirs.low, theirs.high))
    assert interval(0, 0) == (0.0, 1.0)
