#!/bin/bash
# Inputs with remote = yes are polled by a thread of their own. When the file system does not answer, at the start or later,
# all other files go on, a stop is clean, and once it answers each line arrives, once.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
need cc

cc -shared -fPIC -O1 -o "$T/hang.so" "$ROOT/tests/e2e/hang.c" -ldl -D_GNU_SOURCE
mkdir -p "$T/near" "$T/far/logs"
write_lines "$T/near/near.log" 1 1000
write_lines "$T/far/logs/far.log" 1 1000

hanging_agent() { # with the configuration that there is
	ERR_NAME=web-01 start env HANG_BELOW="$T/far/logs" HANG_WHILE="$T/hang" LD_PRELOAD="$T/hang.so" \
		ASAN_OPTIONS="${ASAN_OPTIONS-}:verify_asan_link_order=0" "$HAUL_BIN/haul-agent" -c "$T/web-01.conf"
	AGENT_PID=$PID
	# shellcheck disable=SC2154 # agent_config sets it
	AGENT_URL=http://127.0.0.1:$AGENT_PORT_web_01
}
hangs() { # a thread waits in the preloaded library
	curl -fsS "$AGENT_URL/metrics" | awk '/^haul_agent_remote_hang_seconds / { exit !($2 > 0) }'
}

start_collector
# Both names lead below far for the first input too: it must not touch it.
agent_config web-01 "$(input near "$T/*/near.log $T/far/**/near.log")" \
	"$(input far "$T/far/logs/*.log" 'remote = yes')"

# The server is away when the agent starts.
touch "$T/hang"
hanging_agent
expect_exactly_once "$T/near/near.log" near
write_lines "$T/near/near.log" 1001 2000
expect_exactly_once "$T/near/near.log" near
expect_equal 'lines from what hangs' 0 "$(count_on_disk far)"
stop "$AGENT_PID"
grep -q 'without waiting for it' "$T/web-01.err" || fail 'it did not say what it left behind'

# It comes, it goes while files are read, a reload comes in between.
hanging_agent
wait_until 30 hangs
rm "$T/hang"
expect_exactly_once "$T/far/logs/far.log" far
wait_until 30 "! hangs"
touch "$T/hang"
write_lines "$T/far/logs/far.log" 1001 3000
wait_until 30 hangs
kill -HUP "$AGENT_PID"
wait_until 30 "grep -q 'configuration reloaded' $T/web-01.err"
write_lines "$T/near/near.log" 2001 3000
expect_exactly_once "$T/near/near.log" near
expect_equal 'lines before it answers' 1000 "$(count_on_disk far)"
"$HAUL_BIN/haul-agent" status -c "$T/web-01.conf" >"$T/status"
grep -q 'NOT ANSWERED' "$T/status" || fail "status: $(cat "$T/status")"
grep -q "$T/far/logs/far.log" "$T/status" || fail "status forgot the files: $(cat "$T/status")"
rm "$T/hang"
expect_exactly_once "$T/far/logs/far.log" far

# A restart in the middle, by force; then as it should be.
write_lines "$T/far/logs/far.log" 3001 20000
wait_more 30 1 far
kill9 "$AGENT_PID"
mv "$T/far/logs/far.log" "$T/far/logs/far.log.1"
write_lines "$T/far/logs/far.log" 20001 21000
cat "$T/far/logs/far.log.1" "$T/far/logs/far.log" >"$T/expected"
hanging_agent
expect_each_in_order "$T/expected" far "$T/far/logs/far.log.1" "$T/far/logs/far.log"
stop "$AGENT_PID"

# Without a collector nothing keeps the stop waiting.
stop "$COLLECTOR_PID"
write_lines "$T/far/logs/far.log" 21001 22000
hanging_agent
wait_until 30 "grep -q 'cannot be reached' $T/web-01.err"
stop "$AGENT_PID"
start_collector
hanging_agent
cat "$T/far/logs/far.log.1" "$T/far/logs/far.log" >"$T/expected"
expect_each_in_order "$T/expected" far "$T/far/logs/far.log.1" "$T/far/logs/far.log"
expect_exactly_once "$T/near/near.log" near
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
