from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.delivery import (
    Action,
    CheckpointRecord,
    Drill,
    Figure,
    FigureState,
    Finding,
    Guardrail,
    Incident,
    Limit,
    Reading,
    Role,
    State,
    Traffic,
    Verdict,
    checkpoints,
    judge,
    latest_verdict,
    outlook,
    parse_plan,
)
from core.delivery.model import Assigned, Seen
from core.doctor import Finding as Found
from core.doctor import Grade
from core.learners import CacheStats
from core.settings import Settings, origins
from core.store import Clock, Event, Lease, events
from core.traffic import SwitchState
from core.web import reading
from core.web.views import checkpoints as cards
from core.web.views import choices, history, live, plans, pulse, rows, settings, system, times
from core.web.views.marks import Tone, figure_mark, state_mark
from tests.delivery import recordings
from tests.web.deployments import NOON, PLAN, Rollout, rollout


@pytest.fixture
def running(tmp_path: Path):
    with rollout(tmp_path) as made:
        yield made


def verdict_of(made: Rollout) -> Verdict | None:
    with made.store.read() as connection:
        return latest_verdict(connection, made.id)


def test_every_state_has_a_word_and_an_icon() -> None:
    marks = [figure_mark(s) for s in FigureState] + [state_mark(s) for s in State]
    assert all(m.word and m.icon for m in marks)
    assert len({(m.icon, m.word) for m in marks}) == len(marks)


def test_the_sentence_of_a_draft(tmp_path: Path) -> None:
    with rollout(tmp_path, start=False) as made:
        said = live.headline(made.status, None, NOON)
        assert said.title == "Ready to start: no learner gets fast yet"
        steps = live.steps(made.status, [], NOON)
        assert [s.now for s in steps] == [False, False]
        assert choices.choices(made.status, NOON)[Action.START].refusal == ""
        assert "no learner gets the candidate" in choices.choices(made.status, NOON)[Action.ROLL_BACK].refusal


def test_what_has_not_begun_promises_no_more_than_it_does(tmp_path: Path) -> None:
    with rollout(tmp_path, start=False) as made:
        dated = parse_plan(PLAN.replace("    lasts: 2 h", "    starts: 2099-01-01 12:00 UTC\n    lasts: 2 h"))
        ready = replace(made.status, plan=replace(dated, skip_gaps=False))
        start = choices.choices(ready, NOON)[Action.START].does
        assert start == "Schedules it: 1 % of the learners get fast from 2099-01-01 12:00:00 UTC."
        assert "as planned" in live.headline(ready, None, NOON).detail
        aborted = made.do(Action.ABORT)
        assert live.headline(aborted, None, NOON).title == "Aborted before it began: it moved no traffic"


def test_a_phase_that_a_person_ended_is_over_not_passed(running: Rollout) -> None:
    running.go_on(20)
    running.do(Action.ADVANCE)
    with running.store.read() as connection:
        judged = checkpoints(connection, running.id)
    canary, ramp = live.steps(running.status, judged, running.at)
    assert (canary.mark.word, ramp.mark.word) == ("over", "running")


def test_a_new_attempt_does_not_show_what_was_judged_of_the_one_before(running: Rollout) -> None:
    running.go_on(5, errors=0.2)
    assert reading.take(running.store, running.status).verdict is not None
    assert running.status.state is State.ROLLED_BACK
    running.store.set_clock(Clock(time.time(), running.at + 60, 1.0))
    running.do(Action.RETRY)
    assert reading.take(running.store, running.status).verdict is None


def test_a_running_phase(running: Rollout) -> None:
    running.go_on(35)
    now = running.at
    with running.store.read() as connection:
        judged = checkpoints(connection, running.id)
    said = live.headline(running.status, verdict_of(running), now)
    assert said.title == "Canary: 1 % of the learners get fast"
    assert "1 h 25 min left" in said.detail
    canary, ramp = live.steps(running.status, judged, now)
    assert canary.now
    assert canary.progress == pytest.approx(35 / 120, abs=0.01)
    assert [t.mark.word for t in canary.ticks[2:]] == ["to come"] * 3
    assert "to come" not in {t.mark.word for t in canary.ticks[:2]}
    assert any("next checkpoint in 25 min" in line for line in canary.lines)
    assert (ramp.mark.word, ramp.share, ramp.progress) == ("to come", "10 %", 0.0)


def test_a_faster_clock_says_how_long_one_waits(running: Rollout) -> None:
    running.go_on(30)
    (canary, _) = live.steps(running.status, [], running.at, 40.0)
    assert "1 h 30 min (really 2 min 15 s) left of 2 h" in canary.lines[0]


