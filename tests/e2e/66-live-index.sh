#!/bin/bash
# A large live file is indexed as it grows: an id is found in it by reading a few of its blocks, what was appended since is
# found, too; and without the index, with a damaged one, or of a file that somebody has cut the answers are the same.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector haul
away_from_midnight

mkdir "$T/log"
live=$DATA/$(date -u +%F)/app/web-01.log
filler=$(printf 'a line of some length %.0s' {1..12})
write_ids() {
	seq -f "$filler id=8f14e45fceea%08.0f" "$1" "$2" >>"$T/log/app.log"
}
# Sets `read` to how many bytes haul read for it.
ask() {
	read=$(bash -c '"$1/haul" --data-dir "$2" grep -F "$3" >"$4"; sed -n "s/^rchar: //p" /proc/$$/io' - "$HAUL_BIN" "$DATA" "$1" \
		"$T/found")
}
expect_as_grep() {
	local id
	for id in "${@:2}"; do
		id=$(printf '8f14e45fceea%08d' "$id")
		ask "$id"
		{ grep -hF "$id" "$live" || true; } | cmp - "$T/found" || fail "$1: $id"
	done
}
indexed() {
	metric "$URL" haul_collector_live_indexed_bytes
}
parts() {
	find "$DATA/.haul/live" -name '*.parts'
}

start_collector
start_agent web-01 "$(input app "$T/log/*.log")"
write_ids 1 35000
wait_count 60 35000 app
stop "$COLLECTOR_PID" # its last checkpoint says how long the file is
start_collector
wait_until 60 '[ "$(indexed)" -gt 8388608 ]'
size=$(stat -c %s "$live")
expect_as_grep 'indexed' 1 20000 35000 99999
[ -s "$T/found" ] && fail 'found what is not there'
[ "$read" -lt $((size / 2)) ] || fail "read $read of $size bytes"
write_ids 35001 36000
wait_count 60 36000 app
expect_as_grep 'gone on' 1 20000 35001 36000
expect_equal 'counted' 36000 "$("$HAUL_BIN/haul" --data-dir "$DATA" grep -c 'id=8f14e45fceea')"

# Derived: without it, with a damaged one, and with one of another file only the time differs.
cp -a "$(parts)" "$T/parts"
printf 'x' | dd of="$(parts)" bs=1 seek=3000 conv=notrunc status=none
expect_as_grep 'damaged' 1 20000 36000
rm "$(parts)"
expect_as_grep 'removed' 1 20000 36000
cp -a "$T/parts" "$DATA/.haul/live/$(stat -c %i "$live").parts"
expect_as_grep 'put back' 1 20000 36000

# Somebody cuts the live file and fills it with other lines.
size=$(stat -c %s "$live")
stop "$AGENT_PID"
cp "$live" "$T/other"
sed -i 's/id=8f14e45fceea0/id=8f14e45fceea1/' "$T/other"
cp "$T/other" "$live" # in place
[ "$(stat -c %s "$live")" = "$size" ] || fail 'the cut file has another length'
expect_as_grep 'cut and filled' 1 20000 10000001 10020000 10036000
[ -s "$T/found" ] || fail 'the lines that came instead are not found'
stop "$COLLECTOR_PID"
expect_as_grep 'cut and filled, stopped' 10000001 10020000
