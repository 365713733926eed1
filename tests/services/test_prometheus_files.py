"""What we hand to people who run Prometheus works in a real one: scrape file, alert rules, Grafana's expressions."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from core.metrics import known_sources
from core.store import Clock
from tests.client.conftest import Real
from tests.conftest import ROOT
from tests.services.prometheus import PROMTOOL, Prometheus, needs_prometheus, until

pytestmark = needs_prometheus
FILES = ROOT / "docs" / "prometheus"
DASHBOARD = json.loads((FILES / "grafana.json").read_text())


def expressions() -> dict[str, str]:
    """Return every expression of the dashboard, by panel."""
    found = {
        f"{panel['title']}, {target['refId']}": target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    }
    found["annotation"] = DASHBOARD["annotations"]["list"][0]["expr"]
    return {name: expr.replace("$__rate_interval", "5s") for name, expr in found.items()}


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Real, Prometheus]]:
    """A real server with a monitor, scraped by a Prometheus as scrape.yml says, which it asks in its turn."""
    folder = tmp_path_factory.mktemp("files")
    sources = folder / "sources.yaml"
    real = Real(folder / "home", CANARY_MONITOR="true", CANARY_SOURCES=str(sources))
    try:
        now = time.time()
        real.store.set_clock(Clock(now, now, 20.0))
        (folder / "prometheus").mkdir()
        (folder / "prometheus" / "canary-read-token").write_text(real.read)
        (job,) = yaml.safe_load((FILES / "scrape.yml").read_text())["scrape_configs"]
        del job["scrape_interval"]  # the test's own is shorter
        job["static_configs"][0]["targets"] = [f"127.0.0.1:{real.port}"]
        prometheus = Prometheus(
            folder / "prometheus", more=f"rule_files: [{FILES / 'alerts.yml'}]\n", scrape=yaml.safe_dump([job])
        )
        sources.write_text(
            f"prometheus:\n- name: main\n  url: {prometheus.url}\n  flag: analyzer\n  delay: 500 ms\n"
            '  figures:\n    memory: max(process_resident_memory_bytes{job="cohort-canary"})\n'
        )
        try:
            yield real, prometheus
        finally:
            prometheus.stop()
    finally:
        real.stop()


def test_every_expression_of_the_dashboard_brings_something(scraped: tuple[Real, Prometheus]) -> None:
    real, prometheus = scraped
    with real.reporter("dashboard", heartbeat_s=0.3) as reporter:
        until(lambda: prometheus.value("canary_monitor_up") == 1.0)
        wanted = expressions()
        end = time.monotonic() + 40
        while wanted and time.monotonic() < end:
            reporter.record(learner="u1", version="original", latency_ms=5)
            reporter.record(learner="u1", version="unheard-of")
            httpx.post(
                f"{real.url}/api/v1/requests",
                headers={"Authorization": f"Bearer {real.push}"},
                json={"batch": str(time.time()), "flag": "analyzer", "dropped": 1},
            )
            httpx.post(
                f"{real.url}/ofrep/v1/evaluate/flags/analyzer",
                headers={"Authorization": f"Bearer {real.read}"},
                json={"context": {"targetingKey": "u1"}},
            )
            wanted = {name: expr for name, expr in wanted.items() if not answers(prometheus, expr, name)}
            time.sleep(0.2)
    assert wanted == {}
    until(lambda: heard(real))


def heard(real: Real) -> bool:
    """Say whether the server's own Prometheus, asked by the monitor, has answered with a value."""
    with real.store.read() as connection:
        (source,) = known_sources(connection)
    assert source.problem == ""
    return any(query.value for query in source.queries)


def answers(prometheus: Prometheus, expr: str, name: str) -> bool:
    """Ask; an expression that can't be read fails at once."""
    answer = httpx.get(f"{prometheus.url}/api/v1/query", params={"query": expr}).json()
    assert answer["status"] == "success", (name, answer)
    return bool(answer["data"]["result"]) or name == "annotation"  # the share doesn't change in this test


def test_prometheus_takes_the_alert_rules(scraped: tuple[Real, Prometheus]) -> None:
    _, prometheus = scraped

    def rules() -> list[dict[str, Any]]:
        groups = httpx.get(f"{prometheus.url}/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    until(lambda: {rule["health"] for rule in rules()} == {"ok"})
    assert len(rules()) == 10


@pytest.mark.parametrize("command", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")])
def test_promtool_agrees(command: tuple[str, ...]) -> None:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *command], cwd=FILES, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_scrape_file_is_one(tmp_path: Path) -> None:
    assert PROMTOOL is not None
    (tmp_path / "canary-read-token").write_text("token")
    (tmp_path / "prometheus.yml").write_text((FILES / "scrape.yml").read_text())
    command = [PROMTOOL, "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_laid_out_without_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
