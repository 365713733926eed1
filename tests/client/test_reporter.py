"""The reporter: what it keeps, what it loses, and that the service never notices."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from canary_client import Reporter
from canary_client.sending import retry_after
from tests.client.conftest import Real, Scripted, until
from tests.conftest import ROOT, port_of_its_own

TAKEN = (200, {}, {"accepted": 1, "repeated": 0, "rejected": {}})


def reporter_of(scripted: Scripted, **options: Any) -> Reporter:
    options = {"interval_s": 0.05, "heartbeat_s": 60.0} | options
    return Reporter(scripted.url, "a-token", "analyzer", ["original", "fast"], **options)


def test_records_and_probes_reach_the_store_once(real: Real) -> None:
    with real.reporter("once") as reporter:
        for number in range(250):
            assert reporter.record(
                learner=number, version="fast", latency_ms=12.0, ok=number % 50 != 0, region="once", revenue=0.5
            )
        reporter.probe("fast", True)
        assert reporter.flush()
        stats = reporter.stats()
    assert (stats.recorded, stats.accepted, stats.waiting, stats.dropped, stats.last_error) == (251, 251, 0, 0, "")
    frame = real.frame("once")
    assert (frame.requests.sum(), frame.errors.sum()) == (250, 5)
    sender = real.sender("once")
    assert sender is not None
    assert (sender.records, sender.versions) == (251, ("original", "fast"))


def test_a_quiet_service_is_a_healthy_zero_and_a_dead_one_is_not_heard(real: Real) -> None:
    reporter = real.reporter("alive", heartbeat_s=0.2)
    until(lambda: (found := real.sender("alive")) is not None and found.batches >= 3)
    reporter.close()
    sender = real.sender("alive")
    assert sender is not None
    assert sender.records == 0
    assert not sender.is_quiet(time.time(), 5.0)
    assert sender.is_quiet(time.time() + 6.0, 5.0)
    assert {"original", "fast"} <= set(real.frame("").version)


def test_an_answer_that_got_lost_is_asked_for_again_under_the_same_id(scripted: Scripted) -> None:
    scripted.answers = [(0, {}, b""), (500, {}, b"oops"), (503, {"Retry-After": "0"}, {"detail": "not now"}), TAKEN]
    with reporter_of(scripted) as reporter:
        reporter.record(learner="u1", version="fast")
        until(lambda: reporter.stats().accepted == 1)
        stats = reporter.stats()
    assert len({body["batch"] for body in scripted.got}) == 1
    assert len(scripted.got) == 4
    assert (stats.failures, stats.waiting, stats.last_error) == (3, 0, "")


def test_it_waits_as_long_as_it_is_told_to(scripted: Scripted) -> None:
    scripted.answers = [(429, {"Retry-After": "1"}, {"detail": "busy"}), TAKEN]
    with reporter_of(scripted) as reporter:
        reporter.record(learner="u1", version="fast")
        until(lambda: len(scripted.got) == 2)
    assert scripted.at[1] - scripted.at[0] >= 1.0


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("7", 7.0), ("0", 0.0), ("9999", 60.0), ("soon", None), ("", None), ("-1", None), ("Wed", None)],
)
def test_retry_after(told: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": told}, 0.0) == seconds


def test_retry_after_may_be_a_date() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    told = format_datetime(at + timedelta(seconds=12), usegmt=True)
    assert retry_after({"Retry-After": told}, at.timestamp()) == 12.0


def test_without_a_server_memory_is_bounded_and_what_was_lost_is_told(
    scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.answers = [(500, {}, b"")]
    with (
        caplog.at_level(logging.INFO, "canary_client"),
        reporter_of(scripted, max_records=100, max_batch=10) as reporter,
    ):
        for number in range(1000):
            reporter.record(learner=f"u{number}", version="fast")
        stats = reporter.stats()
        assert stats.recorded == 1000
        assert stats.waiting <= 110
        assert stats.dropped + stats.waiting == 1000
        until(lambda: len(scripted.got) > 0)
        refused, scripted.answers = len(scripted.got), [TAKEN]
        assert reporter.flush()
        assert reporter.stats().dropped == stats.dropped
    taken = scripted.got[refused:]
    arrived = {record["learner"] for body in taken for record in body["requests"]}
    assert "u999" in arrived  # the oldest went, not the newest
    assert sum(body.get("dropped", 0) for body in taken) == stats.dropped
    said = [record.message for record in caplog.records]
    assert len([line for line in said if "kept for later" in line]) == 1
    assert len([line for line in said if "sent again" in line]) == 1


def test_a_batch_too_large_is_halved_and_a_refused_one_dropped(scripted: Scripted) -> None:
    scripted.answers = [(413, {}, b""), TAKEN, TAKEN, (422, {}, {"detail": "no"}), TAKEN]
    reporter = reporter_of(scripted, start=False)
    for number in range(10):
        reporter.record(learner=f"u{number}", version="fast")
    assert reporter.flush()
    assert [len(body["requests"]) for body in scripted.got] == [10, 5, 5]
    assert len({body["batch"] for body in scripted.got}) == 3
    reporter.record(learner="u", version="fast")
    assert reporter.flush()
    stats = reporter.stats()
    assert (stats.dropped, stats.last_error) == (1, "HTTP 422: no")
    reporter.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"learner": ""},
        {"learner": None},
        {"learner": "x" * 201},
        {"learner": "a\nb"},
        {"learner": "\ud800"},
        {"version": 7.5},
        {"latency_ms": float("nan")},
        {"latency_ms": -1},
        {"latency_ms": "fast"},
        {"revenue": float("inf")},
        {"segment": ["a"]},
    ],
)
def test_what_cannot_be_told_is_counted_and_breaks_nothing(wrong: dict[str, Any], scripted: Scripted) -> None:
    with reporter_of(scripted) as reporter:
        assert reporter.record(**({"learner": "u1", "version": "fast"} | wrong)) is False
        assert reporter.record(learner="u1", version="fast") is True
        assert reporter.flush()
        assert (reporter.stats().invalid, reporter.stats().recorded) == (1, 1)


def test_the_servers_rejections_and_its_clock_come_back(real: Real) -> None:
    with real.reporter("rejected") as reporter:
        reporter.record(learner="u1", version="fast", region="rejected", ts=time.time() + 4000)
        reporter.record(learner="u1", version="fast", region="rejected", ts=time.time() - 90_000)
        reporter.record(learner="u1", version="unheard-of", region="rejected")
        reporter.record(learner="u1", version="fast", region="rejected")
        assert reporter.flush()
        stats = reporter.stats()
    assert (stats.accepted, sum(stats.rejected.values())) == (1, 3)
    assert stats.skew_s is not None
    assert abs(stats.skew_s) < 5.0
    sender = real.sender("rejected")
    assert sender is not None
    assert sender.rejected == stats.rejected


def test_a_server_that_hangs_holds_nobody_up_and_counts_once(real: Real) -> None:
    reporter = real.reporter("hung", timeout_s=0.3, close_s=0.5)
    real.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        for number in range(2000):
            reporter.record(learner=f"u{number}", version="fast", region="hung")
        assert time.monotonic() - began < 2.0  # a hundred times what it takes; a blocked caller would wait for ever
        until(lambda: reporter.stats().failures > 0)
        assert not reporter.flush(0.1)
    finally:
        real.process.send_signal(signal.SIGCONT)
    assert reporter.flush(20)
    reporter.close()
    assert real.frame("hung").requests.sum() == 2000  # batches that arrived while nobody answered count once


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def test_the_end_of_a_process_sends_what_is_left(real: Real) -> None:
    script = """
