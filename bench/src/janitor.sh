# Creates a working directory and tracks the processes that use it. Kills the processes and removes the directory when
# standard input closes: that happens when the benchmark ends, even if it is killed. Argument: the parent directory.
# Prints the path of the working directory.
set -eu
trap '' INT TERM HUP # a signal for the benchmark must not stop the clean-up
directory=$(mktemp -d "$1/run-XXXXXX")
echo "$directory"
running=
while read -r event pid; do
    others=
    for other in $running; do [ "$other" = "$pid" ] || others="$others $other"; done
    running=$others
    [ "$event" != started ] || running="$running $pid"
done
# Each is a process group leader: kill its children too.
for pid in $running; do kill -s KILL -- "-$pid" 2>/dev/null || true; done
rm -rf "$directory" || { sleep 1; rm -rf "$directory"; } # a dying process may have created another file
