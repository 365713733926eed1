"""Reports of a real roll-out: the same, to the byte, from its exported log; every figure named by its event."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli import app
from core.delivery import sign
from core.oncall import duty_of
from core.reports import KINDS, UnknownDeployment, as_html, as_markdown, build, choose, facts_of, read_facts
from core.store import Event, LogFileError, Store, events, export_log, import_log, read_log
from tests.web.deployments import Rollout, rollout

PLAN = """
name: signed
flag: signed
baseline: original
candidate: fast
simulated: learners are made up
skip_gaps: true
triggers:
  - error_rate > 1.5 % for 2 min
guardrails: {alpha: 5 %, rules: [error_rate > 1.5 x baseline]}
phases:
  - name: canary
    traffic: 1 %
    lasts: 30 min
    checkpoints: [15 min, 30 min]
    criteria: [error_rate < 1 %, cache_hit_rate > 50 %]
    sign_off: {seats: [engineering, operations, product], quorum: 2}
  - name: ramp
    traffic: 10 %
    lasts: 4 h
    criteria: [error_rate < 0.5 %]
"""
ROSTER = """
people:
  day: {address: day@example.com, urls: ["mailto://u:${NOT_SET}@smtp.example.com"]}
  night: {address: night@example.com, urls: ["mailto://u:${NOT_SET}@smtp.example.com"]}
shifts:
  primary:
    - {who: day, zone: UTC, from: "06:00", to: "18:00"}
    - {who: night, zone: UTC, from: "18:00", to: "06:00"}
