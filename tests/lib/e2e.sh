# shellcheck shell=bash disable=SC2034 # the variables are the scenarios'
# What the end-to-end scenarios share. A scenario is a script tests/e2e/NN-name.sh that begins with
#
#     . "$(dirname "$0")/../lib/e2e.sh"
#
# It then has a folder of its own ($T), free loopback ports, and the functions below. It polls conditions
# with a deadline and never sleeps for a fixed time. Whatever it starts is stopped when it ends, by
# process id. It fails with the first command that fails; the logs are shown then.
#
#     HAUL_BIN      the programs (build/asan)
#     HAUL_TORTURE  a factor on the counts of hard scenarios (1)
#     HAUL_KEEP=1   leaves the folder behind and names it
#     SEED          of everything random; printed, so that a failure can be had again
set -Eeuo pipefail
export LC_ALL=C TZ=UTC

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
HAUL_BIN=${HAUL_BIN:-$ROOT/build/asan}
TORTURE=${HAUL_TORTURE:-1}
SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
RANDOM=$SEED
NAME=$(basename "$0" .sh)
T=$(mktemp -d "${TMPDIR:-/tmp}/haul-$NAME.XXXXXX")
DATA=$T/data
mkdir "$T/logs"

declare -a PIDS=()        # everything started in the background
declare -A ERR_OF=()      # pid -> where its stderr goes
COLLECTOR_PID='' AGENT_PID=''

# ---------------------------------------------------------------------------------------------------
# Ends

note() {
	printf '%s: %s\n' "$NAME" "$*"
}

fail() {
	note "FAILED: $*"
	exit 1
}

skip() { # the last line is the reason
	printf '%s\n' "$*"
	exit 77
}

need() { # need COMMAND...: skip without it
	local command
	for command in "$@"; do
		command -v "$command" >/dev/null || skip "$command is not on this machine"
	done
}

need_mounts() { # need_mounts SIZE: root's; a tmpfs of that size at $T/disk, for this script and its children only
	[ "$(id -u)" = 0 ] || skip 'only root mounts file systems'
	if [ -z "${HAUL_OWN_MOUNTS-}" ]; then
		unshare -m --propagation private true 2>/dev/null || skip 'there are no mount namespaces here'
		rm -rf "$T"
		HAUL_OWN_MOUNTS=1 exec unshare -m --propagation private bash "$0"
	fi
	mkdir "$T/disk"
	mount -t tmpfs -o "size=$1" haul-test "$T/disk" || skip 'no tmpfs can be mounted here'
}

need_programs() { # need_programs haul-agent...: skip when not built
	local program
	for program in "$@"; do
		[ -x "$HAUL_BIN/$program" ] || skip "$HAUL_BIN/$program is not built"
	done
}

at_error() {
	note "FAILED at line $1: $2"
}
trap 'at_error $LINENO "$BASH_COMMAND"' ERR

# A sanitizer's word counts even when the process was killed afterwards.
sanitizer_spoke() {
	grep -lE 'ERROR: (Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer|runtime error:' \
		"$T"/*.err 2>/dev/null
}

at_exit() {
	local code=$? pid file
	trap - ERR EXIT INT TERM
	set +e
	exec 3>&2 2>/dev/null # the shell's own words about who was killed
	for pid in ${PIDS[@]+"${PIDS[@]}"}; do
		kill -CONT "$pid"
		kill -KILL "$pid"
	done
	wait
	exec 2>&3
	if [ $code != 77 ] && sanitizer_spoke >/dev/null; then
		note "FAILED: a sanitizer spoke in: $(sanitizer_spoke | tr '\n' ' ')"
		grep -hA 30 -E 'ERROR: [A-Za-z]*Sanitizer|WARNING: ThreadSanitizer|runtime error:' "$T"/*.err |
			head -n 60
		[ $code = 0 ] && code=1
	fi
	if [ $code != 0 ] && [ $code != 77 ]; then
		note "seed $SEED (SEED=$SEED bash tests/e2e/$NAME.sh)"
		for file in "$T"/*.err; do
			[ -s "$file" ] && printf -- '--- %s\n' "${file##*/}" && tail -n 15 "$file"
		done
	fi
	if [ "${HAUL_KEEP-}" = 1 ]; then
		note "kept: $T"
	else
		awk -v t="$T/" 'index($2, t) == 1 { print $2 }' /proc/self/mounts | tac | xargs -r umount -l
		chmod -R u+rwX "$T" 2>/dev/null
		rm -rf "$T"
	fi
	exit $code
}
trap at_exit EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# ---------------------------------------------------------------------------------------------------
# Waiting

