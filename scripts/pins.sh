#!/bin/sh
# Writes requirements/run.txt and requirements/test.txt from the ranges in pyproject.toml. Arguments go to pip-compile (--upgrade).
# Run it with the oldest Python that is supported, so that what only that one needs is in.
set -eu
cd "$(dirname "$0")/.."
tool=build/pins
[ -x $tool/bin/pip-compile ] || { "${PYTHON:-python3.11}" -m venv $tool && $tool/bin/pip install --quiet pip-tools==7.6.2; }

compile() { # compile NAME OPTION...
    out=requirements/$1.txt
    shift
    $tool/bin/pip-compile --quiet --strip-extras --no-header --no-annotate --no-emit-index-url --no-emit-trusted-host \
        --no-emit-find-links --no-emit-options --output-file "$out" "$@" pyproject.toml
    { echo "# Written by \`make pins\` from pyproject.toml; don't edit."; grep -v '^#' "$out"; } >$tool/pinned
    mv $tool/pinned "$out"
}
compile run "$@"
compile test --extra test --constraint requirements/run.txt "$@"
