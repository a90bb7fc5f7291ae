# Keeps a primary and a standby that confirms every commit, for as long as its standard input is open. Prints "ready".
# A line on it makes the primary crash and the standby take its place; then it prints "promoted". If the line is "part",
# the primary had something by then that the standby has not, and comes back as a standby that replays it.
first=$1 second=$2
new_cluster first
common="-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c autovacuum=off"
leave() {
    for server in first second; do
        as_server "$bin/pg_ctl" stop --pgdata "$server" --mode immediate --silent >/dev/null 2>&1 || true
    done
    cd /
    rm -rf "$folder"
}
trap leave EXIT
start() { # folder, port
    as_server "$bin/pg_ctl" start --pgdata "$1" --log "$1.log" --wait --silent --options "$common -p $2" >&2 ||
        { cat "$1.log" >&2; exit 1; }
}
start first "$first"
as_server "$bin/pg_basebackup" --pgdata second --write-recovery-conf --checkpoint fast --no-sync --wal-method stream \
    --dbname "host=127.0.0.1 port=$first user=postgres application_name=second" >&2
start second "$second"
# From here on nothing is acknowledged that the standby does not have.
ask() { as_server "$bin/psql" "host=127.0.0.1 port=$first user=postgres" --quiet --no-align --tuples-only --command "$1"; }
ask "ALTER SYSTEM SET synchronous_standby_names = 'second'" >&2
ask "SELECT pg_reload_conf()" >&2
until [ "$(ask "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")" = 1 ]; do sleep 0.05; done
echo ready
if read -r how; then
    if [ "$how" = part ]; then
        as_server "$bin/pg_ctl" stop --pgdata second --mode fast --silent >&2
        ask "SET synchronous_commit = local; CREATE TABLE lost AS SELECT generate_series(1, 500000) AS number" >&2
    fi
    as_server "$bin/pg_ctl" stop --pgdata first --mode immediate --silent >&2
    [ "$how" != part ] || start second "$second"
    as_server "$bin/pg_ctl" promote --pgdata second --wait --silent >&2
    if [ "$how" = part ]; then
        as_server touch first/standby.signal
        start first "$first"
    fi
    echo promoted
    cat >/dev/null
fi
