# Keeps a folder, and knows which processes work in it, for as long as its standard input is open: when the benchmark
# goes, however it goes, they go too. Argument: where the folder is made. Prints its path.
set -eu
trap '' INT TERM HUP # whoever stops the benchmark stops its process; this ends after it, in good order
folder=$(mktemp -d "$1/run-XXXXXX")
echo "$folder"
running=
while read -r word pid; do
    others=
    for other in $running; do [ "$other" = "$pid" ] || others="$others $other"; done
    running=$others
    [ "$word" != started ] || running="$running $pid"
done
# Each is the first of a group: what it started goes too.
for pid in $running; do kill -s KILL -- "-$pid" 2>/dev/null || true; done
rm -rf "$folder" || { sleep 1; rm -rf "$folder"; } # a process may have made one more file while it was ended
