"""The On-call page, and the link in a message on a phone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx
from playwright.sync_api import expect

from core.oncall import open_incidents
from core.oncall.records import make_link
from core.store import Store
from tests.browser.conftest import Server, Visitor
from tests.web.deployments import rollout

ROSTER = """
people:
  alice: {address: alice@example.com, urls: ["json://127.0.0.1:9/x"]}
shifts:
  primary: [{who: alice}]
"""


def test_an_incident_is_taken_by_page_or_by_the_button_of_a_link(
    tmp_path: Path, serve: Callable[..., Server], visit: Callable[..., Visitor]
) -> None:
    roster = tmp_path / "roster.yaml"
    roster.write_text(ROSTER)
    home = tmp_path / "home"
    home.mkdir()
    with rollout(home) as made:
        made.go_on(3)
        made.go_on(5, errors=0.2)
        made.let_go()
        with made.store.transaction() as tx:
            (incident,) = open_incidents(tx.connection)
            secret = make_link(tx, incident.incident.id, "alice@example.com", time.time() + 600)
    server = serve(CANARY_ROSTER=str(roster), CANARY_MONITOR="false")
    link = f"{server.url}/on-call/ack/{secret}"

    desk = visit()
    page = desk.open(f"{server.url}/on-call")
    expect(page.get_by_text("nobody has it")).to_be_visible()
    expect(page.get_by_text("alice, alice@example.com")).to_be_visible()

    for _ in range(10):
        assert httpx.get(link).status_code == 200
    assert httpx.head(link).status_code in {200, 405}
    assert taken(home) == ""
    assert httpx.post(link, headers={"Origin": "https://evil.example"}).status_code == 403
    assert httpx.post(f"{link}x").status_code == 410
    assert taken(home) == ""

    phone = visit(width=390).page
    phone.goto(link)
    expect(phone.get_by_role("heading", name="Rolled back")).to_be_visible()
    phone.get_by_role("button", name="Acknowledge as alice@example.com").click()
    expect(phone.get_by_role("status")).to_contain_text("Acknowledged by alice@example.com")
    assert taken(home) == "alice@example.com"
    assert httpx.post(link).status_code == 410
    expect(page.get_by_text("alice@example.com, by link")).to_be_visible()


def taken(home: Path) -> str:
    store = Store.open(f"sqlite:///{home / 'canary.sqlite'}", home)
    try:
        with store.read() as connection:
            (found,) = open_incidents(connection)
        return "" if found.ack is None else found.ack.person
    finally:
        store.close()


def test_without_a_roster_the_page_says_so(server: Server, visit: Callable[..., Visitor]) -> None:
    page = visit().open(f"{server.url}/on-call")
    expect(page.get_by_text("There is no roster, so nobody is called")).to_be_visible()
