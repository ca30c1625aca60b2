#!/bin/bash
# Does the cost grow with the work and no faster? Bytes, files, hosts and segments, each by itself; a table, and a plot
# of the cost of one unit against the first (a level line is linear growth).
#
#     BENCH_BYTES    of input, four times that in the end (1G); there are fewer files and segments when it is smaller
#     BENCH_SECONDS  of load for each number of hosts (20)
#     BENCH_OUT      where growth.svg goes (build/bench)
. "$(dirname "$0")/lib.sh"
out=${BENCH_OUT:-$ROOT/build/bench}
mkdir -p "$out"
all=$(numfmt --from=iec "$BENCH_BYTES")
quarter=$((all / 4))

point() { # point SERIES X COST
	echo "$1 $2 $3" >>"$T/points"
	row "$1" "$2" "$3"
}

ship() { # ship GLOB LINES: the agent's CPU seconds
	discard "$DATA"
	rm -rf "$T/h.state"
	start_collector
	agent_config h "[input in]" "path = $1" "service = bench"
	start_agent h
	wait_until 1200 "[ \$(metric $AGENT_URL haul_agent_lines_total) -ge $2 ] && [ \$(metric $AGENT_URL haul_agent_lag_bytes) = 0 ]"
	USED=$(cpu "$AGENT_PID")
	stop "$AGENT_PID"
	stop "$COLLECTOR_PID"
	discard "$DATA"
}

title 'Growth'
header what how 'cost of one'
mkdir "$T/log"
for times in 1 2 4 8 16; do
	"$BENCH/gen" --seed 1 --bytes $((quarter * times)) --days $((10 * times)) >"$T/log/a.log"
	ship "$T/log/a.log" "$(wc -l <"$T/log/a.log")"
	point 'agent, CPU s/GiB, by bytes' "$(calc "$quarter * $times / 2^20" %g)" "$(calc "$USED * 2^30 / $(stat -c %s "$T/log/a.log")" %.3f)"
	rm "$T/log/a.log"
done

"$BENCH/gen" --seed 1 --bytes $((quarter * 2)) --days 20 >"$T/whole"
lines=$(wc -l <"$T/whole") bytes=$(stat -c %s "$T/whole")
for files in 1 10 100 1000 10000; do
	((files * 100000 <= all)) || break
	rm -rf "$T/log"
	mkdir "$T/log"
	split -a 5 -d -n "l/$files" --additional-suffix=.log "$T/whole" "$T/log/app-"
	ship "$T/log/*.log" "$lines"
	point 'agent, CPU s/GiB, by files' "$files" "$(calc "$USED * 2^30 / $bytes" %.3f)"
done
rm -rf "$T/log" "$T/whole"

for hosts in 1 10 100 1000; do
	((hosts * BENCH_FEWER <= 1000)) || break
	start_collector
	"$BENCH/load" --pid "$COLLECTOR_PID" --agents "$hosts" --batch 256K --seconds "${BENCH_SECONDS:-20}" \
		"127.0.0.1:$COLLECTOR_PORT" >"$T/load" || fail "$(cat "$T/load")"
	point 'collector, CPU s/GiB, by hosts' "$hosts" "$(sed -n 's|.* \([0-9.]*\) CPU s/GiB.*|\1|p' "$T/load")"
	stop "$COLLECTOR_PID"
	discard "$DATA"
done

# Services, hosts, days. Many small files are written: where syncs cost nothing, if there is room.
archive=$DATA
free=$(df --output=avail -B1M /dev/shm 2>/dev/null | tail -n 1)
if ((${free:-0} > 4096)); then
	archive=$(mktemp -d /dev/shm/haul-growth.XXXXXX)/data
	trap 'code=$?; set +e; trap - ERR; rm -rf "${archive%/data}"; (exit "$code"); at_exit' EXIT
fi
for shape in '1 1 1' '5 2 1' '10 10 1' '10 100 1' '40 250 1' '40 250 10'; do
	read -r services hosts days <<<"$shape"
	segments=$((services * hosts * days))
	((segments * 10000 <= all)) || break
	"$BENCH/gen" --seed 1 --bytes $((segments * 20000)) --services "$services" --hosts "$hosts" --days "$days" --tree "$archive"
	id=$(head -n 20 "$(find "$archive" -name '*.log' -print -quit)" | grep -o '"request_id":"[^"]*' | cut -d'"' -f4 | tail -n 1)
	"$BENCH/archive" seal "$archive" zstd 1 >"$T/seal"
	medians timed "$HAUL_BIN/haul" --data-dir "$archive" grep -F "$id"
	point 'haul grep of an id, ms in all, by segments' "$segments" "$(calc "${MEDIANS[0]} * 1000" %.0f)"
	rm -rf "$archive"
done

awk -f "$(dirname "$0")/plot.awk" "$T/points" >"$out/growth.svg"
echo
echo "plot: $out/growth.svg"
