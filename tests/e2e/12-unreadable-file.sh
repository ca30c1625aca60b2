#!/bin/bash
# A file that may not be read: said once, the others go on, and when it may be read it is.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

as=()
program=$HAUL_BIN/haul-agent
if [ "$(id -u)" = 0 ]; then # root reads everything: the agent runs as nobody
	need setpriv
	as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	mkdir "$T/bin" && cp "$program" "$T/bin/"
	program=$T/bin/haul-agent
	chmod 755 "$T" "$T/bin"
	mkdir "$T/web-01.state"
	chown 65534:65534 "$T/web-01.state"
fi
mkdir "$T/log"
chmod 755 "$T/log"
write_lines "$T/log/secret.log" 1 100
chmod 000 "$T/log/secret.log"
write_lines "$T/log/open.log" 1 100
chmod 644 "$T/log/open.log"

start_collector
agent_config web-01 "$(input app "$T/log/*.log")"
chmod 644 "$T/web-01.conf"
ERR_NAME=web-01 start ${as[@]+"${as[@]}"} "$program" -c "$T/web-01.conf"
agent=$PID

expect_exactly_once "$T/log/open.log" open
wait_until 30 "grep -q 'secret.log.*[Pp]ermission' $T/web-01.err"
write_lines "$T/log/open.log" 101 200
expect_exactly_once "$T/log/open.log" open
expect_equal 'times it was said' 1 "$(grep -c secret.log "$T/web-01.err")"
expect_equal 'lines of the secret' 0 "$(count_on_disk secret)"

chmod 644 "$T/log/secret.log"
WAIT=120 expect_exactly_once "$T/log/secret.log" secret
stop "$agent"
stop "$COLLECTOR_PID"
