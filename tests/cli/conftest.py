"""What tests of commands share: a way to run one as people do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from core.cli import app

Run = Callable[..., Result]


@pytest.fixture
def run(home: Path) -> Run:
    """Return what runs a command and makes sure that it ended by itself."""

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, list(arguments))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == code, result.output
        return result

    return run
