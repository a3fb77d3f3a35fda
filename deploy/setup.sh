#!/usr/bin/env bash
# Makes sure that what the build and the tests need is on this machine.
# Usage: deploy/setup.sh [postgres] [cc] [python] [wasm] [hledger] [beancount]
# Installs what is missing where it can (Debian or Ubuntu, as root); says what to install where it cannot.
set -euo pipefail

missing=()
have_postgres() {
    for bin in $(dirname "$(command -v pg_ctl || echo /none)") /usr/lib/postgresql/*/bin; do
        [ -x "$bin/initdb" ] && [ -x "$bin/pg_ctl" ] || continue
        version=$("$bin/postgres" --version | sed -E 's/.*\) ([0-9]+).*/\1/')
        [ "$version" -ge 15 ] && return
    done
    return 1
}
for need in "$@"; do
    case $need in
    postgres) have_postgres || missing+=(postgresql) ;;
    cc) command -v cc >/dev/null || missing+=(build-essential) ;;
    python) python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv) ;;
    hledger) command -v hledger >/dev/null || missing+=(hledger) ;;
    beancount) command -v bean-check >/dev/null || missing+=(beancount) ;;
    wasm) command -v wasm-opt >/dev/null || missing+=(binaryen) ;;
    *) echo "setup: no such need: $need" >&2; exit 2 ;;
    esac
done

if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "setup: please install: ${missing[*]} (Postgres 15 or newer), then try again" >&2
        exit 1
    fi
    echo "setup: installing ${missing[*]}" >&2
    # Debian starts a cluster of its own when the package is installed; ours are private and need none.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >/dev/null
    apt-get install -qy --no-install-recommends "${missing[@]}" >/dev/null
fi

case " $* " in
*" postgres "*)
    have_postgres || { echo "setup: this system's postgres is older than 15: install a newer one" >&2; exit 1; } ;;
esac
case " $* " in
*" wasm "*)
    if command -v rustup >/dev/null && ! rustup target list --installed | grep -q '^wasm32v1-none$'; then
        rustup target add wasm32v1-none
    fi ;;
esac
