#!/bin/bash
# A guard against silent slowing: instructions a line on the hot paths, counted by callgrind (counts repeat, times do
# not), each held against its budget in budgets.txt. Exit 1 when one is over.
HAUL_BIN=$(cd "$(dirname "$0")/../.." && pwd)/build/release
. "$(dirname "$0")/lib.sh"
need valgrind
need_programs haul-agent haul-collector haul bench/gen bench/load bench/archive
budgets=$ROOT/tests/bench/budgets.txt
over=0

counted=(valgrind --tool=callgrind --callgrind-out-file=/dev/null)

# judge NAME LINES: of what valgrind said in $T/NAME.err (the whole run, its start included).
judge() {
	local instructions budget
	instructions=$(sed -n 's/^==[0-9]*== Collected : //p' "$T/$1.err" | tail -n 1)
	[ -n "$instructions" ] || fail "$1: valgrind has not counted: $(tail -n 3 "$T/$1.err")"
	budget=$(awk -v name="$1" '$1 == name { print $2 }' "$budgets")
	row "$1" "$((instructions / $2))" "${budget:?$1 is not in $budgets}"
	((instructions / $2 <= budget)) || over=1
}

agent() { # agent NAME FILE TYPE
	local lines
	lines=$(wc -l <"$2")
	rm -rf "$DATA" "$T/h.state"
	start_collector
	agent_config h "[input in]" "type = $3" "path = $2" "service = bench"
	# shellcheck disable=SC2154 # agent_config sets it
	AGENT_URL=http://127.0.0.1:$AGENT_PORT_h
	ERR_NAME=$1 start "${counted[@]}" "$HAUL_BIN/haul-agent" -c "$T/h.conf"
	wait_until 240 "[ \$(metric $AGENT_URL haul_agent_lines_total) -ge $lines ] && [ \$(metric $AGENT_URL haul_agent_lag_bytes) = 0 ]"
	stop "$PID"
	stop "$COLLECTOR_PID"
	judge "$1" "$lines"
}

agents() {
	"$BENCH/gen" --seed 1 --bytes 24M --days 2 >"$T/plain.log"
	awk '{ print "2026-11-20T00:00:00.123456789Z stdout F " $0 }' "$T/plain.log" >"$T/cri.log"
	awk '{ gsub(/"/, "\\\""); print "{\"log\":\"" $0 "\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-20T00:00:00.123456789Z\"}" }' \
		"$T/plain.log" >"$T/docker.log"
	agent agent-plain "$T/plain.log" file
	agent agent-cri "$T/cri.log" cri
	agent agent-docker "$T/docker.log" docker
}

collector() {
	rm -rf "$DATA"
	collector_config
	ERR_NAME=collector-ingest start env LD_PRELOAD="$ROOT/build/preload/openat2.so" "${counted[@]}" "$HAUL_BIN/haul-collector" -c "$T/collector.conf"
	COLLECTOR_PID=$PID
	wait_until 120 collector_ready
	"$BENCH/load" --agents 4 --seconds 8 "127.0.0.1:$COLLECTOR_PORT" >"$T/load" || fail "$(cat "$T/load")"
	stop "$COLLECTOR_PID"
	judge collector-ingest "$(sed -n 's/.* batches, \([0-9]*\) lines.*/\1/p' "$T/load")"
}

reader() { # reader NAME COMMAND...
	local name=$1
	shift
	LD_PRELOAD=$ROOT/build/preload/openat2.so "${counted[@]}" "$HAUL_BIN/haul" --data-dir "$DATA" "$@" >/dev/null 2>"$T/$name.err" || true
	judge "$name" "$lines"
}

archive() {
	local lines
	rm -rf "$DATA"
	"$BENCH/gen" --seed 1 --bytes 32M --services 5 --hosts 2 --tree "$DATA"
	lines=$(find "$DATA" -name '*.log' -print0 | xargs -0 cat | wc -l)
	reader search-plain grep -F 00000000-nowhere
	reader count-plain count --by level --every 1m
	LD_PRELOAD=$ROOT/build/preload/openat2.so "${counted[@]}" "$BENCH/archive" seal "$DATA" zstd 1 >/dev/null 2>"$T/archive-seal.err"
	judge archive-seal "$lines"
	reader count-sealed count --by level --every 1m
}

title 'Instructions a line'
header path instructions budget
agents
collector
archive
((!over)) || fail 'over budget: find out why, or raise the budget with a reason'
