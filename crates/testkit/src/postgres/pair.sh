# Runs a primary and a synchronous standby until standard input closes. Prints "ready" when the standby confirms commits.
# Arguments: the port of the first server (primary), the port of the second (standby).
# A line on standard input crashes the primary and promotes the standby; then the script prints "promoted". After the
# line "diverge", the primary first commits rows that the standby does not receive, and later restarts as a standby.
first=$1 second=$2
new_cluster first
common="-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c autovacuum=off"
clean_up() {
    for server in first second; do
        as_server "$bin/pg_ctl" stop --pgdata "$server" --mode immediate --silent >/dev/null 2>&1 || true
    done
    cd /
    rm -rf "$directory"
}
trap clean_up EXIT
start() { # arguments: the data directory, the port
    as_server "$bin/pg_ctl" start --pgdata "$1" --log "$1.log" --wait --silent --options "$common -p $2" >&2 ||
        { cat "$1.log" >&2; exit 1; }
}
start first "$first"
as_server "$bin/pg_basebackup" --pgdata second --write-recovery-conf --checkpoint fast --no-sync --wal-method stream \
    --dbname "host=127.0.0.1 port=$first user=postgres application_name=second" >&2
start second "$second"
# From now on a commit is acknowledged only after the standby has it.
query() { as_server "$bin/psql" "host=127.0.0.1 port=$first user=postgres" --quiet --no-align --tuples-only --command "$1"; }
query "ALTER SYSTEM SET synchronous_standby_names = 'second'" >&2
query "SELECT pg_reload_conf()" >&2
tries=0
until [ "$(query "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")" = 1 ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 1000 ] || { echo "the standby did not become synchronous" >&2; cat second.log >&2; exit 1; }
    sleep 0.05
done
echo ready
if read -r command; then
    if [ "$command" = diverge ]; then
        as_server "$bin/pg_ctl" stop --pgdata second --mode fast --silent >&2
        query "SET synchronous_commit = local; CREATE TABLE lost AS SELECT generate_series(1, 500000) AS number" >&2
    fi
    as_server "$bin/pg_ctl" stop --pgdata first --mode immediate --silent >&2
    [ "$command" != diverge ] || start second "$second"
    as_server "$bin/pg_ctl" promote --pgdata second --wait --silent >&2
    if [ "$command" = diverge ]; then
        as_server touch first/standby.signal
        start first "$first"
    fi
    echo promoted
    cat >/dev/null
fi
