#!/bin/bash
# make bench: all figures, side by side in one run: ourselves, the peers that Debian packages, the bare limit.
#
#     run.sh [PART...]     agent, collector, delay, archive, janitor, search, growth; all by default
#
# BENCH_BYTES=64M BENCH_RUNS=1 make bench is a try; lib.sh has the settings. HAUL_CORPUS=DIR adds real logs (*.log below it).
set -euo pipefail
cd "$(dirname "$0")/../.."
packaging/deps.sh bench

machine() {
	local cpu memory
	cpu=$(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)
	memory=$(awk '/^MemTotal:/ { printf "%.0f GiB", $2 / 2^20 }' /proc/meminfo)
	printf '# haul %s\n\n%s cores of %s, %s, Linux %s, %s; load before %s; medians of %s\n' \
		"$(build/release/haul --version | awk '{ print $2 }')" "$(nproc)" "$cpu" "$memory" "$(uname -r)" \
		"$(. /etc/os-release && echo "$PRETTY_NAME")" "$(cut -d' ' -f1 /proc/loadavg)" "${BENCH_RUNS:-3}"
}

machine
[ $# -gt 0 ] || set -- agent collector delay archive janitor search growth
failed=()
for part in "$@"; do
	if [ "$part" = archive ]; then
		printf '\n## Archive: sealing beside gzip and zstd of the whole\n\n'
	fi
	"tests/bench/$part.sh" || failed+=("$part") # the others' figures are worth having all the same
done
if [ ${#failed[@]} != 0 ]; then
	echo "failed: ${failed[*]}" >&2
	exit 1
fi
