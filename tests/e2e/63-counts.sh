#!/bin/bash
# What is counted when a block is sealed answers haul count and top as reading the lines does: the same rows for
# every question, and no line is read for those that the counts can answer.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-collector haul
need zstd gzip

perl "$ROOT/tests/lib/archive.pl" make "$DATA" "$SEED" "$((6000 * TORTURE))"
find "$DATA" -name '*.[0-9]*.log' | sort >"$T/closed"
start_collector '[retention]' 'hold = yes'
"$HAUL_BIN/haul-collector" reindex -c "$T/collector.conf" 2>"$T/said"
wait_until 60 '[ ! -e "$DATA/.haul/reindex" ]'
expect_equal 'segments that wait' 0 "$(metric "$URL" haul_collector_seal_waiting_segments)"
stop "$COLLECTOR_PID"

# Times in the middle of a minute, and where one begins.
largest=$(find "$DATA" -name '*.log.zst' -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2) # of some minutes
zstdcat "$largest" | cut -c1-27 | sort >"$T/times"
lines=$(wc -l <"$T/times")
early=$(sed -n "$((lines / 10 + 1))p" "$T/times") late=$(sed -n "$((lines * 8 / 10))p" "$T/times")
questions=(
	'count --by level --every 1m'
	'count --every 1h'
	'count'
	'count --by service --by host'
	'count --by level --by service -s cart* -H web-01'
	'count -w level=error --every 5m'
	'count -w level!=info --by level'
	'count -w level~^[ew] -w service=pay --by host'
	"count --by level --since $early"
	"count --by level --every 10m --since ${early:0:16} --until $late"
	"count --by service --by level --until ${late:0:16}"
	'count --by .level --every 1d'
	'top level'
	'top host'
	# What the counts cannot answer.
	'count --by level --every 90s'
	'count --by instance'
	'count --by n --by level'
	'count --by level order'
	'count --by level -v order'
	'count -w level=error -w n>100'
)
ask() { # ask FILE QUESTION
	# shellcheck disable=SC2086 # a question is several words
	(set -f && "$HAUL_BIN/haul" --data-dir "$DATA" ${2} -o csv) >"$1" 2>"$T/said" || fail "haul $2: $(cat "$T/said")"
}
for i in "${!questions[@]}"; do
	ask "$T/counted.$i" "${questions[i]}"
done
mv "$DATA/.haul/index" "$T/index"
for i in "${!questions[@]}"; do
	ask "$T/read" "${questions[i]}"
	rows=$(($(wc -l <"$T/read") + ${rows:-0}))
	cmp -s "$T/read" "$T/counted.$i" ||
		fail "haul ${questions[i]}: $(diff "$T/read" "$T/counted.$i" | head -n 6)"
done

((rows > 100)) || fail "all answers together have $rows rows"

# The lines that the collector sealed are not looked at: zeros in their place change nothing.
mv "$T/index" "$DATA/.haul/index"
while IFS= read -r plain; do
	size=$(stat -c %s "$plain.zst")
	head -c "$size" /dev/zero >"$plain.zst"
done <"$T/closed"
for i in 2 3 5; do
	ask "$T/read" "${questions[i]}"
	cmp -s "$T/read" "$T/counted.$i" || fail "haul ${questions[i]} reads lines: $(head -n 3 "$T/said")"
done
