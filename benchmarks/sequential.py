"""How often comparisons at every look are wrong, and how soon they are right: `python -m benchmarks.sequential`.

Simulates whole phases of 480 looks (4 h of 30 s samples) and prints the tables of docs/statistics.md. The data are made
up by a random generator with a fixed seed; what is measured are the tests of core/experiments/sequential.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from core.experiments.sequential import (
    Before,
    RatioTest,
    critical,
    difference_evidence,
    guarded_evidence,
    log_evidence,
    mean_evidence,
    rank_evidence,
    sign_evidence,
    split_evidence,
)

LOOKS = 480
SEED = 20251031
ALPHA = 0.05
TEST = RatioTest(ALPHA)
JUDGE = RatioTest(ALPHA, spread_out=True, horizon=LOOKS)
STRICT = replace(JUDGE, alpha=ALPHA / 6)  # what one comparison of the default plan has
_CHUNK = 100  # runs whose looks are worked on at once: bounds memory, and stays in the cache

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Counts = tuple[Ints, Ints, Ints, Ints]
Generator = np.random.Generator


@dataclass(frozen=True, slots=True)
class Arms:
    """Traffic and errors of both versions, look by look.

    Attributes:
        candidate, baseline: requests a look, on average. rate: of errors, on average.
        ratio: of the candidate's rate to the baseline's.
        shared: standard deviation of the logarithm of a rate both share, which drifts as an AR(1) with `memory`.
        own: the same of each version by itself: bursts. memory: correlation from one look to the next.
        uneven: standard deviation of the logarithm of each version's traffic.
        outages: chance that one of a version's own begins in a look. fails: part of its requests that do, too, in one.
        lasts: looks that one lasts, on average.
    """

    candidate: float = 1500
    baseline: float = 13500
    rate: float = 0.005
    ratio: float = 1.0
    shared: float = 0.0
    own: float = 0.0
    memory: float = 0.0
    uneven: float = 0.0
    outages: float = 0.0
    fails: float = 0.05
    lasts: float = 4.0

    def draw(self, rng: Generator, runs: int, looks: int = LOOKS) -> Counts:
        """Return bad events and requests of the candidate, then of the baseline, each of shape (runs, looks)."""
        shared = _wander(rng, runs, looks, self.shared, self.memory)
        counts: list[Ints] = []
        for mean, ratio in ((self.candidate, self.ratio), (self.baseline, 1.0)):
            traffic = mean * _wander(rng, runs, looks, self.uneven, 0.0)
            requests = rng.poisson(traffic)
            rate = self.rate * ratio * shared * _wander(rng, runs, looks, self.own, self.memory)
            if self.outages:
                rate = rate + self.fails * _outages(rng, runs, looks, self.outages, self.lasts)
            counts += [rng.binomial(requests, np.minimum(rate, 1.0)), requests]
        return counts[0], counts[1], counts[2], counts[3]


def _wander(rng: Generator, runs: int, looks: int, sigma: float, memory: float) -> Floats:
    """Return positive multipliers of mean 1, shape (runs, looks); log-normal, an AR(1) on the log scale."""
    if not sigma:
        return np.ones((runs, looks))
    noise = rng.standard_normal((runs, looks))
    level = noise[:, 0].copy()
    out = np.empty((runs, looks))
    for look in range(looks):
        level = memory * level + np.sqrt(1 - memory**2) * noise[:, look] if look else level
        out[:, look] = level
    return np.asarray(np.exp(sigma * out - sigma**2 / 2), dtype=np.float64)


def _outages(rng: Generator, runs: int, looks: int, begins: float, lasts: float) -> NDArray[np.bool_]:
    """Return in which looks there is an outage, shape (runs, looks)."""
    chance = rng.random((runs, looks))
    out = np.zeros((runs, looks), dtype=bool)
    out[:, 0] = chance[:, 0] < begins * lasts / (1 + begins * lasts)
    for look in range(1, looks):
        out[:, look] = np.where(out[:, look - 1], chance[:, look] >= 1 / lasts, chance[:, look] < begins)
    return out


def chunks(counts: Counts) -> Iterator[Counts]:
    """Yield runs in parts."""
    for begin in range(0, counts[0].shape[0], _CHUNK):
        part = slice(begin, begin + _CHUNK)
        yield counts[0][part], counts[1][part], counts[2][part], counts[3][part]


def e_process(test: RatioTest) -> Callable[[Counts], Floats]:
    """Return the plain e-process."""
    return lambda counts: np.concatenate([log_evidence(test, *part) for part in chunks(counts)])


def differences(test: RatioTest) -> Callable[[Counts], Floats]:
    """Return the confidence sequence over per-look differences."""
    return lambda counts: np.concatenate(
        [difference_evidence(test, *part, planned=part[0].shape[-1]) for part in chunks(counts)]
    )


def guarded(
    test: RatioTest, arms: Arms | None = None, rng: Generator | None = None, before: int = LOOKS
) -> Callable[[Counts], Floats]:
    """Return the judge's rule.

    With `arms`, it knows as many looks of the baseline alone from `before`; without, only the phase itself.
    """

    def ruled(counts: Counts) -> Floats:
        if arms is None:
            return np.concatenate([guarded_evidence(test, part, planned=LOOKS) for part in chunks(counts)])
        assert rng is not None
        _, _, bad, trials = arms.draw(rng, counts[0].shape[0], before)
        out = np.empty(counts[0].shape)
        for run in range(out.shape[0]):
            nobody = np.zeros_like(bad[run])
            known = Before.of((nobody, nobody, bad[run], trials[run]))
            mine = counts[0][run], counts[1][run], counts[2][run], counts[3][run]
            out[run] = guarded_evidence(test, mine, planned=LOOKS, before=known)
        return out

    return ruled


# --- means


@dataclass(frozen=True, slots=True)
class Learners:
    """Learners who come back and bring money, of both versions.

    Attributes:
        candidate, baseline: how many there are. visits: of each learner in all looks together, on average.
        sigma: how much learners differ, on the log scale (1.5: a tenth of them brings three fifths).
        noise: how much a learner's visits differ. buys: chance that a visit brings anything.
        lift: of the candidate's revenue, relative.
    """

    candidate: int = 600
    baseline: int = 5400
    visits: float = 8.0
    sigma: float = 1.5
    noise: float = 0.5
    buys: float = 1.0
    lift: float = 0.0

    def course(self, rng: Generator, looks: int = LOOKS) -> tuple[_Side, _Side]:
        """Draw one roll-out, look by look: of the candidate and of the baseline."""
        sides = []
        for learners, factor in ((self.candidate, 1 + self.lift), (self.baseline, 1.0)):
            visits = int(rng.poisson(learners * self.visits))
            who = rng.integers(learners, size=visits)
            when = np.sort(rng.integers(looks, size=visits))
            level = factor * np.exp(self.sigma * rng.standard_normal(learners) - self.sigma**2 / 2)
            money = level[who] * np.exp(self.noise * rng.standard_normal(visits) - self.noise**2 / 2)
            money *= rng.random(visits) < self.buys
            sides.append(_Side.of(who, when, money, looks))
        return sides[0], sides[1]


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One version, look by look so far, each of shape (looks,).

    `mean`, `variance` (of the mean) and `counting` (learners, as many as count by Kish) are of totals per learner;
    `mean_visit`, `variance_visit` take each visit for a learner of its own.
    """

    mean: Floats
    variance: Floats
    counting: Floats
    mean_visit: Floats
    variance_visit: Floats

    @staticmethod
    def of(who: Ints, when: Ints, money: Floats, looks: int) -> _Side:
        order = np.lexsort((when, who))
        mine, first = money[order], np.diff(who[order], prepend=-1) != 0
        upto = np.cumsum(mine)
        # What a learner had brought before a visit: the running sum less that at the learner's first visit.
        start = np.maximum.accumulate(np.where(first, np.arange(mine.size), 0))
        after = upto - (upto - mine)[start]
        before = after - mine

        def so_far(values: Floats) -> Floats:
            return np.cumsum(np.bincount(when[order], values, looks))

        learners, total = so_far(first.astype(float)), so_far(mine)
        squares, visits, of_visits = so_far(after**2 - before**2), so_far(np.ones(mine.size)), so_far(mine**2)
        return _Side(
            *_mean_of(learners, total, squares),
            np.divide(total**2, squares, out=np.zeros(looks), where=squares > 0),
            *_mean_of(visits, total, of_visits),
        )


