#!/bin/bash
# Every kind of line, and the bytes that stand for it on the collector's disk, to the letter: time, flags,
# escapes, continuations, pieces.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

mkdir "$T/log"
start_collector '[retention]' 'max_age = 36500d'

# stored SERVICE WANTED...: columns 1, 4 and 5 of the service's lines.
stored() {
	local service=$1
	shift
	printf '%s\n' "$@" >"$T/wanted.$service"
	try_until 30 "(( \$(count_on_disk $service) >= $# ))" || true
	lines_on_disk "$service" | cut -d' ' -f1,4- >"$T/stored.$service"
	cmp -s "$T/wanted.$service" "$T/stored.$service" ||
		fail "$service: $(diff "$T/wanted.$service" "$T/stored.$service" | cat -v)"
}

# Times of all kinds; digits beyond microseconds are cut off, a leap second is the one before.
cat >"$T/log/times.log" <<'END'
{"ts":"2026-11-22T05:40:00.123456789Z","m":1}
{"time":"2026-11-22T07:40:00.5+02:00","m":2}
{"timestamp":1795326000,"m":3}
{"@timestamp":1795326000123,"m":4}
{"ts":1795326000123456,"m":5}
{"ts":1795326000123456789,"m":6}
2026-11-22T05:40:00Z rfc 3339
2026-11-22 05:40:00,123 blank and comma
2026-11-22T05:40:00+0000 no colon
2016-12-31T23:59:60Z leap
127.0.0.1 - - [22/Nov/2026:05:40:00 +0000] "GET / HTTP/1.1" 200 1
1795326000.25 epoch
END

# A line without a time of its own goes with its head.
cat >"$T/log/trace.log" <<'END'
2026-11-22T05:40:00Z boom
java.lang.IllegalStateException: no
	at com.acme.Cart.add(Cart.java:12)

2026-11-22T05:40:01Z on
END

# Bytes that a terminal or a parser might take for something else.
{
	printf '2026-11-22T05:40:00Z tab\there\n'
	printf '2026-11-22T05:40:01Z back\\slash stays\n'
	printf '2026-11-22T05:40:02Z \033[31mred\\\033[0m\n'
	printf '2026-11-22T05:40:03Z nul\000bel\007del\177\n'
	printf '2026-11-22T05:40:04Z bad \377\303( utf8 \303\244\n'
	printf '2026-11-22T05:40:05Z c1 \302\205\n'
	printf '2026-11-22T05:40:06Z dos\r\n'
	printf '2026-11-22T05:40:07Z cr\rinside\n'
} >"$T/log/bytes.log"

# Longer than max_line: pieces, all but the last with P.
printf '2026-11-22T05:40:00Z %s\n2026-11-22T05:40:01Z short\n' "$(head -c 2500 /dev/zero | tr '\0' a)" \
	>"$T/log/long.log"

# No LF at the end: nothing is shipped until the file is gone for good.
printf '2026-11-22T05:40:00Z whole\n2026-11-22T05:40:01Z half' >"$T/log/half.log"

start_agent web-01 "$(input all "$T/log/*.log" 'max_line = 1K' 'timezone = UTC')"

stored times \
	'2016-12-31T23:59:59.999999Z F 2016-12-31T23:59:60Z leap' \
	'2026-11-22T05:40:00.123456Z F {"ts":"2026-11-22T05:40:00.123456789Z","m":1}' \
	'2026-11-22T05:40:00.500000Z F {"time":"2026-11-22T07:40:00.5+02:00","m":2}' \
	'2026-11-22T05:40:00.000000Z F {"timestamp":1795326000,"m":3}' \
	'2026-11-22T05:40:00.123000Z F {"@timestamp":1795326000123,"m":4}' \
	'2026-11-22T05:40:00.123456Z F {"ts":1795326000123456,"m":5}' \
	'2026-11-22T05:40:00.123456Z F {"ts":1795326000123456789,"m":6}' \
	'2026-11-22T05:40:00.000000Z F 2026-11-22T05:40:00Z rfc 3339' \
	'2026-11-22T05:40:00.123000Z F 2026-11-22 05:40:00,123 blank and comma' \
	'2026-11-22T05:40:00.000000Z F 2026-11-22T05:40:00+0000 no colon' \
	'2026-11-22T05:40:00.000000Z F 127.0.0.1 - - [22/Nov/2026:05:40:00 +0000] "GET / HTTP/1.1" 200 1' \
	'2026-11-22T05:40:00.250000Z F 1795326000.25 epoch'
stored trace \
	'2026-11-22T05:40:00.000000Z F 2026-11-22T05:40:00Z boom' \
	'2026-11-22T05:40:00.000000Z + java.lang.IllegalStateException: no' \
	'2026-11-22T05:40:00.000000Z + 	at com.acme.Cart.add(Cart.java:12)' \
	'2026-11-22T05:40:00.000000Z + ' \
	'2026-11-22T05:40:01.000000Z F 2026-11-22T05:40:01Z on'
stored bytes \
	'2026-11-22T05:40:00.000000Z F 2026-11-22T05:40:00Z tab	here' \
	'2026-11-22T05:40:01.000000Z F 2026-11-22T05:40:01Z back\slash stays' \
	'2026-11-22T05:40:02.000000Z Fx 2026-11-22T05:40:02Z \x1b[31mred\\\x1b[0m' \
	'2026-11-22T05:40:03.000000Z Fx 2026-11-22T05:40:03Z nul\x00bel\x07del\x7f' \
	'2026-11-22T05:40:04.000000Z Fx 2026-11-22T05:40:04Z bad \xff\xc3( utf8 ä' \
	'2026-11-22T05:40:05.000000Z Fx 2026-11-22T05:40:05Z c1 \xc2\x85' \
	$'2026-11-22T05:40:06.000000Z F 2026-11-22T05:40:06Z dos\r' \
	'2026-11-22T05:40:07.000000Z Fx 2026-11-22T05:40:07Z cr\x0dinside'

wait_count 30 4 long
expect_equal 'flags of the pieces' 'P P F F' "$(lines_on_disk long | cut -d' ' -f4 | xargs)"
lines_on_disk long | head -n 3 | cut -d' ' -f5- | tr -d '\n' >"$T/joined"
expect_equal 'pieces put together' "$(head -n 1 "$T/log/long.log")" "$(cat "$T/joined")"

wait_count 30 1 half
rm "$T/log/half.log"
wait_count 120 2 half
expect_match 'the last line' ' P .*half$' "$(lines_on_disk half | tail -n 1)"

# Nothing but the time of reading: flag r, and it is about now.
before=$(date -u +%Y-%m-%dT%H:%M:%S)
printf 'no time at all\n' >"$T/log/plain.log"
wait_count 30 1 plain
expect_match 'no time' '^[^ ]+ web-01 plain Fr no time at all$' "$(line_of plain 1)"
read -r time _ <<<"$(line_of plain 1)"
[[ ! $time < $before && ! $time > $(date -u +%Y-%m-%dT%H:%M:%S).999999Z ]] || fail "r with time $time"

stop "$AGENT_PID"
stop "$COLLECTOR_PID"
