#!/bin/bash
# The collector is stopped and started under load: what it acknowledged stands, nothing comes twice, and a
# reader's tail -F sees no jump.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
away_from_midnight

mkdir "$T/log"
start_collector
start_agent web-01 "$(input app "$T/log/*.log")"
start_writer "$T/log/app.log" "$T/expected"
writer=$PID
wait_count 30 1 app
ERR_NAME=reader start tail -n +1 -F "$DATA/today/app/web-01.log"
tail_pid=$PID

for ((i = 1; i <= 5; i++)); do
	wait_more 60 50 app
	stop "$COLLECTOR_PID"
	start_collector
done
stop_writer "$writer"
expect_exactly_once "$T/expected" app

if [ "$(find "$DATA" -name web-01.log -type f | wc -l)" = 1 ]; then # else midnight came in between
	wait_until 30 "(( \$(wc -l <$T/reader.out) >= \$(wc -l <$T/expected) ))"
	cmp <(cut -d' ' -f5- "$T/reader.out") "$T/expected"
	! grep -i truncated "$T/reader.err" || fail 'a reader saw the file truncated'
fi
kill9 "$tail_pid"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
compare_lines "$T/expected" app
