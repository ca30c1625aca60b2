#!/bin/bash
# kill -9 of the agent, 20 times, under load and rotation: every line once, in order within its source.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
note "seed $SEED"

mkdir "$T/log"
start_collector
start_agent web-01 "$(input app "$T/log/*.log")"
start_writer "$T/log/one.log" "$T/expected.one"
one=$PID
start_writer "$T/log/two.log" "$T/expected.two"
two=$PID

for ((i = 1; i <= 20 * TORTURE; i++)); do
	# Now while it starts, now while it ships: between nothing and some hundred lines later.
	target=$(($(count_on_disk one) + RANDOM % 300))
	try_until $((RANDOM % 3)) "(( \$(count_on_disk one) > $target ))" || true
	kill9 "$AGENT_PID"
	if ((RANDOM % 3 == 0)); then
		mv "$T/log/two.log" "$T/log/two.log.$i"
	fi
	start_agent web-01
done
stop_writer "$one"
stop_writer "$two"
expect_exactly_once "$T/expected.one" one
expect_each_in_order "$T/expected.two" two "$T"/log/two.log*

stop "$AGENT_PID"
stop "$COLLECTOR_PID"
compare_lines "$T/expected.one" one
expect_each_in_order "$T/expected.two" two "$T"/log/two.log*
