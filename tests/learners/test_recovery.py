"""What is planted in made-up learners is found again, by both analyzers, within an error that theory states.

Each figure is a mean over many learners of an estimate whose bias and variance are known; it may be four standard
errors off, and no more.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import poisson

from core.learners import WEEK_US, Events, constants_of, finish, from_columns, observe, recall_of, scan, traits_of
from core.learners.constants import Constants
from core.learners.recall import repetitions
from tests.learners.test_recall import planted

WEEKS = 10
END = 2_900 * WEEK_US
Values = NDArray[np.float64]


def made(
    who: NDArray[np.integer], ts: NDArray[np.int64], domain: list[str], skill: list[str], acted: NDArray[np.int8]
) -> Events:
    """Return events of learners numbered from 0; all feedback where of any it is known whether it was followed."""
    return from_columns(
        np.char.zfill(who.astype(str), 6),
        ts,
        domain,
        skill,
        ["feedback" if (acted >= 0).any() else "training"] * who.size,
        np.full(who.size, np.nan),
        acted,
    )


def fast(events: Events, constants: Constants, name: str) -> Values:
    scanned = scan(events, END, WEEKS, recall=constants.recall)
    return finish(scanned, constants)[name].astype(np.float64)


def plain(events: Events, constants: Constants, name: str) -> Values:
    found = [getattr(traits_of(observe(one, END, WEEKS), constants), name) for _, one in events.rows()]
    return np.array([math.nan if value is None else value for value in found])


both = pytest.mark.parametrize("analyzer", [fast, plain])
Analyzer = Callable[[Events, Constants, str], Values]


def population(events: Events) -> Constants:
    return constants_of([scan(events, END, WEEKS)])


@both
@pytest.mark.parametrize("each", [12, 60, 400])
@pytest.mark.parametrize("shares", [(0.25,) * 4, (0.7, 0.2, 0.1), (0.5, 0.2, 0.1, 0.1, 0.1)])
def test_planted_entropies(analyzer: Analyzer, shares: tuple[float, ...], each: int) -> None:
    """Too low by (K - 1) / 2n + (sum 1 / p - 1) / 12 n^2 nats [Harris 1975], and by no more."""
    rng = np.random.default_rng(each)
    learners = 40_000 // each
    p, k = np.array(shares), len(shares)
    who = np.repeat(np.arange(learners), each)
    where = rng.choice(k, who.size, p=p)
    names = [f"d{d}" for d in where]
    events = made(who, END - np.arange(who.size) % 1000, names, names, np.full(who.size, -1, np.int8))
    found = analyzer(events, population(events), "entropy_bits").mean() * math.log(2)
    planted_nats = -(p * np.log(p)).sum()
    bias = (k - 1) / (2 * each) + ((1 / p).sum() - 1) / (12 * each**2)
    variance = ((p * np.log(p) ** 2).sum() - planted_nats**2) / each + (k - 1) / (2 * each**2)
    assert found == pytest.approx(planted_nats - bias, abs=4 * math.sqrt(variance / learners) + 2 * each**-3)
    if each >= 60:
        assert found == pytest.approx(planted_nats, abs=0.04)


def weekly(rates: Values, rng: np.random.Generator) -> tuple[Events, NDArray[np.int64]]:
    """Return learners who begin Poisson(rate) new skills each week and go on with their first one; and how many."""
    new = rng.poisson(rates[:, None], (rates.size, WEEKS))
    new[:, 0] += 1  # the oldest week has the first one
    before = np.cumsum(new, axis=1) - new
    learner, week = np.divmod(np.repeat(np.arange(new.size), new.ravel()), WEEKS)
    number = np.arange(learner.size) - np.repeat(np.cumsum(new.ravel()) - new.ravel(), new.ravel())
    skill = before[learner, week] + number
    on = np.repeat(np.arange(rates.size), WEEKS), np.tile(np.arange(WEEKS), rates.size)
    who, when = np.concatenate([learner, on[0]]), np.concatenate([week, on[1]])
    ts = END - (WEEKS - when) * WEEK_US + 1 + rng.integers(WEEK_US - 1, size=who.size)
    names = [f"s{s}" for s in np.concatenate([skill, np.zeros(on[0].size, int)])]
    return made(who, ts, ["d"] * who.size, names, np.full(who.size, -1, np.int8)), new


@both
def test_planted_velocities(analyzer: Analyzer) -> None:
    """A mean gain of r a week gives r times a geometric sum; so does the mean over learners with Poisson gains."""
    rng = np.random.default_rng(1)
    rates, each = np.array([0.5, 1.5, 3.0]), 700
    events, gains = weekly(np.repeat(rates, each), rng)
    constants = population(events)
    assert constants.gain == np.quantile(gains, 0.9)  # G, of weeks that all are active
    found = analyzer(events, constants, "velocity").reshape(rates.size, each)

    weights = 0.3 * 0.7 ** np.arange(WEEKS) * np.exp(-0.02 * np.arange(WEEKS))  # by weeks ago
    weights[-1] /= 0.3
    sizes = np.arange(60)
    for rate, velocities in zip(rates, found, strict=True):
        share, first = (np.minimum(1, (sizes + more) / constants.gain) for more in (0, 1))
        chance = poisson.pmf(sizes, rate)
        mean = chance @ share * weights[:-1].sum() + chance @ first * weights[-1]
        variance = (chance @ share**2 - (chance @ share) ** 2) * (weights**2).sum()
        assert velocities.mean() == pytest.approx(mean, abs=4 * math.sqrt(variance / each))
    assert (np.diff(found.mean(axis=1)) > 0.1).all()


@both
def test_a_steady_learner_has_the_velocity_of_the_geometric_sum(analyzer: Analyzer) -> None:
    steady = np.repeat(np.arange(WEEKS), 2)  # two new skills a week
    names = [f"s{n}" for n in range(steady.size)]
    events = made(np.zeros(20, int), END - steady * WEEK_US - 1, ["d"] * 20, names, np.full(20, -1, np.int8))
    constants = Constants(END, WEEKS, gain=4.0, frequency=1.0, repeat=math.nan)
    q = 0.7 * math.exp(-0.02)
    expected = 2 / 4 * (q ** (WEEKS - 1) + 0.3 * (1 - q ** (WEEKS - 1)) / (1 - q))
    assert analyzer(events, constants, "velocity") == pytest.approx([expected], abs=1e-9)


@both
@pytest.mark.parametrize("half_life_days", [3.5, 7.0, 21.0])
def test_planted_half_lives_of_use(analyzer: Analyzer, half_life_days: float) -> None:
    """Uses fall by rho = 2^(-7 / half-life) a week, Poisson: rho is found to sqrt(rho / B), the half-life accordingly.

    A learner's own is drawn to the population's by 10 uses, and so alike in a population of learners who are alike.
    """
    rng = np.random.default_rng(int(half_life_days))
    learners, skills, rho = 300, 12, 2 ** (-7 / half_life_days)
    begun = rng.integers(2, WEEKS, (learners, skills))  # weeks ago
    uses = np.zeros((learners, skills, WEEKS), dtype=np.int64)  # by weeks ago
    for week in reversed(range(WEEKS)):
        later = rng.poisson(rho * uses[:, :, week + 1]) if week + 1 < WEEKS else 0
        uses[:, :, week] = np.where(begun == week, 1 + rng.poisson(6, begun.shape), later)
    place = np.repeat(np.arange(uses.size), uses.ravel())
    learner, skill, week = np.unravel_index(place, uses.shape)
    ts = END - week * WEEK_US - rng.integers(WEEK_US, size=week.size)
    events = made(learner, ts, ["d"] * week.size, [f"s{s}" for s in skill], np.full(week.size, -1, np.int8))
    constants = population(events)
    before = uses[:, :, 1:].sum(axis=(1, 2))  # B
    error = math.sqrt(rho / before.sum())
    assert constants.repeat == pytest.approx(rho, abs=4 * error)

    def days(repeat: float) -> float:
        return 7 * math.log(2) / -math.log(repeat)

    found = analyzer(events, constants, "half_life_days")
    # The median learner: to its own error, and to 1 / B, by which a ratio of sums is biased.
    off = 4 * 1.25 * error + 1 / before.mean()
    assert days(rho - off) < np.median(found) < days(rho + off)
    # One learner: 95 of 100 within two standard errors, as far as 10 uses of others leave of them.
    own = np.sqrt(rho * before) / (before + 10)
    rho_found = 2 ** (-7 / found)
    assert (np.abs(rho_found - rho) < 2 * own + 1 / before).mean() > 0.92


@both
@pytest.mark.parametrize("half_life_days", [3.0, 8.0, 20.0])
def test_planted_half_lives_of_recall(analyzer: Analyzer, half_life_days: float) -> None:
    """The median learner's is found to four standard errors of the pooled fit, from its Fisher information."""
    events, _ = planted(800, 0.0, seed=4, half_life_days=half_life_days)
    events = replace(events, ts=events.ts + (END - events.as_of))
    accuracy, growth = np.array([1.5, 0.4, -0.2]), np.array([math.log(half_life_days), 0.5, -0.2])
    information = np.zeros((6, 6))
    truth, ends = np.full(events.learners.size, np.nan), []
    for index, (_, one) in enumerate(events.rows()):
        found, now = repetitions(observe(one, END, WEEKS).events)
        if not found:
            continue
        x = np.array([[1.0, math.log1p(r.right), math.log1p(r.wrong)] for r in found])
        a = 1 / (1 + np.exp(-x @ accuracy))
        passed = np.array([r.days for r in found]) / np.exp(x @ growth) * math.log(2)
        p = a * np.exp(-passed)
        by = np.column_stack([x * (1 - a)[:, None], x * passed[:, None]])  # of log p by the six numbers
        information += (by * (p / (1 - p))[:, None]).T @ by
        last = [now[skill] for skill in {r.skill for r in found}]
        ends.append(np.mean([[1.0, math.log1p(right), math.log1p(wrong)] for right, wrong in last], axis=0))
        truth[index] = math.exp(ends[-1] @ growth)
    middle = np.median(ends, axis=0)
    error = math.sqrt(middle @ np.linalg.inv(information)[3:, 3:] @ middle)
    assert error < 0.11

    scanned = scan(events, END, WEEKS, recall=recall_of(events, END, WEEKS))
    halves = analyzer(events, constants_of([scanned]), "recall_half_life_days")
    assert (np.isnan(halves) == np.isnan(truth)).all()
    assert abs(np.nanmedian(np.log(halves / truth))) < 4 * error


