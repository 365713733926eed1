"""The Live page as people use it."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count, islice

import pytest
from playwright.sync_api import Page, expect

from core.delivery import State, assignment_salt
from core.store import events
from core.traffic import bucket
from tests.browser.conftest import Server, Visitor
from tests.web.deployments import Rollout

Visit = Callable[..., Visitor]
ROLLED_BACK = "Rolled back: every learner gets original"


def live(server: Server, made: Rollout) -> str:
    return f"{server.url}/?deployment={made.id}"


def canary_learners(made: Rollout) -> list[str]:
    """Return three learners whose bucket is in the first per cent."""
    salt = assignment_salt(made.plan)
    return list(islice((f"u{i}" for i in count() if bucket(salt, f"u{i}") < 0.01), 3))


def test_start_from_nothing(serve: Callable[..., Server], visit: Visit) -> None:
    server = serve()
    page = visit().open(server.url)
    expect(page.get_by_role("heading", name="Nothing has been rolled out yet")).to_be_visible()
    expect(page.get_by_text("canary demo").first).to_be_visible()
    page.get_by_role("button", name="Deploy this plan").click()
    expect(page.get_by_role("heading", name=re.compile("Ready to start"))).to_be_visible()
    expect(page.locator(".st-key-do-advance button")).to_be_disabled()
    expect(page.locator(".st-key-action-advance")).to_contain_text("start it first")
    page.locator(".st-key-do-start button").click()
    expect(page.get_by_role("heading", name=re.compile("Canary: 1 % of the learners get fast"))).to_be_visible()
    expect(page.locator(".cc-step[aria-current=step]")).to_contain_text("canary")


def test_roll_back_by_hand(server: Server, running: Rollout, visit: Visit) -> None:
    learners = canary_learners(running)
    assert {server.version(learner, running.plan.flag) for learner in learners} == {"fast"}
    mine, colleagues = visit().open(live(server, running)), visit(scheme="dark").open(live(server, running))
    title = mine.get_by_role("heading", name="Canary: 1 % of the learners get fast")
    expect(title).to_be_visible()
    expect(colleagues.get_by_role("heading", name="Canary: 1 % of the learners get fast")).to_be_visible()

    mine.get_by_role("button", name="Roll back").click()
    dialog = mine.get_by_role("dialog")
    expect(dialog).to_contain_text("1 % fast, 99 % original")
    expect(dialog).to_contain_text("everyone original")
    expect(dialog).to_contain_text("were seen on fast in this phase")
    dialog.get_by_label("Reason").fill("learners <b>complain</b>")
    dialog.get_by_role("button", name="Roll back now").click()

    expect(mine.get_by_role("heading", name=ROLLED_BACK)).to_be_visible()
    assert {server.version(learner, running.plan.flag) for learner in learners} == {"original"}
    expect(dialog).to_have_count(0)
    expect(mine.get_by_text("Learners <b>complain</b>.").first).to_be_visible()
    expect(mine.locator(".cc-stopwatch")).to_contain_text("Decision to switch read back")
    expect(mine.locator(".st-key-rollback button")).to_be_disabled()
    expect(mine.locator(".st-key-do-retry button")).to_be_enabled()
    # Everybody sees the same, without doing anything.
    expect(colleagues.get_by_role("heading", name=ROLLED_BACK)).to_be_visible()
    expect(colleagues.locator(".st-key-rollback button")).to_be_disabled()

    with running.store.read() as connection:
        (event,) = events(connection, deployment=running.id, kinds=("rolled back",))
    assert (event.actor, event.reason) == ("dashboard", "learners <b>complain</b>")


def test_keyboard_alone(server: Server, running: Rollout, visit: Visit) -> None:
    page = visit().open(live(server, running))
    expect(page.locator(".st-key-rollback button")).to_be_enabled()
    page.keyboard.press("Control+Backspace")
    reason = page.get_by_role("dialog").get_by_label("Reason")
    expect(reason).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert running.status.state is State.RUNNING
    page.keyboard.press("Control+Backspace")
    reason.focus()
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=ROLLED_BACK)).to_be_visible()
    assert running.status.why == "by keyboard"


def test_pause_keeps_the_page_still(server: Server, running: Rollout, visit: Visit) -> None:
    page = visit().open(live(server, running))
    page.get_by_text("Pause", exact=True).click()
    note = page.get_by_text("Paused: this is how it was")
    expect(note).to_be_visible()
    before = note.inner_text()
    page.wait_for_timeout(4500)
    assert note.inner_text() == before
    page.get_by_text("Pause", exact=True).click()
    expect(note).to_have_count(0)


def test_hold_and_resume(server: Server, running: Rollout, visit: Visit) -> None:
    page = visit().open(live(server, running))
    page.locator(".st-key-do-hold button").click()
    expect(page.get_by_role("heading", name=re.compile("On hold in canary"))).to_be_visible()
    page.locator(".st-key-do-resume button").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(re.compile("Extend the phase")).fill("30")
    dialog.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("heading", name=re.compile("Canary: 1 %"))).to_be_visible()
    assert running.status.extended_s == 1800.0


def fits(page: Page) -> None:
    wide = page.evaluate(
        """() => [...document.querySelectorAll('[data-testid=stMain] *')]
            .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.cc-scroll, .js-plotly-plot'))
            .map(e => e.tagName + '.' + e.className).slice(0, 5)"""
    )
    assert wide == []
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_at_three_in_the_morning(server: Server, running: Rollout, visit: Visit, scheme: str) -> None:
    visitor = visit(390, 844, scheme)
    for path in ("checkpoints", "history", "system"):
        page = visitor.open(f"{server.url}/{path}?deployment={running.id}")
        expect(page.locator(".cc-title h1")).to_be_visible()
        fits(page)
    page = visitor.open(live(server, running))
    button = page.locator(".st-key-rollback button")
    expect(button).to_be_enabled()
    fits(page)
    box = button.bounding_box()
    assert box is not None
    assert box["width"] > 340
    assert box["height"] >= 48
    assert box["y"] + box["height"] <= 844, "the button is not on the screen"
    button.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Roll back now").click()
    expect(page.get_by_role("heading", name=ROLLED_BACK)).to_be_visible()


def test_a_dead_monitor_is_the_loudest_thing(serve: Callable[..., Server], visit: Visit) -> None:
    from tests.web.deployments import rollout

    server = serve(CANARY_MONITOR="false")
    with rollout(server.home) as made:
        made.let_go()
        page = visit().open(server.url)
        alarm = page.get_by_role("alert").filter(has_text="The monitor is not running")
        expect(alarm).to_be_visible()
        size = alarm.locator("p").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
        assert size > page.locator(".cc-headline p").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
        page.get_by_role("button", name="Roll back").click()
        page.get_by_role("dialog").get_by_role("button", name="Roll back now").click()
        expect(page.get_by_role("heading", name=ROLLED_BACK)).to_be_visible()
        assert made.status.share == 0.0