def test_a_rollback_is_said_with_its_reason(running: Rollout) -> None:
    running.go_on(20)
    status = running.do(Action.ROLL_BACK, "learners complain")
    said = live.headline(status, verdict_of(running), running.at)
    assert (said.title, said.detail, said.mark.tone) == (
        "Rolled back: every learner gets original",
        "Learners complain.",
        Tone.BAD,
    )
    canary, ramp = live.steps(status, [], running.at)
    assert (canary.mark.word, ramp.mark.word) == ("rolled back", "not reached")
    offered = choices.choices(status, running.at)
    assert {a for a, c in offered.items() if not c.refusal} == {Action.RETRY}
    assert all(c.does for c in offered.values())


def test_every_state_has_a_sentence(running: Rollout) -> None:
    for state in State:
        status = replace(running.status, state=state, next_start=running.at + 60)
        said = live.headline(status, None, running.at)
        assert said.title
        assert said.detail
        live.steps(status, [], running.at)


def lease(beat: float, ttl: float = 6.0, holder: str = "host:1") -> Lease:
    return Lease("monitor", holder, 3, beat + ttl, beat, 0.02, 0.011)


def test_a_dead_monitor_is_an_alarm_while_learners_are_on_the_candidate(running: Rollout) -> None:
    clock, wall = Clock(1000.0, NOON, 1.0), 1010.0
    alive = pulse.pulse(running.status, lease(1008.0), NOON + 5, clock, wall)
    assert alive.alarms == ()
    assert alive.data == "newest sample ended 5.0 s ago"
    assert alive.monitor == "last tick 2.0 s ago, 20 ms late"
    for gone in (None, lease(900.0), lease(1009.0, holder="")):
        dead = pulse.pulse(running.status, gone, NOON + 5, clock, wall)
        assert "The monitor is not running" in dead.alarms[0]
        assert dead.monitor == "not running"
    ended = replace(running.do(Action.ROLL_BACK), rolled_back_at=NOON)
    assert pulse.pulse(ended, None, NOON + 5, clock, wall).alarms == ()
    assert "some requests may still reach fast" in pulse.pulse(ended, None, NOON, clock, wall + 900).alarms[0]
    proved = replace(ended, verification="verified")
    assert pulse.pulse(proved, None, NOON, clock, wall + 900).alarms == ()


def test_silence_and_an_unconfirmed_switch_are_alarms(running: Rollout) -> None:
    clock = Clock(1000.0, NOON, 40.0)
    silent = pulse.pulse(running.status, lease(1009.0), NOON + 10, clock, 1010.0)
    assert "No sample of fast for 6 min (really 10 s)" in silent.alarms[0]
    pending = replace(running.status, switch_revision=99)
    assert "has not confirmed 1 %" in pulse.pulse(pending, lease(1009.0), NOON + 399, clock, 1010.0).alarms[0]
    failed = Incident("i1", running.status.id, NOON, None, "switch failed", "HAProxy does not answer within 1 s")
    told = pulse.pulse(pending, lease(1009.0), NOON + 399, clock, 1010.0, [failed])
    assert len(told.alarms) == 1
    assert "not confirmed 1 % yet: HAProxy does not answer within 1 s. It is tried" in told.alarms[0]


def test_a_rollback_that_the_switch_has_not_confirmed_does_not_claim_to_be_done(running: Rollout) -> None:
    done = running.do(Action.ROLL_BACK)
    assert live.headline(done, None, NOON).title == "Rolled back: every learner gets original"
    pending = live.headline(replace(done, switch_revision=99), None, NOON)
    assert pending.title == "Rolled back: not confirmed, learners may still get fast"


def test_what_is_wrong_with_the_switch_is_an_alarm_while_its_incident_is_open(running: Rollout) -> None:
    clock = Clock(1000.0, NOON, 1.0)
    drifted = Incident("i1", running.status.id, NOON, None, "switch drifted", "1 % was decided, but it gives 50 %")
    shown = pulse.pulse(running.status, lease(1009.0), NOON + 5, clock, 1010.0, [drifted])
    assert shown.alarms == ("The traffic is or was not as decided: 1 % was decided, but it gives 50 %.",)
    over = [replace(drifted, closed=NOON + 1), replace(drifted, cause="rolled back")]
    assert pulse.pulse(running.status, lease(1009.0), NOON + 5, clock, 1010.0, over).alarms == ()


