#!/bin/bash
# Between the two: answers are thrown away, requests cut in half, pieces delayed. Every line once, in order.
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
for ((i = 0; i < 10 * TORTURE; i++)); do
	wait_grown 60 1 "$T/proxy.out"
	((i % 3)) || mv "$T/log/two.log" "$T/log/two.log.$i"
	wait_until 30 "[ -e $T/log/two.log ]"
done
wait_until 120 "grep -q drop $T/proxy.out && grep -q cut $T/proxy.out"
network pass
stop_writer "$one"
stop_writer "$two"
expect_exactly_once "$T/expected.one" one
expect_exactly_once "$T/expected.two" two
note "$(grep -c cut "$T/proxy.out") requests cut, $(grep -c drop "$T/proxy.out") answers dropped"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
compare_lines "$T/expected.one" one
compare_lines "$T/expected.two" two
