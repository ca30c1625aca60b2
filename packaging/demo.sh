#!/bin/bash
# `make demo`: haul at work on this machine. Starts a collector and an agent on free loopback ports with
# everything under ./demo; the agent follows the logs below /var/log and a demonstration service: three
# processes that write JSON lines about the same requests, and rotate their files. Shows what comes of it
# on the collector's disk. On a terminal it goes on until Ctrl-C with a line of live figures, otherwise it
# ends by itself, within a minute. What it started, it stops; the files stay for a look around.
set -euo pipefail
cd "$(dirname "$0")/.."
export TZ=UTC LC_ALL=C

bin=${HAUL_BIN:-build/release}
demo=demo
patience=30 # seconds that a thing may take that is done in one

say() {
	printf '\n%s\n' "$*"
}

die() {
	printf 'demo: %s\n' "$*" >&2
	tail -n 5 "$demo"/logs/*.log >&2 2>/dev/null || true
	exit 1
}

# ---------------------------------------------------------------------------------------------------
# Start and stop

pids=()
at_exit() {
	local code=$? pid
	trap '' INT TERM
	trap - EXIT
	# Last in, first out: the service, the agent (it finishes what is in flight), the collector.
	for pid in ${pids[@]+"${pids[@]}"}; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	exit "$code"
}
trap at_exit EXIT
trap 'exit 0' INT
trap 'exit 143' TERM

# start LOG COMMAND...: with its own place in the list of what is to be stopped, and deaf to the
# terminal's Ctrl-C, which is for us.
start() {
	local log=$1
	shift
	(
		trap '' INT
		exec "$@"
	) </dev/null >>"$log" 2>&1 &
	pids=("$!" ${pids[@]+"${pids[@]}"})
}

free_port() { # below the range that the kernel gives away
	local port tries
	for ((tries = 0; tries < 100; tries++)); do
		port=$((18000 + RANDOM % 14000))
		if ! (exec 9<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			echo "$port"
			return
		fi
	done
	die 'no free port on loopback'
}

get() { # get PORT PATH: an HTTP request without any program
	local line
	exec 9<>"/dev/tcp/127.0.0.1/$1" || return 1
	printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&9
	IFS=' ' read -r _ line <&9 || line=
	while IFS= read -r header <&9 && [ "${header%$'\r'}" ]; do :; done
	cat <&9
	exec 9>&-
	[ "${line%% *}" = 200 ]
} 2>/dev/null

wait_for() { # wait_for WHAT CONDITION...
	local what=$1 deadline=$((SECONDS + patience))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || die "$what: not within $patience s"
		sleep 0.1
	done
}

# ---------------------------------------------------------------------------------------------------
# The demonstration service: frontend | checkout | payment. Each writes its own log and hands the request
# on; each rotates its file by renaming it.

log_line() { # log_line FILE LEVEL ID MESSAGE
	local us=${EPOCHREALTIME/./} time
	printf -v time '%(%Y-%m-%dT%H:%M:%S)T.%06dZ' "${us%??????}" "$((10#${us: -6}))"
	printf '{"ts":"%s","level":"%s","request_id":"%s","msg":"%s"}\n' "$time" "$2" "$3" "$4" >>"$1"
	if ((++lines % 50 == 0)); then
		mv "$1" "$1.1"
	fi
}

frontend() {
	local lines=0 id
	while kill -0 "$PPID" 2>/dev/null; do # whoever started the service
		printf -v id '%04x%04x%04x%04x' $((RANDOM * 2)) $((RANDOM * 2)) $((RANDOM * 2)) $((RANDOM * 2))
		log_line "$1" info "$id" "POST /checkout"
		echo "$id"
		sleep 0.05
	done
}

checkout() {
	local lines=0 id
	while read -r id; do
		log_line "$1" info "$id" "cart has $((RANDOM % 5 + 1)) items"
		log_line "$1" info "$id" "reserving stock"
		echo "$id"
	done
}

payment() {
	local lines=0 id
	while read -r id; do
		if ((RANDOM % 10)); then
			log_line "$1" info "$id" "charged in $((RANDOM % 90 + 10)) ms"
		else
			log_line "$1" error "$id" "card was declined"
		fi
	done
}

if [ "${1-}" = --service ]; then # this script again, as the service
	trap - EXIT INT
	trap 'trap - TERM; kill 0' TERM
	frontend "$2/frontend.log" | checkout "$2/checkout.log" | payment "$2/payment.log" &
	wait
	exit 0
fi

# ---------------------------------------------------------------------------------------------------
# The show

for program in haul-agent haul-collector; do
	[ -x "$bin/$program" ] || die "$bin/$program is not built (make)"
done
mkdir -p "$demo"
exec 8>"$demo/.lock"
flock -n 8 || die "another demo is running in $PWD/$demo"
rm -rf "${demo:?}"/{data,state,service,logs}
mkdir -p "$demo"/{service,logs}

collector_port=$(free_port)
agent_port=$(free_port)
cat >"$demo/collector.conf" <<CONF
[collector]
listen = 127.0.0.1:$collector_port
data_dir = $PWD/$demo/data
CONF
cat >"$demo/agent.conf" <<CONF
[agent]
state_dir = $PWD/$demo/state
listen = 127.0.0.1:$agent_port

[collector]
url = http://127.0.0.1:$collector_port

[input machine]
path = /var/log/syslog /var/log/messages /var/log/*.log /var/log/*/*.log

[input service]
path = $PWD/$demo/service/*.log
service = {stem}
CONF

say "Starting a collector on port $collector_port and an agent; everything is under $PWD/$demo."
start "$demo/logs/collector.log" "$bin/haul-collector" -c "$demo/collector.conf"
wait_for 'the collector' get "$collector_port" /readyz
start "$demo/logs/agent.log" "$bin/haul-agent" -c "$demo/agent.conf"
start "$demo/logs/service.log" setsid "$PWD/packaging/demo.sh" --service "$PWD/$demo/service"

# A request that the whole service has seen, and that has arrived.
arrived() {
	id=$(tail -q -n 20 "$demo"/data/today/payment/*.log |
		sed -n 's/.*"request_id":"\([0-9a-f]*\)".*/\1/p' | tail -n 3 | head -n 1)
	[ "$id" ] && (($(grep -rhF "$id" "$demo"/data/2* | wc -l) >= 4))
}
wait_for 'the first lines' arrived
# Rotation has happened too: the renamed file is read to its end, the new one from its start.
wait_for 'a rotation' test -e "$demo/service/checkout.log.1"
wait_for 'the lines of a request' arrived

