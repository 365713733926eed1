#!/bin/sh
# What the tests drive for real and pip can't install: a browser, Prometheus, HAProxy, PostgreSQL, Redis. From the system's packages: only
# with consent, or where CI=true. Always ends well: tests that need one skip without it and say so.
set -u

# Each thing: the package, and where one of its programs is looked for.
missing=""
need() { # need PACKAGE PROGRAM...
    package=$1
    shift
    for program in "$@"; do
        for found in $program; do # a pattern may fit nothing: then it stands for itself
            if command -v "$found" >/dev/null 2>&1; then return 0; fi
        done
    done
    missing="$missing $package"
}
need chromium chromium chromium-browser google-chrome
need prometheus prometheus
need haproxy haproxy /usr/sbin/haproxy
need postgresql "/usr/lib/postgresql/*/bin/initdb" initdb
need redis-server redis-server
[ -n "$missing" ] || exit 0

skip() { echo "Not installed:$missing. $1 The tests that need it will be skipped." >&2; exit 0; }

command -v apt-get >/dev/null 2>&1 || skip "Install it with your system's package manager."
by_hand="sudo apt-get install$missing"

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif [ "${CI:-}" = true ]; then
    sudo -n true 2>/dev/null || skip "Installing takes root's rights ($by_hand)."
    as_root="sudo -n"
else
    command -v sudo >/dev/null 2>&1 || skip "Installing takes root's rights (as root: apt-get install$missing)."
    as_root=sudo
fi

if [ "${CI:-}" != true ]; then
    [ -t 0 ] && [ -t 2 ] || skip "Nobody to ask whether to install it ($by_hand)."
    printf 'Some tests drive the real thing. Run "%s" now? [y/N] ' "$by_hand" >&2
    read -r answer
    case $answer in [yY]*) ;; *) skip "As you wish." ;; esac
fi

# RUNLEVEL=1: packages don't start their servers; the tests start their own, on ports of their own.
apt="$as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2"
log=$(mktemp)
echo "Installing$missing ..." >&2
if ! { $apt update && $apt install --yes --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    skip "apt-get failed (all of it: $log)."
fi
rm -f "$log"
