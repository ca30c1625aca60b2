#!/bin/bash
# The collector starts under a clock that is days from the last one it could believe: retention deletes nothing, says
# so, also after a restart and a checkpoint; with the right clock it does.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

mkdir "$T/log"
start_collector 'seal_after = 1s' '[retention]' 'max_age = 30d'
start_agent web-01 "$(input app "$T/log/*.log")"
day=$(date -u -d '10 days ago' +%Y-%m-%d)
write_lines "$T/log/app.log" 1 100 "${day}T12:00:00Z line"
expect_exactly_once "$T/log/app.log" app
[ -d "$DATA/$day/app" ] || fail "no lines of $day"
[ -e "$DATA/.haul/clock" ] || fail 'no clock is kept'
stop "$COLLECTOR_PID"

# As if the last run had been in another time.
touch -d '4 days ago' "$DATA/.haul/clock"
n=100
for ((i = 1; i <= 2; i++)); do
	start_collector 'seal_after = 1s' '[retention]' 'max_age = 5d'
	write_lines "$T/log/new.log" 1 100 new
	wait_count 30 $((i * 100)) new
	wait_until 60 "(( \$(grep -c 'nothing is deleted until it is plausible' $T/collector.err) >= $i ))"
	expect_equal 'lines' $n "$(count_on_disk app)"
	stop "$COLLECTOR_PID"
done
expect_equal 'lines' $n "$(count_on_disk app)"

touch "$DATA/.haul/clock"
start_collector
# shellcheck disable=SC2016 # expanded when polled
wait_until 60 '(( $(count_on_disk app) == 0 ))'
expect_equal 'new lines' 200 "$(count_on_disk new)"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
