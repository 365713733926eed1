"""Two web processes and two monitors on one PostgreSQL: one is killed, one is paused, and the server goes away.

Pushes are sent until they are acknowledged, by turns to both processes, and commands are given all the time.
Afterwards each acknowledged request must be in the samples exactly once, and the log hold each change of a deployment
exactly once. With CANARY_LOSS_S=60 the server is away for a minute.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from core.delivery import LEASE, Action, Command, Deliveries
from core.settings import Settings, get_settings
from core.store import Lease, Store, StoreUnavailable, Trouble, current_lease, events, schema
from core.traffic import FlagService
from core.web.api import Scope, load_tokens
from tests.conftest import port_of_its_own
from tests.delivery.acting import audit, open_deliveries, plan
from tests.postgres import Cluster

STOPPED = """
import sys
from pathlib import Path
from core.store import Store

with Store.open(sys.argv[1], Path(sys.argv[2])).transaction() as tx:
    tx.append("test", "paused", "x")
    print("in it", flush=True)
    sys.stdin.readline()
"""
LOSS_S = float(os.environ.get("CANARY_LOSS_S", "3"))
LEASE_S = 1.5
SPEED = 60.0  # a sample span of 30 s takes half a second


@pytest.fixture
def server(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Return a server of the test's own, which it may stop and start."""
    cluster = Cluster(durable=True)
    monkeypatch.setenv("CANARY_DATABASE_URL", cluster.url(cluster.create()))
    get_settings.cache_clear()
    yield cluster
    cluster.close()


class Process:
    """`canary api` or `canary monitor`, and what it writes."""

    def __init__(self, home: Path, command: str, name: str) -> None:
        self.log = home / f"{name}.log"
        self.port = port_of_its_own()
        more = {"CANARY_LEASE_S": str(LEASE_S), "CANARY_TICK_S": "0.3", "CANARY_MONITOR": "false"}
        self._command = [sys.executable, "-m", "core.cli", command]
        self._environment = {**os.environ, **more, "CANARY_PORT": str(self.port)}
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def up(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/healthz", timeout=20).status_code in {200, 503}
        return False


class Traffic:
    """Pushes, evaluations and commands, by turns at two processes, and what became of them."""

    def __init__(self, apis: list[Process], home: Path, deployment: str) -> None:
        tokens = load_tokens(Settings(home=home))
        self.apis = apis
        self.deployment = deployment
        self.headers = {
            scope: {"Authorization": f"Bearer {tokens.first(scope)}"} for scope in (Scope.READ, Scope.PUSH, Scope.ACT)
        }
        self.acknowledged = 0
        self.commands = 0
        self.refused: Counter[str] = Counter()
        self.evaluations: list[tuple[float, float, bool]] = []  # when, seconds, stale
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._push, self._push, self._evaluate, self._act)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def post(self, turn: int, path: str, scope: Scope, body: object) -> httpx.Response | None:
        url = self.apis[turn % 2].url + path
        with suppress(httpx.TransportError):
            return httpx.post(url, json=body, headers=self.headers[scope], timeout=15)
        return None

    def _push(self) -> None:
        me, number, turn = threading.get_ident(), 0, 0
        while not self._stop.wait(0.02):
            number += 1
            records = [
                {"ts": time.time(), "learner": f"u{k}", "version": "fast" if k % 2 else "original", "latency_ms": 9.0}
                for k in range(40)
            ]
            body = {"batch": f"{me}-{number}", "flag": "analyzer", "requests": records}
            while True:  # a batch that was begun is sent until it is acknowledged, also after the end
                turn += 1
                answer = self.post(turn, "/api/v1/requests", Scope.PUSH, body)
                if answer is not None and answer.status_code == 200:
                    said = answer.json()
                    assert said["accepted"] + said["repeated"] == len(records)
                    self.acknowledged += len(records)
                    break
                if answer is not None:
                    assert answer.headers["retry-after"]
                    self.refused[f"{answer.status_code}"] += 1
                time.sleep(0.05)

    def _evaluate(self) -> None:
        turn = 0
        body = {"context": {"targetingKey": "u1"}}
        while not self._stop.wait(0.03):
            turn += 1
            began = time.monotonic()
            answer = self.post(turn, "/ofrep/v1/evaluate/flags/analyzer", Scope.READ, body)
            if answer is not None:
                assert answer.status_code == 200, answer.text
                stale = bool(answer.json()["metadata"].get("stale"))
                self.evaluations.append((began, time.monotonic() - began, stale))

    def _act(self) -> None:
        turn = 0
        while not self._stop.wait(0.1):
            turn += 1
            action = "hold" if turn % 2 else "resume"
            path = f"/api/v1/deployments/{self.deployment}/{action}"
            answer = self.post(turn // 2, path, Scope.ACT, {"reason": "to contend"})
            self.commands += answer is not None and answer.status_code == 200


def wait_for(what: Callable[[], bool], at_most_s: float = 40.0) -> None:
    end = time.monotonic() + at_most_s
    while not what():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)


