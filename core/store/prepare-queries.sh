#!/usr/bin/env bash
# Writes .sqlx anew: what the build has to know about the schema to check the queries without a server. For when a query or a
# migration has changed. Uses a throw-away server; psql applies the migrations, because this crate may not build yet.
set -euo pipefail
cd "$(dirname "$0")/../.."

binaries=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -1)
[ -x "$binaries/initdb" ] || binaries=$(dirname "$(command -v initdb)")
as_user=()
[ "$(id -u)" != 0 ] || as_user=(unshare --user --map-user=1000 --map-group=1000 --)
server=$(mktemp -d)
postgres() { local program=$1; shift; "${as_user[@]}" "$binaries/$program" "$@"; }
trap 'postgres pg_ctl -D "$server/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$server"' EXIT

postgres initdb -D "$server/data" -E UTF8 --locale=C --auth=trust -U attica --no-sync >/dev/null
postgres pg_ctl -D "$server/data" -l "$server/log" -w -o "-k $server -c listen_addresses= -c port=5432 -c fsync=off" start >/dev/null
for migration in migrations/*.sql; do
    psql -q -v ON_ERROR_STOP=1 -h "$server" -U attica -d postgres -f "$migration"
done

rm -rf .sqlx && mkdir .sqlx
grep -rl --include='*.rs' 'sqlx::query' core paas | xargs touch
SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$PWD/.sqlx" DATABASE_URL="postgresql:///postgres?host=$server&user=attica" \
    cargo check -p attica-core-store -p attica-core -p attica-paas
