#!/bin/bash
# kill -9 of the collector, 20 times, under load: what it acknowledged is found exactly once, and what it
# did not comes again.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
note "seed $SEED"

mkdir "$T/log"
start_collector 'segment_bytes = 1M'
start_agent web-01 "$(input app "$T/log/*.log")"
start_writer "$T/log/one.log" "$T/expected.one"
one=$PID
start_writer "$T/log/two.log" "$T/expected.two"
two=$PID

for ((i = 1; i <= 20 * TORTURE; i++)); do
	target=$(($(count_on_disk one) + RANDOM % 300))
	try_until $((RANDOM % 3)) "(( \$(count_on_disk one) > $target ))" || true
	kill9 "$COLLECTOR_PID"
	# Now and then again in the middle of its recovery.
	if ((RANDOM % 3 == 0)); then
		run_collector
		try_until 1 "collector_ready || (( RANDOM % 4 == 0 ))" || true
		kill9 "$COLLECTOR_PID"
	fi
	start_collector
done
stop_writer "$one"
stop_writer "$two"
expect_exactly_once "$T/expected.one" one
expect_exactly_once "$T/expected.two" two

stop "$AGENT_PID"
stop "$COLLECTOR_PID"
compare_lines "$T/expected.one" one
compare_lines "$T/expected.two" two