import sys
from canary_client import Reporter
reporter = Reporter(sys.argv[1], sys.argv[2], "analyzer", interval_s=60)
for n in range(100):
    reporter.record(learner=n, version="fast", region="atexit")
"""
    done = run(script, real.url, real.push)
    assert (done.returncode, done.stderr) == (0, "")
    assert real.frame("atexit").requests.sum() == 100


def test_the_end_of_a_process_is_not_held_up(free_port: int) -> None:
    script = """
import socket, sys, time
from canary_client import Reporter
deaf = socket.create_server(("127.0.0.1", int(sys.argv[1])))  # takes connections and never answers
reporter = Reporter(f"http://127.0.0.1:{sys.argv[1]}", "t", "analyzer", close_s=0.5)
reporter.record(learner=1, version="fast")
print(time.time(), flush=True)
"""
    done = run(script, str(free_port))
    assert done.returncode == 0, done.stderr
    assert time.time() - float(done.stdout) < 10.0
    assert "1 records were not sent before the end" in done.stderr


def test_children_of_a_fork_report_for_themselves(real: Real) -> None:
    script = """
import os, sys, time
from canary_client import Reporter
reporter = Reporter(sys.argv[1], sys.argv[2], "analyzer", ["fast"], interval_s=0.2, heartbeat_s=0.1)
for n in range(7):
    reporter.record(learner=n, version="fast", region="fork")
