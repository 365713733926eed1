#!/bin/sh
# Makes .venv hold what requirements/run.txt or requirements/test.txt pins, and this project. Does nothing where it does so already.
# usage: scripts/setup.sh run|test
set -eu
cd "$(dirname "$0")/.."
root=$(pwd -P)
want=${1:-run}

case $want in
run) files="requirements/run.txt pyproject.toml" ;;
test) files="requirements/run.txt requirements/test.txt pyproject.toml" ;;
*) echo "usage: scripts/setup.sh run|test" >&2; exit 2 ;;
esac

# What a finished set-up leaves behind. Contents count, not dates: a checkout of another commit changes both ways.
fingerprint() { echo "$root"; cksum $1; }
stamp=.venv/installed-$want
if [ -x .venv/bin/canary ] && [ -x .venv/bin/python ] && [ "$(fingerprint "$files")" = "$(cat $stamp 2>/dev/null)" ]; then
    exit 0
fi

# The first of these that runs and is new enough (a name may be there and not run: version managers leave such). Sets $python.
find_python() {
    seen="" without_venv=""
    for python in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        case $version in
        3.11 | 3.12 | 3.13)
            if "$python" -c 'import ensurepip, venv' 2>/dev/null; then return 0; fi
            without_venv="$python $version" ;;
        *) seen="$seen $python is $version." ;;
        esac
    done
    if [ -n "$without_venv" ]; then
        echo "${without_venv% *} cannot make a virtual environment: its venv package is missing." >&2
        echo "On Debian or Ubuntu: sudo apt-get install python3-venv   (or python${without_venv#* }-venv)" >&2
    else
        echo "Python 3.11, 3.12 or 3.13 is needed and was not found.$seen" >&2
        echo "On Debian or Ubuntu: sudo apt-get install python3 python3-venv" >&2
        echo "With one in another place: make $want PYTHON=/path/to/python3" >&2
    fi
    return 1
}

# A folder that was moved or copied has programs in .venv that still point to the old place: make it anew.
if [ ! -f .venv/made-in ] || [ "$(cat .venv/made-in)" != "$root" ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    find_python || exit 1
    echo "Making .venv with $python ($version) ..." >&2
    "$python" -m venv --clear .venv
    echo "$root" >.venv/made-in
fi

log=.venv/setup.log
count=$(grep -c == requirements/"$want".txt)
echo "Installing $count pinned packages into .venv (only when they change; a minute or so) ..." >&2
pip="env PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install --no-input"
if ! { $pip -r requirements/"$want".txt && $pip --no-deps --editable .; } >$log 2>&1 </dev/null; then
    tail -n 15 $log >&2
    echo "The installation failed (all of it: $log). A network that reaches the package index is needed; then try again." >&2
    exit 1
fi
if [ "$want" = run ]; then
    echo "Compiling the analyzer (once; up to a minute) ..." >&2
    .venv/bin/python -c 'from core.learners import warm; warm()' >>$log 2>&1 </dev/null ||
        echo "Not now (why: $log); it will be when it is first used." >&2
fi
fingerprint "$files" >$stamp
if [ "$want" = test ]; then fingerprint "requirements/run.txt pyproject.toml" >.venv/installed-run; fi
