#!/bin/bash
# The agent is stopped and started under load, rotated behind its back, and in the middle of a line.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

mkdir "$T/log"
start_collector
start_agent web-01 "$(input app "$T/log/*.log")"
start_writer "$T/log/app.log" "$T/expected"
writer=$PID

printf 'abc' >"$T/log/half.log"
for ((i = 1; i <= 5; i++)); do
	wait_more 30 50 app
	stop "$AGENT_PID"
	wait_grown 20 100 "$T/expected"
	# Renamed while nobody looks, to a name that no input names: known by what it is.
	mv "$T/log/app.log" "$T/log/app.log.$i"
	wait_until 20 "[ -s $T/log/app.log ]"
	start_agent web-01
done
stop_writer "$writer"
expect_exactly_once "$T/expected" app

printf 'def\n' >>"$T/log/half.log"
wait_count 30 1 half
expect_equal 'the line around the restart' abcdef "$(messages half)"

stop "$AGENT_PID"
stop "$COLLECTOR_PID"
compare_lines "$T/expected" app