@both
@pytest.mark.parametrize("follows", [0.1, 0.7, 1.0])
def test_planted_responsiveness(analyzer: Analyzer, follows: float) -> None:
    rng = np.random.default_rng(5)
    learners, each = 500, 20
    who = np.repeat(np.arange(learners), each)
    acted = (rng.random(who.size) < follows).astype(np.int8)
    acted[::7] = -1  # not known
    events = made(who, END - np.arange(who.size) % 1000, ["d"] * who.size, ["s"] * who.size, acted)
    found = analyzer(events, population(events), "responsiveness")
    error = math.sqrt(follows * (1 - follows) / (each * 6 / 7) / learners)
    assert found.mean() == pytest.approx(follows, abs=4 * error)


@both
@pytest.mark.parametrize("again", [0.2, 0.8])
def test_planted_reuse(analyzer: Analyzer, again: float) -> None:
    rng = np.random.default_rng(6)
    learners, skills = 500, 15
    first, chosen = np.divmod(np.arange(learners * skills), skills)
    kept = rng.random(first.size) < again
    who = np.concatenate([first, first[kept]])
    ts = END - np.repeat([4, 2], [first.size, int(kept.sum())]) * WEEK_US
    names = [f"s{s}" for s in np.concatenate([chosen, chosen[kept]])]
    events = made(who, ts, ["d"] * who.size, names, np.full(who.size, -1, np.int8))
    found = analyzer(events, population(events), "reuse_rate")
    assert found.mean() == pytest.approx(again, abs=4 * math.sqrt(again * (1 - again) / skills / learners))
    # A late use counts exp(-0.05 x 14), an early one exp(-0.05 x 28).
    late, early = math.exp(-0.7), math.exp(-1.4)
    expected = kept.reshape(learners, skills).sum(axis=1) * late
    recent = analyzer(events, population(events), "recency_weighted_reuse")
    assert recent == pytest.approx(expected / (expected + skills * early), abs=1e-9)
