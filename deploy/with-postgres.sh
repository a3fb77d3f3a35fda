#!/usr/bin/env bash
# Runs a command with DATABASE_URL set to a private, migrated Postgres that is gone afterwards.
# Usage: deploy/with-postgres.sh [--durable] command...
# For what must work before the binary compiles: writing down the checked queries (make sqlx). Such a cluster forgets
# at a power cut; with --durable it is one to measure on (make bench): every commit is on the disk, pages have
# checksums, and memory and WAL have the room they would get on a machine of Postgres's own.
set -euo pipefail
cd "$(dirname "$0")/.."

init=(--no-sync)
settings="-c fsync=off"
if [ "${1:-}" = --durable ]; then
    shift
    init=(--data-checksums)
    kib=$(awk '/^MemTotal/ { print $2 }' /proc/meminfo 2>/dev/null || echo 4194304)
    settings="-c fsync=on -c synchronous_commit=on -c full_page_writes=on -c max_connections=400"
    settings="$settings -c shared_buffers=$((kib / 4096))MB -c max_wal_size=8GB -c checkpoint_timeout=15min"
fi

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
[ -x "${bin:-/none}/pg_ctl" ] || bin=$(dirname "$(command -v pg_ctl)")
dir=$(mktemp -d /tmp/amana-pg-XXXXXX)
as=()
if [ "$(id -u)" = 0 ]; then
    user=$(id -u postgres >/dev/null 2>&1 && echo postgres || echo nobody)
    as=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
    chown "$user" "$dir"
fi
in_dir() { (cd "$dir" && "${as[@]}" "$@"); }
trap 'in_dir "$bin/pg_ctl" -D "$dir/db" -m fast -w stop >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT

in_dir "$bin/initdb" -D "$dir/db" --username=postgres --auth=trust --encoding=UTF8 --locale=C "${init[@]}" >/dev/null
in_dir "$bin/pg_ctl" -D "$dir/db" -l "$dir/log" -w -o "-k $dir -c listen_addresses= $settings" start >/dev/null
export PGOPTIONS='-c client_min_messages=warning'
for file in migrations/[0-9]*.sql; do
    "$bin/psql" -h "$dir" -U postgres -d postgres -q -v ON_ERROR_STOP=1 -1 -f "$file"
done
unset PGOPTIONS
DATABASE_URL="postgres://postgres@localhost/postgres?host=$dir" "$@"
