#!/bin/bash
# The ledger is lost, then its copy too, when segments are sealed already: every line stands once, and the
# archive goes on.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

mkdir "$T/log"
start_collector 'segment_bytes = 1M'
start_agent web-01 "$(input app "$T/log/*.log")"
for ((i = 0; i < 3; i++)); do
	write_lines "$T/log/app.log" $((i * 16000 + 1)) $((i * 16000 + 16000)) 'a line of some length, so that a segment is soon full: number'
	wait_count 60 $((i * 16000 + 16000)) app
	stop "$COLLECTOR_PID"
	start_collector
done
all_sealed() {
	[ "$(find "$DATA" -name 'web-01.*.log.zst' | wc -l)" -ge "$1" ] && [ -z "$(find "$DATA" -name 'web-01.[0-9]*.log')" ]
}
wait_until 60 'all_sealed 3'
for lost in '.haul/ledger*' '.haul/ledger* .haul/wal/snapshot*'; do
	kill9 "$COLLECTOR_PID"
	# shellcheck disable=SC2086 # a list of patterns
	(cd "$DATA" && rm -f $lost)
	start_collector
	write_lines "$T/log/app.log" "$((i++ * 16000 + 1))" $((i * 16000)) 'a line of some length, so that a segment is soon full: number'
	expect_exactly_once "$T/log/app.log" app
	wait_until 60 'all_sealed 3'
	expect_exactly_once "$T/log/app.log" app
done
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
expect_exactly_once "$T/log/app.log" app
