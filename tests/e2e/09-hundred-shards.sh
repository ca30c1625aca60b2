#!/bin/bash
# A hundred services at once from two hosts: each in its own shard, complete; and a restart of the collector
# in the middle.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
away_from_midnight

mkdir "$T/a" "$T/b"
start_collector
for host in a b; do
	for ((i = 0; i < 50; i++)); do
		write_lines "$T/$host/service-$host$i.log" 1 $((i * 10 + 1)) "service $i of $host: line"
	done
done
start_agent host-a "$(input all "$T/a/*.log" 'service = {stem}')"
agent_a=$AGENT_PID
start_agent host-b "$(input all "$T/b/*.log" 'service = {stem}')"
agent_b=$AGENT_PID
wait_until 60 "[ -n \"\$(find $DATA -name 'host-?.log')\" ]"
stop "$COLLECTOR_PID"
for host in a b; do
	for ((i = 0; i < 50; i++)); do
		write_lines "$T/$host/service-$host$i.log" $((i * 10 + 2)) 600 "service $i of $host: line"
	done
done
start_collector

for host in a b; do
	for ((i = 0; i < 50; i++)); do
		expect_exactly_once "$T/$host/service-$host$i.log" "service-$host$i"
	done
done
expect_equal 'services' 100 "$(find "$DATA/today" -mindepth 1 -maxdepth 1 | wc -l)"
stop "$agent_a"
stop "$agent_b"
stop "$COLLECTOR_PID"