now_ms() {
	local t=${EPOCHREALTIME/[.,]/}
	echo $((t / 1000))
}

# wait_until SECONDS CONDITION...: polls every 50 ms; fails the scenario when time is over.
wait_until() {
	try_until "$@" || fail "not within $1 s: ${*:2}"
}

try_until() { # as wait_until, but returns 1
	local deadline=$(($(now_ms) + $1 * 1000))
	shift
	until eval "$*" >/dev/null 2>&1; do
		(($(now_ms) < deadline)) || return 1
		sleep 0.05
	done
}

# For a scenario that looks at today's files: when the day (UTC) ends within a minute, it waits for the next one.
away_from_midnight() {
	local end=$((($(date +%s) / 86400 + 1) * 86400))
	(($(date +%s) < end - 60)) || wait_until 70 "(( \$(date +%s) >= $end ))"
}

# holds PID TEXT: one of its descriptors leads to a name that ends in TEXT.
holds() {
	local fd
	for fd in "/proc/$1/fd"/*; do
		[[ $(readlink "$fd") != *"$2" ]] || return 0
	done
	return 1
}

alive() {
	kill -0 "$1" 2>/dev/null
}

# ---------------------------------------------------------------------------------------------------
# Ports: free ones below the range that the kernel gives away, locked against parallel scenarios

free_port() { # sets PORT
	local tries lock folder=${TMPDIR:-/tmp}/haul-ports-$UID
	mkdir -p "$folder"
	for ((tries = 0; tries < 200; tries++)); do
		PORT=$((18000 + RANDOM % 14000))
		lock=$folder/$PORT
		exec {PORT_LOCK}>"$lock"
		if flock -n "$PORT_LOCK" && ! (exec 9<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; then
			return
		fi
		exec {PORT_LOCK}>&-
	done
	fail 'no free port'
}

# ---------------------------------------------------------------------------------------------------
# Programs

# start PROGRAM ARG...: in the background, stderr to $T/$ERR_NAME.err; sets PID.
start() {
	local name=${ERR_NAME:-${1##*/}}
	"$@" 2>>"$T/$name.err" >>"$T/$name.out" </dev/null &
	PID=$!
	PIDS+=("$PID")
	ERR_OF[$PID]=$T/$name.err
}

forget() {
	local pid keep=()
	for pid in ${PIDS[@]+"${PIDS[@]}"}; do
		[ "$pid" = "$1" ] || keep+=("$pid")
	done
	PIDS=(${keep[@]+"${keep[@]}"})
}

# stop PID: SIGTERM; it ends within 20 seconds, with 0 (leaks are failures in a sanitized build).
stop() {
	local code=0
	kill -TERM "$1"
	try_until 20 "! alive $1" || fail "pid $1 goes on 20 s after SIGTERM (${ERR_OF[$1]##*/})"
	wait "$1" || code=$?
	forget "$1"
	[ $code = 0 ] || fail "exit $code after SIGTERM (${ERR_OF[$1]##*/})"
}

kill9() {
	kill -KILL "$1" 2>/dev/null || fail "pid $1 was gone before kill -9 (${ERR_OF[$1]##*/})"
	wait "$1" 2>/dev/null || true
	forget "$1"
}

