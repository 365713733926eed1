"""Signing in with a real local OpenID provider, in Chromium: who may do what, and what opens nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from core.store import Store, events
from tests.browser.conftest import Server, dashboard, port_of_its_own, start, stop
from tests.web.deployments import rollout

PEOPLE = """
roles:
  viewer: [vera@example.com]
  on-call: ["group:sre"]
  lead: [lea@example.com, omar@example.com]
seats:
  engineering: lea@example.com
  operations: omar@example.com
"""
USERS = {
    "vera": {"sub": "vera", "email": "vera@example.com", "name": "Vera View"},
    "otto": {"sub": "otto", "email": "otto@example.com", "name": "Otto On-Call", "groups": ["sre"]},
    "lea": {"sub": "lea", "email": "lea@example.com", "name": "Lea Lead"},
    "omar": {"sub": "omar", "email": "omar@example.com", "name": "Omar Lead"},
    "nemo": {"sub": "nemo", "email": "nemo@example.com", "name": "Nemo Nobody"},
}

SIGNED = """
name: signed
flag: signed
baseline: original
candidate: fast
simulated: learners are made up
skip_gaps: true
sample: 30 s
silence: {hold: 600 min, rollback: 900 min}
triggers:
  - error_rate > 1.5 % for 2 min
phases:
  - name: canary
    traffic: 1 %
    lasts: 30 min
    criteria: [error_rate < 1 %]
    sign_off: [engineering, operations]
  - name: ramp
    traffic: 10 %
    lasts: 4 h
    criteria: [error_rate < 0.5 %]
"""


def provider(port: int, *options: str) -> subprocess.Popen[bytes]:
    users = [option for claims in USERS.values() for option in ("--user-claims", json.dumps(claims))]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "-p", str(port), *users, *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        try:
            httpx.get(f"http://127.0.0.1:{port}/.well-known/openid-configuration", timeout=1.0)
            return process
        except httpx.HTTPError:
            time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    pytest.fail("the OpenID provider did not start")


@dataclass
class Place:
    """A dashboard that people sign in to, and the provider that knows them."""

    server: Server
    provider: str
    people: Path
    signed: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("signin")
    home = folder / "home"
    home.mkdir()
    people = folder / "people.yaml"
    people.write_text(PEOPLE)
    at, port = port_of_its_own(), port_of_its_own()
    knows = provider(at)
    with rollout(home, text=SIGNED) as made:
        made.go_on(31)
        signed = made.id
    with rollout(home) as made:
        made.go_on(40, watched=False)
        made.let_go()
    server = start(
        home,
        port,
        dashboard(port),
        CANARY_TICK_S="0.5",
        CANARY_OPEN_MODE="false",
        CANARY_PEOPLE=str(people),
        CANARY_PUBLIC_URL=f"http://127.0.0.1:{port}",
        CANARY_OIDC_URL=f"http://127.0.0.1:{at}/.well-known/openid-configuration",
        CANARY_OIDC_CLIENT_ID="canary",
        CANARY_OIDC_CLIENT_SECRET="a-secret-that-must-not-be-logged",
        CANARY_OIDC_SCOPE="openid email profile groups",
    )
    try:
        server.wait_until(server.answers)
        yield Place(server, f"http://127.0.0.1:{at}", people, signed)
    finally:
        stop(server)
        os.killpg(knows.pid, signal.SIGKILL)
        knows.wait(5)


@pytest.fixture
def come(chromium: Browser, place: Place) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a path as somebody who signs in, or as nobody; the console may not complain."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def make(who: str | None, path: str = "/", width: int = 1280) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on(
            "console",
            lambda m: complaints.append(m.text) if "Content Security Policy" in m.text else None,
        )
        page.goto(f"{place.server.url}{path}")
        settle(page)
        if who is not None:
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(f"{place.provider}/**")
            page.locator("input[name=sub]").fill(who)
            page.get_by_role("button", name=re.compile("authorize", re.IGNORECASE)).first.click()
            page.wait_for_url(f"{place.server.url}/**")
            settle(page)
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


def settle(page: Page) -> None:
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)


def kinds(place: Place) -> list[tuple[str, str]]:
    store = Store.open(f"sqlite:///{place.server.home / 'canary.sqlite'}", place.server.home)
    try:
        with store.read() as connection:
            return [(event.kind, event.actor) for event in events(connection)]
    finally:
        store.close()


def rollbacks(place: Place) -> list[str]:
    return [actor for kind, actor in kinds(place) if kind == "rolled back"]


def test_nobody_sees_a_way_in_and_nothing_else(place: Place, come: Callable[..., Page]) -> None:
    page = come(None, "/cohorts")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_text("Cohorts", exact=True)).to_have_count(0)
    answer = httpx.get(place.server.url)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "unsafe-eval" not in answer.headers["content-security-policy"]
    assert (answer.headers["x-content-type-options"], answer.headers["x-frame-options"]) == ("nosniff", "DENY")
    assert httpx.get(f"{place.server.url}/_stcore/metrics").status_code == 404


def test_who_signs_in_comes_back_to_the_page_they_were_on(come: Callable[..., Page]) -> None:
    page = come("vera", "/history?kind=held")
    assert page.url.endswith("/history?kind=held")
    expect(page.get_by_role("heading", name="History")).to_be_visible()


def test_who_has_no_role_is_told_so(come: Callable[..., Page]) -> None:
    page = come("nemo")
    expect(page.get_by_text("has no role here")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()  # the provider asks, too
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=20_000)


def test_a_viewer_has_no_button_that_works(place: Place, come: Callable[..., Page]) -> None:
    page = come("vera")
    button = page.locator(".st-key-rollback button")
    expect(button).to_be_disabled()
    expect(page.get_by_text("may not take learners off the candidate").first).to_be_visible()
    page.keyboard.press("Control+Backspace")
    settle(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert rollbacks(place) == []


def test_a_dialog_that_was_open_when_somebody_was_struck_off_does_nothing(
    place: Place, come: Callable[..., Page]
) -> None:
    page = come("otto")
    page.locator(".st-key-rollback button").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    place.people.write_text(PEOPLE.replace("group:sre", "group:nobody"))
    try:
        page.get_by_role("button", name="Roll back now").click()
        expect(page.get_by_text(re.compile("has no role here"))).to_be_visible()
    finally:
        place.people.write_text(PEOPLE)
    assert rollbacks(place) == []


def test_what_a_browser_can_forge_opens_nothing(place: Place, chromium: Browser, come: Callable[..., Page]) -> None:
    forged = {"X-Forwarded-User": "lea@example.com", "X-Auth-Request-Email": "lea@example.com", "Remote-User": "lea"}
    url = f"{place.server.url}/api/v1/deployments"
    deployment = kinds_deployment(place)
    body = {"reason": "x"}
    for headers in (forged, forged | {"Authorization": "Bearer canary_00000000_x"}, {"Cookie": "_streamlit_user=x"}):
        assert httpx.get(url, headers=headers).status_code == 401
        assert httpx.post(f"{url}/{deployment}/rollback", json=body, headers=headers).status_code == 401
    page = come("vera")
    mine = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}  # type: ignore[typeddict-item]
    assert httpx.post(f"{url}/{deployment}/rollback", json=body, cookies=mine).status_code == 401
    context = chromium.new_context(extra_http_headers=forged)
    other = context.new_page()
    other.goto(f"{place.server.url}/?user=lea@example.com&role=admin")
    settle(other)
    expect(other.get_by_role("button", name="Sign in")).to_be_visible()
    context.close()
    assert rollbacks(place) == []


def kinds_deployment(place: Place) -> str:
    store = Store.open(f"sqlite:///{place.server.home / 'canary.sqlite'}", place.server.home)
    try:
        with store.read() as connection:
            return next(event.deployment for event in events(connection) if event.deployment)
    finally:
        store.close()


@pytest.mark.parametrize("stale", [True, False])
def test_a_cookie_is_good_until_its_end(place: Place, chromium: Browser, stale: bool) -> None:
    """The cookie is signed with the server's own secret, as one of another day is."""
    secret = (place.server.home / "cookie-secret").read_text()
    now = time.time()
    claims = USERS["lea"] | {
        "iat": now - 7200,
        "exp": now - 1 if stale else now + 600,
        "origin": place.server.url,
        "is_logged_in": True,
        "provider": "default",
    }
    value = create_signed_value(secret, USER_COOKIE_NAME, json.dumps(claims)).decode()
    context = chromium.new_context()
    context.add_cookies([{"name": USER_COOKIE_NAME, "value": value, "url": place.server.url}])
    page = context.new_page()
    page.goto(place.server.url)
    settle(page)
    if stale:
        expect(page.get_by_text("Your sign-in has expired")).to_be_visible()
        expect(page.locator(".st-key-rollback")).to_have_count(0)
    else:
        expect(page.locator(".st-key-rollback button")).to_be_enabled()
    context.close()
    assert rollbacks(place) == []


