# Keeps a throwaway PostgreSQL for as long as its standard input is open: when the process that holds the other end
# goes, however it goes, the server and its folder go too. Prints "ready" when the server answers.
# Arguments: the port, then settings as name=value.
port=$1
shift
new_cluster data
options="-c listen_addresses=127.0.0.1 -p $port -c unix_socket_directories="
for setting in "$@"; do options="$options -c $setting"; done
as_server "$bin/pg_ctl" start --pgdata data --log data/server.log --wait --silent --options "$options" >&2 ||
    { cat data/server.log >&2; cd /; rm -rf "$folder"; exit 1; }
echo ready
cat >/dev/null
as_server "$bin/pg_ctl" stop --pgdata data --mode immediate --silent >/dev/null 2>&1 || true
cd /
rm -rf "$folder"
