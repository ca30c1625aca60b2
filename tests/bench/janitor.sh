#!/bin/bash
# How long answers to batches take while the janitor works, against a quiet one: sealing and retention are to delay none
# by more than 50 ms.
#
#     BENCH_SECONDS  of load in each run (10)
. "$(dirname "$0")/lib.sh"
seconds=${BENCH_SECONDS:-10}
hosts=$((10 / BENCH_FEWER))
segments=$((20 * hosts * 5))

# Closed segments, as a crash or a busy day leaves them, and many small ones of days that are long over.
"$BENCH/gen" --seed 1 --bytes "$BENCH_BYTES" --services 10 --hosts 5 --tree "$T/closed"
"$BENCH/gen" --seed 2 --bytes $((segments * 8192)) --services 20 --hosts "$hosts" --first-day 2020-01-01 --days 5 --tree "$T/small"
find "$T/closed" "$T/small" -name '*.log' | while IFS= read -r file; do
	mv "$file" "${file%.log}.0001.log"
done

mv "$T/small" "$DATA"
start_collector '[retention]' 'hold = yes'
wait_until 300 "[ \"\$(metric '$URL' haul_collector_archive_segments)\" = $segments ]"
stop "$COLLECTOR_PID"
mv "$DATA" "$T/small"

run_beside() { # run_beside FILES CONFIGURATION...: answers in ms, and the MB/s that were sealed meanwhile
	discard "$DATA"
	[ -z "$1" ] || cp -r "$1" "$DATA"
	start_collector "${@:2}"
	"$BENCH/load" --agents 8 --batch 256K --pause 20 --seconds "$seconds" "127.0.0.1:$COLLECTOR_PORT" >"$T/load" ||
		fail "$(cat "$T/load")"
	FIGURES=()
	for value in p50 p99 most; do
		FIGURES+=("$(sed -n "s|^answer.*$value \([0-9.]*\) ms.*|\1|p" "$T/load")")
	done
	FIGURES+=("$(calc "$(metric "$URL" haul_collector_sealed_plain_bytes_total) / 1e6 / $seconds")"
		"$(metric "$URL" haul_collector_retention_deleted_segments_total)")
	stop "$COLLECTOR_PID"
	discard "$DATA"
}

title 'Answers while the janitor works: 8 agents, batches of 256 KiB, 20 ms between them'
header 'the janitor' 'answer p50 ms' 'p99 ms' 'most ms' 'sealed MB/s' 'segments deleted'
medians run_beside ''
row 'has nothing to do' "${MEDIANS[@]}"
medians run_beside "$T/closed" 'seal_level = 1' '[retention]' 'hold = yes'
row 'seals, zstd -1' "${MEDIANS[@]}"
medians run_beside "$T/closed" 'seal_level = 9' '[retention]' 'hold = yes'
row 'seals, zstd -9' "${MEDIANS[@]}"
medians run_beside "$T/small" '[retention]' 'max_age = 1d'
row "deletes $segments segments" "${MEDIANS[@]}"
