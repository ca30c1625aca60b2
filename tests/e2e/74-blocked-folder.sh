#!/bin/bash
# A service's folder that the collector may not write any more: its streams wait, also those that go on in it at this
# moment, every other stream of the same host and of others goes on, it is said once, and when the folder is given back
# each line stands there once. Over kills of the collector.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

as=()
program=$HAUL_BIN/haul-collector
if [ "$(id -u)" = 0 ]; then # root writes everywhere: the collector runs as nobody
	need setpriv
	as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	mkdir "$T/bin" "$DATA"
	cp "$program" "$T/bin/"
	program=$T/bin/haul-collector
	chmod 755 "$T" "$T/bin"
	chown 65534:65534 "$DATA"
fi
collector_config '[retention]' 'max_age = 3650d'
chmod 644 "$T/collector.conf"
start_it() {
	ERR_NAME=collector start ${as[@]+"${as[@]}"} "$program" -c "$T/collector.conf"
	COLLECTOR_PID=$PID
	wait_until 60 'curl -fsS -m 5 -o /dev/null "$URL/healthz"'
}
shut() { # shut FOLDER
	[ "$(id -u)" != 0 ] || chown 0:0 "$1"
	chmod 700 "$1"
	[ "$(id -u)" = 0 ] || chmod 500 "$1"
}
open_again() {
	chmod 750 "$1"
	[ "$(id -u)" != 0 ] || chown 65534:65534 "$1"
}
said() {
	grep -c "${folder##*/}: cannot be written" "$T/collector.err"
}
blocked() {
	metric "$URL" haul_collector_blocked_places
}

mkdir "$T/log"
start_it
start_agent web-01 "$(input app "$T/log/*.log")"
for service in locked free; do
	start_writer "$T/log/$service.log" "$T/$service.expected"
	writers+=("$PID")
done
wait_count 30 500 locked
folder=$(find "$DATA"/[0-9]* -mindepth 1 -maxdepth 1 -type d -name locked)

# In the middle of it all.
shut "$folder"
wait_until 30 '[ "$(blocked)" = 1 ]'
wait_more 30 500 free
http GET /readyz
expect_equal 'ready' 503 "$CODE"
expect_match 'what /readyz says' "${folder#"$DATA"/} cannot be written" "$BODY"
expect_equal 'times it was said' 1 "$(said)"
[ "$(metric "$URL" haul_collector_blocked_chunks_total)" -gt 0 ] || fail 'no chunk was put off'
wait_until 20 '"$HAUL_BIN/haul-collector" status -c "$T/collector.conf" | grep -q "wait at their agents"'

# Another host begins a file there.
mkdir -p "$T/other/log"
write_lines "$T/other/log/locked.log" 1 100 second
write_lines "$T/other/log/free2.log" 1 100
start_agent web-02 "$(input app "$T/other/log/*.log")"
expect_exactly_once "$T/other/log/free2.log" free2

# Whatever it knows of the folder it knows again, also when it is killed while it finds out.
kill9 "$COLLECTOR_PID"
for _ in 1 2 3 4; do
	had=$(said)
	ERR_NAME=collector start ${as[@]+"${as[@]}"} "$program" -c "$T/collector.conf"
	wait_until 30 "(( \$(said) > $had ))"
	kill9 "$PID"
done
start_it
wait_more 30 500 free
stop "$COLLECTOR_PID"
start_it
wait_more 30 500 free
expect_equal 'places' 1 "$(blocked)"

open_again "$folder"
wait_until 30 '[ "$(blocked)" = 0 ]'
wait_until 30 collector_ready
for pid in "${writers[@]}"; do
	stop_writer "$pid"
done
expect_exactly_once "$T/free.expected" free
expect_exactly_once "$T/locked.expected" locked web-01
expect_exactly_once "$T/other/log/locked.log" locked web-02
[ ! -e "$DATA/.haul/waiting" ] || fail 'lines are left waiting'

# The folder of the whole day, for files that are new.
day=${folder%/*}
chmod 550 "$day"
[ "$(id -u)" != 0 ] || chown 0:65534 "$day"
write_lines "$T/log/fresh.log" 1 100
wait_until 30 '[ "$(blocked)" = 1 ]'
write_lines "$T/log/free.log" 1 100 more
wait_until 30 '(( $(messages free | grep -c "^more ") == 100 ))'
[ "$(id -u)" != 0 ] || chown 65534:65534 "$day"
chmod 750 "$day"
expect_exactly_once "$T/log/fresh.log" fresh
wait_until 30 collector_ready
for host in web-01 web-02; do
	! grep 'recorded as a loss' "$T/$host.err" || fail "$host lost lines"
done
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