def test_two_leads_open_the_gate_and_nobody_else_can(place: Place, come: Callable[..., Page]) -> None:
    path = f"/sign-off?deployment={place.signed}"
    page = come("otto", path)
    expect(page.get_by_role("heading", name="Canary waits for sign-off")).to_be_visible()
    expect(page.get_by_text("You hold no seat")).to_be_visible()
    expect(page.locator(".st-key-say-go")).to_have_count(0)

    lea = come("lea", path)
    lea.get_by_role("button", name="Go", exact=True).click()
    expect(lea.get_by_text("say why in a comment")).to_be_visible()
    lea.get_by_label("Comment").fill("errors are fine")
    lea.get_by_label("Comment").press("Tab")
    settle(lea)
    lea.get_by_role("button", name="Go", exact=True).click()
    expect(lea.get_by_text("You said go for engineering.").first).to_be_visible()
    expect(page.get_by_text("lea@example.com")).to_be_visible()  # the other's page follows

    omar = come("omar", path, width=390)
    omar.get_by_label("Comment").fill("we are ready")
    omar.get_by_label("Comment").press("Tab")
    settle(omar)
    omar.get_by_role("button", name="Go", exact=True).click()
    expect(omar.get_by_text("You said go for operations.").first).to_be_visible()
    said = [(kind, actor) for kind, actor in kinds(place) if kind == "signed off"]
    assert said == [("signed off", "dashboard:lea@example.com"), ("signed off", "dashboard:omar@example.com")]


def test_on_call_rolls_back_and_gives_nobody_the_candidate(place: Place, come: Callable[..., Page]) -> None:
    page = come("otto", width=390)
    expect(page.locator(".st-key-do-advance button")).to_be_disabled()
    page.locator(".st-key-rollback button").click()
    page.get_by_role("button", name="Roll back now").click()
    expect(page.get_by_text("rolled back").first).to_be_visible()
    assert rollbacks(place) == ["dashboard:otto@example.com"]
    expect(page.locator(".st-key-do-retry button")).to_be_disabled()
    assert "a-secret-that-must-not-be-logged" not in place.server.output.read_text()
    assert (place.server.home / "sign-in.toml").stat().st_mode & 0o777 == 0o600
