#!/bin/bash
# The collector's cost: batches of many agents, durable before they are acknowledged, over 200 shards; beside it the bare
# limit, rsyslog and syslog-ng (whose data is not on disk when they go on). What the janitor takes beside it, when nobody else
# wants the CPU, is not in the figures.
#
#     BENCH_SECONDS  of load in each run (10), after up to three in which sessions are opened and files made
. "$(dirname "$0")/lib.sh"
seconds=${BENCH_SECONDS:-10}
agents=$((1000 / BENCH_FEWER))
warm=$((seconds < 3 ? seconds : 3))

load() { # load PID PORT OPTION...
	"$BENCH/load" --pid "$1" --warm "$warm" --seconds "$seconds" "${@:3}" "127.0.0.1:$2" >"$T/load" || fail "$(cat "$T/load")"
	FIGURES=("$(said 's|.* \([0-9.]*\) CPU s/GiB.*|\1|p')" "$(said 's|^rate \([0-9.]*\) .*|\1|p')"
		"$(said 's|.* \([0-9.]*\) MB/s a core.*|\1|p')" "$(said 's|.*peak RSS \([0-9.]*\) .*|\1|p')"
		"$(said 's|^answer p50 \([0-9.]*\) .*|\1|p')" "$(said 's|.*p99 \([0-9.]*\) .*|\1|p')")
}

said() {
	sed -n "$1" "$T/load"
}

run_limit() {
	sink receive "$T/wal"
	load "$SINK_PID" "$SINK_PORT" "$@"
	end "$SINK_PID"
	rm "$T/wal"
}

run_haul() {
	discard "$DATA"
	start_collector
	load "$COLLECTOR_PID" "$COLLECTOR_PORT" "$@"
	stop "$COLLECTOR_PID"
	discard "$DATA"
}

# What a syslog daemon is sent: the same lines, of 40 hosts and 5 services, over 8 connections.
make_syslog() {
	"$BENCH/gen" --seed 1 --bytes "$BENCH_BYTES" --days 40 | awk -v dir="$T" '{
		printf "<134>Nov 22 05:40:00 host-%04d svc-%02d: %s\n", NR % 40 + 1, int(NR / 40) % 5 + 1, $0 >(dir "/syslog." NR % 8) }'
	INPUT_BYTES=$(cat "$T"/syslog.? | wc -c)
}

run_peer() { # run_peer PORT PROGRAM ARG...
	local port=$1 began peer senders=() i
	shift
	peer "$@"
	peer=$PID
	wait_until 20 "(exec 9<>/dev/tcp/127.0.0.1/$port)"
	began=$(now_ms)
	for ((i = 0; i < 8; i++)); do
		cat "$T/syslog.$i" >"/dev/tcp/127.0.0.1/$port" &
		senders+=("$!")
	done
	wait "${senders[@]}"
	wait_quiet "$peer"
	FIGURES=("$(calc "$(cpu "$peer") / ($INPUT_BYTES / 2^30)")" "$(calc "$INPUT_BYTES / 1e3 / ($QUIET_MS - $began)" %.1f)"
		"$(calc "$INPUT_BYTES / 1e6 / $(cpu "$peer")" %.1f)" "$(memory "$peer")" - -)
	end "$peer"
	discard "$T/peer"
}

run_rsyslog() {
	free_port
	mkdir -p "$T/peer/files"
	cat >"$T/rsyslog.conf" <<-END
		global(workDirectory="$T/peer")
		main_queue(queue.size="200000" queue.dequeueBatchSize="2048")
		module(load="imptcp" threads="2")
		input(type="imptcp" address="127.0.0.1" port="$PORT")
		template(name="place" type="string" string="$T/peer/files/%HOSTNAME%/%PROGRAMNAME%.log")
		action(type="omfile" dynaFile="place" dynaFileCacheSize="1000" ioBufferSize="64k" flushOnTXEnd="off")
	END
	run_peer "$PORT" rsyslogd -n -M "$(dirname "$(find "$PEERS" -name imfile.so)")" -f "$T/rsyslog.conf" -i "$T/peer/pid"
}

run_syslog_ng() {
	free_port
	mkdir -p "$T/peer/files"
	cat >"$T/syslog-ng.conf" <<-END
		@version: 3.35
		options { keep-hostname(yes); log-fifo-size(200000); stats-freq(0); create-dirs(yes); flush-lines(1000); };
		source s { network(ip("127.0.0.1") port($PORT) transport("tcp") max-connections(100) log-fetch-limit(1000)
			log-iw-size(100000)); };
		destination d { file("$T/peer/files/\${HOST}/\${PROGRAM}.log"); };
		log { source(s); destination(d); flags(flow-control); };
	END
	run_peer "$PORT" syslog-ng -F --no-caps --module-path "$(dirname "$(find "$PEERS" -name libaffile.so)")" \
		-f "$T/syslog-ng.conf" -R "$T/peer/persist" -p "$T/peer/pid" -c "$T/peer/control"
}

compare() { # compare NAME COMMAND...
	local name=$1
	shift
	medians "$@"
	[ -n "${LIMIT-}" ] || LIMIT=${MEDIANS[0]}
	row "$name" "${MEDIANS[@]}" "$(calc "${MEDIANS[0]} / $LIMIT")"
}

columns=('CPU s/GiB' MB/s 'MB/s a core' 'peak MiB' 'answer p50 ms' 'p99 ms' 'CPU against the limit')
title "Collector: 40 agents, 5 streams each: 200 shards"
header program "${columns[@]}"
LIMIT=
compare 'bare limit' run_limit --agents 40
compare haul-collector run_haul --agents 40
rate=${MEDIANS[1]}
if have_peers; then
	make_syslog
	compare 'rsyslog, TCP to files' run_rsyslog
	compare 'syslog-ng, TCP to files' run_syslog_ng
	rm "$T"/syslog.?
fi

title "Collector: $agents agents, 5 streams each"
header program "${columns[@]}"
LIMIT=
compare 'bare limit' run_limit --agents "$agents" --batch 64K
compare haul-collector run_haul --agents "$agents" --batch 64K

# 40 agents with a MiB each, so often that it makes half of what went through above.
title 'Collector: at half load'
header program "${columns[@]}"
LIMIT=
compare haul-collector run_haul --agents 40 --pause "$(calc "40 * 1.048 / ($rate / 2) * 1000" %.0f)"
