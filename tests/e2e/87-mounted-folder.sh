#!/bin/bash
# Something is mounted over a service's folder: its files are not gone, only out of sight. Its streams wait, the others go
# on, nothing is written to what is mounted, no segment is taken for deleted, and all is as it was when it is unmounted.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector haul
need_mounts 64M

mkdir "$T/log"
start_collector 'segment_bytes = 1M' '[retention]' 'max_age = 3650d'
start_agent web-01 "$(input app "$T/log/*.log")"
for service in hidden free; do
	write_lines "$T/log/$service.log" 1 20000 "a line of some length, so that segments are closed, number"
done
wait_count 30 20000 hidden
folder=$(find "$DATA"/[0-9]* -mindepth 1 -maxdepth 1 -type d -name hidden)
wait_until 30 'ls "$folder"/*.zst'

mount -t tmpfs haul-hidden "$folder"
for service in hidden free; do
	write_lines "$T/log/$service.log" 20001 30000 "a line of some length, so that segments are closed, number"
done
wait_until 30 '[ "$(metric "$URL" haul_collector_blocked_places)" = 1 ]'
expect_exactly_once "$T/log/free.log" free

# A start with it there looks at all that is sealed.
kill9 "$COLLECTOR_PID"
run_collector
wait_until 30 '[ "$(metric "$URL" haul_collector_blocked_places)" = 1 ]'
write_lines "$T/log/free.log" 30001 30100
expect_exactly_once "$T/log/free.log" free
wait_until 30 'grep -q "looking at sealed segments" "$T/collector.err"'
expect_equal 'files in what is mounted' '' "$(ls -A "$folder")"
! grep -E 'has removed it|was removed or renamed' "$T/collector.err" || fail 'files are taken for removed'

umount "$folder"
wait_until 30 collector_ready
expect_exactly_once "$T/log/hidden.log" hidden
"$HAUL_BIN/haul" --data-dir "$DATA" verify >"$T/report" || fail "verify: $(cat "$T/report")"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
