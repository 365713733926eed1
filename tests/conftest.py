"""What tests of every room share: a home of their own, a free port, real recorded data where it is at hand."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from core.settings import get_settings
from core.store import Store
from core.traffic import rows
from tests.disks import mount
from tests.postgres import TEMPLATE, Cluster

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real recorded data that lies beside some checkouts; skip where it doesn't."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the recorded data in ../shared/data, which is not part of this repository")
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return an empty CANARY_HOME that this process and those it starts use, with no other setting from outside."""
    for name in [name for name in os.environ if name.startswith("CANARY_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("CANARY_HOME", str(folder))
    get_settings.cache_clear()
    yield folder
    get_settings.cache_clear()


@pytest.fixture
def small_disk(home: Path) -> Iterator[Path]:
    """Return a CANARY_HOME on a disk of 6 MB; skip where none may be mounted."""
    if os.geteuid() != 0 or not mount("-t", "tmpfs", "-o", "size=6m", "tmpfs", str(home)):
        pytest.skip("needs the right to mount a small disk")
    yield home
    subprocess.run(["umount", "--lazy", str(home)], check=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for `database` on SQLite and on PostgreSQL, but what looks into a file on SQLite alone."""
    if "database" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("sqlite")
        metafunc.parametrize("database", ["sqlite"] if only else ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a PostgreSQL server with a migrated database to make copies of; skip where none is installed."""
    cluster = Cluster()
    try:
        cluster.execute(f"CREATE DATABASE {TEMPLATE}")
        Store.open(cluster.url(TEMPLATE), tmp_path_factory.mktemp("migrated")).close()
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def database(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the URL of a fresh database of either kind, which this process and those it starts use by default."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield f"sqlite:///{home / 'canary.sqlite'}"
        return
    cluster: Cluster = request.getfixturevalue("postgres")
    name = cluster.create(TEMPLATE)
    monkeypatch.setenv("CANARY_DATABASE_URL", cluster.url(name))
    # On a busy machine an evaluation may wait: these tests hold what it answers, not how soon.
    monkeypatch.setattr(rows, "ANSWER_S", 10.0)
    get_settings.cache_clear()
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture
def lose(database: str, request: pytest.FixtureRequest) -> Callable[[], Callable[[], None]]:
    """Return what takes the database away; what that returns brings it back."""
    url = make_url(database)
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))

        def take_away() -> Callable[[], None]:
            path.rename(path.with_name("gone"))
            return lambda: path.with_name("gone").rename(path)  # type: ignore[func-returns-value]
    else:
        cluster: Cluster = request.getfixturevalue("postgres")
        name = str(url.database)

        def take_away() -> Callable[[], None]:
            cluster.shut_out(name)
            return lambda: cluster.let_in(name)

    return take_away


def port_of_its_own() -> int:
    """Return a port on 127.0.0.1 that nothing listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def free_port() -> int:
    """Return a port on 127.0.0.1 that nothing listened on a moment ago."""
    return port_of_its_own()