def _mean_of(n: Floats, total: Floats, squares: Floats) -> tuple[Floats, Floats]:
    of = np.maximum(n, 2)
    return total / of, np.maximum(squares - total**2 / of, 1e-12) / (of - 1) / of


def mean_acts(learners: Learners, rng: Generator, runs: int, planned: float, naive: bool = False) -> Ints:
    """Return the look at which each run's one-sided sequence first excludes "no worse"; LOOKS where none does.

    `planned`: the difference, as a share of the mean, that the sequence is tuned to see.
    """
    first = np.full(runs, LOOKS)
    for run in range(runs):
        new, old = learners.course(rng)
        if naive:
            known = (planned * old.mean_visit / float(critical(1.0, ALPHA))) ** 2
            variance = new.variance_visit + old.variance_visit
            z = (old.mean_visit - new.mean_visit) / np.sqrt(variance)
        else:
            known = (planned * old.mean / float(critical(1.0, ALPHA))) ** 2
            variance = new.variance + old.variance
            z = (old.mean - new.mean) / np.sqrt(variance)
        acts = mean_evidence(z, np.maximum(known / variance, 1e-9), ALPHA) >= TEST.threshold
        acts &= np.minimum(new.counting, old.counting) >= 50
        if acts.any():
            first[run] = int(np.argmax(acts))
    return first