children = []
for child in range(3):
    pid = os.fork()
    if pid == 0:
        for n in range(100):
            reporter.record(learner=n, version="fast", region="fork")
        assert reporter.close(10)
        os._exit(0)
    children.append(pid)
assert all(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0 for pid in children)
assert reporter.close(10)
print(*children)
"""
    done = run(script, real.url, real.push)
    assert (done.returncode, done.stderr) == (0, "")
    assert real.frame("fork").requests.sum() == 307
    for pid in done.stdout.split():
        with real.store.read() as connection:
            from core.metrics import senders

            assert any(sender.name.endswith(f":{pid}") for sender in senders(connection))


def test_a_process_that_only_forks_gives_no_sign_of_life(real: Real) -> None:
    script = """
import os, sys, time
from canary_client import Reporter
reporter = Reporter(sys.argv[1], sys.argv[2], "analyzer", ["fast"], source="master", interval_s=60, heartbeat_s=0.1)
pid = os.fork()
if pid == 0:
    os._exit(0)  # a worker that crashes: its master must not report "nobody asked"
os.waitpid(pid, 0)
assert not reporter._lives()
reporter.close()
"""
    done = run(script, real.url, real.push)
    assert (done.returncode, done.stderr) == (0, "")
    assert real.sender("master") is None


def test_it_needs_the_standard_library_only() -> None:
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import canary_client; print(*canary_client.__all__)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_address_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="expected http"):
        Reporter("127.0.0.1:8501", "t", "analyzer", start=False)


def test_a_token_never_follows_a_redirect(scripted: Scripted) -> None:
    scripted.answers = [(307, {"Location": f"http://127.0.0.1:{port_of_its_own()}/"}, b""), TAKEN]
    with reporter_of(scripted) as reporter:
        reporter.record(learner="u1", version="fast")
        until(lambda: reporter.stats().accepted == 1)
        assert reporter.stats().failures == 1


def test_a_connection_is_checked_from_the_command_line(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(flag: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "canary_client", real.url, "--flag", flag]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)

    monkeypatch.setenv("PUSH", real.push)
    good = check("analyzer")
    assert (good.returncode, good.stdout.partition(";")[0]) == (0, "figures of analyzer are taken")
    wrong = check("analyser")
    assert (wrong.returncode, wrong.stderr) == (1, "not taken: no deployment of this flag\n")
    monkeypatch.setenv("PUSH", real.read)
    assert "not for pushing figures" in check("analyzer").stderr
    monkeypatch.delenv("PUSH")
    assert check("analyzer").returncode == 2
