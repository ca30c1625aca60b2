#!/bin/bash
# Files that are alike, and files that are not what they were: two with the same content at the same time, also one that
# a copy was made of; and files that are deleted and made anew, live and while the agent is down, until an inode repeats.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

mkdir "$T/log" "$T/new"
start_collector
start_agent web-01 "$(input app "$T/log/*.log")" "$(input new "$T/new/*.log" 'service = new')"

# Twins: written in turns, line by line the same, while both are followed.
for ((i = 1; i <= 5; i++)); do
	for twin in one two; do
		write_lines "$T/log/$twin.log" $((i * 200 - 199)) $((i * 200)) twin
	done
done
cp "$T/log/one.log" "$T/log/three.log"
for twin in one two three; do
	expect_exactly_once "$T/log/$twin.log" $twin
done
stop "$AGENT_PID"
write_lines "$T/log/two.log" 1001 1100 twin
write_lines "$T/log/one.log" 1001 1100 twin
mv "$T/log/three.log" "$T/log/four.log"
start_agent web-01
write_lines "$T/log/four.log" 1001 1100 twin
for twin in one two; do
	expect_exactly_once "$T/log/$twin.log" $twin
done
cp "$T/log/four.log" "$T/expected.three"
expect_exactly_once "$T/expected.three" three
note 'twins: exact'

# The inode of a deleted file is given to the next one, which is longer than what was read of that.
inodes=()
anew() { # anew N: app.log, of 50 * N lines
	rm -f "$T/new/app.log"
	write_lines "$T/new/app.log" $((n + 1)) $((n + 50 * $1))
	n=$((n + 50 * $1))
	inodes+=("$(stat -c %i "$T/new/app.log")")
	seq -f 'line %.0f' 1 $n >"$T/expected.new"
}
n=0
for ((i = 1; i <= 8; i++)); do
	anew $i
	wait_count 30 $n new
done
for ((i = 9; i <= 12; i++)); do # while it is down
	stop "$AGENT_PID"
	anew $i
	start_agent web-01
	wait_count 30 $n new
done
expect_each_in_order "$T/expected.new" new
note "inodes: ${#inodes[@]} files, $(printf '%s\n' "${inodes[@]}" | sort -u | wc -l) inodes"
stop "$AGENT_PID"
start_agent web-01
write_lines "$T/log/last.log" 1 10
expect_exactly_once "$T/log/last.log" last
expect_each_in_order "$T/expected.new" new
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
