#!/bin/bash
# One line from a file on a host to the collector's disk: its five columns, where it stands, who may read
# it, and how plain tools find it.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
away_from_midnight

mkdir "$T/log"
day=$(date -u +%Y-%m-%d)
line='{"ts":"'$day'T00:00:01.123456789Z","level":"error","request_id":"5d9d77aa"}'
start_collector
start_agent web-01 "$(input app "$T/log/*.log")"

printf '%s\n' "$line" >"$T/log/checkout.log"
shard=$DATA/$day/checkout/web-01.log
wait_until 30 "[ -s $shard ]"
expect_equal 'the stored line' "${day}T00:00:01.123456Z web-01 checkout F $line" "$(cat "$shard")"

expect_equal 'the mode of a shard' 640 "$(stat -c %a "$shard")"
expect_equal 'the mode of its directory' 750 "$(stat -c %a "${shard%/*}")"
expect_equal 'the mode of the day' 750 "$(stat -c %a "$DATA/$day")"
expect_equal 'grep by id' 1 "$(grep -rhF 5d9d77aa "$DATA/$day" | LC_ALL=C sort -s -k1,1 | wc -l)"
expect_equal 'the message again' "$line" "$(cut -d' ' -f5- "$shard")"

# today/ is a real directory of links to files, so that tail -F goes on past midnight.
[ -d "$DATA/today" ] && [ ! -L "$DATA/today" ] || fail 'today is not a real directory'
[ -L "$DATA/today/checkout/web-01.log" ] || fail 'today/checkout/web-01.log is not a link'
expect_equal 'where it leads' "$(readlink -f "$shard")" "$(readlink -f "$DATA/today/checkout/web-01.log")"

# A line is there soon after it was written, and a reader's tail sees it.
ERR_NAME=reader start tail -n 0 -F "$DATA/today/checkout/web-01.log"
wait_until 30 "ls -l /proc/$PID/fd | grep -qF '$shard'"
printf '{"ts":"%sT00:00:02Z","n":2}\n' "$day" >>"$T/log/checkout.log"
wait_until 30 "grep -q '\"n\":2' $T/reader.out"
expect_equal 'lines' 2 "$(wc -l <"$shard")"

stop "$AGENT_PID"
stop "$COLLECTOR_PID"
expect_equal 'lines after the stop' 2 "$(wc -l <"$shard")"
