"""The pager with a real mail server and a real webhook receiver: who hears what, when, until somebody acknowledges."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from core.delivery import Action, Command
from core.oncall import AckRefused, Pager, acknowledge, calls, look_at_link, open_incidents, use_link
from core.oncall.pager import RETRY_S
from core.store import events
from tests.web.deployments import Rollout, rollout


class Mailbox:
    def __init__(self) -> None:
        self.mails: list[Message] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"


class Receiver(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.posts: list[dict[str, Any]] = []
        self.status = 200


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status == 200:
            self.server.posts.append(json.loads(body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box, port = Mailbox(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


@pytest.fixture
def hook() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join(5)
    server.server_close()


class Scene:
    """A canary that was rolled back by a trigger, and somebody to be called about it."""

    def __init__(self, made: Rollout, roster: Path) -> None:
        self.made, self.store = made, made.store
        self.pager = Pager(made.deliveries, roster, "http://127.0.0.1:8501/")
        self.pager.tick(self.begin)  # what was before is not told
        made.go_on(3)
        made.go_on(5, errors=0.2)
        with self.store.read() as connection:
            (self.incident,) = open_incidents(connection)
        self.opened = self.incident.opened

    begin = 1.0

    def tick(self, after_s: float) -> None:
        assert self.pager.tick(self.opened + after_s)

    def calls(self) -> list[tuple[str, str, str]]:
        with self.store.read() as connection:
            return [(c.level, c.person, c.state) for c in reversed(calls(connection)) if c.incident]

    def kinds(self) -> list[str]:
        with self.store.read() as connection:
            return [e.kind for e in events(connection) if e.actor == "on-call"]


@pytest.fixture
def scene(tmp_path: Path, mailbox: tuple[Mailbox, int], hook: Receiver) -> Iterator[Scene]:
    _, port = mailbox
    mail = f"mailto://127.0.0.1:{port}?from=canary@example.com&to="
    at = f"json://127.0.0.1:{hook.server_address[1]}"
    roster = tmp_path / "roster.yaml"
    roster.write_text(f"""
people:
  alice: {{address: alice@example.com, urls: ["{mail}alice@example.com"]}}
  omar: {{address: omar@example.com, urls: ["{at}/omar"]}}
  vp: {{address: vp@example.com, urls: ["{at}/vp"]}}
shifts:
  primary: [{{who: alice}}]
  secondary: [{{who: omar}}]
  escalation: [{{who: vp}}]
