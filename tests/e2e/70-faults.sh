#!/bin/bash
# Each call that both programs make of the kernel failing once, or from then on: open, read, write, sync, rename,
# truncate, mmap, and memory; with errors and with short counts. A sample of them; all with HAUL_TORTURE. See
# tests/lib/faults.pl for the run and its oracle.
#
# The programs are those of the release build: a sanitizer has its own ideas of malloc and read.
. "$(dirname "$0")/../lib/e2e.sh"
HAUL_BIN=${HAUL_RELEASE:-$ROOT/build/release}
need_programs haul-agent haul-collector
faults=$ROOT/build/preload/faults.so
[ -e "$faults" ] || skip "$faults is not built"
note "seed $SEED"

runs=10
((TORTURE == 1)) || runs=all
start_collector
export T DATA URL HAUL_BIN HAUL_FAULTS=$faults
for program in agent collector; do
	perl "$ROOT/tests/lib/faults.pl" $program $runs "$SEED" 2
done
stop "$COLLECTOR_PID"