# Writes a configuration: config_with DEFAULTS EXTRA...; both are lines with sections. A key that EXTRA
# gives takes the place of the same key in DEFAULTS; lines before any section belong to $2.
config_with() {
	local defaults=$1 first=$2
	shift 2
	printf '%s\n' "$defaults" '#extra' "$first" "$@" | perl -e '
		my (%lines, %set, @order, $section, $extra);
		my @in = map { chomp; split /\n/, $_ } <STDIN>;
		for (@in) {
			if ($_ eq "#extra") { $extra = 1; next }
			if (/^\[/) { $section = $_; push @order, $_ unless $lines{$_}; $lines{$_} ||= []; next }
			my ($key) = /^(\w+)\s*=/;
			my $lines = $lines{$section};
			@$lines = grep { !($_->[1] && $_->[2] eq $key) } @$lines if $extra && defined $key;
			push @$lines, [$_, !$extra, $key // ""];
		}
		for my $s (@order) { print "$s\n"; print "$_->[0]\n" for @{$lines{$s}} }'
}

# collector_config [LINE...]: writes $T/collector.conf; lines before a [section] are [collector]'s. The
# port stays the same for the whole scenario.
collector_config() {
	if [ -z "${COLLECTOR_PORT-}" ]; then
		free_port
		COLLECTOR_PORT=$PORT
	fi
	URL=http://127.0.0.1:$COLLECTOR_PORT
	config_with "[collector]
listen = 127.0.0.1:$COLLECTOR_PORT
data_dir = $DATA" '[collector]' "$@" >"$T/collector.conf"
}

# start_collector [LINE...]: with lines, or the first time, the configuration is written; waits until it
# takes batches. Sets COLLECTOR_PID.
start_collector() {
	if [ $# -gt 0 ] || [ ! -e "$T/collector.conf" ]; then
		collector_config "$@"
	fi
	run_collector
	wait_until 60 "collector_ready || ! alive $COLLECTOR_PID"
	collector_ready || fail "the collector ended: $(tail -n 3 "$T/collector.err")"
}

run_collector() { # without waiting
	ERR_NAME=collector start "$HAUL_BIN/haul-collector" -c "$T/collector.conf"
	COLLECTOR_PID=$PID
}

collector_ready() {
	curl -fsS -m 5 -o /dev/null "$URL/readyz"
}

# agent_config HOST [LINE...]: writes $T/HOST.conf; lines before a [section] are [agent]'s.
agent_config() {
	local host=$1
	shift
	local -n port=AGENT_PORT_${host//[^A-Za-z0-9]/_}
	if [ -z "${port-}" ]; then
		free_port
		port=$PORT
	fi
	config_with "[agent]
host = $host
state_dir = $T/$host.state
listen = 127.0.0.1:$port
[collector]
url = ${URL:?start_collector comes first}" '[agent]' "$@" >"$T/$host.conf"
}

# start_agent HOST [LINE...]: with lines, or the first time, the configuration is written; waits until it has
# looked for files and watches for more. Sets AGENT_PID and AGENT_URL.
start_agent() {
	local host=$1 starts
	if [ $# -gt 1 ] || [ ! -e "$T/$host.conf" ]; then
		agent_config "$@"
	fi
	local -n port=AGENT_PORT_${host//[^A-Za-z0-9]/_}
	AGENT_URL=http://127.0.0.1:$port
	starts=$(agent_starts "$host")
	ERR_NAME=$host start "$HAUL_BIN/haul-agent" -c "$T/$host.conf"
	AGENT_PID=$PID
	wait_until 60 "(( \$(agent_starts $host) > $starts )) || ! alive $AGENT_PID"
}

agent_starts() { # how often this host's agent has said that it runs
	local n
	n=$(grep -cs 'started: host' "$T/$1.err") || true
	echo "${n:-0}"
}

# An input of plain files: input NAME PATTERN [LINE...], as lines for start_agent.
input() {
	printf '[input %s]\ntype = file\npath = %s\n' "$1" "$2"
	shift 2
	[ $# = 0 ] || printf '%s\n' "$@"
}

metric() { # metric URL NAME: the sum over its labels; empty when it is not there
	curl -fsS -m 5 "$1/metrics" | awk -v name="$2" '
		{ split($1, part, "{") }
		part[1] == name { sum += $NF; found = 1 }
		END { if (found) printf "%.0f\n", sum }'
}

# http METHOD PATH [CURL-ARG...]: to the collector; sets CODE, BODY and HEADERS (a file).
http() {
	local method=$1 path=$2
	shift 2
	HEADERS=$T/headers
	CODE=$(curl -sS -m 30 -X "$method" -D "$HEADERS" -o "$T/body" -w '%{http_code}' "$@" "$URL$path") ||
		fail "$method $path: curl failed"
	BODY=$(tr -d '\0' <"$T/body")
}

# ---------------------------------------------------------------------------------------------------
# Lines

# write_lines FILE FIRST LAST [TEXT]: appends numbered lines, one write.
write_lines() {
	seq -f "${4:-line} %.0f" "$2" "$3" >>"$1"
}

# start_writer FILE EXPECTED: a process that appends numbered lines in bursts until it gets SIGTERM, and
# EXPECTED keeps what was written. Sets PID (also of several writers).
start_writer() {
	perl -e '
		my ($path, $expected) = @ARGV;
		my ($stop, $n) = (0, 0);
		$SIG{TERM} = sub { $stop = 1 };
		open my $copy, ">>", $expected or die "$expected: $!";
		while (!$stop) {
			my $burst = join "", map { sprintf "%s %d %s\n", $path, ++$n, "x" x ($n * 7 % 200) } 1 .. 50;
			open my $f, ">>", $path or die "$path: $!"; # anew each time: it may have been rotated
			syswrite($f, $burst) == length $burst or die "$path: $!";
			close $f;
			syswrite($copy, $burst) == length $burst or die "$expected: $!";
			select undef, undef, undef, 0.01; # the pace of the load
		}' "$1" "$2" 2>>"$T/writer.err" &
	PID=$!
	PIDS+=("$PID")
	ERR_OF[$PID]=$T/writer.err
}

stop_writer() { # stop_writer PID
	kill -TERM "$1"
	wait "$1" || fail "a writer failed: $(cat "$T/writer.err")"
	forget "$1"
}

# shard_files SERVICE [HOST]: the files of a service in the order in which their lines were appended.
shard_files() {
	find "$DATA" -mindepth 3 -maxdepth 3 -type f -path "$DATA/[0-9]*-[0-9]*-[0-9]*/$1/${2:-*}.*" | perl -e '
		my %file;
		while (<STDIN>) {
			chomp;
			my ($shard, $number, $packed) = m{^(.*?)(?:\.(\d{4,}))?\.log(\.zst|\.gz)?$} or next;
			my $key = sprintf "%s\0%s", $shard, defined $number ? sprintf "%09d", $number : "live";
			# A segment that is being sealed stands there twice for a moment.
			$file{$key} = $_ if !$file{$key} || $packed;
		}
		print "$file{$_}\n" for sort keys %file'
}

read_shards() { # fails when one of its files is closed or sealed at this moment
	local file
	shard_files "$@" | while IFS= read -r file; do
		case $file in
		*.zst) zstd -qdc -- "$file" || exit 1 ;;
		*.gz) gzip -dc -- "$file" || exit 1 ;;
		*) cat -- "$file" || exit 1 ;;
		esac
	done
}

# lines_on_disk SERVICE [HOST]: the stored lines, sealed ones included.
lines_on_disk() {
	local lines tries=50
	lines=$(mktemp "$T/lines.XXXXXX")
	until read_shards "$@" >"$lines" 2>/dev/null || ((--tries == 0)); do :; done
	cat "$lines"
	rm "$lines"
}

# messages SERVICE [HOST]: column five on, with the escapes of lines that have flag x undone.
messages() {
	lines_on_disk "$@" | perl -ne '
		my ($time, $host, $service, $flags, $message) = split / /, $_, 5;
		$message =~ s/\\(?:x([0-9a-f]{2})|\\)/defined $1 ? chr hex $1 : "\\"/ge if $flags =~ /x$/;
		print $message'
}

count_on_disk() {
	lines_on_disk "$@" | wc -l
}

# wait_count SECONDS N SERVICE [HOST]: at least N lines of it stand on disk.
wait_count() {
	local seconds=$1 n=$2
	shift 2
	wait_until "$seconds" "(( \$(count_on_disk $*) >= $n ))"
}

# wait_grown SECONDS N FILE: the file gets N lines more than it has now.
wait_grown() {
	local had
	had=$(grep -cs '' "$3" || true)
	wait_until "$1" "(( \$(grep -cs '' '$3' || true) >= $((had + $2)) ))"
}

# wait_more SECONDS N SERVICE: N lines more than there are now stand on disk.
wait_more() {
	wait_count "$1" $(($(count_on_disk "$3") + $2)) "$3"
}

# expect_exactly_once EXPECTED SERVICE [HOST]: every line of the file EXPECTED stands on the collector's
# disk once, in order. Waits up to WAIT (60) seconds for the count, then compares byte for byte.
expect_exactly_once() {
	local expected=$1 want
	shift
	want=$(wc -l <"$expected")
	try_until "${WAIT:-60}" "(( \$(count_on_disk $*) >= $want ))" || true
	compare_lines "$expected" "$@"
}

# compare_files SERVICE FILE...: each line of the files (all different) stands there once, and those of a file in its order;
# a file that was rotated away before the agent saw it may come behind the next one.
compare_files() {
	messages "$1" >"$T/found.$1"
	perl -e '
		my ($found, @files) = @ARGV;
		my (%at, $n, $doubled, $missing, $order, $written);
		open my $f, "<", $found or die "$found: $!";
		while (<$f>) { $doubled++ if exists $at{$_}; $at{$_} = $n++ }
		for my $file (@files) {
			open my $f, "<", $file or die "$file: $!";
			my $last = -1;
			while (<$f>) {
				$written++;
				if (!exists $at{$_}) { $missing++; next }
				$order++ if $at{$_} < $last;
				$last = $at{$_};
			}
		}
		printf "%d lines in files, %d found: %d missing, %d more than once, %d out of order\n", $written, $n, $missing // 0,
			$doubled // 0, $order // 0;
		exit(($missing || $doubled || $order || $n != $written) ? 1 : 0)' "$T/found.$1" "${@:2}" ||
		fail "service $1 is not what was written"
}

compare_lines() { # EXPECTED SERVICE [HOST]: as they stand now
	local expected=$1
	shift
	messages "$@" >"$T/found.$1"
	cmp -s "$expected" "$T/found.$1" && return
	perl -e '
		my ($expected, $found) = map { open my $f, "<", $_ or die "$_: $!"; [<$f>] } @ARGV;
		my (%want, %have);
		$want{$_}++ for @$expected;
		$have{$_}++ for @$found;
		my @missing = grep { ($have{$_} // 0) < $want{$_} } do { my %s; grep { !$s{$_}++ } @$expected };
		my @doubled = grep { $want{$_} && $have{$_} > $want{$_} } do { my %s; grep { !$s{$_}++ } @$found };
		my @foreign = grep { !$want{$_} } @$found;
		printf "expected %d lines, found %d: %d missing, %d more than once, %d never written\n",
			scalar @$expected, scalar @$found, scalar @missing, scalar @doubled, scalar @foreign;
		sub show { my ($what, @l) = @_; for (@l[0 .. ($#l < 4 ? $#l : 4)]) {
			chomp(my $t = substr $_, 0, 160); $t =~ s/[^ -~]/?/g; print "  $what: $t\n" } }
		show("missing", @missing); show("doubled", @doubled); show("never written", @foreign);
		if (!@missing && !@doubled && !@foreign) {
			for (0 .. $#$expected) {
				next if $expected->[$_] eq $found->[$_];
				printf "out of order from line %d on\n", $_ + 1;
				show("expected", $expected->[$_]); show("found", $found->[$_]);
				last;
			}
		}' "$expected" "$T/found.$1"
	fail "service $1 is not what was written"
}

# expect_each_in_order EXPECTED SERVICE FILE...: as expect_exactly_once, but order counts within each of the source
# files only: after a rotation that nobody saw, two sources are shipped side by side.
expect_each_in_order() {
	local expected=$1 service=$2 file
	shift 2
	try_until "${WAIT:-60}" "(( \$(count_on_disk $service) >= $(wc -l <"$expected") ))" || true
	sort "$expected" >"$T/sorted.$service"
	messages "$service" | sort | cmp -s - "$T/sorted.$service" || compare_lines "$expected" "$service"
	for file in "$@"; do
		messages "$service" | grep -Fxf "$file" | cmp - "$file" || fail "the lines of $file are out of order"
	done
}

# Runs of the same stored line format, for spot checks: line_of SERVICE N.
line_of() {
	lines_on_disk "$1" | sed -n "${2}p"
}

expect_equal() { # expect_equal WHAT WANTED FOUND
	[ "$2" = "$3" ] || fail "$1: wanted '$2', found '$3'"
}

expect_match() { # expect_match WHAT REGEX TEXT
	[[ $3 =~ $2 ]] || fail "$1: wanted $2, found '$3'"
}

# ---------------------------------------------------------------------------------------------------
# A bad network

# start_proxy: between the agents that are configured from now on and the collector; sets PROXY_PID.
start_proxy() {
	free_port
	network pass
	ERR_NAME=proxy start perl "$ROOT/tests/lib/proxy.pl" "$PORT" "$COLLECTOR_PORT" "$T/network" "$SEED"
	PROXY_PID=$PID
	wait_until 20 "(exec 9<>/dev/tcp/127.0.0.1/$PORT)"
	URL=http://127.0.0.1:$PORT
}

network() { # network MODE...: see proxy.pl
	printf '%s\n' "$*" >"$T/network.new"
	mv "$T/network.new" "$T/network"
}
