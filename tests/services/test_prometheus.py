"""Figures from a real Prometheus agree with the truth; restarts, targets and servers that go away, and bad queries."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.metrics import Client, PrometheusSource, QueryState, Sources, Watched, known_sources, parse_sources
from core.metrics.prometheus.poller import Poller, settled_of
from core.store import Clock, Store, histogram, latency_of, load_samples
from tests.services.prometheus import Prometheus, Target, needs_prometheus, until, until_scraped

pytestmark = needs_prometheus

SPAN_S = 1.0
WATCHED = Watched("analyzer", SPAN_S, ("fast", "original"))
FIGURES = """
      requests: http_requests_total{version="{{version}}"}
      errors: {query: 'http_requests_total{version="{{version}}", code=~"5.."}', absent: zero}
      latency: http_request_seconds_bucket{version="{{version}}"}
"""


def source(prometheus: Prometheus, figures: str = FIGURES, more: str = "") -> PrometheusSource:
    (made,) = parse_sources(text_of(prometheus, figures, more), environment={})
    return made


def text_of(prometheus: Prometheus, figures: str = FIGURES, more: str = "") -> str:
    about = f"name: main\n    url: {prometheus.url}\n    flag: analyzer\n    delay: 500 ms\n    timeout: 1 s\n"
    return f"prometheus:\n  - {about}{more}    figures:{figures}"


@dataclass
class History:
    """What a service really did, and when: counts by (version, region, code)."""

    prometheus: Prometheus
    target: Target
    began: float = 0.0
    ended: float = 0.0
    truth: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    down_from: float = 0.0
    down_to: float = 0.0

    def serve(self, seconds: float, *, errors: bool = False) -> None:
        """Answer requests for a while: many to original, few to fast."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for version, region, code, count in (
                ("original", "eu", "200", 5),
                ("original", "us", "200", 3),
                ("fast", "eu", "200", 1),
                *([("fast", "eu", "500", 1)] if errors else []),
            ):
                slow = 0.3 if version == "fast" else 0.03
                self.target.serve(version, region, code, slow, count)
                self.truth[version, region, code] += count
            time.sleep(0.02)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """Seven seconds of a service: steady, restarted, failing, away, back."""
    target = Target()
    target.born("original", "fast")
    prometheus = Prometheus(tmp_path_factory.mktemp("prometheus"), f"127.0.0.1:{target.port}")
    made = History(prometheus, target)
    try:
        until_scraped(prometheus, target)
        made.began = time.time()
        made.serve(2.0)
        until_scraped(prometheus, target)  # what a restart swallows before its last scrape nobody can know
        target.restart()
        target.born("original", "fast")
        until_scraped(prometheus, target)
        made.serve(1.2, errors=True)
        until_scraped(prometheus, target)
        made.down_from = time.time()
        target.down()
        time.sleep(2.5 * SPAN_S)
        target.up()
        made.down_to = time.time()
        made.serve(0.8)
        until_scraped(prometheus, target)
        made.ended = time.time()
        yield made
    finally:
        prometheus.stop()
        target.down()


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    made = Store.open(f"sqlite:///{home / 'canary.sqlite'}", home)
    yield made
    made.close()


def poll(of: PrometheusSource, begin: float, end: float, watched: Watched = WATCHED, clock: Clock | None = None):  # type: ignore[no-untyped-def]
    """Ask for every span of [begin, end], as after a downtime."""
    used = clock or Clock()
    plan_begin = used.plan(begin) // watched.sample_s * watched.sample_s
    settled = {(version, one.figure): plan_begin for version in watched.versions for one in of.figures}
    with Client(of) as client:
        return Poller(of).poll(client, watched, used, settled, end + of.delay_s + SPAN_S)


def test_counters_agree_with_the_truth_to_the_request(history: History) -> None:
    regions = "    labels: {region: region}\n"
    polled = poll(source(history.prometheus, more=regions), history.began - SPAN_S, history.ended)
    assert polled.problem == ""
    counted: Counter[tuple[str, str]] = Counter()
    errors: Counter[tuple[str, str]] = Counter()
    for sample in polled.samples:
        counted[sample.version, sample.region] += sample.requests
        errors[sample.version, sample.region] += sample.errors
    truth: Counter[tuple[str, str]] = Counter()
    for (version, region, _), count in history.truth.items():
        truth[version, region] += count
    assert counted == truth  # through a restart and an outage: nothing twice, nothing lost
    assert errors["fast", "eu"] == history.truth["fast", "eu", "500"]
    for version, above, below in (("fast", 250.0, 500.0), ("original", 25.0, 50.0)):
        mine = [histogram.decode(sample.latency) for sample in polled.samples if sample.version == version]
        merged = sum(mine)
        assert merged.sum() == sum(sample.requests for sample in polled.samples if sample.version == version)
        assert histogram.count_above(merged, above) == merged.sum()
        assert histogram.count_above(merged, below) == 0


def test_increase_agrees_within_what_it_promises(history: History) -> None:
    figures = """
      requests: sum(increase(http_requests_total{version="{{version}}"}[{{span}}]))
      errors: {query: 'sum(increase(http_requests_total{version="{{version}}", code=~"5.."}[{{span}}]))', absent: zero}
      latency: sum by (le) (increase(http_request_seconds_bucket{version="{{version}}"}[{{span}}]))
"""
    polled = poll(source(history.prometheus, figures), history.began - SPAN_S, history.ended)
    for version in WATCHED.versions:
        counted = sum(sample.requests for sample in polled.samples if sample.version == version)
        truth = sum(count for (name, *_), count in history.truth.items() if name == version)
        # Extrapolated, and blind to what happens between spans: with five scrapes a span, a fifth at most.
        assert abs(counted - truth) <= 0.25 * truth


