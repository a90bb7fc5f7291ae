# What throwaway servers have in common: the programs in $bin, a folder to be in, a user to run as, and `new_cluster`.
set -eu
trap '' INT TERM HUP # whoever stops the tests stops their process; this ends after it, in good order

bin=${ZUMRA_TEST_PG_BIN:-}
if [ -z "$bin" ] && command -v initdb >/dev/null && command -v pg_ctl >/dev/null; then
    bin=$(dirname "$(readlink -f "$(command -v initdb)")") # where its other programs are too
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

new_cluster() { # its folder
    as_server "$bin/initdb" --pgdata "$1" --username postgres --auth trust --encoding UTF8 --locale C --no-sync \
        >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" >&2; rm -rf "$folder"; exit 1; }
}

