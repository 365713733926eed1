"""Deployments over HTTP: every action by its path, refusals as conflicts, the actor from the token."""

from __future__ import annotations

from typing import Any

import pytest

from core.learners import runs
from core.store import events
from tests.learners.test_runs import keep, population

ROOT = "/api/v1/deployments"


def act(api: Any, deployment: str, action: str, **body: Any) -> Any:
    return api.post(f"{ROOT}/{deployment}/{action}", "act", body)


def test_a_plan_becomes_a_deployment(api: Any, plan_text: str) -> None:
    made = api.post(ROOT, "act", {"plan": plan_text})
    assert made.status_code == 201
    status = made.json()["deployment"]
    assert (status["state"], status["share"], status["flag"]) == ("draft", 0.0, "analyzer")
    assert made.headers["location"] == f"{ROOT}/{status['id']}"
    assert api.get(made.headers["location"]).json()["plan"] == plan_text
    assert [d["id"] for d in api.get(ROOT).json()["deployments"]] == [status["id"]]
    assert api.get(f"{ROOT}?flag=other").json() == {"deployments": []}


def test_it_can_be_started_at_once(api: Any, running: str) -> None:
    status = api.get(f"{ROOT}/{running}").json()
    assert (status["deployment"]["state"], status["deployment"]["share"]) == ("running", 0.01)
    assert status["actions"]["rollback"] is None
    assert "started already" in status["actions"]["start"]


def test_a_second_one_of_the_same_flag_has_to_wait(api: Any, running: str, plan_text: str) -> None:
    busy = api.post(ROOT, "act", {"plan": plan_text})
    assert (busy.status_code, busy.json()["title"]) == (409, "Busy")
    assert running in busy.json()["detail"]


def test_a_plan_that_is_wrong_is_told_line_by_line(api: Any, plan_text: str) -> None:
    refused = api.post(ROOT, "act", {"plan": plan_text.replace("traffic: 10 %", "traffic: lots")})
    assert refused.status_code == 422
    (problem,) = refused.json()["problems"]
    assert problem["value"] == "lots"
    assert plan_text.splitlines()[problem["line"] - 1].strip().startswith("traffic: 10 %")


@pytest.mark.parametrize(
    "text", ["", "[", "a: &a [*a]", "- " * 5000, "!!python/object:os.system {}", "\u0000", "name: x"]
)
@pytest.mark.sqlite
def test_what_is_no_plan_is_refused(api: Any, text: str) -> None:
    assert api.post(ROOT, "act", {"plan": text}).status_code == 422
    assert api.get(ROOT).json() == {"deployments": []}


def test_a_way_through_every_action(api: Any, running: str) -> None:
    assert act(api, running, "hold", reason="lunch").json()["deployment"]["state"] == "holding"
    resumed = act(api, running, "resume", reason="back", extend_s=600).json()["deployment"]
    assert (resumed["state"], resumed["extended_s"]) == ("running", 600)
    assert act(api, running, "advance", reason="looks good").json()["deployment"]["share"] == 0.1
    rolled_back = act(api, running, "rollback", reason="looks bad").json()
    assert (rolled_back["deployment"]["state"], rolled_back["deployment"]["share"]) == ("rolled back", 0.0)
    assert (rolled_back["switched"], rolled_back["already"]) == (True, False)
    assert act(api, running, "retry", reason="fixed").json()["deployment"]["attempt"] == 2
    assert act(api, running, "abort", reason="enough").json()["deployment"]["state"] == "aborted"


def test_the_log_names_the_token_and_no_parameter_changes_that(api: Any, running: str) -> None:
    assert act(api, running, "hold", reason="x", actor="monitor").status_code == 422
    act(api, running, "rollback", reason="looks bad")
    with api.store.read() as connection:
        (event,) = events(connection, kinds=("rolled back",))
    assert (event.actor, event.reason) == ("api:act-token", "looks bad")
    assert event.data["by_person"] is True


@pytest.mark.parametrize("action", ["rollback", "abort"])
@pytest.mark.parametrize("reason", ["", "  \n "])
@pytest.mark.sqlite
def test_harm_needs_a_reason(api: Any, running: str, action: str, reason: str) -> None:
    assert act(api, running, action, reason=reason).status_code == 422
    assert api.deliveries.status(running).share == 0.01


def test_what_is_so_already_is_done(api: Any, running: str) -> None:
    act(api, running, "rollback", reason="looks bad")
    again = act(api, running, "rollback", reason="looks bad")
    assert (again.status_code, again.json()["already"]) == (200, True)


def test_what_cannot_be_done_says_why(api: Any, running: str) -> None:
    act(api, running, "rollback", reason="looks bad")
    refused = act(api, running, "advance")
    assert (refused.status_code, refused.json()["title"]) == (409, "Refused")
    assert "rolled back" in refused.json()["detail"]
    assert refused.json()["deployment"]["state"] == "rolled back"


def test_who_looked_at_an_older_state_has_to_look_again(api: Any, running: str) -> None:
    revision = api.get(f"{ROOT}/{running}").json()["deployment"]["revision"]
    act(api, running, "hold", reason="lunch")
    stale = act(api, running, "advance", expected_revision=revision)
    assert stale.status_code == 409
    assert api.deliveries.status(running).share == 0.01


