#!/bin/sh
# All tests: first those that need the machine for themselves, one after another, then the others side by side.
# Arguments go to pytest. `-rs` lists at the end of each part what was skipped, and why.
set -u
cd "$(dirname "$0")/.."
pytest=".venv/bin/python -m pytest -rs"

$pytest -m serial "$@"
alone=$?
$pytest -m "not serial" -n "${WORKERS:-2}" --dist loadfile "$@"
together=$?

none=5 # pytest's answer where nothing was selected
if [ $together = $none ]; then exit $alone; fi
if [ $together != 0 ]; then exit $together; fi
if [ $alone = $none ]; then exit 0; fi
exit $alone
