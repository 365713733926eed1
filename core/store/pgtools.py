"""PostgreSQL's own programs: what they are told to connect by, and what they say when they refuse."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from glob import glob
from pathlib import Path

from sqlalchemy.engine import URL

from core.store.errors import BackupError


def find_program(name: str) -> str:
    """Return the path of the newest `pg_dump`, `pg_restore`, ... that is installed.

    Raises:
        BackupError: there is none.
    """
    # Debian's own wrapper on the PATH takes the version of a local cluster, which may be older than the server's.
    versions = sorted(glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(Path(path).parts[4]))
    found = versions[-1] if versions else shutil.which(name)
    if found is None:
        raise BackupError(
            f"{name} is not installed here. Install PostgreSQL's client programs (package postgresql-client), or use "
            "the backups of your database server, and `canary log --export FILE` for the event log"
        )
    return found


def run_program(name: str, url: URL, *arguments: str) -> None:
    """Run one of the programs on a database.

    Raises:
        BackupError: it isn't installed, or it refuses; with the last line of what it says.
    """
    # The password goes by the environment: a command line can be read by anybody on the machine.
    parameters = {key: str(value) for key, value in url.query.items()} | {"dbname": str(url.database)}
    for key, value in (("host", url.host), ("port", url.port), ("user", url.username)):
        if value:
            parameters[key] = str(value)
    conninfo = " ".join(f"{key}='{_quoted(value)}'" for key, value in parameters.items() if key != "password")
    environment = os.environ | ({"PGPASSWORD": str(url.password)} if url.password is not None else {})
    command = [find_program(name), "--no-password", "--dbname", conninfo, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"]
        raise BackupError(f"{name} failed: {re.sub(rf'^{name}: (error: )?', '', said[0])}")


def _quoted(value: str) -> str:
    return value.replace("\\", r"\\").replace("'", r"\'")
