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

# What is open stays open: the sockets that listen, and the files that are followed; one that has lost its name since
# would else be gone.
listening() { # listening PORT: the kernel's number of the socket
	awk -v port=":$(printf %04X "$1")" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }' /proc/net/tcp
}
held() { # held PATH: descriptors of the agent on it
	find "/proc/$AGENT_PID/fd" -lname "$1*" -printf '%f\n' | sort
}
write_lines "$T/log/gone.log" 1 100
expect_exactly_once "$T/log/gone.log" gone
exec 7>>"$T/log/gone.log"
cp "$T/log/gone.log" "$T/gone.expected"
rm "$T/log/gone.log"
before="$(listening "$COLLECTOR_PORT") $(listening "${AGENT_URL##*:}") $(held "$T/log/app.log") $(held "$T/log/gone.log")"
expect_match 'what is open' '^[0-9]+ [0-9]+ [0-9]+ [0-9]+$' "$before"

for ((i = 0; i < 20 * TORTURE; i++)); do
	kill -HUP "$AGENT_PID" "$COLLECTOR_PID"
	wait_more 30 20 app
	echo "still written $i" | tee -a "$T/gone.expected" >&7 # a deleted file that does not grow is given up
done
after="$(listening "$COLLECTOR_PORT") $(listening "${AGENT_URL##*:}") $(held "$T/log/app.log") $(held "$T/log/gone.log")"
expect_equal 'what is open after reloads' "$before" "$after"
seq -f 'line %.0f' 101 200 | tee -a "$T/gone.expected" >&7
exec 7>&-
stop_writer "$writer"
expect_exactly_once "$T/expected" app
expect_exactly_once "$T/gone.expected" gone
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
