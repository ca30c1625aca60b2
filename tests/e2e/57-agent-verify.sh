#!/bin/bash
# haul-agent verify: which bytes of a file are at the collector, beside the running agent and without it; renamed and
# compressed files are known by their bytes; and a loss is told all the way to haul verify.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector haul
need gzip

verify() { # verify CODE PATH
	local code=0
	"$HAUL_BIN/haul-agent" verify -c "$T/web-01.conf" "$2" >"$T/report" 2>"$T/said" || code=$?
	[ "$code" = "$1" ] || fail "verify $2: exit $code instead of $1: $(cat "$T/said" "$T/report")"
}

told() { # told REGEX: a line of the report
	grep -qE -- "$1" "$T/report" || fail "no '$1' in: $(cat "$T/report")"
}

mkdir "$T/log"
start_collector
start_agent web-01 "$(input app "$T/log/*.log")"
write_lines "$T/log/app.log" 1 5000
write_lines "$T/log/other.log" 1 5000
wait_count 60 5000 app
wait_count 60 5000 other
size=$(stat -c %s "$T/log/app.log")
verify 0 "$T/log/app.log"
told "^$T/log/app.log: complete"
told "bytes 0 to $size are there"
told 'of service app at http'
(cd "$T/log" && verify 0 other.log)

# The agent's session is its own still: it goes on as if nothing had been.
sessions=$(metric "$AGENT_URL" haul_agent_request_failures_total)
write_lines "$T/log/app.log" 5001 5010
wait_count 60 5010 app
expect_equal 'failures' "$sessions" "$(metric "$AGENT_URL" haul_agent_request_failures_total)"

# Other names and forms of the same bytes.
size=$(stat -c %s "$T/log/app.log")
gzip -c "$T/log/app.log" >"$T/elsewhere.gz"
verify 0 "$T/elsewhere.gz"
told "bytes 0 to $size are there"
told "there as $T/log/app.log"
mv "$T/log/app.log" "$T/log/app.log.1"
write_lines "$T/log/app.log" 1 3
wait_count 60 5013 app
verify 0 "$T/log/app.log.1"
verify 0 "$T/log/app.log"
printf 'no line\n' >"$T/unknown"
verify 1 "$T/unknown"
told 'nothing of its 8 bytes is known'
: >"$T/empty"
verify 0 "$T/empty"

# What has not arrived.
stop "$AGENT_PID"
size=$(stat -c %s "$T/log/app.log")
write_lines "$T/log/app.log" 4 4
printf 'half' >>"$T/log/app.log"
verify 1 "$T/log/app.log"
told "bytes $size to $((size + 11)) \(11\) are not there yet"
told 'its last 4 bytes are a line without an end'
gzip -c "$T/log/app.log.1" | head -c 5000 >"$T/cut.gz"
verify 1 "$T/cut.gz"
grep -q 'damaged or not finished' "$T/said" || fail "$(cat "$T/said")"

# What is not as it was.
cp -p "$T/log/other.log" "$T/other"
printf 'X' | dd of="$T/log/other.log" bs=1 seek=40000 conv=notrunc status=none
verify 1 "$T/log/other.log"
told "bytes 0 to $(stat -c %s "$T/other") differ"
told 'bytes 0 to [0-9]+ are there: the agent remembers'
told 'between byte [0-9]+ and [0-9]+ they differ'
truncate -s 300 "$T/log/other.log"
verify 1 "$T/log/other.log"
told 'the file ends at 300: it was cut'

# Trouble.
verify 2 "$T/log/none.log"
verify 2 "$T/log"
stop "$COLLECTOR_PID"
verify 2 "$T/log/app.log"
grep -q 'cannot be reached' "$T/said" || fail "$(cat "$T/said")"

# A loss of the agent's, while the collector is away: more of deleted files than may be held.
start_agent web-01 'max_deleted = 1M' "$(input app "$T/log/*.log")"
write_lines "$T/log/lost.log" 1 1200 "$(printf '%0980d' 0)"
size=$(stat -c %s "$T/log/lost.log")
wait_until 30 "holds $AGENT_PID /lost.log"
rm "$T/log/lost.log"
wait_until 30 "grep -q 'lost.log: bytes 0 to $size are given up' $T/web-01.err"
start_collector
lost() {
	! "$HAUL_BIN/haul" --data-dir "$DATA" verify --path "$T/log/lost.log" >"$T/report" 2>"$T/said" &&
		grep -q 'lost bytes' "$T/report"
}
wait_until 60 lost
told "^web-01 $T/log/lost.log \(lost\): NOT complete"
told "lost bytes 0 to $size: limit, told 20"
expect_equal 'the metric of the agent' "$size" "$(metric "$AGENT_URL" haul_agent_lost_bytes_total)"
expect_equal 'the metric of the collector' "$size" "$(metric "$URL" haul_collector_lost_bytes_total)"
"$HAUL_BIN/haul-collector" status --json -c "$T/collector.conf" >"$T/status"
grep -q "\"losses\":1,\"lost_bytes\":$size" "$T/status" || fail "$(cat "$T/status")"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