tell: {{urls: ["{at}/room"], of: [rolled back]}}
""")
    home = tmp_path / "home"
    home.mkdir()
    with rollout(home) as made:
        yield Scene(made, roster)


def text_of(mail: Message) -> str:
    parts = [p for p in mail.walk() if p.get_content_type() == "text/plain"] or [mail]
    return parts[0].get_payload(decode=True).decode()  # type: ignore[union-attr]


def link_in(text: str) -> str:
    found = re.search(r"http://127\.0\.0\.1:8501/on-call/ack/([\w-]+)", text)
    assert found, text
    return found[1]


def test_first_the_primary_then_the_others_until_somebody_acknowledges(
    scene: Scene, mailbox: tuple[Mailbox, int], hook: Receiver
) -> None:
    box, _ = mailbox
    scene.tick(1)
    assert scene.calls() == [("primary", "alice", "sent")]
    (mail,) = box.mails
    said = text_of(mail)
    assert "[canary] rolled back" in str(mail["Subject"])
    assert "error rate" in said
    assert "limit 1.5 %" in said
    assert "Simulated" in said
    assert "You are called as primary" in said
    assert [post["title"] for post in hook.posts] == [f"[canary] rolled back: {scene.made.id}"]  # the room heard of it

    scene.tick(299)
    assert len(scene.calls()) == 1
    scene.tick(301)
    assert scene.calls()[1:] == [("secondary", "omar", "sent")]
    scene.tick(901)
    scene.tick(1805)
    assert [c[0] for c in scene.calls()] == ["primary", "secondary", "escalation", "escalation"]

    ack = acknowledge(
        scene.store, scene.incident.incident.id, person="omar@example.com", how="cli", actor="cli:omar", now=1.0
    )
    assert acknowledge(scene.store, ack.incident, person="x@y.z", how="cli", actor="cli:x", now=2.0) == ack
    before = len(box.mails) + len(hook.posts)
    scene.tick(9000)
    assert len(box.mails) + len(hook.posts) == before
    kinds = scene.kinds()
    assert kinds.count("called") == kinds.count("call delivered") - 1 == 4  # and the room's, which nobody has to take


def test_a_link_acknowledges_once_and_looking_changes_nothing(scene: Scene, mailbox: tuple[Mailbox, int]) -> None:
    scene.tick(1)
    secret = link_in(text_of(mailbox[0].mails[0]))
    with scene.store.read() as connection:
        assert secret not in str(events(connection))
        for _ in range(10):  # ten scanners
            link = look_at_link(connection, secret, scene.opened + 60)
            assert (link.person, link.refusal) == ("alice@example.com", "")
        assert open_incidents(connection)[0].ack is None
        late = look_at_link(connection, secret, scene.opened + 90_000)
        assert "expired" in late.refusal
        assert "not known" in look_at_link(connection, secret + "x", scene.opened).refusal
    with pytest.raises(AckRefused, match="expired"):
        use_link(scene.store, secret, scene.opened + 90_000)
    assert use_link(scene.store, secret, scene.opened + 60).person == "alice@example.com"
    with pytest.raises(AckRefused, match="used already"):
        use_link(scene.store, secret, scene.opened + 61)
    scene.tick(400)
    assert len(scene.calls()) == 1
    with scene.store.read() as connection:
        assert [e.actor for e in events(connection) if e.kind == "acknowledged"] == ["link:alice@example.com"]


def test_what_can_not_be_delivered_is_tried_again_and_told(scene: Scene, hook: Receiver) -> None:
    hook.status = 500
    scene.tick(301)
    states = {person: state for _, person, state in scene.calls()}
    assert states == {"alice": "sent", "omar": "due"}
    with scene.store.read() as connection:
        failed = next(c for c in calls(connection) if c.person == "omar")
    assert "did not take it" in failed.error
    assert "127.0.0.1" not in failed.error
    scene.tick(302)
    with scene.store.read() as connection:
        assert next(c for c in calls(connection) if c.person == "omar").attempts == 1  # not before its time
    hook.status = 200
    scene.tick(301 + RETRY_S[0] + 1)
    assert {person: state for _, person, state in scene.calls()}["omar"] == "sent"
    assert scene.kinds().count("call failed") == 2  # omar's and the room's, each said once
    with scene.store.read() as connection:
        assert "u:p" not in str(events(connection))


def test_a_call_is_given_up_in_the_end(scene: Scene, hook: Receiver) -> None:
    hook.status = 500
    at = 301.0
    for wait in RETRY_S:
        scene.tick(at)
        at += wait + 1
    with scene.store.read() as connection:
        omar = next(c for c in calls(connection) if c.person == "omar")
    assert (omar.state, omar.attempts) == ("given up", len(RETRY_S))


def test_two_pagers_make_one_call(scene: Scene, mailbox: tuple[Mailbox, int]) -> None:
    other = Pager(scene.made.deliveries, scene.pager.path, "http://127.0.0.1:8501", holder="other")
    assert not other.tick(scene.opened + 1)
    scene.tick(1)
    assert not other.tick(scene.opened + 2)
    assert len(mailbox[0].mails) == 1


def test_after_a_crash_between_sending_and_noting_it_is_sent_again_and_noted_once(
    scene: Scene, mailbox: tuple[Mailbox, int]
) -> None:
    class Killed(BaseException):
        pass

    def dies(url: str, subject: str, body: str) -> str:
        if url.startswith("mailto"):
            raise Killed
        return ""

    crashing = Pager(scene.made.deliveries, scene.pager.path, "http://x", dies, holder=scene.pager.holder)
    with pytest.raises(Killed):
        crashing.tick(scene.opened + 1)
    assert scene.calls() == [("primary", "alice", "due")]
    scene.tick(2)
    assert mailbox[0].mails == []  # it may have been sent: not before the wait is over
    scene.tick(1 + RETRY_S[0] + 1)
    assert scene.calls() == [("primary", "alice", "sent")]
    assert len(mailbox[0].mails) == 1


def test_a_roster_that_has_become_wrong_leaves_the_one_before_in_force(scene: Scene) -> None:
    scene.pager.path.write_text("people: 3")
    scene.tick(1)
    assert scene.calls() == [("primary", "alice", "sent")]


def test_an_incident_that_is_over_calls_nobody(scene: Scene) -> None:
    scene.made.deliveries.command(scene.made.id, Command(Action.RETRY, "cli:x", "mended"))
    scene.tick(1)
    assert scene.calls() == []
