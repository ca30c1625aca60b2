#!/bin/bash
# Between the two: answers are thrown away or cut, requests cut in half, delayed, doubled, or held back until others have
# overtaken them. Every line once, in order.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
note "seed $SEED"

mkdir "$T/log"
start_collector
start_proxy
start_agent web-01 "$(input app "$T/log/*.log")"
start_writer "$T/log/one.log" "$T/expected.one"
one=$PID
start_writer "$T/log/two.log" "$T/expected.two"
two=$PID

wait_count 30 100 one
network bad 0.1 0.3 0.2
for ((i = 0; i < 6 * TORTURE; i++)); do
	wait_grown 60 1 "$T/proxy.out"
	((i % 3)) || mv "$T/log/two.log" "$T/log/two.log.$i"
	wait_until 30 "[ -e $T/log/two.log ]"
done
wait_until 120 "grep -q drop $T/proxy.out && grep -q cut $T/proxy.out"
network bad 0.02 0.05 0.1 0.5 0.2 0.1
for ((i = 0; i < 4 * TORTURE; i++)); do
	wait_grown 60 2 "$T/proxy.out"
	((i % 2)) || mv "$T/log/two.log" "$T/log/two.log.later.$i"
	wait_until 30 "[ -e $T/log/two.log ]"
done
for what in double late half; do
	wait_until 120 "grep -q ' $what ' $T/proxy.out"
done
network pass
stop_writer "$one"
stop_writer "$two"
expect_exactly_once "$T/expected.one" one
expect_each_in_order "$T/expected.two" two "$T"/log/two.log*
for what in cut drop double late half; do
	note "$what: $(grep -c " $what " "$T/proxy.out")"
done
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
compare_lines "$T/expected.one" one
expect_each_in_order "$T/expected.two" two "$T"/log/two.log*