def test_what_the_switch_does_is_told_with_its_state(running: Rollout) -> None:
    well = Reading("analyzer", 0.01, running.status, SwitchState("analyzer", 0.01, None, "HAProxy"))
    ill = replace(well, problem="1 % was decided, but HAProxy gives the candidate 50 %")
    mark, told = system.switch_facts("HAProxy at /run/a", {"analyzer": well})
    assert (mark.word, told[0], told[1][1]) == (
        "as decided",
        ("What", "HAProxy at /run/a"),
        "1 % of the learners, as decided",
    )
    assert system.switch_facts("HAProxy", {"analyzer": well, "b": ill})[0].word == "not as decided"
    assert system.switch_facts("HAProxy", {"analyzer": None})[0].word == "not confirmed"
    assert "every learner gets the baseline" in system.switch_facts("HAProxy", {})[1][1][1]


def test_what_the_cache_has_done_is_told() -> None:
    mark, told = system.cache_facts(CacheStats({"process": 0}, 0))
    assert (mark, dict(told)) == (None, {"Lookups": "0", "Held here": "0 learners, 0 B"})
    stats = CacheStats({"process": 6, "redis": 2}, 2, 3, 40, 4, 2500, False)
    mark, told = system.cache_facts(stats)
    assert (mark.word, dict(told)["Found"], dict(told)["Found in Redis"]) == ("Redis fails", "80 % (8)", "2")
    assert dict(told)["Calls of Redis"] == "3 failed, 40 spared meanwhile"
    assert system.cache_facts(replace(stats, up=True))[0].word == "Redis answers"


def test_one_row_a_figure_with_both_limits(running: Rollout) -> None:
    running.go_on(20)
    table = rows.figure_rows(running.plan, 0, verdict_of(running))
    assert [r.figure for r in table] == [Figure.ERROR_RATE, Figure.LATENCY_P99, Figure.AVAILABILITY, Figure.INCIDENTS]
    errors = table[0]
    assert errors.limits == ("under 1 %", "rolls back when over 1.5 % for 2 min")
    assert errors.mark.word == "pass"
    assert errors.value.endswith(" %")
    assert errors.baseline.endswith(" %")
    assert " to " in errors.interval
    assert errors.sentence.startswith("Error rate")
    assert table[3].limits == ("exactly 0",)


def test_rows_before_the_first_judgement(running: Rollout) -> None:
    assert {r.mark.word for r in rows.figure_rows(running.plan, -1, None)} == {"not judged yet"}


def test_a_breached_trigger_is_the_row(running: Rollout) -> None:
    running.go_on(10)
    seen = verdict_of(running)
    assert seen is not None
    limit = running.plan.triggers[0].limit
    fired = Finding(Role.TRIGGER, limit, FigureState.FAIL, "error rate 5 %; limit 1.5 %", value=0.05, then="roll back")
    table = rows.figure_rows(running.plan, 0, replace(seen, triggers=(fired, *seen.triggers[1:])))
    assert (table[0].mark.word, table[0].value) == ("trigger breached", "5 %")


def test_what_only_warns_is_never_shown_as_failing() -> None:
    from core.web.views.rows import _row

    limit = Limit(Figure.MEMORY, "<", 1e9)
    judged = Finding(Role.CRITERION, limit, FigureState.FAIL, "memory 2 GB", value=2e9)
    row = _row(Figure.MEMORY, limit, None, judged, None)
    assert (row.mark.word, row.mark.tone, row.gates) == ("warning only", Tone.WATCH, False)


def test_report_cards(running: Rollout) -> None:
    running.go_on(35)
    with running.store.read() as connection:
        judged = checkpoints(connection, running.id)
    assert cards.attempts(running.status, judged) == [1]
    canary, ramp = cards.phase_cards(running.status, judged, 1, running.at)
    assert [c.pending for c in canary.cards] == [False, False, True, True, True]
    first = canary.cards[0]
    assert first.title == "After 15 min"
    assert "31 Oct 12:15 UTC" in first.when
    assert len(first.criteria) == 4
    assert canary.cards[2].when == "in 25 min (31 Oct 13:00 UTC)"
    assert all(c.pending for c in ramp.cards)
    ended = running.do(Action.ROLL_BACK)
    assert cards.phase_cards(ended, judged, 1, running.at)[0].cards[2].mark.word == "not reached"


