import asyncio
import mimetypes

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from core.web.assets import FOR_ALWAYS, STATIC, Assets, needed


class Client:
    """Asks an app that has nothing of its own but a page."""

    def __init__(self) -> None:
        def page(request: Request) -> Response:
            return HTMLResponse("<p>page</p>") if request.url.path == "/cohorts" else PlainTextResponse("passed on")

        self._app = Assets(Starlette(routes=[Route("/{rest:path}", page, methods=["GET", "POST"])]))

    def get(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, headers=headers)

        return asyncio.run(ask())


@pytest.fixture
def client() -> Client:
    return Client()


def test_browsers_are_told_with_a_page_which_scripts_it_will_need(client: Client) -> None:
    link = client.get("/cohorts").headers["link"]
    names = [part.partition("<./static/js/")[2].partition(">")[0] for part in link.split(", ")]
    assert all((STATIC / "static" / "js" / name).is_file() for name in names)
    assert {"PlotlyChart", "Html", "Selectbox"} <= {name.partition(".")[0] for name in names}
    assert link.count("rel=modulepreload") == len(names) == len(set(names))
    assert len(link) < 2500  # a proxy's room for headers
    assert "link" not in client.get("/other").headers


def test_what_the_page_asks_for_by_itself_is_not_asked_for_twice() -> None:
    index = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not [name for name in needed(STATIC, ["PlotlyChart"]) if name in index]


def test_every_file_is_sent_as_it_is(client: Client) -> None:
    files = [path for path in (STATIC / "static").rglob("*.*") if path.stat().st_size < 2e5]
    assert len(files) > 100
    for path in files[::10]:
        answer = client.get(f"/{path.relative_to(STATIC).as_posix()}")
        assert answer.content == path.read_bytes()
        assert answer.headers["cache-control"] == FOR_ALWAYS
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        assert answer.headers["content-type"].partition(";")[0] == kind


@pytest.mark.parametrize("path", ["/static/js/absent.js", "/static/../app.py", "/static/", "/_stcore/health"])
def test_whatever_else_is_passed_on(client: Client, path: str) -> None:
    assert client.get(path).text == "passed on"


def test_parts_of_files_and_other_methods_are_passed_on(client: Client) -> None:
    path = f"/static/js/{needed(STATIC, ['Html'])[0]}"
    assert client.get(path, range="bytes=0-9").text == "passed on"
    assert client.get(path, "POST").text == "passed on"
    assert client.get(path).text != "passed on"