def test_a_target_that_is_away_is_silence_and_never_zeros(history: History) -> None:
    polled = poll(source(history.prometheus), history.began - SPAN_S, history.ended)
    told = {round(sample.start) for sample in polled.samples if sample.version == "original"}
    first = int(history.down_from // SPAN_S + 1) * SPAN_S
    away = {round(first + k * SPAN_S) for k in range(int((history.down_to - first) // SPAN_S))}
    assert away
    assert not told & away
    assert all(settled is not None for settled in (t.settled for t in polled.told))  # done with, not asked for ever


@pytest.mark.parametrize(
    ("query", "state", "words"),
    [
        ("nothing_of_this_name{version='{{version}}'}", QueryState.NO_VALUES, "does the query match"),
        ('odd{kind="nan"}', QueryState.NOT_A_NUMBER, "NaN"),
        ('odd{kind="inf"}', QueryState.NOT_A_NUMBER, "infinity"),
        ("odd", QueryState.WRONG_SHAPE, "expected one"),
        ('odd{kind="memory"}[30s]', QueryState.WRONG_SHAPE, "a range vector"),
        ("scalar(odd{kind='memory'})", QueryState.WRONG_SHAPE, "a scalar"),
        ("'text'", QueryState.WRONG_SHAPE, "a string"),
        ("sum(odd{kind='memory'}", QueryState.BAD_QUERY, "parse error"),
        ("summe(odd)", QueryState.BAD_QUERY, "unknown function"),
        ("max(odd{kind='memory'})", QueryState.OK, ""),
    ],
)
def test_what_is_no_figure_has_a_type_and_says_what_to_mend(
    history: History, query: str, state: QueryState, words: str
) -> None:
    of = source(history.prometheus, f"\n      memory: {query!r}\n".replace("\\'", "''"))
    watched = Watched("analyzer", SPAN_S, ("fast",))
    for begin in (history.ended - 0.1, history.ended - 3 * SPAN_S):  # one span, and several at once
        polled = poll(of, begin, history.ended, watched)
        (told,) = polled.told
        assert told.state is state, told.said
        assert words in told.said
        assert (told.value, len(polled.samples) > 0) == ((5e8, True) if state is QueryState.OK else (None, False))


def test_a_count_that_is_no_selector_says_so(history: History) -> None:
    figures = "\n      requests: sum(http_requests_total)\n      errors: http_requests_total{code='500'}\n"
    polled = poll(source(history.prometheus, figures), history.ended - SPAN_S, history.ended)
    assert polled.told[0].state is QueryState.BAD_QUERY
    assert "ranges only allowed for vector selectors" in polled.told[0].said
    assert polled.samples == ()


def test_two_monitors_a_restart_and_a_hung_server_count_everything_once(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = Target()
    target.born("original", "fast")
    prometheus = Prometheus(tmp_path / "prometheus", f"127.0.0.1:{target.port}")
    file = tmp_path / "sources.yaml"
    text = text_of(prometheus)
    file.write_text(text)
    stops: list[threading.Event] = []
    threads: list[threading.Thread] = []

    def begin() -> None:
        stop = threading.Event()
        runner = Sources(store, file, lambda: [WATCHED], lease_s=1.0)
        threads.append(threading.Thread(target=runner.run, args=(stop,), daemon=True))
        stops.append(stop)
        threads[-1].start()

    def settled_to() -> float:
        with store.read() as connection:
            return min(settled_of(connection, "main", "analyzer").values(), default=0.0)

    def counted() -> int:
        with store.read() as connection:
            return int(load_samples(connection, "analyzer").requests.sum())

    def problem() -> str:
        with store.read() as connection:
            return next((source.problem for source in known_sources(connection)), "")

    truth = 0

    def serve(count: int) -> None:
        nonlocal truth
        target.serve("original", "eu", count=count)
        truth += count

    try:
        until_scraped(prometheus, target)
        begin()
        begin()
        until(lambda: settled_to() > 0)
        serve(100)
        stops[0].set()  # one of the two goes
        threads[0].join(5)
        serve(50)
        until_scraped(prometheus, target)
        prometheus.freeze()
        until(lambda: "no answer within 1 s" in problem())
        prometheus.thaw()
        until(lambda: problem() == "" and settled_to() > time.time() - 3 * SPAN_S)
        stops[1].set()  # nobody asks for a while
        threads[1].join(5)
        serve(25)
        until_scraped(prometheus, target)
        time.sleep(SPAN_S)
        begin()
        now = time.time()
        until(lambda: settled_to() >= now)
        assert counted() == truth == 175
        prometheus.kill()
        until(lambda: "can't be reached" in problem())
        file.write_text(text.replace("requests:", "request:"))  # a mistake: what was polled goes on, and it is said
        until(lambda: "figures.request" in caplog.text)
        assert f"{file}:8:7" in caplog.text
    finally:
        for stop in stops:
            stop.set()
        prometheus.stop()
        target.down()
        for thread in threads:
            thread.join(5)
    with store.read() as connection:
        frame = load_samples(connection, "analyzer")
        (known,) = known_sources(connection)
    assert {(query.version, query.figure) for query in known.queries} == {
        (version, figure) for version in WATCHED.versions for figure in ("requests", "errors", "latency")
    }
    assert frame.requests.sum() == latency_of(frame).sum() == 175
