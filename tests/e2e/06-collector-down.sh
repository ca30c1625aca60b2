#!/bin/bash
# The collector is away for long: the agent waits, holds files open that are rotated and deleted meanwhile,
# says once what is wrong, stays small, and delivers everything when it comes back.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

mkdir "$T/log"
collector_config
start_agent web-01 "$(input app "$T/log/*.log")"

write_lines "$T/expected" 1 $((200000 * TORTURE)) "$(printf 'a line of some length, as logs have them %060d' 0)"
lines=$(wc -l <"$T/expected")
head -n $((lines / 2)) "$T/expected" >"$T/log/app.log"
# The agent holds it open before it is rotated away and deleted.
wait_until 30 "holds $AGENT_PID /app.log"
mv "$T/log/app.log" "$T/log/app.log.1"
tail -n +$((lines / 2 + 1)) "$T/expected" >"$T/log/app.log"
wait_until 30 "holds $AGENT_PID /app.log && holds $AGENT_PID /app.log.1"
rm "$T/log/app.log.1"
wait_until 30 "holds $AGENT_PID 'app.log.1 (deleted)'"

# It said what is wrong, and not again and again.
wait_until 30 "grep -q 127.0.0.1:$COLLECTOR_PORT $T/web-01.err"
(($(grep -c "127.0.0.1:$COLLECTOR_PORT" "$T/web-01.err") <= 3)) || fail 'the agent repeats itself'

start_collector
# Two streams of one service: each in order.
wait_count 180 "$lines" app
expect_equal 'lines' "$lines" "$(count_on_disk app)"
half=$((lines / 2))
messages app | awk -v half=$half '$NF <= half' | cmp - <(head -n $half "$T/expected")
messages app | awk -v half=$half '$NF > half' | cmp - <(tail -n +$((half + 1)) "$T/expected")

# What was held for its sake is let go.
wait_until 120 "! holds $AGENT_PID '(deleted)'"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
