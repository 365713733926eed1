#!/bin/sh
# Chromium for the browser tests, from the system's packages: only with consent, or where CI=true. Always ends well: tests that need it
# skip without it and say so.
set -u

for name in chromium chromium-browser google-chrome; do
    if command -v $name >/dev/null 2>&1; then exit 0; fi
done

skip() { echo "No Chromium: $1 The browser tests will be skipped." >&2; exit 0; }

command -v apt-get >/dev/null 2>&1 || skip "install it with your system's package manager."
by_hand="sudo apt-get install chromium"

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif [ "${CI:-}" = true ]; then
    sudo -n true 2>/dev/null || skip "installing it takes root's rights ($by_hand)."
    as_root="sudo -n"
else
    command -v sudo >/dev/null 2>&1 || skip "installing it takes root's rights (as root: apt-get install chromium)."
    as_root=sudo
fi

if [ "${CI:-}" != true ]; then
    [ -t 0 ] && [ -t 2 ] || skip "nobody to ask whether to install it ($by_hand)."
    printf 'The browser tests need Chromium (some 300 MB). Run "%s" now? [y/N] ' "$by_hand" >&2
    read -r answer
    case $answer in [yY]*) ;; *) skip "as you wish." ;; esac
fi

apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2"
log=$(mktemp)
echo "Installing Chromium ..." >&2
if ! { $apt update && $apt install --yes --no-install-recommends chromium; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    skip "apt-get failed (all of it: $log)."
fi
rm -f "$log"
