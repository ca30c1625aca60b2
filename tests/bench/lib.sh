# shellcheck shell=bash disable=SC2034 # the variables are the benchmarks'
# What the benchmarks share: the scenarios' ways to start and stop programs, and what is measured of a process. A
# benchmark is a script tests/bench/NAME.sh that begins with
#
#     . "$(dirname "$0")/lib.sh"
#
#     BENCH_BYTES  of input (1G): the figures of the README are those of the default
#     BENCH_RUNS   runs of each, whose median is shown (3)
#     BENCH_FEWER  so many times fewer files, agents and small segments, 1 to 10 (1)
#     BENCH_PEERS  no leaves the peers out, which are fetched from Debian else
#     TMPDIR       where the input and the data lie; some 4 times BENCH_BYTES
HAUL_BIN=${HAUL_BIN:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build/release}
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
BENCH=$HAUL_BIN/bench
BENCH_BYTES=${BENCH_BYTES:-1G}
BENCH_RUNS=${BENCH_RUNS:-3}
BENCH_FEWER=${BENCH_FEWER:-1}
BENCH_PEERS=${BENCH_PEERS:-yes}
PEERS=$ROOT/build/peers

# JSON lines from the generator, in $INPUT; sets INPUT_BYTES and INPUT_LINES.
make_input() {
	INPUT=$T/input.log
	"$BENCH/gen" --seed 1 --bytes "$BENCH_BYTES" --days 40 >"$INPUT"
	measure_input
}

measure_input() {
	INPUT_BYTES=$(stat -c %s "$INPUT")
	INPUT_LINES=$(wc -l <"$INPUT") # and it is in the page cache now
}

# The real logs of other systems, over and over, in $INPUT; fails where there are none.
make_corpus_input() {
	local bytes
	bytes=$(numfmt --from=iec "$BENCH_BYTES")
	INPUT=$T/input.log
	[ -n "${HAUL_CORPUS-}" ] && [ -d "$HAUL_CORPUS" ] || return 1
	while find "$HAUL_CORPUS" -type f -name '*.log' -print0 | sort -z | xargs -0 cat; do :; done 2>/dev/null |
		head -c "$bytes" >"$INPUT" || true
	echo >>"$INPUT"
	measure_input
}

# cpu PID: its user and system seconds so far.
cpu() {
	awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) / hz }' "/proc/$1/stat"
}

# memory PID: the most it had, in MiB; resident PID: what it has now.
memory() {
	awk '/^VmHWM:/ { printf "%.1f\n", $2 / 1024 }' "/proc/$1/status"
}

resident() {
	awk '/^VmRSS:/ { printf "%.1f\n", $2 / 1024 }' "/proc/$1/status"
}

# Waits until a process has used no CPU for a second; sets QUIET_MS, when that began.
wait_quiet() {
	local last=-1 now
	QUIET_MS=$(now_ms)
	while :; do
		now=$(cpu "$1")
		[ "$now" = "$last" ] || QUIET_MS=$(now_ms)
		last=$now
		(($(now_ms) - QUIET_MS < 1000)) || return 0
		sleep 0.05
	done
}

# discard DIR: gives its room back, but not its inodes, which go at the end: ext4 does not use one again for minutes, and
# whoever makes a file meanwhile pays for looking at each that was deleted before.
discard() {
	[ -d "$1" ] || return 0
	find "$1" -type f -exec truncate -s 0 {} +
	mkdir -p "$T/discarded"
	mv "$1" "$(mktemp -d "$T/discarded/XXXXXX")"
}

# open_files N: lets the programs that are started open N files and what else they need, and sets FILES to N; where this
# is not allowed, to as many as the limit has room for.
open_files() {
	local others=100 hard
	# The hard limit may be lower; root may raise it, but not in every container.
	ulimit -n $(($1 + others)) 2>/dev/null || true
	hard=$(ulimit -Hn)
	FILES=$1
	if [ "$hard" != unlimited ] && ((hard < $1 + others)); then
		FILES=$((hard - others))
		echo "not $1 files but $FILES: the limit of open files is $hard" >&2
	fi
}

# calc EXPRESSION [FORMAT]
calc() {
	awk "BEGIN { printf \"${2:-%.2f}\n\", $1 }"
}

median() { # of its arguments
	printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# medians COMMAND: runs it BENCH_RUNS times; it leaves its numbers in the array FIGURES. Sets MEDIANS, an array.
medians() {
	local i run
	local -a rows=()
	for ((run = 0; run < BENCH_RUNS; run++)); do
		"$@"
		numbers "$*" "${FIGURES[@]}"
		rows+=("${FIGURES[*]}")
	done
	MEDIANS=()
	for ((i = 1; i <= ${#FIGURES[@]}; i++)); do
		# shellcheck disable=SC2046 # numbers
		MEDIANS+=("$(median $(printf '%s\n' "${rows[@]}" | cut -d' ' -f"$i"))")
	done
}

title() {
	printf '\n## %s\n\n' "$*"
}

# header NAME...; row NAME VALUE...: a table that reads well as text and as Markdown.
header() {
	cells "$@"
	printf '|-%.0s' "$@"
	echo '|'
}

row() {
	numbers "$@"
	cells "$@"
}

cells() {
	printf '| %s ' "${@//|/\\|}"
	echo '|'
}

# numbers WHAT VALUE...: fails unless all are, or - for what is not told. A command that fails within the arguments of
# another ends nothing: this does.
numbers() {
	local value
	for value in "${@:2}"; do
		[[ $value =~ ^(-|[0-9]+(\.[0-9]+)?)$ ]] || fail "$1: '$value' is not a number"
	done
}

# Peers: programs of Debian's, unpacked, not installed.
have_peers() {
	[ "$BENCH_PEERS" != no ] && "$ROOT/packaging/deps.sh" --unpack "$PEERS" peers >&2
}

peer() { # peer PROGRAM ARG...: in the background, as start
	local lib
	lib=$(find "$PEERS/usr/lib" "$PEERS/lib" -name '*.so.*' -printf '%h\n' 2>/dev/null | sort -u | paste -sd:)
	ERR_NAME=$1 start env LD_LIBRARY_PATH="$lib" "$PEERS/usr/sbin/$1" "${@:2}"
}

# sink MODE...: the bare limit's other half; sets SINK_PID and SINK_PORT.
sink() {
	rm -f "$T/sink.out"
	ERR_NAME=sink start "$BENCH/limit" "$@"
	SINK_PID=$PID
	wait_until 10 "[ -s '$T/sink.out' ]"
	SINK_PORT=$(cat "$T/sink.out")
}

end() { # end PID: one that has no exit code to be proud of
	kill -TERM "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
	forget "$1"
}

# timed COMMAND...: its output is thrown away; sets FIGURES to its seconds, CPU seconds and peak MiB. To find nothing is no
# failure (xargs says 123 then).
timed() {
	local began=${EPOCHREALTIME/./} ended
	/usr/bin/time -o "$T/time" -f '%U %S %M' "$@" >/dev/null || (($? == 1 || $? == 123)) || fail "$*"
	ended=${EPOCHREALTIME/./} # time tells hundredths of a second: too coarse for an answer out of the index
	read -r -a FIGURES <<<"$(tail -n 1 "$T/time" |
		awk -v us=$((ended - began)) '{ printf "%.4f %.3f %.1f\n", us / 1e6, $1 + $2, $3 / 1024 }')"
}
