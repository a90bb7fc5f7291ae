# Shared by the scripts beside it. Sets $bin (the programs of PostgreSQL) and $directory (a new directory, the current
# one), and defines `as_server` and `new_cluster`.
set -eu
# A signal to the test process must not end this script before it has stopped its servers. It ends when its standard
# input closes, which the exit of the test process does.
trap '' INT TERM HUP

bin=${ZUMRA_TEST_PG_BIN:-}
if [ -z "$bin" ] && command -v initdb >/dev/null && command -v pg_ctl >/dev/null; then
    bin=$(dirname "$(readlink -f "$(command -v initdb)")") # the other programs are beside the target of the link
fi
for candidate in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV); do
    [ -n "$bin" ] || [ ! -x "$candidate/initdb" ] || bin=$candidate
done
if [ -z "$bin" ]; then
    echo "PostgreSQL is not installed: run script/test, or apt-get install postgresql, or set ZUMRA_TEST_PG_BIN to the directory of initdb" >&2
    exit 1
fi

directory=$(mktemp -d "${TMPDIR:-/tmp}/zumra-test-postgres-XXXXXX")
as_server() { "$@"; }
if [ "$(id -u)" = 0 ]; then # PostgreSQL does not run as root
    chown postgres "$directory"
    as_server() { runuser -u postgres -- "$@"; }
fi
cd "$directory"

new_cluster() { # arguments: the data directory
    as_server "$bin/initdb" --pgdata "$1" --username postgres --auth trust --encoding UTF8 --locale C --no-sync \
        >"$directory/initdb.log" 2>&1 || { cat "$directory/initdb.log" >&2; rm -rf "$directory"; exit 1; }
}

