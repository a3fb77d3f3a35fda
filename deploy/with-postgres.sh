#!/usr/bin/env bash
# Runs a command with DATABASE_URL set to a private, migrated Postgres that is gone afterwards.
# For what must work before the binary compiles: writing down the checked queries (make sqlx).
set -euo pipefail
cd "$(dirname "$0")/.."

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

in_dir "$bin/initdb" -D "$dir/db" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >/dev/null
in_dir "$bin/pg_ctl" -D "$dir/db" -l "$dir/log" -w -o "-k $dir -c listen_addresses= -c fsync=off" start >/dev/null
for file in migrations/[0-9]*.sql; do
    "$bin/psql" -h "$dir" -U postgres -d postgres -q -v ON_ERROR_STOP=1 -1 -f "$file"
done
DATABASE_URL="postgres://postgres@localhost/postgres?host=$dir" "$@"
