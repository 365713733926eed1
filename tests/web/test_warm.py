import sys
from pathlib import Path

import pytest

from core.learners import runs
from core.web.learners import reading
from core.web.state import close_app_state
from core.web.views.traits import AXES
from core.web.warm import imported_by_pages, warm_pages
from tests.web.learners.made import make_run


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
