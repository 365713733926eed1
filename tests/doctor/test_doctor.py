"""Each check on an installation in which what it looks at is well, and on one in which it isn't."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from core.cli import app
from core.delivery import LEASE, Action, Command, Deliveries, Monitor
from core.doctor import CHECKS, Finding, Grade, examine
from core.settings import Settings
from core.store import Sample, Store, acquire_lease, add_samples, make_backup
from tests.delivery.acting import open_deliveries, plan


@pytest.fixture
def deliveries(home: Path, database: str) -> Iterator[Deliveries]:
    """Return an installation with a deployment under way."""
    made = open_deliveries(home)
    status = made.create(plan(), "cli:test")
    made.command(status.id, Command(Action.START, "cli:test", "try it"))
    yield made
    made.store.close()


def of(found: list[Finding], check: str) -> list[tuple[Grade, str]]:
    return [(finding.grade, finding.says) for finding in found if finding.check == check]


def only(settings: Settings, check: str) -> list[Finding]:
    """Return what one check finds."""
    return [finding for finding in examine(settings) if finding.check == check]


def grade(settings: Settings, check: str) -> tuple[Grade, str]:
    """Return the worst that a check finds."""
    found = only(settings, check)
    order = [Grade.OK, Grade.WARNING, Grade.FAILED]
    worst = max(found, key=lambda finding: order.index(finding.grade))
    assert worst.mend or worst.grade is Grade.OK  # whatever isn't well can be mended
    return worst.grade, worst.says


def push(store: Store, start: float) -> None:
    samples = [Sample(f"{v}-{start}", start, 30.0, v, requests=100) for v in ("fast", "original")]
    with store.transaction() as tx:
        add_samples(tx.connection, "analyzer", samples)


def test_a_healthy_installation(home: Path, deliveries: Deliveries) -> None:
    store = deliveries.store
    push(store, time.time() - 30)
    Monitor(deliveries, Settings(home=home)).tick()
    make_backup(store, home / "backups" / "b.tar.gz", program="x")
    found = examine(Settings(home=home))
    wrong = [finding for finding in found if finding.grade is not Grade.OK]
    assert [(finding.check, finding.says) for finding in wrong] == [("backups", "no restore has been practised yet")]
    expected = CHECKS.keys() - {"people", "cache"}  # which an installation may do without
    assert {finding.check for finding in found} == expected


@pytest.mark.sqlite
def test_without_a_database_it_says_so_and_makes_none(home: Path) -> None:
    found = examine(Settings(home=home))
    assert of(found, "database") == [(Grade.FAILED, "it can't be opened")]
    assert "canary serve" in only(Settings(home=home), "database")[0].mend
    assert not (home / "canary.sqlite").exists()


@pytest.mark.parametrize(("revision", "expected"), [("0001", Grade.WARNING), ("9999", Grade.FAILED)])
def test_tables_of_another_version(home: Path, deliveries: Deliveries, revision: str, expected: Grade) -> None:
    with deliveries.store.transaction() as tx:
        tx.connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
    found = examine(Settings(home=home))
    assert [got for got, _ in of(found, "tables")] == [expected]
    assert of(found, "event log") == []  # no check reads tables that it doesn't know


@pytest.mark.sqlite
def test_a_log_that_was_tampered_with(home: Path, deliveries: Deliveries) -> None:
    with deliveries.store.transaction() as tx:
        tx.connection.execute(text("DROP TRIGGER event_no_update"))
        tx.connection.execute(text("UPDATE event SET reason = 'x' WHERE seq = 1"))
    assert grade(Settings(home=home), "event log") == (
        Grade.FAILED,
        "event 1 was altered: its hash doesn't fit what it says",
    )


def test_nobody_watches(home: Path, deliveries: Deliveries) -> None:
    assert "none has ever run" in grade(Settings(home=home), "monitor")[1]
    acquire_lease(deliveries.store, LEASE, "here:1", 0.01)
    time.sleep(0.02)
    assert "the last tick was" in grade(Settings(home=home, tick_s=0.001), "monitor")[1]


def test_a_source_that_fell_silent(home: Path, deliveries: Deliveries) -> None:
    assert "no sample yet" in grade(Settings(home=home), "sources")[1]
    push(deliveries.store, time.time() - 600)
    got, said = grade(Settings(home=home), "sources")
    assert (got, "no sample for 9 min" in said) == (Grade.FAILED, True)


@pytest.mark.sqlite
def test_a_sources_file_with_mistakes(home: Path, deliveries: Deliveries) -> None:
    (home / "sources.yaml").write_text("nonsense: true")
    assert grade(Settings(home=home, sources=home / "sources.yaml"), "sources")[0] is Grade.FAILED


@pytest.mark.sqlite
def test_a_switch_that_is_not_there(home: Path, deliveries: Deliveries) -> None:
    settings = Settings(home=home, switch="haproxy", haproxy_sockets=(str(home / "no-socket"),), haproxy_persist=False)
    got, said = grade(settings, "traffic switch")
    assert (got, "analyzer" in said) == (Grade.FAILED, True)


@pytest.mark.sqlite
def test_a_clock_that_was_set_back(home: Path, deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 7200)
    with deliveries.store.transaction() as tx:
        tx.append("test", "tester", "from the future")
    monkeypatch.setattr(time, "time", real)
    got, said = grade(Settings(home=home), "clock")
    assert (got, "set back" in said) == (Grade.FAILED, True)


def test_a_clock_that_differs_from_the_servers(
    home: Path, deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    if deliveries.store.engine.dialect.name == "sqlite":
        return
    assert "of the database server's" in grade(Settings(home=home), "clock")[1]
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 60)
    got, said = grade(Settings(home=home), "clock")
    assert (got, "60.0 s ahead of the database server" in said) == (Grade.FAILED, True)


@contextmanager
def provider(answer: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/.well-known/openid-configuration"
    server.shutdown()
    server.server_close()


def signed_in(home: Path, url: str) -> Settings:
    return Settings(
        home=home,
        public_url="http://127.0.0.1:8501",
        oidc_url=url,
        oidc_client_id="canary",
        oidc_client_secret="secret",
    )


WHOLE = dict.fromkeys(("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"), "https://id.example/x")


@pytest.mark.parametrize(
    ("answer", "expected", "said"),
    [
        (json.dumps(WHOLE), Grade.OK, "https://id.example/x answers"),
        (json.dumps(WHOLE | {"jwks_uri": ""}), Grade.FAILED, "lacks jwks_uri"),
        ("<html>", Grade.FAILED, "something else than an OpenID configuration"),
        ("[]", Grade.FAILED, "something else than an OpenID configuration"),
    ],
)
def test_the_identity_provider(home: Path, answer: str, expected: Grade, said: str) -> None:
    with provider(answer) as url:
        got, says = grade(signed_in(home, url), "identity provider")
    assert (got, said in says) == (expected, True)


def test_an_identity_provider_that_is_away(home: Path, free_port: int) -> None:
    got, says = grade(signed_in(home, f"http://127.0.0.1:{free_port}/x"), "identity provider")
    assert (got, "doesn't answer" in says) == (Grade.FAILED, True)
    assert only(signed_in(home, f"http://127.0.0.1:{free_port}/x"), "people")[0].grade is Grade.WARNING


def test_a_file_of_people_with_mistakes(home: Path) -> None:
    (home / "people.yaml").write_text("roles: {king: [a@b.example]}")
    assert grade(Settings(home=home, people=home / "people.yaml"), "people")[0] is Grade.FAILED


def test_secrets_that_others_can_read(home: Path) -> None:
    (home / "learner.key").write_text("00")
    (home / "learner.key").chmod(0o644)
    got, says = grade(Settings(home=home), "secrets")
    assert (got, "mode 644" in says) == (Grade.FAILED, True)
    (home / "learner.key").chmod(0o600)
    assert grade(Settings(home=home), "secrets")[0] is Grade.OK


def test_a_cache_that_is_away(home: Path, free_port: int) -> None:
    settings = Settings(home=home, cache_url=f"redis://127.0.0.1:{free_port}/0")
    assert grade(settings, "cache")[0] is Grade.WARNING  # nobody goes without an answer


def test_a_check_that_falls_over_is_a_finding(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(at: object) -> Iterator[object]:
        raise ZeroDivisionError("oops")

    monkeypatch.setitem(CHECKS, "broken", broken)
    assert of(examine(Settings(home=home)), "broken") == [
        (Grade.FAILED, "this could not be checked: ZeroDivisionError: oops")
    ]


@pytest.mark.sqlite
def test_as_typed(home: Path, deliveries: Deliveries) -> None:
    run: Callable[..., object] = CliRunner().invoke
    result = run(app, ["doctor", "--json"])
    document = json.loads(result.stdout)  # type: ignore[attr-defined]
    assert (result.exit_code, document["ok"]) == (1, False)  # type: ignore[attr-defined]
    assert {"check", "grade", "says", "mend"} == document["checks"][0].keys()
    acquire_lease(deliveries.store, LEASE, "here:1", 60)
    push(deliveries.store, time.time() - 30)
    result = run(app, ["doctor"])
    assert result.exit_code == 0, result.output  # type: ignore[attr-defined]
    assert "0 failed" in result.output  # type: ignore[attr-defined]


def test_whether_somebody_would_be_called(home: Path) -> None:
    open_deliveries(home).store.close()
    assert grade(Settings(home=home), "notifications") == (
        Grade.OK,
        "there is no roster: nobody is called about an incident",
    )
    assert grade(Settings(home=home, host="10.0.0.5"), "notifications")[0] is Grade.WARNING
    roster = home / "roster.yaml"
    people = 'people:\n  alice: {address: alice@example.com, urls: ["json://127.0.0.1:9/x"]}\nshifts:\n'
    always = "".join(f"  {level}: [{{who: alice}}]\n" for level in ("primary", "secondary", "escalation"))
    for written, worst, said in (
        (people + always, Grade.OK, "primary alice"),
        (people + "  primary: [{who: alice}]\n", Grade.WARNING, "nobody is on call as secondary or escalation"),
        (people + "  primary: [{who: alise}]\n", Grade.FAILED, 'did you mean "alice"?'),
    ):
        roster.write_text(written)
        found, says = grade(Settings(home=home, roster=roster), "notifications")
        assert found is worst
        assert said in says
