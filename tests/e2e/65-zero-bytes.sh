#!/bin/bash
# A disk with not one byte left: the collector starts on it, haul reads, retention deletes by age and by on_full =
# expire, and sealing waits without a trace until there is room. Nothing that is to be kept is missing.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-collector haul
need zstd
need_mounts 48M
away_from_midnight

DATA=$T/disk/data
day_ago() {
	date -u -d "$1 days ago" +%F
}
# closed DAY NUMBER: a closed segment of 2 MB that hardly compresses.
closed() {
	mkdir -p "$DATA/$1/app"
	perl -e 'srand $ARGV[1]; printf "%sT12:00:00.%06dZ web-01 app F line %d of %s %s\n", $ARGV[0], $_, $_, $ARGV[1],
		join "", map { chr 48 + rand 74 } 1 .. 400 for 1 .. 5000' "$1" "$2" |
		tr '\134' / >"$DATA/$1/app/web-01.$2.log"
	cat "$DATA/$1/app/web-01.$2.log" >>"$T/$1"
}
fill() {
	local size
	for size in 64k 4k 1; do
		dd if=/dev/zero of="$T/disk/filler" bs="$size" oflag=append conv=notrunc status=none 2>/dev/null || true
	done
}
free_bytes() {
	df -B1 --output=avail "$T/disk" | tail -n 1 | tr -d ' '
}
run() { # run CONFIGURATION...: whatever room there is
	collector_config "$@"
	run_collector
	wait_until 30 "curl -fsS -m 5 -o /dev/null $URL/healthz || ! alive $COLLECTOR_PID"
	alive "$COLLECTOR_PID" || fail "the collector ended with $(free_bytes) bytes free: $(tail -n 3 "$T/collector.err")"
}
# holds_lines DAY: what haul reads of the day is what was put there.
holds_lines() {
	"$HAUL_BIN/haul" --data-dir "$DATA" grep --no-events --since "$1" --until "$1T23:59" -F ' line ' | sort |
		cmp -s - <(sort "$T/$1") || fail "lines of $1 are missing with $(free_bytes) bytes free"
}
oldest=$(day_ago 40) older=$(day_ago 20) old=$(day_ago 3)
# Sealing plans for its room: a large segment waits, and leaves no trace, while a small one is sealed.
closed "$oldest" 0001
mkdir -p "$DATA/$old/app"
seq -f "${old}T12:00:00.000000Z web-01 app F line %.0f" 1 220000 >"$DATA/$old/app/web-01.0001.log"
cp "$DATA/$old/app/web-01.0001.log" "$T/$old"
fill
truncate -s -2900K "$T/disk/filler"
run 'min_free = 16K' '[retention]' 'hold = yes'
wait_until 60 "[ -e $DATA/$oldest/app/web-01.0001.log.zst ]"
wait_until 60 "[ \"\$(metric '$URL' haul_collector_seal_waiting_segments)\" = 1 ]"
[ -e "$DATA/$old/app/web-01.0001.log" ] || fail 'a segment was sealed that had no room'
holds_lines "$old"
rm "$T/disk/filler"
wait_until 60 "[ -e $DATA/$old/app/web-01.0001.log.zst ] && [ ! -e $DATA/$old/app/web-01.0001.log ]"
holds_lines "$old"
stop "$COLLECTOR_PID"

# Another day for what follows; a start without a ledger finds it.
rm -r "$DATA/.haul"
closed "$older" 0001
run 'min_free = 1M' '[retention]' 'hold = yes'
wait_until 60 "[ -e $DATA/$older/app/web-01.0001.log.zst ] && [ ! -e $DATA/$older/app/web-01.0001.log ]"
stop "$COLLECTOR_PID"

# Nothing may go yet: it starts, says that it is full, and all can be read.
rm -f "$DATA/.haul/ballast"
fill
expect_equal 'bytes free' 0 "$(free_bytes)"
for ((i = 0; i < 2; i++)); do
	run 'min_free = 1M' '[retention]' 'hold = yes'
	http GET /readyz
	expect_equal '/readyz' 503 "$CODE"
	holds_lines "$oldest"
	holds_lines "$old"
	kill9 "$COLLECTOR_PID"
	fill
done
[ ! -e "$DATA/.haul/sealing.tmp" ] || fail 'sealing left its file'

# By age.
expect_equal 'bytes free' 0 "$(free_bytes)"
run 'min_free = 1M' '[retention]' 'max_age = 30d'
wait_until 30 "[ ! -e $DATA/$oldest/app ]"
wait_until 30 collector_ready
holds_lines "$older"
holds_lines "$old"
stop "$COLLECTOR_PID"

# By room.
rm -f "$DATA/.haul/ballast"
fill
expect_equal 'bytes free' 0 "$(free_bytes)"
run 'min_free = 1M' 'on_full = expire' '[retention]' 'max_age = 30d'
wait_until 30 "[ ! -e $DATA/$older/app ]"
wait_until 30 collector_ready
holds_lines "$old"
grep -q "retention: $older of app is deleted: [0-9]* bytes in 1 segments, the disk is low" "$T/collector.err" ||
	fail 'nothing was said of it'
stop "$COLLECTOR_PID"
expect_equal 'days' "$old" "$(find "$DATA" -mindepth 1 -maxdepth 1 -name '2*' -printf '%f\n')"
