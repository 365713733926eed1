"""The whole demo, as a user starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from core.demo.run import demo_plan

ROOT = Path(__file__).parents[2]


def start_demo(home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "core.cli", "demo", "--learners", "2000", *arguments],
        stdout=subprocess.PIPE,
        stderr=(home / "stderr").open("w"),
        text=True,
        cwd=ROOT,
        env=os.environ | {"CANARY_HOME": str(home)},
        start_new_session=True,
    )


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def processes_of(home: Path) -> list[str]:
    """Command lines of living processes that were started with this home."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if f"CANARY_HOME={home}".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except (OSError, ValueError):
            continue
    return [line for line in found if line]


def wait_until_none_are_left(home: Path) -> None:
    deadline = time.monotonic() + 15
    while left := processes_of(home):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.serial  # other tests beside it would make its real requests slow, which is a fault of its own
def test_errors_are_rolled_back(tmp_path: Path) -> None:
    demo = start_demo(tmp_path, "--once", "--json", "--fault", "errors", "--port", str(free_port()))
    out, _ = demo.communicate(timeout=180)
    assert demo.returncode == 0, (tmp_path / "stderr").read_text()
    outcome = json.loads(out)
    assert (outcome["fault"], outcome["decision"], outcome["figure"]) == ("errors", "rolled_back", "error_rate")
    assert 0 < outcome["wall_s"] < 60
    assert outcome["plan_s"] == pytest.approx(outcome["wall_s"] * 40, rel=0.05)
    assert "simulated" in outcome["simulated"]
    wait_until_none_are_left(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_it_ends_whole_on_another_port(tmp_path: Path, how: signal.Signals) -> None:
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        demo = start_demo(tmp_path, "--port", str(port))
        deadline = time.monotonic() + 90
        while "Ctrl-C" not in (said := (tmp_path / "stderr").read_text()):
            assert time.monotonic() < deadline, said
            assert demo.poll() is None, said
            time.sleep(0.2)
    assert f"port {port} is taken; using {port + 1}" in said
    assert httpx.get(f"http://127.0.0.1:{port + 1}/", trust_env=False).status_code == 200
    [deployment] = httpx.get(f"http://127.0.0.1:{port + 1}/api/v1/deployments", trust_env=False).json()["deployments"]
    assert (deployment["state"], deployment["share"]) == ("running", 0.01)
    assert len(processes_of(tmp_path)) == 6  # this one, the server, the service, two workers, the load
    demo.send_signal(how)
    assert demo.wait(20) == (0 if how is signal.SIGINT else -signal.SIGKILL)
    wait_until_none_are_left(tmp_path)


def test_unreadable_events_are_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("learner_id,when\na,1\n")
    demo = start_demo(tmp_path, "--events", str(tmp_path / "events.csv"), "--port", str(free_port()))
    assert demo.wait(60) == 1
    said = (tmp_path / "stderr").read_text()
    assert "column ts, domain, skill is missing" in said
    assert "Traceback" not in said
    wait_until_none_are_left(tmp_path)


def test_of_real_learners_only_the_revenue_is_said_to_be_made_up() -> None:
    assert demo_plan(real_learners=True).simulated == "revenue is made up"
    assert demo_plan(real_learners=False).simulated == "learners and revenue are made up"
    assert demo_plan(real_learners=True).phases == demo_plan(real_learners=False).phases
