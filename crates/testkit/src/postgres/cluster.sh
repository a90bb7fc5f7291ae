# Runs one server until standard input closes, then stops it and deletes its files. Prints "ready" when the server
# accepts connections. Arguments: the port, then settings as name=value.
port=$1
shift
new_cluster data
options="-c listen_addresses=127.0.0.1 -p $port -c unix_socket_directories="
for setting in "$@"; do options="$options -c $setting"; done
as_server "$bin/pg_ctl" start --pgdata data --log data/server.log --wait --silent --options "$options" >&2 ||
    { cat data/server.log >&2; cd /; rm -rf "$directory"; exit 1; }
echo ready
cat >/dev/null
as_server "$bin/pg_ctl" stop --pgdata data --mode immediate --silent >/dev/null 2>&1 || true
cd /
rm -rf "$directory"
