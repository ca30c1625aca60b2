#!/bin/bash
# Runs the tests, a few at a time, and prints one line each; the closing line has the counts.
#
#     tests/run.sh [KIND...]       unit, fuzz, e2e, tsan, cost; all of them without one
#
# BUILD      folder of the programs and tests (build/asan); what runs under TSan comes from build/tsan: the collector's
#            unit tests, and the scenarios that need the collector alone, costs from build/release
# ONLY       run only tests whose name (unit/line, e2e/03-restart) matches this glob
# JOBS       how many at a time (number of processors, at most 4)
# TIME_LIMIT seconds for one test (300): a hang is a failure
#
# A unit test counts as many as check says; a fuzz target over its corpus, and a scenario, count one.
# Exit: 0 all passed, 1 a failure, or nothing ran.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

build=${BUILD:-build/asan}
only=${ONLY:-*}
limit=${TIME_LIMIT:-300}
jobs=${JOBS:-$(nproc)}
((jobs > 4)) && jobs=4
kinds=("$@")
[ $# -gt 0 ] || kinds=(unit fuzz tsan e2e cost)

HAUL_BIN=${HAUL_BIN:-$PWD/$build}
export HAUL_BIN
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1}
export CK_DEFAULT_TIMEOUT=${CK_DEFAULT_TIMEOUT:-120}

results=$(mktemp -d "${TMPDIR:-/tmp}/haul-tests.XXXXXX") || exit 1
running=()
stop_all() {
	((${#running[@]})) && kill "${running[@]}" 2>/dev/null
	wait
	rm -rf "$results"
}
trap 'stop_all; exit 1' INT TERM
trap 'rm -rf "$results"' EXIT

# ThreadSanitizer of older compilers cannot live with much address space randomness.
no_aslr=()
setarch -R true 2>/dev/null && no_aslr=(setarch -R)

# What of a log tells why: check's failures, where a sanitizer spoke, else the end.
excerpt() {
	local speech='ERROR: [A-Za-z]*Sanitizer|WARNING: ThreadSanitizer|runtime error:'
	grep -aE '^[^ ]+:[0-9]+:[FE]:' "$1" | head -n 20
	if grep -qaE "$speech" "$1"; then
		grep -aE -A 30 "$speech" "$1" | head -n 45
	else
		tail -n 40 "$1"
	fi | sed 's/^/      | /'
}

# run_one NAME COMMAND...: runs it, prints its line, leaves "PASSED FAILED SKIPPED" in a file.
run_one() {
	local name=$1 log started=$SECONDS passed=0 failed=0 skipped=0 note='' code checks
	shift
	log=$results/${name//\//.}.log
	timeout -k 15 "$limit" "$@" </dev/null >"$log" 2>&1
	code=$?
	checks=$(grep -aE '^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+$' "$log" | tail -n 1)
	if [ $code = 77 ]; then
		skipped=1
		note=$(tail -n 1 "$log")
	elif [[ $checks =~ Checks:\ ([0-9]+),\ Failures:\ ([0-9]+),\ Errors:\ ([0-9]+) ]]; then
		failed=$((BASH_REMATCH[2] + BASH_REMATCH[3]))
		passed=$((BASH_REMATCH[1] - failed))
		note="$passed tests"
		((code != 0 && failed == 0)) && failed=1
		((BASH_REMATCH[1] == 0)) && failed=1
	elif [ $code = 0 ]; then
		passed=1
		note=$(sed -n 's/^[^ ]*: \(seed [0-9]*\)$/\1/p' "$log" | head -n 1)
	else
		failed=1
	fi
	((code == 124 || code == 137)) && note="not done after $limit s"
	((failed && code != 124 && code != 137)) && note="exit $code"

	local line
	if ((failed)); then
		line=$(printf 'FAIL  %s: %s' "$name" "$note" && echo && excerpt "$log")
	elif ((skipped)); then
		line=$(printf 'skip  %s: %s' "$name" "$note")
	else
		line=$(printf 'ok    %-32s %4d s  %s' "$name" $((SECONDS - started)) "$note")
	fi
	printf '%s\n' "$line" # one write: lines of parallel tests never mix
	echo "$passed $failed $skipped" >"$results/${name//\//.}.count"
}

# start NAME COMMAND...: waits for a free place, then runs it beside the others.
start() {
	# shellcheck disable=SC2053 # a glob is meant
	[[ $1 == $only ]] || return 0
	while ((${#running[@]} >= jobs)); do
		wait -n
		reap
	done
	run_one "$@" &
	running+=($!)
}

reap() {
	local pid alive=()
	for pid in "${running[@]}"; do
		kill -0 "$pid" 2>/dev/null && alive+=("$pid")
	done
	running=(${alive[@]+"${alive[@]}"})
}

# The binary of each test source that is in the tree; one that was not built is a failure.
for kind in "${kinds[@]}"; do
	case $kind in
	unit)
		for source in tests/unit/test_*.c; do
			[ -e "$source" ] || continue
			name=$(basename "$source" .c)
			start "unit/${name#test_}" "$build/tests/$name"
		done
		;;
	tsan)
		for source in tests/unit/test_*.c; do
			grep -qs '"collector/' "$source" || continue # the agent has one thread
			name=$(basename "$source" .c)
			start "tsan/${name#test_}" ${no_aslr[@]+"${no_aslr[@]}"} "build/tsan/tests/$name"
		done
		# And the collector itself, under what its peers do to it.
		for script in tests/e2e/[0-9]*.sh; do
			grep -qx 'need_programs haul-collector' "$script" && [ "$build" != build/tsan ] || continue
			start "tsan/$(basename "$script" .sh)" env HAUL_BIN="$PWD/build/tsan" \
				${no_aslr[@]+"${no_aslr[@]}"} bash "$script"
		done
		;;
	fuzz)
		for source in tests/fuzz/fuzz_*.c; do
			[ -e "$source" ] || continue
			name=$(basename "$source" .c)
			start "fuzz/${name#fuzz_}" "$build/fuzz/$name" "tests/fuzz/corpus/${name#fuzz_}"
		done
		;;
	torture)
		export CK_TIMEOUT_MULTIPLIER=${HAUL_TORTURE:-1}
		for source in tests/unit/test_*.c; do
			grep -qs HAUL_TORTURE "$source" || continue
			name=$(basename "$source" .c)
			start "torture/${name#test_}" "$build/tests/$name"
		done
		for script in tests/e2e/[0-9]*.sh; do
			grep -qs TORTURE "$script" || continue
			start "torture/$(basename "$script" .sh)" bash "$script"
		done
		;;
	e2e)
		for script in tests/e2e/[0-9]*.sh; do
			[ -e "$script" ] || continue
			start "e2e/$(basename "$script" .sh)" bash "$script"
		done
		;;
	cost)
		start cost/instructions bash tests/bench/cost.sh
		start cost/benchmarks bash tests/bench/smoke.sh
		;;
	*)
		echo "run.sh: no kind of test is called $kind (unit, fuzz, tsan, e2e, cost, torture)" >&2
		exit 2
		;;
	esac
done
wait

passed=0 failed=0 skipped=0
for count in "$results"/*.count; do
	[ -e "$count" ] || continue
	read -r p f s <"$count"
	((passed += p, failed += f, skipped += s))
done
echo
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0 && passed > 0))
