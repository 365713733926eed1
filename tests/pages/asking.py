"""How tests of pages ask for one and read what it says."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest


def page(root: Path, name: str, **query: str | list[str]) -> AppTest:
    """Open a page, by navigation, with a query in its address."""
    app = AppTest.from_file(root / "core" / "web" / "shell.py", default_timeout=60)
    app.run()
    if name != "live":
        app.switch_page(f"../../pages/{name}.py")
    for key, value in query.items():
        app.query_params[key] = value
    return app.run()


def said(app: AppTest) -> str:
    """Return all that a page says in HTML of ours."""
    return " ".join(str(piece.value) for piece in app.html)


def query(app: AppTest) -> dict[str, str]:
    """Return what the address holds."""
    return {k: v[0] if isinstance(v, list) else v for k, v in app.query_params.items()}


def well(app: AppTest) -> AppTest:
    """Make sure that a page ran and has no error to tell."""
    assert not app.exception
    assert not app.error
    return app