def lease_of(deliveries: Deliveries) -> Lease:
    with deliveries.store.read() as connection:
        lease = current_lease(connection, LEASE)
    assert lease is not None
    return lease


def leader(deliveries: Deliveries, monitors: list[Process]) -> Process:
    lease = lease_of(deliveries)
    return next(m for m in monitors if f":{m.process.pid}:" in lease.holder)


@pytest.mark.slow
@pytest.mark.timeout(240 + 2 * int(LOSS_S))
def test_killed_paused_and_cut_off_nothing_is_lost_or_done_twice(
    home: Path, server: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    deliveries = open_deliveries(home, SPEED)
    status = deliveries.create(plan(), "cli:test")
    deliveries.command(status.id, Command(Action.START, "cli:test", "try it"))
    apis = [Process(home, "api", f"api{n}") for n in range(2)]
    monitors = [Process(home, "monitor", f"monitor{n}") for n in range(2)]
    try:
        wait_for(lambda: all(api.up for api in apis))
        wait_for(lambda: any(f":{m.process.pid}:" in (_holder(deliveries) or "") for m in monitors))
        with Traffic(apis, home, status.id) as traffic:
            wait_for(lambda: traffic.acknowledged >= 400 and traffic.commands >= 2)

            dead, token = leader(deliveries, monitors), lease_of(deliveries).token
            dead.kill()
            apis[0].kill()
            wait_for(lambda: lease_of(deliveries).token > token)
            dead.start()
            apis[0].start()
            wait_for(lambda: apis[0].up)

            paused, token = leader(deliveries, monitors), lease_of(deliveries).token
            os.kill(paused.process.pid, signal.SIGSTOP)
            wait_for(lambda: lease_of(deliveries).token > token)
            os.kill(paused.process.pid, signal.SIGCONT)
            wait_for(lambda: "has lost its lease" in paused.log.read_text())

            server.stop()
            lost_at = time.monotonic()
            wait_for(lambda: all(httpx.get(f"{a.url}/healthz", timeout=20).status_code == 503 for a in apis))
            said = httpx.get(f"{apis[0].url}/healthz", timeout=20).json()
            time.sleep(max(0.0, LOSS_S - (time.monotonic() - lost_at)))
            returns_at = time.monotonic()
            server.start()
            back_at, before = time.monotonic(), traffic.acknowledged
            wait_for(lambda: all(httpx.get(f"{a.url}/healthz", timeout=20).status_code == 200 for a in apis))
            well_after_s = time.monotonic() - back_at
            wait_for(lambda: traffic.acknowledged > before + 200)
    finally:
        for process in (*apis, *monitors):
            with suppress(ProcessLookupError):
                os.kill(process.process.pid, signal.SIGCONT)
            process.process.terminate()
        codes = [process.process.wait(20) for process in (*apis, *monitors)]

    lost, doubled = audit(deliveries)
    with deliveries.store.read() as connection:
        stored = connection.scalar(select(func.sum(schema.sample.c.requests)))
        kinds = Counter(event.kind for event in events(connection))
    deliveries.store.close()
    away = [
        (seconds, stale) for at, seconds, stale in traffic.evaluations if lost_at < at and at + seconds < returns_at
    ]
    summary = (
        f"server away for {back_at - lost_at:.1f} s: {traffic.acknowledged:,} requests acknowledged, {stored:,} stored"
        f"; {traffic.commands} commands; events lost {lost}, doubled {doubled}; refused {dict(traffic.refused)}; "
        f"{len(away)} evaluations meanwhile, longest {max(s for s, _ in away):.2f} s; "
        f"well {well_after_s:.1f} s after its return"
    )
    with capsys.disabled():
        print(f"\n{summary}")
    assert (stored, lost, doubled) == (traffic.acknowledged, 0, 0), summary
    assert traffic.refused["503"] > 0
    assert away
    assert all(stale for _, stale in away), summary
    assert said["problems"][0] == "the database can't be read"
    assert kinds["monitor took over"] >= 2
    assert [code for code in codes if code not in {0, -signal.SIGTERM}] == []


def _holder(deliveries: Deliveries) -> str | None:
    with deliveries.store.read() as connection:
        lease = current_lease(connection, LEASE)
    return lease.holder if lease else None


class Proxy:
    """A way to the server that can be made to swallow all that is sent, as a network that drops packets does."""

    def __init__(self, target: Path) -> None:
        self.swallows = False
        self._target = str(target)
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._target)
                self._sockets += [client, there]
                for ends in ((client, there), (there, client)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self.swallows:
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for each in (self._listener, *self._sockets):
            each.close()


@pytest.fixture
def proxied(home: Path, postgres: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Proxy, Deliveries]]:
    proxy, name = Proxy(postgres.socket), postgres.create("migrated")
    store = Store.open(f"postgresql+psycopg://canary@127.0.0.1:{proxy.port}/{name}?sslmode=disable", home)
    yield proxy, Deliveries(store, FlagService(store))
    proxy.close()
    store.close()
    postgres.drop(name)


