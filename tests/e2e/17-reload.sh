#!/bin/bash
# SIGHUP: a new input is followed, a bad configuration is said with FILE:LINE and the old one goes on; and
# reloads under load harm nothing.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

mkdir "$T/log" "$T/more"
start_collector
start_agent web-01 "$(input app "$T/log/*.log")"
start_writer "$T/log/app.log" "$T/expected"
writer=$PID
wait_count 30 100 app

write_lines "$T/more/other.log" 1 100
agent_config web-01 "$(input app "$T/log/*.log")" "$(input more "$T/more/*.log" 'service = other')"
kill -HUP "$AGENT_PID"
expect_exactly_once "$T/more/other.log" other

cp "$T/web-01.conf" "$T/good"
printf '\n[nonsense]\n' >>"$T/web-01.conf"
bad_line=$(wc -l <"$T/web-01.conf")
kill -HUP "$AGENT_PID"
wait_until 30 "grep -qF '$T/web-01.conf:$bad_line:' $T/web-01.err"
write_lines "$T/more/other.log" 101 200
expect_exactly_once "$T/more/other.log" other
cp "$T/good" "$T/web-01.conf"

printf '[collector]\nnonsense = 1\n' >"$T/collector.conf.new"
cp "$T/collector.conf" "$T/collector.good"
cp "$T/collector.conf.new" "$T/collector.conf"
kill -HUP "$COLLECTOR_PID"
wait_until 30 "grep -qF '$T/collector.conf:2:' $T/collector.err"
cp "$T/collector.good" "$T/collector.conf"

for ((i = 0; i < 20 * TORTURE; i++)); do
	kill -HUP "$AGENT_PID" "$COLLECTOR_PID"
	wait_more 30 20 app
done
stop_writer "$writer"
expect_exactly_once "$T/expected" app
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
