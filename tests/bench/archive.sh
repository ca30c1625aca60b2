#!/bin/bash
# Sealing and the index against gzip -6 and zstd -3 of the whole, also of lines that are like those of the peers' figures;
# how long an id takes, and counting by level; and an id in very many small segments:
#
#     archive.sh [BYTES [SEGMENTS]]     of JSON lines, BENCH_BYTES or 1G by default; 100,000 segments of 6 KB for each
#                                       GiB; in $TMPDIR or /tmp, removed afterwards
#
# Needs build/release/bench/{gen,archive} and build/release/haul (make bench makes them).
set -euo pipefail
cd "$(dirname "$0")/../.."
bench=build/release/bench
bytes=${1:-${BENCH_BYTES:-1G}}
segments=${2:-$(($(numfmt --from=iec "$bytes") / 10737))}
T=$(mktemp -d "${TMPDIR:-/tmp}/haul-bench-archive.XXXXXX")
trap 'rm -rf "$T"' EXIT

# lines OPTION...: makes $T/plain
lines() {
	rm -rf "$T/plain"
	"$bench/gen" --seed 1 --bytes "$bytes" --services 10 --hosts 5 "$@" --tree "$T/plain"
	whole=$(find "$T/plain" -name '*.log' | sort)
}

# packed NAME COMMAND...: what a tool makes of all files in a row, and its CPU time.
packed() {
	local name=$1 plain size
	shift
	plain=$(xargs cat <<<"$whole" | wc -c)
	TIMEFORMAT='%U'
	{ time xargs cat <<<"$whole" | "$@" >"$T/packed"; } 2>"$T/time"
	size=$(stat -c %s "$T/packed")
	awk -v n="$name" -v p="$plain" -v s="$size" -v t="$(tail -n 1 "$T/time")" \
		'BEGIN { printf "%-9s at rest %.4f of the plain bytes, %.0f MB/s a core\n", n, s / p, p / 1e6 / t }'
	rm "$T/packed"
}

# at_rest: all of them, and leaves an archive of level 9 in $T/data.
at_rest() {
	local level
	packed 'gzip -6' gzip -6
	packed 'zstd -3' zstd -q -3 -c
	for level in 1 9; do
		rm -rf "$T/data"
		cp -r "$T/plain" "$T/data"
		"$bench/archive" seal "$T/data" zstd "$level"
	done
}

lines --stay
echo 'Requests that stay with their service and host (VictoriaLogs of lines like these: 0.089; 1.2 times that is 0.107):'
at_rest
lines
printf '\nRequests that cross services and hosts:\n'
at_rest
id=$(head -n 1000 "$(head -n 1 <<<"$whole")" | grep -o '"request_id":"[^"]*' | cut -d'"' -f4 | tail -n 1)
for _ in 1 2 3; do
	"$bench/archive" find "$T/data" "$id"
done
# timed WHAT COMMAND...: three times; warm from the second on.
timed() {
	TIMEFORMAT="haul $1: %R s, of the processor %U + %S"
	shift
	for _ in 1 2 3; do
		time build/release/haul --data-dir "$T/data" "$@" >/dev/null
	done
}
timed 'grep -F ID' grep -F "$id"
timed 'count --by level --every 1m' count --by level --every 1m
timed 'count -w level=error --every 1m' count -w level=error --every 1m
mv "$T/data/.haul/index" "$T/index"
timed 'count --by level --every 1m, reading the lines' count --by level --every 1m

rm -r "$T/data" "$T/plain" "$T/index"
"$bench/gen" --seed 1 --bytes $((segments * 6000)) --services 20 --hosts 250 --days $((segments / 5000 + 1)) --tree "$T/data"
find "$T/data" -name '*.log' | sort | sed -n "$((segments < 700 ? 1 : 700))p" >"$T/one"
id=$(xargs grep -o '"request_id":"[^"]*' <"$T/one" | cut -d'"' -f4 | tail -n 1)
"$bench/archive" seal "$T/data" zstd 1
timed 'grep -F ID in small segments' grep -F "$id"