width=$(tput cols 2>/dev/null || echo 120)
show() { # show COMMAND: as one would type it
	printf '\n\e[1m$ %s\e[0m\n' "$1" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9]*m//g'; fi
	# shellcheck disable=SC2094
	bash -c "$1" 2>/dev/null | if [ -t 1 ]; then cut -c "1-$width"; else cat; fi || true
}

say 'One file a day, service and host, plain text:'
show "find $demo/data -name .haul -prune -o ! -type d -printf '%10s  %P  %l\n' | sort -k2 | head -n 40"
say 'Watched as ever:'
show "tail -q -n 2 $demo/data/today/*/*.log | tail -n 12"
say 'One request, over all services, in the order in which it happened:'
show "grep -rhF $id $demo/data/2* | LC_ALL=C sort -s -k1,1"

figure() { # figure PAGE NAME: the sum over its labels
	awk -v name="$2" '{ split($1, part, "{") } part[1] == name { sum += $NF } END { printf "%.0f", sum }' <<<"$1"
}

figures() {
	local collector agent
	collector=$(get "$collector_port" /metrics) || collector=
	agent=$(get "$agent_port" /metrics) || agent=
	printf '%s  agent: %d files, %d lines read  collector: %d lines, %d KiB, %d batches' \
		"$(date +%H:%M:%S)" "$(figure "$agent" haul_agent_files)" \
		"$(figure "$agent" haul_agent_lines_total)" \
		"$(figure "$collector" haul_collector_lines_total)" \
		"$(($(figure "$collector" haul_collector_rendered_bytes_total) / 1024))" \
		"$(figure "$collector" haul_collector_batches_total)"
}

if [ -t 0 ] && [ -t 1 ]; then
	say "It goes on until Ctrl-C. Look around in $demo/data meanwhile, from another terminal."
	echo
	while :; do
		printf '\r\e[K%.*s' "$width" "$(figures)"
		sleep 1
	done
fi
say "$(figures)"
say "Done. The files stay in $demo/data; make clean removes them."