@pytest.mark.parametrize("action", ["complete", "delete", "ROLLBACK", "roll back", "halt"])
@pytest.mark.sqlite
def test_only_what_people_can_do(api: Any, running: str, action: str) -> None:
    assert act(api, running, action, reason="x").status_code == 422


@pytest.mark.parametrize(
    "wrong",
    [
        {"extend_s": -1},
        {"extend_s": float("nan")},
        {"extend_s": float("inf")},
        {"extend_s": "x"},
        {"expected_revision": "1"},
        {"expected_revision": 10**30},
        {"expected_revision": 1.5},
        {"reason": 7},
        {"reason": "x" * 2001},
        {"by_person": False},
    ],
)
@pytest.mark.sqlite
def test_a_command_that_makes_no_sense_is_refused(api: Any, running: str, wrong: dict[str, Any]) -> None:
    assert act(api, running, "rollback", **{"reason": "x"} | wrong).status_code == 422
    assert api.deliveries.status(running).share == 0.01


@pytest.mark.parametrize("body", [None, [], "x", 1, True])
@pytest.mark.sqlite
def test_a_body_that_is_no_object_is_refused(api: Any, running: str, body: Any) -> None:
    assert api.post(f"{ROOT}/{running}/hold", "act", body).status_code == 422


@pytest.mark.parametrize(
    "name",
    [
        "nobody",
        "..",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "'; DROP TABLE deployment; --",
        "x" * 500,
        "%ff",
        "%ed%a0%80",
    ],
)
def test_an_id_that_is_none_is_not_found(api: Any, running: str, name: str) -> None:
    for answer in (
        api.get(f"{ROOT}/{name}/events"),
        api.get(f"{ROOT}/{name}/checkpoints"),
        act(api, name, "rollback", reason="x"),
    ):
        assert answer.status_code in {404, 405, 422}
        assert answer.headers["content-type"] == "application/problem+json"
    assert api.deliveries.status(running).share == 0.01


def test_events_are_given_page_by_page(api: Any, running: str) -> None:
    for _ in range(3):
        act(api, running, "hold", reason="x")
        act(api, running, "resume", reason="x")
    seen, after = [], 0
    while found := (answer := api.get(f"{ROOT}/{running}/events?limit=2&after={after}").json())["events"]:
        seen += [event["seq"] for event in found]
        after = answer["next"]
    with api.store.read() as connection:
        assert seen == [event.seq for event in events(connection, deployment=running)]


@pytest.mark.parametrize("query", ["limit=0", "limit=1e9", "after=-1", f"after={10**40}", "after=x"])
@pytest.mark.sqlite
def test_pages_have_bounds(api: Any, running: str, query: str) -> None:
    assert api.get(f"{ROOT}/{running}/events?{query}").status_code == 422


def test_checkpoints_are_empty_before_the_first(api: Any, running: str) -> None:
    assert api.get(f"{ROOT}/{running}/checkpoints").json() == {"checkpoints": []}


@pytest.mark.parametrize("learner", ["u1", "a/b", "mailto:a@b.example", "..", "%00", "%F0%9F%90%A4", "%ff"])
@pytest.mark.sqlite
def test_any_learner_has_a_version(api: Any, running: str, learner: str) -> None:
    answer = api.get(f"/api/v1/learners/{learner}")
    if learner == "..":  # clients take it for the folder above
        assert answer.status_code == 404
        return
    (given,) = answer.json()["assignments"]
    assert (given["flag"], given["deployment"], given["share"]) == ("analyzer", running, 0.01)
    assert (given["version"] == "fast") is (given["bucket"] < 0.01)


def test_a_learner_of_an_unknown_flag_is_not_found(api: Any, running: str) -> None:
    assert api.get("/api/v1/learners/u1?flag=other").status_code == 404


@pytest.mark.sqlite
def test_a_learner_has_the_cohort_of_the_newest_run(api: Any, running: str) -> None:
    assert api.get("/api/v1/learners/u001").json()["cohort"] is None
    run = keep(api.store, population())
    for _ in range(2):
        cohort = api.get("/api/v1/learners/u001").json()["cohort"]
        assert (cohort["run"], cohort["known"], cohort["simulated"], cohort["stale"]) == (run.id, True, None, None)
        assert cohort["name"] == run.model.cohorts[cohort["cohort"]].name
    unknown = api.get("/api/v1/learners/nobody").json()["cohort"]
    assert (unknown["known"], unknown["cohort"]) == (False, None)
    metrics = api.get("/metrics").text
    assert 'canary_learner_cache_lookups_total{found="process"} 1.0' in metrics
    assert 'canary_learner_cache_lookups_total{found="nowhere"} 2.0' in metrics
    runs.files_of(api.store.home, run.id).assignments.unlink()
    answer = api.get("/api/v1/learners/u002").json()
    assert answer["assignments"][0]["flag"] == "analyzer"
    assert answer["cohort"] == {"problem": f"the file of run {run.id} is gone"}