def test_a_server_that_hangs_costs_an_evaluation_little_and_a_caller_a_bounded_time(
    proxied: tuple[Proxy, Deliveries], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, deliveries = proxied
    flags = deliveries.switch
    monkeypatch.setattr("core.store.server.ANSWER_S", 3.0)
    status = deliveries.create(plan(), "cli:test")
    assert flags.evaluate("analyzer", "u1").value == "original"
    proxy.swallows = True
    began = time.monotonic()
    given = flags.evaluate("analyzer", "u1")
    assert (given.value, bool(given.stale)) == ("original", True)
    assert time.monotonic() - began < 2.0  # 0.15 s on a machine that isn't busy
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="can't be reached") as refused:
        deliveries.status(status.id)
    assert refused.value.trouble is Trouble.UNREACHABLE
    assert time.monotonic() - began < 12  # an answer that doesn't come, and then a connection that isn't made
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        deliveries.status(status.id)
    assert time.monotonic() - began < 0.5  # known to be away
    proxy.swallows = False
    wait_for(lambda: not flags.evaluate("analyzer", "u1").stale and _answers(deliveries))


def _answers(deliveries: Deliveries) -> bool:
    with suppress(StoreUnavailable):
        return bool(deliveries.all())
    return False


def test_a_process_that_stops_within_a_transaction_does_not_keep_others_waiting(
    home: Path, postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = postgres.create("migrated")
    url = f"{postgres.url(name)}&options=-c%20idle_in_transaction_session_timeout%3D700ms"
    command = [sys.executable, "-c", STOPPED, url, str(home)]
    store = Store.open(url, home)
    stopped = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert stopped.stdout is not None
        assert stopped.stdout.readline() == "in it\n"
        os.kill(stopped.pid, signal.SIGSTOP)
        with store.transaction() as tx:
            tx.append("test", "another", "did not wait for it")
        os.kill(stopped.pid, signal.SIGCONT)
        _, said = stopped.communicate("go on\n", timeout=30)
        assert stopped.returncode == 1
        assert re.search("StoreUnavailable: .*can't be reached", said)
        with store.read() as connection:
            assert [event.actor for event in events(connection)] == ["another"]
    finally:
        stopped.kill()
        store.close()
        postgres.drop(name)
