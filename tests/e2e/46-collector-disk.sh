#!/bin/bash
# The collector's disk runs full under load, by its own lines and by a stranger's file: agents are told to wait, what
# was acknowledged stands, it starts with 0 bytes free, reading works, and with room again there is only delay.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector haul
need_mounts 48M

DATA=$T/disk/data
mkdir "$T/log"
start_collector 'min_free = 2M'
start_agent web-01 "$(input app "$T/log/*.log")"
write_lines "$T/log/app.log" 1 2000
expect_exactly_once "$T/log/app.log" app

# A stranger's file takes the room.
fill() {
	dd if=/dev/zero of="$T/disk/filler" bs=64k oflag=append conv=notrunc status=none 2>/dev/null || true
	dd if=/dev/zero of="$T/disk/filler" bs=4k oflag=append conv=notrunc status=none 2>/dev/null || true
}
free_bytes() {
	df -B1 --output=avail "$T/disk" | tail -n 1
}
fill
write_lines "$T/log/app.log" 2001 4000
wait_until 30 "! collector_ready"
http GET /readyz
expect_equal '/readyz with a full disk' 503 "$CODE"
http GET /healthz
expect_equal '/healthz with a full disk' 200 "$CODE"

# Killed and started on it, several times; what was acknowledged is read.
for ((i = 0; i < 3; i++)); do
	kill9 "$COLLECTOR_PID"
	fill
	run_collector
	wait_until 30 "curl -fsS -m 5 -o /dev/null $URL/healthz || ! alive $COLLECTOR_PID"
	alive "$COLLECTOR_PID" || fail "the collector ended with $(free_bytes) bytes free: $(tail -n 3 "$T/collector.err")"
	head -n "$(count_on_disk app)" "$T/log/app.log" | cmp - <(messages app)
	(($(count_on_disk app) >= 2000)) || fail 'acknowledged lines are gone'
	expect_equal 'lines that haul finds' "$(count_on_disk app)" \
		"$("$HAUL_BIN/haul" --data-dir "$DATA" grep -c -s app line)"
done
fill
left=$(free_bytes)
kill -TERM "$COLLECTOR_PID" # it stops, and starts again
wait_until 30 "! alive $COLLECTOR_PID"
wait "$COLLECTOR_PID" || true
forget "$COLLECTOR_PID"
run_collector
wait_until 30 "curl -fsS -m 5 -o /dev/null $URL/healthz || ! alive $COLLECTOR_PID"
alive "$COLLECTOR_PID" || fail "the collector ended: $(tail -n 3 "$T/collector.err")"
note "started with $left bytes free"

rm "$T/disk/filler"
WAIT=90 expect_exactly_once "$T/log/app.log" app
note 'room again: exact'

# Full by its own lines, in the middle of a load.
fill
truncate -s -12M "$T/disk/filler"
told() { # so many times agents were told that the disk is low
	curl -fsS -m 5 "$URL/metrics" | awk '/http_.*507/ { n += $NF } END { printf "%d\n", n }'
}
before=$(told)
perl -e 'srand 5; for my $n (1 .. 120000) { printf "%d %s\n", $n, join "", map { sprintf "%08x", rand 2**32 } 1 .. 16 }' \
	>"$T/log/load.log"
wait_until 60 "(( \$(told) > $before ))"
had=$(count_on_disk load)
kill9 "$COLLECTOR_PID"
run_collector
wait_until 30 "curl -fsS -m 5 -o /dev/null $URL/healthz || ! alive $COLLECTOR_PID"
alive "$COLLECTOR_PID" || fail "the collector ended: $(tail -n 3 "$T/collector.err")"
(($(count_on_disk load) >= had)) || fail 'acknowledged lines are gone'
rm "$T/disk/filler"
WAIT=90 expect_exactly_once "$T/log/load.log" load
note "full by its own lines after $had of 120000: exact"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
compare_lines "$T/log/app.log" app
compare_lines "$T/log/load.log" load