"""
HOSTILE = "fine | <script>alert(1)</script> **bold**"


@pytest.fixture(scope="module")
def rolled_back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rollout]:
    """Return a roll-out that was signed off, went on, got bad and was rolled back by the monitor."""
    with rollout(tmp_path_factory.mktemp("live"), text=PLAN) as made:
        made.go_on(31)
        for person, seat in (("lea@example.com", "engineering"), ("omar@example.com", "operations")):
            sign(made.store, made.id, person=person, seats=[seat], decision="go", comment=HOSTILE, actor=person)
        made.go_on(10)
        made.go_on(8, errors=0.2)
        made.go_on(3)
        yield made


@pytest.fixture(scope="module")
def live(rolled_back: Rollout) -> list[Event]:
    with rolled_back.store.read() as connection:
        return events(connection)


@pytest.fixture(scope="module")
def exported(rolled_back: Rollout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "events.jsonl"
    with path.open("w") as file, rolled_back.store.read() as connection:
        export_log(connection, file)
    return path


def draft(home: Path, text: str) -> list[Event]:
    """Return the log of a deployment that was made and not started."""
    with rollout(home, start=False, text=text) as made, made.store.read() as connection:
        return events(connection)


def written(kind: str, log: list[Event]) -> tuple[str, str]:
    document = build(kind, facts_of(log, choose(log, None)))
    return as_markdown(document), as_html(document)


@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_log_gives_the_same_bytes(kind: str, live: list[Event], exported: Path, tmp_path: Path) -> None:
    elsewhere = Store.open(f"sqlite:///{tmp_path / 'other.sqlite'}", tmp_path)
    try:
        import_log(elsewhere, exported)
        with elsewhere.read() as connection:
            imported = events(connection)
    finally:
        elsewhere.close()
    assert written(kind, live) == written(kind, imported) == written(kind, read_log(exported))


@pytest.mark.parametrize("kind", KINDS)
def test_every_report_says_simulated_names_its_events_and_needs_nothing_else(kind: str, live: list[Event]) -> None:
    markdown, html = written(kind, live)
    known = {f"{e.seq}·{e.hash[:8]}" for e in live}
    for text in (markdown, html):
        assert "learners are made up" in text
        cited = set(re.findall(r"\d+·[0-9a-f]{8}", text))
        assert cited
        assert cited <= known
        assert "0.0000" not in text
    anchors = set(re.findall(r'href="#(e\d+)"', html))
    assert html.count('<div class="wide"') == html.count('role="region"')  # what scrolls can be reached, and is named
    assert anchors <= set(re.findall(r'id="(e\d+)"', html))
    assert not re.search(r"https?://|<script|<link|<img|@import|url\(", html)
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_the_report_after_a_rollback_has_the_figures_of_the_log(live: list[Event]) -> None:
    markdown, _ = written("rollback", live)
    back = next(e for e in live if e.kind == "rolled back")
    shown = next(e for e in live if e.kind == "rollback verified")
    assert "Rolled back by the monitor at" in markdown
    assert "from decision to first clean window, plan time: **" in markdown
    assert back.reason.split(",")[0] in markdown
    assert "10 % → 0 %" in markdown
    assert shown.data["exposed"]["learners"] == 7
    assert f"requests it answered, last phase: **{shown.data['exposed']['requests']:,}" in markdown
    assert "nobody was called" in markdown


def test_checkpoints_carry_their_numbers_and_what_is_not_measured_says_so(live: list[Event]) -> None:
    markdown, html = written("canary", live)
    judged = next(e for e in live if e.kind == "checkpoint judged")
    first = judged.data["findings"][0]
    assert {"low", "high", "events", "trials", "limit", "sentence"} & first.keys() >= {"high", "trials", "limit"}
    assert judged.data["seen"]["fast"] == {"requests": 450 * 30, "learners": 7}
    assert "13,500" in markdown
    assert "not measured" in markdown
    assert html.count("<svg") >= 2


def test_the_sign_off_sheet_has_seats_comments_and_the_hash(live: list[Event]) -> None:
    markdown, html = written("sign-off", live)
    gate = next(e for e in reversed(live) if e.kind == "sign-off asked for")
    assert gate.data["gate"] in markdown
    assert "2 say go; 2 of the 3 seats are needed" in markdown
    assert "| product | no decision |" in markdown
    assert "&lt;script&gt;" in html
    assert r"fine \| \<script\>" in markdown


def test_decisions_on_an_earlier_phase_still_count(live: list[Event]) -> None:
    markdown, _ = written("canary", live)
    assert re.search(r"\| canary \| engineering \| lea@example.com \| go \|.*\| yes \|", markdown)
    asked = next(e for e in live if e.kind == "sign-off asked for")
    anew = Event(**{f: getattr(asked, f) for f in Event.__dataclass_fields__} | {
        "seq": live[-1].seq + 1, "data": {**asked.data, "gate": "f" * 64}})  # fmt: skip
    markdown, _ = written("canary", [*live, anew])
    assert re.search(r"\| canary \| engineering \| lea@example.com \| go \|.*\| no: asked anew since \|", markdown)


def test_a_table_from_one_event_names_it_once(live: list[Event]) -> None:
    markdown, html = written("schedule", live)
    made = live[0]
    plan = markdown.split("## The whole plan")[1].split("##")[0]
    assert plan.startswith(f" ⟨{made.seq}·{made.hash[:8]}⟩")
    assert plan.count(made.hash[:8]) == 1
    assert "source" not in plan
    assert "source" in written("canary", live)[0].split("## Decisions")[1].split("##")[0]
    assert html.count("<table") == html.count("</table>")


def test_a_report_reads_the_events_of_its_deployment_alone(rolled_back: Rollout, live: list[Event]) -> None:
    with rolled_back.store.transaction() as tx:
        tx.append("told", "test", "of no deployment")
    with rolled_back.store.read() as connection:
        found = read_facts(connection, None)
        assert found == facts_of(live, rolled_back.id)
        with pytest.raises(UnknownDeployment, match="it has: signed-"):
            read_facts(connection, "none")


def test_nothing_to_draw_is_not_drawn(live: list[Event]) -> None:
    _, html = written("canary", live)
    assert "error rate under" in html.split('class="charts"')[1]
    assert "open incidents" not in html.split('class="charts"')[1].split("</section>")[0]
    assert "100.0" not in re.sub(r'"[^"]*"', "", html)
    for path in re.findall(r'viewBox="0 0 (\d+) (\d+)"', html):
        assert min(map(int, path)) > 50


def test_the_schedule_says_who_is_on_call_at_its_begin_and_when_that_changes(tmp_path: Path) -> None:
    roster = tmp_path / "roster.yaml"
    roster.write_text(ROSTER)
    begin = 4_102_444_800.0  # 2100-01-01 00:00 UTC, a Friday
    text = PLAN.replace("skip_gaps: true\n", "")
    text = text.replace("lasts: 30 min", "starts: 2100-01-01 17:50 UTC\n    lasts: 30 min")
    log = [
        Event(**{f: getattr(e, f) for f in Event.__dataclass_fields__} | {"at": begin, "wall": begin})
        for e in draft(tmp_path, text)
    ]
    facts = facts_of(log, log[0].deployment, duty_of(roster))
    on_call = as_markdown(build("schedule", facts)).split("## On call")[1].split("##")[0]
    assert "| 2100-01-01 17:50 UTC | primary | day, day@example.com |" in on_call
    assert "| 2100-01-01 18:05 UTC | primary | night, night@example.com |" in on_call  # at the first checkpoint
    assert "18:20" not in on_call  # nobody else by the second
    assert on_call.count("| secondary | nobody |") == 2
    assert "smtp" not in on_call
    unknown = as_markdown(build("schedule", facts_of(log, log[0].deployment)))
    assert "No roster is set: nobody is called." in unknown


def test_a_planned_begin_that_has_passed_is_no_begin(tmp_path: Path) -> None:
    text = PLAN.replace("skip_gaps: true\n", "")
    log = draft(tmp_path, text.replace("lasts: 30 min", "starts: 2020-01-01 12:00 UTC\n    lasts: 30 min"))
    markdown = as_markdown(build("schedule", facts_of(log, log[0].deployment)))
    assert "when it is started: 2020-01-01 12:00 UTC, as was planned, has passed." in markdown
    assert "12:15" not in markdown  # no checkpoint at a time that can't be


def test_where_the_begin_is_not_known_the_duty_is_that_of_the_latest_event(tmp_path: Path) -> None:
    log = draft(tmp_path, PLAN)
    told: list[float] = []

    def duty(wall: float) -> list[tuple[str, str]]:
        told.append(wall)
        return [("primary", "lea")]

    assert "| primary | lea |" in as_markdown(build("schedule", facts_of(log, log[0].deployment, duty)))
    assert told == [log[-1].wall]


def test_a_log_of_before_says_what_it_has_not(live: list[Event]) -> None:
    old = []
    for e in live:
        data = {k: v for k, v in e.data.items() if k not in {"seen", "guardrails", "exposed"}}
        if "findings" in data:
            data["findings"] = [{k: f[k] for k in ("figure", "state", "value")} for f in data["findings"]]
        old.append(Event(**{f: getattr(e, f) for f in Event.__dataclass_fields__} | {"data": data}))
    for kind in KINDS:
        written(kind, old)
    assert "not recorded" in written("canary", old)[0]
    assert "not recorded" in written("rollback", old)[0]


def test_the_split_of_the_learners_is_shown_once_it_is_counted(live: list[Event]) -> None:
    split = {
        "figure": "learner_split", "state": "fail", "value": 0.022, "op": "==", "limit": 0.01, "p_value": 1e-5,
        "alpha": 0.001, "sentence": "learners are not split as planned",
    }  # fmt: skip
    of_later = split | {"figure": "joy"}

    def report(told: dict[str, object]) -> str:
        log = [
            replace(e, data=e.data | {"split": told, "guardrails": [*e.data["guardrails"], of_later]})
            if e.kind == "checkpoint judged"
            else e
            for e in live
        ]
        return written("canary", log)[0]

    line = next(line for line in report(split).splitlines() if line.startswith("| split of the learners"))
    assert "| fail |" in line
    assert "2.2 %, planned 1 %" in line
    assert "split of the learners" not in report(split | {"state": "collecting", "value": None, "p_value": None})


@pytest.mark.parametrize("kind", KINDS)
def test_a_deployment_that_has_not_begun_has_reports_too(kind: str, tmp_path: Path) -> None:
    with rollout(tmp_path, start=False, text=PLAN) as made, made.store.read() as connection:
        markdown, html = written(kind, events(connection))
    assert "made up" in markdown
    assert "</html>" in html


def test_the_schedule_says_the_next_phase(tmp_path: Path) -> None:
    with rollout(tmp_path, text=PLAN) as made:
        made.go_on(16)
        with made.store.read() as connection:
            markdown, _ = written("schedule", events(connection))
    assert "Next: ramp, 10 % of the learners" in markdown
    assert "about 1 of 14" in markdown
    assert "2 of engineering, operations, product" in markdown


def test_the_command(exported: Path, tmp_path: Path, live: list[Event]) -> None:
    run = CliRunner().invoke
    page = tmp_path / "summary.html"
    done = run(app, ["report", "summary", "--log", str(exported), "--out", str(page)])
    assert (done.exit_code, page.read_text()) == (0, written("summary", live)[1])
    assert run(app, ["report", "summary", "--log", str(exported)]).stdout == written("summary", live)[0]
    unknown = run(app, ["report", "canary", "--log", str(exported), "--deployment", "none"])
    assert (unknown.exit_code, "it has: signed-" in unknown.stderr) == (1, True)
    assert run(app, ["report", "poem", "--log", str(exported)]).exit_code == 2
    broken = tmp_path / "broken.jsonl"
    broken.write_text(exported.read_text().replace("made up", "made out", 1))
    refused = run(app, ["report", "canary", "--log", str(broken)])
    assert (refused.exit_code, "altered" in refused.stderr) == (1, True)
    with pytest.raises(LogFileError):
        read_log(broken)


def test_a_log_without_deployments_says_so() -> None:
    with pytest.raises(UnknownDeployment, match="no deployment yet"):
        choose([], None)
