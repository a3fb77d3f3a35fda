#!/usr/bin/env bash
# Writes .sqlx/: what Postgres says about every checked query, so that a build needs no database.
# Run by `make sqlx` after a query or a migration changed, under deploy/with-postgres.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -rf .sqlx.new && mkdir .sqlx.new
# A query is looked at when its crate is compiled: make sure that the crates with queries are.
touch ledger/src/lib.rs gateway/src/lib.rs
SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$PWD/.sqlx.new" cargo check -p amana-ledger -p amana-gateway
[ -n "$(ls .sqlx.new)" ] || { echo "sqlx: no query was written down" >&2; exit 1; }
rm -rf .sqlx && mv .sqlx.new .sqlx
echo "sqlx: $(ls .sqlx | wc -l) queries written to .sqlx"