# --- gauges and splits


def assigned(rng: Generator, runs: int, share: float, a_look: int = 100) -> Ints:
    """Draw learners assigned so far, shape (runs, LOOKS, 2), of which a share gets the candidate."""
    both = rng.poisson(a_look, (runs, LOOKS))
    mine = rng.binomial(both, share)
    return np.cumsum(np.stack([mine, both - mine], axis=-1), axis=1)


def gauges(
    rng: Generator, runs: int, shift: float, looks: int = LOOKS, before: int = 240
) -> tuple[Floats, Floats, Floats]:
    """Draw p99-like gauges: log-normal; the candidate's `shift` times the baseline's. Also the baseline's of before."""
    drawn = [np.exp(0.15 * rng.standard_normal((runs, n))) for n in (looks, looks, before)]
    return 400 * shift * drawn[0], 400 * drawn[1], 400 * drawn[2]


# --- tables


@dataclass(frozen=True, slots=True)
class Null:
    """A line of the table of false rollbacks: how many of how many runs acted in 480 looks."""

    what: str
    test: str
    acted: int
    runs: int

    @property
    def bound(self) -> float:
        """One-sided 95 % upper bound of the rate (Clopper-Pearson)."""
        if self.acted == self.runs:
            return 1.0
        return float(special.betaincinv(self.acted + 1, self.runs - self.acted, 0.95))


def counted(
    what: str,
    name: str,
    arms: Arms,
    rule: Callable[[Counts], Floats],
    rng: Generator,
    runs: int,
    threshold: float = TEST.threshold,
) -> Null:
    """Simulate a null of counts."""
    acted = (rule(arms.draw(rng, runs)) >= threshold).any(axis=1)
    return Null(what, name, int(acted.sum()), runs)


BURSTS = Arms(own=0.5)
LASTING_BURSTS = Arms(own=0.5, memory=0.8)
WEAKER_BURSTS = Arms(own=0.3, memory=0.8)
MOST_TRAFFIC = Arms(candidate=13500, baseline=1500, own=0.5, memory=0.8)


