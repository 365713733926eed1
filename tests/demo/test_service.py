import os
import signal
import time
from typing import Any

import httpx
import pytest

from core.demo.faults import Fault, gets_wrong_cohort
from core.traffic import bucket

LEARNERS = [f"demo-{number:06}" for number in range(400)]


def wait_for(condition: Any, within_s: float = 15) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def came_out(service: Any, answers: list[dict[str, Any]]) -> list[bool]:
    """Return for each answer whether the baseline's differed."""
    numbers = [str(answer["comparison"]) for answer in answers]
    found: dict[str, bool] = {}

    def all_there() -> bool:
        found.update(service.http.get("/comparisons").json()["disagreed"])
        return all(number in found for number in numbers)

    wait_for(all_there)
    return [found[number] for number in numbers]


def test_flag_decides_and_both_analyzers_agree(service: Any) -> None:
    candidate, other = (next(x for x in LEARNERS if (bucket("salt", x) < 0.01) is low) for low in (True, False))
    fast, plain = service.cohort(candidate).json(), service.cohort(other).json()
    assert (fast["version"], fast["served_by"], fast["flag"]["variant"]) == ("fast", "fast", "candidate")
    assert (plain["version"], plain["flag"]["variant"]) == ("original", "baseline")
    assert came_out(service, [fast]) == [False]
    assert plain["comparison"] is None
    assert plain["archetype"]
    assert plain["simulated"] == "simulated revenue"
    assert service.cohort("nobody").status_code == 404


def test_all_learners_get_the_same_answer_from_both(all_candidate: Any) -> None:
    answers = [all_candidate.cohort(learner).json() for learner in LEARNERS[:120]]
    assert came_out(all_candidate, answers) == [False] * 120


def test_slow_really_sleeps(all_candidate: Any) -> None:
    all_candidate.set_fault("slow")
    began = time.perf_counter()
    assert all_candidate.cohort(LEARNERS[0]).status_code == 200
    assert time.perf_counter() - began >= 0.3


def test_errors_fail_about_one_in_twenty(all_candidate: Any) -> None:
    all_candidate.set_fault("errors")
    failed = [r.json() for r in map(all_candidate.cohort, LEARNERS) if r.status_code != 200]
    assert 5 <= len(failed) <= 40
    assert {answer["version"] for answer in failed} == {"fast"}


def test_wrong_cohort_is_seen_by_the_comparison(all_candidate: Any) -> None:
    all_candidate.set_fault("wrong-cohort")
    answers = [all_candidate.cohort(learner).json() for learner in LEARNERS[:60]]
    assert came_out(all_candidate, answers) == [gets_wrong_cohort(learner) for learner in LEARNERS[:60]]


def test_revenue_drops_by_three_tenths(all_candidate: Any) -> None:
    def mean() -> float:
        return sum(all_candidate.cohort(learner).json()["revenue"] for learner in LEARNERS) / len(LEARNERS)

    whole = mean()
    all_candidate.set_fault("revenue")
    assert mean() / whole == pytest.approx(0.7, abs=0.1)


def test_dependency_down_falls_back_to_the_original(all_candidate: Any) -> None:
    all_candidate.set_fault("dependency")
    wait_for(lambda: all_candidate.cohort(LEARNERS[0]).json()["fallback"])
    answer = all_candidate.cohort(LEARNERS[0])
    assert answer.status_code == 200
    assert (answer.json()["version"], answer.json()["served_by"]) == ("fast", "original")
    health = httpx.get(f"{all_candidate.workers['fast']['url']}/health", trust_env=False)
    assert health.json() == {"status": "ok", "dependency": "down"}
    all_candidate.set_fault(None)
    wait_for(lambda: not all_candidate.cohort(LEARNERS[0]).json()["fallback"])


def test_crash_kills_the_process_and_it_comes_back(all_candidate: Any) -> None:
    before = all_candidate.http.get("/status").json()["workers"]["fast"]
    all_candidate.set_fault("crash")
    wait_for(lambda: all_candidate.cohort(LEARNERS[0]).status_code == 502)
    wait_for(lambda: all_candidate.http.get("/status").json()["workers"]["fast"]["pid"] is None)
    assert not os.path.exists(f"/proc/{before['pid']}")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{before['url']}/health", trust_env=False)
    all_candidate.set_fault(None)
    wait_for(lambda: all_candidate.cohort(LEARNERS[0]).status_code == 200, within_s=30)
    after = all_candidate.http.get("/status").json()["workers"]["fast"]
    assert after["url"] == before["url"]
    assert after["restarts"] == before["restarts"] + 1


def test_flag_service_down_costs_next_to_nothing(all_candidate: Any) -> None:
    all_candidate.platform.status = 500
    answer = all_candidate.cohort(LEARNERS[0]).json()
    assert (answer["version"], answer["flag"]["defaulted"]) == ("original", True)
    began = time.perf_counter()
    for learner in LEARNERS[:20]:
        assert all_candidate.cohort(learner).json()["version"] == "original"
    assert time.perf_counter() - began < 2.0
    all_candidate.platform.status = 200
    wait_for(lambda: all_candidate.cohort(LEARNERS[0]).json()["version"] == "fast")


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b'{"fault": null}', 401),
        ({"Authorization": "Bearer wrong"}, b'{"fault": null}', 401),
        ({"Authorization": "Bearer TOKEN", "Content-Type": "text/plain"}, b'{"fault": null}', 415),
        ({"Authorization": "Bearer TOKEN"}, b'{"fault": "earthquake"}', 400),
        ({"Authorization": "Bearer TOKEN"}, b"[]", 400),
        ({"Authorization": "Bearer TOKEN"}, b"{", 400),
        ({"Authorization": "Bearer TOKEN", "Origin": "http://evil.example"}, b'{"fault": null}', 403),
        ({"Authorization": "Bearer TOKEN", "Host": "evil.example"}, b'{"fault": null}', 421),
    ],
)
def test_fault_switch_refuses_what_is_not_ours(
    service: Any, fault_token: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    sent = {"Content-Type": "application/json"} | {k: v.replace("TOKEN", fault_token) for k, v in headers.items()}
    assert service.http.put("/faults", content=body, headers=sent).status_code == status
    assert service.http.get("/faults").json()["fault"] is None


def test_fault_list_names_them_all(service: Any) -> None:
    assert [entry["fault"] for entry in service.http.get("/faults").json()["faults"]] == [f.value for f in Fault]


def test_killed_service_leaves_no_worker_behind(start_service: Any) -> None:
    service = start_service()
    pids = [worker["pid"] for worker in service.workers.values()]
    service.process.send_signal(signal.SIGKILL)

    def gone() -> bool:
        return not any(os.path.exists(f"/proc/{pid}") and _state(pid) != "Z" for pid in pids)

    wait_for(gone)


def _state(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