def test_events_are_said_and_paged(running: Rollout) -> None:
    running.do(Action.ROLL_BACK, "<b>odd</b>")
    with running.store.read() as connection:
        log = events(connection, newest_first=True)
    said = history.rows(log)
    assert said[-1].mark.word == "created"
    rolled = next(r for r in said if r.mark.word == "rolled back")
    assert ("learners", "1 % → 0 %") in rolled.facts
    assert rolled.actor == "test"
    assert all(kind.kind in history.KINDS for kind in log)
    assert history.pages_of(0) == 1
    assert history.pages_of(26) == 2
    assert history.page_of(list(range(26)), 9) == [25]  # type: ignore[list-item]
    assert history.counted(3, 12) == "3 of 12 events"
    lines = history.as_json_lines(log).splitlines()
    assert len(lines) == len(log)


def test_an_unknown_event_is_shown_plainly() -> None:
    event = Event(1, NOON, NOON, "d", "something new", "who", "why", {"share": 0.5}, "", "")
    (row,) = history.rows([event])
    assert row.mark.word == "something new"
    assert row.facts == (("share", "50 %"),)


def test_a_rollback_is_measured_in_both_times() -> None:
    drill = Drill("d", 1, "monitor", "errors", False, NOON, NOON, 0.004, 0.0001, 62.0, 1.55)
    watch = choices.stopwatch(drill)
    assert watch.steps == (
        ("Decision to switch read back", "4 ms", "under 1 ms"),
        ("Decision to verified by traffic", "1 min 2 s", "1.6 s"),
    )
    assert "first window" in choices.stopwatch(replace(drill, verified_plan_s=None, verified_wall_s=None)).note
    unverified = choices.stopwatch(replace(drill, verified_plan_s=None, unverified="no traffic; 300 evaluations"))
    assert unverified.steps[1][1] == "unverified"
    assert "300 evaluations" in unverified.note


def test_whom_an_action_affects(running: Rollout) -> None:
    status = running.status
    assert (
        choices.affected(status, Action.ROLL_BACK, {"fast": 198})
        == "1 % of the learners; 198 were seen on fast in this phase"
    )
    assert choices.affected(status, Action.ADVANCE, {"fast": 198}) == "9 % of the learners"
    assert choices.mix(running.plan, 0.0) == "everyone original"
    assert choices.mix(running.plan, 0.1) == "10 % fast, 90 % original"
    assert choices.mix(running.plan, 1.0) == "everyone fast"
    for action in Action:
        if action is not Action.COMPLETE:
            assert choices.effect(status, action, running.at)


def test_no_secret_is_shown_and_each_setting_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_TICK_S", "2.5")
    current = Settings(act_tokens=("s3cret-token",), demo_token="s3cret-too", database_url="postgresql://me:pw@host/db")
    rows = settings.setting_rows(current, origins(), Settings(lease_s=9.0))
    said = {row.name: row for group in rows.values() for row in group}
    assert said.keys() == Settings.model_fields.keys()
    assert said["act_tokens"].said == "1 set, not shown"
    assert "s3cret" not in str(rows)
    assert "pw" not in said["database_url"].said
    assert said["compact_after_s"].said == "older than 2 d: 5 min spans; older than 14 d: 1 h spans"
    assert (said["tick_s"].said, said["tick_s"].origin.word) == ("2.5", "environment")
    assert (said["lease_s"].origin.word, said["lease_s"].anew) == ("default", "9.0")
    assert [row.name for row in settings.setting_rows(current, origins(), only_set=True)["Monitor"]] == ["tick_s"]


def test_what_the_doctor_found_is_said_worst_first() -> None:
    found = [
        Found("a", Grade.OK, "well"),
        Found("b", Grade.FAILED, "broken", "mend it"),
        Found("c", Grade.OK, ""),
    ]
    assert [row.check for row in settings.finding_rows(found)] == ["b", "a", "c"]
    assert settings.opinion(found)[1] == "1 of 3 things need mending"
    assert settings.opinion(found[:1])[0].word == "ok"


def test_the_machinery_is_said() -> None:
    mark, facts = system.monitor_facts(lease(1000.0), 1002.0, 5.0)
    assert mark.word == "running"
    assert dict(facts)["It took"] == "11 ms"
    assert system.monitor_facts(None, 0.0, 5.0)[0].word == "not running"
    assert dict(system.clock_facts(Clock(0.0, NOON, 40.0), 10.0))["Speed"] == "40 × real time"
    assert ("Python", system.version_facts()[0][1]) == system.version_facts()[0]
    assert [system.size(n) for n in (512, 2048, 3.4e6, 5e9)] == ["512 B", "2.0 KB", "3.4 MB", "5.0 GB"]


