#!/bin/bash
# That the benchmarks still work: each part with next to nothing to do and without the peers, whose tables then have
# their rows with numbers in them. No figure is judged.
HAUL_BIN=$(cd "$(dirname "$0")/../.." && pwd)/build/release
. "$(dirname "$0")/lib.sh"
need rg zstd gzip /usr/bin/time
need_programs haul-agent haul-collector haul bench/gen bench/load bench/limit bench/drip bench/archive
export HAUL_BIN BENCH_RUNS=1 BENCH_SECONDS=1 BENCH_FEWER=10 BENCH_PEERS=no BENCH_OUT=$T SEARCH_BYTES=2M
unset HAUL_CORPUS

# All at once: they wait for most of their time. None is killed when another fails, so that each stops what it started.
# The agent has enough that its CPU time is not 0: others are divided by it.
declare -A measuring=() bytes=([agent]=16M)
for name in agent collector delay janitor search growth archive; do
	BENCH_BYTES=${bytes[$name]:-2M} bash "$ROOT/tests/bench/$name.sh" >"$T/$name" 2>"$T/$name.err" &
	measuring[$name]=$!
done

measured() { # measured PART: its output is in $T/PART
	wait "${measuring[$1]}" || fail "$1.sh: $(tail -n 20 "$T/$1" "$T/$1.err")"
}

# part NAME ROWS...: of each of its tables
part() {
	local rows
	measured "$1"
	rows=$(awk -F ' [|] ' '
		/^\|-/ { table = ++tables; columns = before; next }
		!/^\|/ { table = 0 }
		{ before = NF }
		!table { next }
		{ rows[table]++; sub(/ \|$/, "") }
		NF != columns { print "not", columns, "columns:", $0; exit }
		{ for (i = 2; i <= NF; i++) if ($i !~ /^(-|[0-9]+(\.[0-9]+)?)$/) { print "not a number:", $0; exit } }
		END { for (i = 1; i <= tables; i++) printf "%d ", rows[i]; print "" }' "$T/$1")
	[ "$rows" = "${*:2} " ] || fail "$1.sh: rows ${*:2} are expected, not $rows: $(cat "$T/$1")"
}

part agent 2 3
part collector 2 2 1
part delay 2 3
part janitor 4
part search 4 4 3 3 3 4
part growth 13
grep -q '<polyline' "$T/growth.svg" || fail 'growth.sh: no plot'
measured archive
[ "$(grep -c ' at rest 0\.[0-9]* of the plain bytes' "$T/archive")" = 9 ] || fail "archive.sh: $(cat "$T/archive")"
[ "$(grep -c '^haul .*: [0-9.]* s, of the processor ' "$T/archive.err")" = 15 ] || fail "archive.sh: $(cat "$T/archive.err")"