UNKNOWN = (
    ("independent", Arms()),
    ("bursts of each version", BURSTS),
    ("bursts of each version that last for minutes", LASTING_BURSTS),
    ("the same, nine of ten requests at the candidate", MOST_TRAFFIC),
    ("weaker bursts of each version that last for minutes", WEAKER_BURSTS),
    ("a rate that both share drifts, up to x3, over an hour", Arms(shared=0.5, memory=0.99)),
    ("a rate that both share jumps from look to look", Arms(shared=0.7)),
    ("uneven traffic of each version", Arms(uneven=0.7)),
)

RARE_OUTAGES = Arms(rate=1e-6, outages=1 / LOOKS, fails=0.01)
OUTAGES = replace(RARE_OUTAGES, outages=4 / LOOKS)

QUIET = (
    ("0.02 errors of the baseline a look, independent", Arms(rate=0.02 / 13500)),
    ("0.2 errors of the baseline a look, independent", Arms(rate=0.2 / 13500)),
    ("hardly an error but in outages of each version, one in 4 h, of 2 min", RARE_OUTAGES),
    ("hardly an error but in outages of each version, one an hour, of 2 min", OUTAGES),
    ("the same, one in 4 h, of 8 min (not stood)", replace(RARE_OUTAGES, lasts=16)),
)