def test_a_plan_is_said(running: Rollout) -> None:
    said = plans.told(running.plan, 150.0, 500_000)
    assert [p.title for p in said.parts] == ["Canary", "Ramp", "At once, in every phase"]
    assert len(said.parts[2].points) == 3


def test_times() -> None:
    assert times.both_times(3480, 1.0) == "58 min"
    assert times.both_times(-5, 40.0) == "0 s (really 0 s)"
    assert times.coarse(86_400 * 3 + 3599) == "3 d"
    assert times.ago(0.04) == "0.0 s ago"
    assert times.exact_time(NOON) == "2025-10-31 12:00:00 UTC"
    assert times.precise(0.0034) == "3 ms"


def test_comparisons_with_the_baseline_say_effect_interval_p_and_what_is_lacking() -> None:
    guardrail = Guardrail(Limit(Figure.ERROR_RATE, ">", 1.25), segment="new")
    plan = replace(
        recordings.PLAN,
        guardrails=(guardrail, Guardrail(Limit(Figure.SLOW_REQUESTS, ">", 1.0), then="hold")),
        dispersion=1.0,
    )
    assert [r.mark.word for r in rows.guardrail_rows(plan, None)] == ["not judged yet"] * 3
    sides = (
        recordings.series(recordings.steady(20, errors=2)),
        recordings.series(recordings.steady(20, version="original", requests=2700, errors=12), "original"),
    )
    seen = judge(plan, recordings.CANARY, *sides, 600.0, phase_started=0.0, places={("new", ""): sides})
    errors, slow, revenue = rows.guardrail_rows(plan, seen)
    assert (errors.label, errors.limit) == ("Error rate in segment new", "rolls back beyond 1.25 times")
    assert (errors.value, errors.baseline, errors.effect) == ("0.67 %", "0.44 %", "1.50 times")
    assert " to " in errors.interval
    assert errors.certainty.startswith("p = ")
    assert "acts at 0.017" in errors.certainty
    assert errors.more.startswith("about ")
    assert slow.limit.startswith("holds at any more")
    assert (revenue.label, revenue.mark.word) == ("Revenue against baseline", "not measured")
    record = CheckpointRecord("d", 1, 0, 0, 600.0, 0.0, seen)
    lines = [cards.compared_line(f) for f in record.verdict.guardrails]
    assert [line.value for line in lines] == ["1.50 times", "0 %"]
    assert "acts at" in lines[0].limit


def test_learners_who_are_not_split_as_planned_are_a_row_of_their_own() -> None:
    sides = (
        recordings.series(recordings.steady(20)),
        recordings.series(recordings.steady(20, version="original", requests=2700), "original"),
    )
    known = Assigned(Seen(500, 10_000, 100), settled=Seen(0, 900, 0))
    seen = judge(recordings.PLAN, recordings.CANARY, *sides, 600.0, phase_started=0.0, assigned=known)
    _, split = rows.guardrail_rows(recordings.PLAN, seen)
    assert (split.label, split.limit) == ("Split of the learners", "holds when it isn't 1 % as planned")
    assert (split.value, split.baseline, split.mark.word) == ("4.2 %", "95.8 %", "trigger breached")
    assert "100 learners were seen with both" in split.sentence
    [line] = [cards.compared_line(f) for f in seen.guardrails]
    assert (line.label, line.value) == ("split of the learners", "4.2 %")
    early = judge(
        recordings.PLAN, recordings.CANARY, *sides, 120.0, phase_started=0.0, assigned=Assigned(Seen(5, 99, 0))
    )
    assert rows.guardrail_rows(recordings.PLAN, early)[1].mark.word == "collecting"


def test_before_a_phase_it_is_said_how_long_harm_would_take_to_be_seen() -> None:
    plan = replace(recordings.PLAN, guardrails=(Guardrail(Limit(Figure.ERROR_RATE, ">", 1.1)),))
    busy, phase = Traffic(150.0), plan.phases[0]
    said = outlook(plan, phase, busy, 2000, 500_000)
    assert said.startswith("In canary an error rate 1.5 times original's would be seen after about ")
    assert "(the phase lasts 2 h), computed at 150 requests a second and 0.4 % of original, as measured lately." in said
    assert "at least" in outlook(plan, phase, busy, 0, 500_000)
    assert "there is no traffic" in outlook(plan, phase, Traffic(0.0), 0, 0)
    assert "nobody is left" in outlook(plan, replace(phase, share=1.0), busy, 10, 1000)
    assert "No guardrail" in outlook(recordings.PLAN, phase, busy, 10, 1000)
