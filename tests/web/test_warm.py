import asyncio
import sys
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from core.learners import runs
from core.web.early import STATIC, EarlyCharts
from core.web.learners import reading
from core.web.server import close_app_state
from core.web.views.traits import AXES
from core.web.warm import imported_by_pages, warm_pages
from tests.web.learners.made import make_run


def answer(content_type: str, scope_type: str = "http") -> dict[str, str]:
    """Return the headers of an answer of that type, passed through `EarlyCharts`."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", content_type.encode())]}
        )

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    asyncio.run(EarlyCharts(app)({"type": scope_type, "path": "/cohorts", "headers": []}, receive, send))
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


def test_browsers_are_told_of_the_chart_library_with_a_page() -> None:
    link = answer("text/html; charset=utf-8")["link"]
    path = link.partition("<./")[2].partition(">")[0]
    assert (STATIC / path.removeprefix("static/")).parent.name == "js"
    assert (STATIC / path).is_file()
    assert link.endswith("; rel=modulepreload")
    assert "link" not in answer("application/json")


def test_what_pages_import_is_found() -> None:
    assert {"core.web.learners.parts", "core.web.views.cohorts", "core.web.parts"} <= set(imported_by_pages())


def test_what_the_newest_run_shows_first_is_read_beforehand(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gc.freeze", lambda: None)
    try:
        warm_pages()  # there is none yet
        assert reading.all_runs() == []
        assert "core.web.learners.parts" in sys.modules
        made = make_run(home, 300, events=False)
        warm_pages()
        runs.files_of(home, made.id).assignments.unlink()
        [run] = reading.all_runs()
        assert len(reading.people(run)) == reading.plane(run, *AXES).drawn == 300
        reading.population.clear()
        with pytest.raises(OSError, match=run.id):
            reading.people(run)
        warm_pages()  # nor is the file any more
    finally:
        for cache in (reading.all_runs, reading.population, reading._plane):
            cache.clear()
        close_app_state()
    assert not [said for said in caplog.records if said.name.startswith("core")]
