# Keeps a throwaway PostgreSQL for as long as its standard input is open: when the process that holds the other end
# goes, however it goes, the server and its folder go too. Prints "ready" when the server answers.
set -eu
port=$1
trap '' INT TERM HUP # whoever stops the tests stops their process; this ends after it, in good order

bin=${ZUMRA_TEST_PG_BIN:-}
if [ -z "$bin" ] && command -v initdb >/dev/null && command -v pg_ctl >/dev/null; then
    bin=$(dirname "$(command -v initdb)")
fi
for folder in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV); do
    [ -n "$bin" ] || [ ! -x "$folder/initdb" ] || bin=$folder
done
if [ -z "$bin" ]; then
    echo "PostgreSQL is not installed: run script/test, or apt-get install postgresql, or name the folder of initdb in ZUMRA_TEST_PG_BIN" >&2
    exit 1
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/zumra-test-postgres-XXXXXX")
as_server() { "$@"; }
if [ "$(id -u)" = 0 ]; then # the server refuses to run as root
    chown postgres "$folder"
    as_server() { runuser -u postgres -- "$@"; }
fi
cd "$folder"
as_server "$bin/initdb" --pgdata data --username postgres --auth trust --encoding UTF8 --locale C --no-sync \
    >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" >&2; rm -rf "$folder"; exit 1; }
# Nothing here has to survive a power cut.
options="-c listen_addresses=127.0.0.1 -p $port -c unix_socket_directories= -c max_connections=200"
options="$options -c fsync=off -c full_page_writes=off -c autovacuum=off"
as_server "$bin/pg_ctl" start --pgdata data --log data/server.log --wait --silent --options "$options" >&2 ||
    { cat data/server.log >&2; cd /; rm -rf "$folder"; exit 1; }
echo ready
cat >/dev/null
as_server "$bin/pg_ctl" stop --pgdata data --mode immediate --silent >/dev/null 2>&1
cd /
rm -rf "$folder"
