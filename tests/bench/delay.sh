#!/bin/bash
# How long a line takes from its writing to the collector's disk, and what the agent costs when little happens.
#
#     BENCH_SECONDS  of lines in each run (10); the runs without many take two, three and six times that
. "$(dirname "$0")/lib.sh"
seconds=${BENCH_SECONDS:-10}
files=$((20000 / BENCH_FEWER)) busy=$((1000 / BENCH_FEWER))

run_delay() { # run_delay AGENT-LINE...
	discard "$DATA"
	rm -rf "$T/h.state" "$T/log"
	mkdir "$T/log"
	start_collector
	agent_config h "[input in]" "path = $T/log/*.log" "service = bench" "$@"
	start_agent h
	read -r -a FIGURES <<<"$("$BENCH/drip" --rate 1000 --seconds "$seconds" --disk "$DATA/today/bench/h.log" "$T/log")"
	stop "$AGENT_PID"
	stop "$COLLECTOR_PID"
}

title 'Delay: 1,000 lines a second, from writing to the collector'\''s disk'
header settings 'p50 ms' 'p99 ms' 'most ms'
medians run_delay
row defaults "${MEDIANS[@]}"
medians run_delay '[collector]' 'batch_delay = 20ms'
row 'batch_delay = 20ms' "${MEDIANS[@]}"

# run_idle FILES RATE SECONDS: percent of a core, MiB at the end and at most
run_idle() {
	local before after began
	discard "$DATA"
	rm -rf "$T/h.state" "$T/log"
	mkdir "$T/log"
	start_collector
	agent_config h "[input in]" "path = $T/log/*.log" "service = bench"
	[ "$1" = 0 ] || "$BENCH/drip" --files "$1" --rate "$1" --seconds 1 "$T/log"
	start_agent h
	wait_until 120 "[ \$(metric $AGENT_URL haul_agent_lines_total) = $1 ] && [ \$(metric $AGENT_URL haul_agent_lag_bytes) = 0 ]"
	wait_quiet "$AGENT_PID"
	before=$(cpu "$AGENT_PID") began=$(now_ms)
	if [ "$2" = 0 ]; then
		sleep "$3"
	else
		"$BENCH/drip" --files "$1" --rate "$2" --seconds "$3" "$T/log"
	fi
	after=$(cpu "$AGENT_PID")
	FIGURES=("$(calc "($after - $before) * 1e5 / ($(now_ms) - $began)")" "$(resident "$AGENT_PID")" "$(memory "$AGENT_PID")")
	stop "$AGENT_PID"
	stop "$COLLECTOR_PID"
}

title 'Agent: when little happens'
header case '% of a core' MiB 'peak MiB'
medians run_idle 0 0 $((2 * seconds))
row "no files, $((2 * seconds)) s" "${MEDIANS[@]}"
open_files "$files"
medians run_idle "$FILES" 0 $((6 * seconds))
row "$FILES idle files, $((6 * seconds)) s" "${MEDIANS[@]}"
medians run_idle "$busy" "$busy" $((3 * seconds))
row "$busy files, a line a second each" "${MEDIANS[@]}"
