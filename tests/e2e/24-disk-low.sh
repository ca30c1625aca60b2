#!/bin/bash
# With less than min_free the collector refuses with 507 and says so; agents wait, and when there is room again nothing
# is missing. A reload with other limits takes effect without a restart.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/wire.sh"
need_programs haul-collector haul-agent

mkdir "$T/log"
collector_config 'min_free = 100%'
run_collector
wait_until 60 "curl -sS -m 5 '$URL/readyz' | grep -q 'disk is low'"
wait_until 20 "grep -q 'no batches are taken: the disk is low' $T/collector.err"
http GET /readyz
expect_equal 'readyz' 503 "$CODE"
http GET /healthz
expect_equal 'healthz' 200 "$CODE"
expect_equal 'the metric' 0 "$(metric "$URL" haul_collector_ready)"
"$HAUL_BIN/haul-collector" status -c "$T/collector.conf" >"$T/status" || true
grep -q '^disk .*; full, min_free is [0-9.]* ' "$T/status" || fail "status: $(cat "$T/status")"

write_lines "$T/log/app.log" 1 1000
open_session other
payload_of "$T/log/app.log" >"$T/payload"
source_chunk "$T/log/app.log" 0 "$(wc -c <"$T/log/app.log")" "$T/payload" stream="$(stream_id)" host=other >"$T/chunk"
post_batch "$T/chunk"
expect_equal "a batch ($BODY)" 507 "$CODE"
grep -qiE '^Retry-After: [1-9][0-9]*' "$HEADERS" || fail '507 without Retry-After'

start_agent web-01 "$(input app "$T/log/*.log")"
wait_until 30 "[ \"\$(metric '$AGENT_URL' haul_agent_collector_up)\" = 0 ]"
expect_equal 'lines meanwhile' 0 "$(count_on_disk app)"

collector_config 'min_free = 0%' 'memory_limit = 64M' 'max_batch = 1M'
kill -HUP "$COLLECTOR_PID"
wait_until 60 collector_ready
wait_until 20 "grep -q 'batches are taken again' $T/collector.err"
expect_equal 'memory_limit after the reload' 67108864 "$(metric "$URL" haul_collector_memory_limit_bytes)"
expect_exactly_once "$T/log/app.log" app
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
