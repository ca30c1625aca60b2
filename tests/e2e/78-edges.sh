#!/bin/bash
# The agent where hosts are at their worst: its own messages in a file that it follows, a collector that comes and goes,
# thousands of files that nobody may read, a pause as of a laptop that sleeps. It stays quiet and loses nothing.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

said() { grep -c '' "$T/$1.err"; }

# Its messages go to a file that a glob names, under two names: it is left alone, or it would feed itself.
mkdir "$T/log" "$T/other"
chmod 755 "$T" "$T/other"
start_collector
: >"$T/log/web-01.log"
ln "$T/log/web-01.log" "$T/log/hard.log"
ln -s "$T/log/web-01.log" "$T/web-01.err"
start_agent web-01 "$(input app "$T/log/*.log" 'service = app')"
write_lines "$T/log/app.log" 1 100
expect_exactly_once "$T/log/app.log" app
expect_equal 'files followed' 1 "$(metric "$AGENT_URL" haul_agent_files)"
"$HAUL_BIN/haul-agent" explain -c "$T/web-01.conf" "$T/log/app.log" >"$T/explained"
grep -q 'is followed by input app as service app' "$T/explained" || fail "explain: $(cat "$T/explained")"
size=$(stat -c %s "$T/log/app.log")
grep -q "has sent $size of its $size bytes" "$T/explained" || fail "explain: $(cat "$T/explained")"

# A collector that comes and goes.
before=$(said web-01)
for i in 1 2 3 4; do
	stop "$COLLECTOR_PID"
	write_lines "$T/log/app.log" $((100 * i + 1)) $((100 * i + 100))
	# shellcheck disable=SC2034 # the condition below
	failures=$(metric "$AGENT_URL" haul_agent_request_failures_total)
	wait_until 60 "(( \$(metric $AGENT_URL haul_agent_request_failures_total) > failures ))"
	start_collector
	wait_count 60 $((100 * i + 100)) app
done
(($(said web-01) - before <= 20)) || fail "$(($(said web-01) - before)) messages about four interruptions"

# Asleep: files are rotated and written, the connection dies, the collector is another process when it wakes.
kill -STOP "$AGENT_PID"
mv "$T/log/app.log" "$T/log/app.log.1"
write_lines "$T/log/app.log.1" 501 600
write_lines "$T/log/app.log" 601 700
stop "$COLLECTOR_PID"
start_collector
kill -CONT "$AGENT_PID"
cat "$T/log/app.log.1" "$T/log/app.log" >"$T/expected"
expect_each_in_order "$T/expected" app "$T/log/app.log.1" "$T/log/app.log"
stop "$AGENT_PID"

# Thousands of files that nobody may read, written and looked at again and again.
as=()
mkdir "$T/bin" "$T/web-02.state"
cp "$HAUL_BIN/haul-agent" "$T/bin/"
if [ "$(id -u)" = 0 ]; then # root reads everything: the agent runs as nobody
	need setpriv
	as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	chmod 755 "$T/bin"
	chown 65534:65534 "$T/web-02.state"
fi
seq -f "$T/other/s%.0f.log" 1 3000 | xargs touch
chmod 000 "$T/other"/*.log
write_lines "$T/other/readable.log" 1 10
chmod 644 "$T/other/readable.log"
agent_config web-02 "$(input other "$T/other/*.log" 'service = other')"
chmod 644 "$T/web-02.conf"
ERR_NAME=web-02 start ${as[@]+"${as[@]}"} "$T/bin/haul-agent" -c "$T/web-02.conf"
AGENT_PID=$PID
# shellcheck disable=SC2154 # agent_config sets it
AGENT_URL=http://127.0.0.1:$AGENT_PORT_web_02
wait_count 60 10 other
wait_until 60 "(( \$(metric $AGENT_URL haul_agent_files_failing) == 3000 ))"
for i in 1 2 3; do
	touch "$T/other"/*.log
	kill -HUP "$AGENT_PID"
	wait_until 30 "(( \$(grep -c 'configuration reloaded' $T/web-02.err) == i ))"
done
(($(said web-02) <= 60)) || fail "$(said web-02) messages about 3000 files that cannot be read"
grep -q 'Permission denied' "$T/web-02.err" || fail 'it does not say why'
grep -q 'left out for a minute' "$T/web-02.err" || fail 'it does not say that there are more'
"$HAUL_BIN/haul-agent" status -c "$T/web-02.conf" >"$T/status"
grep -q '3000 CANNOT BE READ' "$T/status" || fail "status does not tell: $(head -n 5 "$T/status")"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
