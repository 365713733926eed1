"""A user's webhook as the traffic switch, over real HTTP: signed, repeated under one key, read back; or why not."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from core.store import Store
from core.traffic import FlagService, SwitchError
from core.traffic.webhook import WebhookSwitch, checked_url
from tests.traffic.conftest import Put

SECRET = "a secret of the tests, long enough"


class Receiver:
    """A switch of somebody's own: keeps shares, answers what it holds, and misbehaves when told to."""

    def __init__(self) -> None:
        self.shares: dict[str, float] = {}
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.failures: list[int] = []
        self.answer: bytes | None = None
        self.hang = threading.Event()
        self.hang.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.requests.append((f"{self.command} {self.path}", dict(self.headers), body))
                receiver.hang.wait(5)
                status = receiver.failures.pop(0) if receiver.failures else 200
                if status == 200 and body:
                    told = json.loads(body)
                    receiver.shares[told["flag"]] = told["share"]
                flag = json.loads(body)["flag"] if body else parse_qs(urlsplit(self.path).query)["flag"][0]
                answer = receiver.answer or json.dumps({"flag": flag, "share": receiver.shares.get(flag, 0.0)}).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = _serve  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: object) -> None:  # a caller that has given up
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/switch"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.hang.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def flags(store: Store, put: Put) -> Iterator[FlagService]:
    put("d1", share=0.1, revision=4)
    made = FlagService(store)
    yield made
    made.close()


def switch(flags: FlagService, receiver: Receiver, **how: Any) -> WebhookSwitch:
    return WebhookSwitch(flags, receiver.url, SECRET, how.pop("timeout_s", 2.0), **how)


def test_what_is_decided_is_sent_signed_and_read_back(flags: FlagService, receiver: Receiver) -> None:
    webhook = switch(flags, receiver)
    webhook.set("analyzer", 0.1, 4)
    state = webhook.get("analyzer")
    assert (state.share, state.stale, state.agrees(0.1)) == (0.1, False, True)
    (what, headers, body), (asked, asked_headers, _) = receiver.requests
    assert what == "POST /switch"
    assert json.loads(body) == {
        "flag": "analyzer",
        "share": 0.1,
        "version": "fast",
        "baseline": "original",
        "deployment": "d1",
        "revision": 4,
    }
    assert headers["Idempotency-Key"] == "d1:4"
    stamp = headers["Canary-Timestamp"]
    expected = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["Canary-Signature"] == f"v1={expected}"
    assert abs(time.time() - int(stamp)) < 60
    assert asked == "GET /switch?flag=analyzer"
    signed = f"{asked_headers['Canary-Timestamp']}.flag=analyzer".encode()
    assert asked_headers["Canary-Signature"] == f"v1={hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()}"
    assert webhook.evaluate("analyzer", "learner-1").rule.share == 0.1


def test_what_passes_is_tried_again_under_the_same_key(flags: FlagService, receiver: Receiver) -> None:
    receiver.failures = [503, 429]
    switch(flags, receiver).set("analyzer", 0.1, 4)
    assert receiver.shares == {"analyzer": 0.1}
    assert [headers["Idempotency-Key"] for _, headers, _ in receiver.requests] == ["d1:4"] * 3


def test_what_is_not_committed_is_not_sent(flags: FlagService, receiver: Receiver) -> None:
    with pytest.raises(SwitchError, match=r"not share 0\.5"):
        switch(flags, receiver).set("analyzer", 0.5, 4)
    assert receiver.requests == []


@pytest.mark.parametrize(("status", "tries"), [(400, 1), (403, 1), (302, 1)])
def test_a_refusal_is_told_and_not_repeated(flags: FlagService, receiver: Receiver, status: int, tries: int) -> None:
    receiver.failures, receiver.answer = [status] * 9, b"no such switch"
    with pytest.raises(SwitchError, match=rf"refuses: {status} 'no such switch'"):
        switch(flags, receiver).set("analyzer", 0.1, 4)
    assert len(receiver.requests) == tries


def test_one_that_hangs_or_is_gone_costs_the_time_out(flags: FlagService, receiver: Receiver) -> None:
    receiver.hang.clear()
    webhook = switch(flags, receiver, timeout_s=0.3)
    with pytest.raises(SwitchError, match=r"does not answer within 0\.3 s"):
        webhook.set("analyzer", 0.1, 4)
    receiver.close()
    with pytest.raises(SwitchError, match="can't be reached"):
        webhook.get("analyzer")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"ok", "answers 'ok', expected JSON such as"),
        (b'{"share": 2}', "expected JSON"),
        (b'{"share": true}', "expected JSON"),
        (b'{"share": NaN}', "expected JSON"),
        (b'{"share": "0.1"}', "expected JSON"),
        (b"[]", "expected JSON"),
        (b"[" * 60_000, "expected JSON"),
        (b'{"flag": "other", "share": 0.1}', "answers for 'other'"),
        (b"x" * 100_000, "answers more than 65,536 bytes"),
    ],
)
@pytest.mark.sqlite
def test_an_answer_that_tells_nothing(flags: FlagService, receiver: Receiver, answer: bytes, said: str) -> None:
    receiver.answer = answer
    with pytest.raises(SwitchError, match=said) as raised:
        switch(flags, receiver).get("analyzer")
    assert len(str(raised.value)) < 500


def test_read_back_from_the_answer(flags: FlagService, receiver: Receiver) -> None:
    webhook = switch(flags, receiver, by_get=False)
    assert not webhook.watched
    with pytest.raises(SwitchError, match="not been told anything by this process"):
        webhook.get("analyzer")
    webhook.set("analyzer", 0.1, 4)
    assert webhook.get("analyzer").share == 0.1
    assert [what for what, *_ in receiver.requests] == ["POST /switch"]
    receiver.answer = b'{"share": 0.0}'  # it answers, and does something else
    webhook.set("analyzer", 0.1, 4)
    assert not webhook.get("analyzer").agrees(0.1)


def test_neither_secret_nor_signature_is_in_logs_or_messages(
    flags: FlagService, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.failures = [400] * 9
    webhook = switch(flags, receiver)
    with caplog.at_level(logging.DEBUG), pytest.raises(SwitchError) as raised:
        webhook.set("analyzer", 0.1, 4)
    (_, headers, _) = receiver.requests[0]
    for text in (str(raised.value), webhook.name, caplog.text):
        assert SECRET not in text
        assert headers["Canary-Signature"] not in text


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://switch.example", "must begin with https://"),
        ("/switch", "must begin with https://"),
        ("http://switch.example/", "not encrypted: use https, or name the host in webhook_http_hosts"),
        ("https://me:pw@switch.example/", "no user, query or fragment"),
        ("https://switch.example/?key=pw", "no user, query or fragment"),
        ("https://switch.example:x/", "can't be read"),
    ],
)
def test_addresses_that_are_not_called(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        checked_url(url)
    assert "pw" not in str(raised.value)


def test_addresses_that_are_called() -> None:
    for url in ("https://switch.example/set", "http://127.0.0.1:9/", "http://[::1]:9/", "http://localhost:9/"):
        assert checked_url(url) == url
    assert checked_url("http://router.svc:80/x", ["router.svc"]).startswith("http://router.svc")
