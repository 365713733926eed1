"""Reports over HTTP: the bytes of the command line, as the client asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.reports import KINDS, as_html, as_markdown, build, read_facts
from core.settings import Settings
from core.web.api.reports import Format, wanted
from tests.web.conftest import serving

ROOT = "/api/v1/deployments"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_what_the_log_gives(api: Any, running: str, kind: str) -> None:
    with api.store.read() as connection:
        document = build(kind, read_facts(connection, running))
    markdown = api.get(f"{ROOT}/{running}/reports/{kind}")
    assert (markdown.status_code, markdown.text) == (200, as_markdown(document))
    assert markdown.headers["content-type"] == "text/markdown; charset=utf-8"
    html = api.get(f"{ROOT}/{running}/reports/{kind}?format=html")
    assert html.text == as_html(document)
    assert html.headers["content-type"] == "text/html; charset=utf-8"
    assert html.headers["content-disposition"] == f'inline; filename="{kind}-{running}.html"'


@pytest.mark.sqlite
def test_a_browser_gets_html_and_the_question_goes_before_the_header(api: Any, running: str) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    asked = f"{ROOT}/{running}/reports/summary"
    assert api.get(asked, headers=browser).text.startswith("<!doctype html>")
    assert api.get(f"{asked}?format=md", headers=browser).text.startswith("# Executive summary")
    neither = api.get(asked, headers={"Accept": "application/json"})
    assert (neither.status_code, neither.headers["content-type"]) == (406, "application/problem+json")
    assert "?format=" in neither.json()["detail"]


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", Format.MARKDOWN),
        ("text/*", Format.MARKDOWN),
        ("text/html", Format.HTML),
        ("text/markdown;q=0.5, text/html;q=0.4", Format.MARKDOWN),
        ("*/*;q=0.1, TEXT/HTML; q=0.2", Format.HTML),
        ("text/html;q=0, */*", Format.MARKDOWN),
        ("text/markdown;q=0, text/html;q=0", None),
        ("text/html;q=lots", None),
        ("image/png", None),
        (",;,", None),
    ],
)
def test_what_accept_asks_for(accept: str, form: Format | None) -> None:
    assert wanted(accept) is form


@pytest.mark.sqlite
def test_what_is_not_there_is_a_problem(api: Any, running: str) -> None:
    unknown = api.get(f"{ROOT}/none/reports/summary")
    assert (unknown.status_code, running in unknown.json()["detail"]) == (404, True)
    kind = api.get(f"{ROOT}/{running}/reports/poem")
    assert kind.status_code == 422
    assert "'sign-off'" in kind.json()["detail"]
    assert api.get(f"{ROOT}/{running}/reports/summary?format=pdf").status_code == 422
    assert api.get(f"{ROOT}/{running}/reports/summary", None).status_code == 401
    assert api.get(f"{ROOT}/{running}/reports/summary", "push").status_code == 403
    assert f"{ROOT}/{{deployment_id}}/reports/{{kind}}" in api.get("/api/openapi.json").json()["paths"]


@pytest.mark.sqlite
def test_a_roster_that_is_broken_keeps_no_other_report_back(
    home: Path, database: str, tmp_path: Path, plan_text: str
) -> None:
    roster = tmp_path / "roster.yaml"
    roster.write_text("people: none")
    with serving(Settings(home=home, roster=roster)) as api:
        made = api.post(ROOT, "act", {"plan": plan_text}).json()["deployment"]["id"]
        assert api.get(f"{ROOT}/{made}/reports/summary").status_code == 200
        refused = api.get(f"{ROOT}/{made}/reports/schedule")
    assert (refused.status_code, "roster.yaml" in refused.json()["detail"]) == (503, True)