def nulls(runs: int = 1000, seed: int = SEED) -> Iterator[Null]:
    """Yield the table of false rollbacks."""
    rng = np.random.default_rng(seed)
    plain, judge, fallback = e_process(TEST), e_process(JUDGE), differences(TEST)
    wider = RatioTest(ALPHA, margin=1.25)
    for what, arms in (
        ("independent", Arms()),
        ("independent, 20 % of requests fail", Arms(rate=0.2)),
        ("independent, 0.2 errors of the candidate a look", Arms(candidate=45, baseline=4455, rate=0.004)),
        ("a rate that both share drifts, up to x3, over an hour", Arms(shared=0.5, memory=0.99)),
        ("a rate that both share jumps from look to look", Arms(shared=0.7)),
        ("uneven traffic of each version", Arms(uneven=0.7)),
    ):
        yield counted(what, "e-process", arms, plain, rng, runs)
    yield counted(
        "independent, exactly at a margin of x1.25", "e-process", Arms(ratio=1.25), e_process(wider), rng, runs
    )
    yield counted("independent", "e-process, from any look on", Arms(), judge, rng, runs)
    yield counted(
        "a rate that both share drifts, up to x3, over an hour",
        "the same",
        Arms(shared=0.5, memory=0.99),
        judge,
        rng,
        runs,
    )
    yield counted("independent", "per-look differences", Arms(), fallback, rng, runs)
    for what, arms in (
        ("bursts of each version", BURSTS),
        ("bursts of each version that last for minutes", LASTING_BURSTS),
    ):
        yield counted(what, "e-process (not to be used here)", arms, plain, rng, runs)
        unaware = "" if arms is BURSTS else " that don't know that they last (not to be used here)"
        yield counted(what, f"per-look differences{unaware}", arms, fallback, rng, runs)
        yield counted(what, "judge's rule, baseline known before", arms, guarded(JUDGE, arms, rng), rng, runs)
    for what, arms in (
        ("weaker bursts of each version that last for minutes", WEAKER_BURSTS),
        ("the same, baseline known for half an hour", WEAKER_BURSTS),
    ):
        looks = 60 if "half" in what else LOOKS
        yield counted(what, "judge's rule, baseline known before", arms, guarded(JUDGE, arms, rng, looks), rng, runs)
    for what, arms in UNKNOWN:
        yield counted(what, "judge's rule, nothing known before", arms, guarded(JUDGE), rng, runs)
    for what, arms in UNKNOWN[1:4]:
        yield counted(what, "the same, at an alpha of 0.83 %", arms, guarded(STRICT), rng, runs, STRICT.threshold)
    of_quiet = np.random.default_rng(seed + 1)
    for what, arms in QUIET:
        knowing = guarded(JUDGE, arms, of_quiet)
        yield counted(what, "judge's rule, nothing known before", arms, guarded(JUDGE), of_quiet, runs)
        yield counted(what, "judge's rule, baseline known before", arms, knowing, of_quiet, runs)
    for what, learners in (
        ("learners who come back and differ strongly", Learners()),
        ("the same, one visit in ten brings anything", Learners(buys=0.1)),
    ):
        first = mean_acts(learners, rng, runs, planned=0.05)
        yield Null(what, "confidence sequence, totals per learner", int((first < LOOKS).sum()), runs)
    first = mean_acts(Learners(), rng, runs // 10, planned=0.05, naive=True)
    yield Null(
        "learners who come back and differ strongly",
        "visits as if each were a learner (not to be used)",
        int((first < LOOKS).sum()),
        runs // 10,
    )
    # Signs and splits act nearly as often as they may: more runs, which cost little, to bound it.
    many = 10 * runs
    acted = sum(
        int((split_evidence(assigned(rng, runs, 0.1), [0.1, 0.9]) >= TEST.threshold).any(axis=1).sum())
        for _ in range(many // runs)
    )
    yield Null("learners assigned 10 : 90, as planned", "split of the traffic", acted, many)
    coins = rng.random((many, LOOKS)) - 0.5
    signs = sign_evidence(coins, np.zeros_like(coins)) >= TEST.threshold
    yield Null("gauges alike", "signs", int(signs.any(axis=1).sum()), many)
    ranks = rank_evidence(*gauges(rng, runs, 1.0)) >= TEST.threshold
    yield Null("gauges alike, 240 before", "ranks", int(ranks.any(axis=1).sum()), runs)


@dataclass(frozen=True, slots=True)
class Delay:
    """A line of the table of delays: the median look at which a harm is seen, and the part of the runs that saw it."""

    test: str
    harm: str
    median: float | None
    seen: float

    def cell(self) -> str:
        """Return it as text."""
        if self.median is None:
            return f"{100 * self.seen:.0f} % in {LOOKS}"
        return f"{self.median:.0f}" + ("" if self.seen == 1 else f" ({100 * self.seen:.0f} %)")


def delay_of(name: str, harm: str, acts: NDArray[np.bool_]) -> Delay:
    """Summarise looks at which runs act, shape (runs, looks)."""
    first = np.where(acts.any(axis=1), acts.argmax(axis=1) + 1.0, np.inf)
    median = float(np.median(first))
    return Delay(name, harm, median if np.isfinite(median) else None, float(np.isfinite(first).mean()))


RATIOS = (1.1, 1.25, 1.5, 2.0, 5.0)


def delays(runs: int = 200, seed: int = SEED) -> Iterator[Delay]:
    """Yield the table of delays."""
    rng = np.random.default_rng(seed)
    rules: list[tuple[str, Arms, Callable[[Counts], Floats]]] = [
        ("e-process", Arms(), e_process(TEST)),
        ("e-process, from any look on", Arms(), e_process(JUDGE)),
        ("the same, margin x1.25", Arms(), e_process(replace(JUDGE, margin=1.25))),
        ("per-look differences", Arms(), differences(TEST)),
        ("per-look differences, bursts", BURSTS, differences(TEST)),
        ("e-process, 0.2 errors a look", Arms(candidate=45, baseline=4455, rate=0.004), e_process(TEST)),
        ("judge's rule, nothing known before, independent", Arms(), guarded(JUDGE)),
        ("judge's rule, nothing known before, bursts", BURSTS, guarded(JUDGE)),
        ("judge's rule, nothing known before, lasting bursts", LASTING_BURSTS, guarded(JUDGE)),
        ("judge's rule, baseline known before, bursts", BURSTS, guarded(JUDGE, BURSTS, rng)),
        ("judge's rule, baseline known before, lasting bursts", LASTING_BURSTS, guarded(JUDGE, LASTING_BURSTS, rng)),
    ]
    for name, arms, rule in rules:
        for ratio in RATIOS:
            drawn = replace(arms, ratio=ratio).draw(rng, runs)
            yield delay_of(name, f"x{ratio:g}", rule(drawn) >= TEST.threshold)
    for shift in RATIOS:
        candidate, baseline, before = gauges(rng, runs, shift)
        yield delay_of("signs", f"x{shift:g}", sign_evidence(candidate, baseline) >= TEST.threshold)
        yield delay_of("ranks, 240 before", f"x{shift:g}", rank_evidence(candidate, baseline, before) >= TEST.threshold)
    for lift in (-0.1, -0.2, -0.3, -0.5):
        first = mean_acts(Learners(lift=lift), rng, runs, planned=0.05)
        acts = np.arange(LOOKS) == first[:, None]
        yield delay_of("lost revenue, confidence sequence over totals per learner", f"{100 * lift:+.0f} %", acts)


def quiet_harm(arms: Arms, rate: float, rng: Generator, runs: int, begins: int = 0) -> Counts:
    """Draw a candidate that fails at a rate of its own from a look on, next to a baseline that hardly does."""
    bad, trials, base_bad, base_trials = arms.draw(rng, runs)
    ill = rng.binomial(trials, rate)
    return np.where(np.arange(LOOKS) >= begins, ill, bad), trials, base_bad, base_trials


def quiet_delays(runs: int = 200, seed: int = SEED) -> Iterator[Delay]:
    """Yield how soon harm is seen where the baseline fails hardly ever, at the alpha of one comparison."""
    rng = np.random.default_rng(seed)
    for what, arms in (
        ("no failure of the baseline in 1,350 requests a look", Arms(150, 1350, 0.0)),
        ("one in 100,000 of 1,350 requests a look fails", Arms(150, 1350, 1e-5)),
        ("one in 10,000 of 180 requests a look fails", Arms(20, 180, 1e-4)),
    ):
        for name, rule in (
            ("e-process", e_process(STRICT)),
            ("judge's rule, nothing known before", guarded(STRICT)),
            ("judge's rule, baseline known before", guarded(STRICT, arms, rng)),
        ):
            for harm, rate, begins in (
                ("1 %", 0.01, 0),
                ("5 %", 0.05, 0),
                ("100 %", 1.0, 0),
                ("5 % from look 200 on", 0.05, 200),
            ):
                acts = rule(quiet_harm(arms, rate, rng, runs, begins)) >= STRICT.threshold
                yield delay_of(f"{what}, {name}", harm, acts)


def main() -> int:
    """Print both tables as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sequential", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="null runs behind a line (default: %(default)s)")
    options = parser.parse_args()
    began = time.monotonic()
    print("| under the null | test | acted in 480 looks | upper bound |\n|---|---|---|---|")
    for row in nulls(options.runs):
        print(f"| {row.what} | {row.test} | {row.acted} of {row.runs:,} | {100 * row.bound:.2f} % |", flush=True)
    lines: dict[str, list[Delay]] = {}
    for delay in delays():
        lines.setdefault(delay.test, []).append(delay)
    head = ("median look at which harm is seen (part of the runs, where not all)", *(f"x{ratio:g}" for ratio in RATIOS))
    print(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for name, row_of in lines.items():
        if len(row_of) == len(RATIOS):
            print(f"| {name} | {' | '.join(delay.cell() for delay in row_of)} |")
        else:
            print(f"\n{name}, median look: {', '.join(f'{delay.harm}: {delay.cell()}' for delay in row_of)}\n")
    print()
    quiet: dict[str, list[Delay]] = {}
    for delay in quiet_delays():
        quiet.setdefault(delay.test, []).append(delay)
    harms = [delay.harm for delay in next(iter(quiet.values()))]
    head = ("median look at which a candidate that fails is seen, alpha 0.83 %", *harms)
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for name, row_of in quiet.items():
        print(f"| {name} | {' | '.join(delay.cell() for delay in row_of)} |")
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
