#!/bin/bash
# The agent's cost: one file from its start, shipped and acknowledged; beside it the bare limit, rsyslog and syslog-ng.
. "$(dirname "$0")/lib.sh"

# CPU seconds a GiB, MB/s and peak MiB.
figures() { # figures PID BEGAN_MS ENDED_MS
	FIGURES=("$(calc "$(cpu "$1") / ($INPUT_BYTES / 2^30)")" "$(calc "$INPUT_BYTES / 1e3 / ($3 - $2)" %.0f)" "$(memory "$1")")
}

run_haul() { # run_haul TYPE-LINE...
	local began
	rm -rf "$DATA" "$T/h.state" "$T/h.conf"
	start_collector
	began=$(now_ms)
	start_agent h "[input in]" "path = $INPUT" "service = bench" "$@"
	wait_until 600 "[ \$(metric $AGENT_URL haul_agent_lines_total) -ge $INPUT_LINES ] &&
		[ \$(metric $AGENT_URL haul_agent_lag_bytes) = 0 ]"
	figures "$AGENT_PID" "$began" "$(now_ms)"
	stop "$AGENT_PID"
	stop "$COLLECTOR_PID"
}

run_limit() {
	local began ended
	sink receive "$T/wal"
	began=$(now_ms)
	TIMEFORMAT='%U %S'
	{ time "$BENCH/limit" send "$INPUT" "127.0.0.1:$SINK_PORT"; } 2>"$T/time"
	ended=$(now_ms)
	end "$SINK_PID"
	rm "$T/wal"
	FIGURES=("$(calc "$(awk 'END { print $1 + $2 }' "$T/time") / ($INPUT_BYTES / 2^30)")"
		"$(calc "$INPUT_BYTES / 1e3 / ($ended - $began)" %.0f)" -)
}

run_peer() { # run_peer PROGRAM ARG...
	local began peer
	began=$(now_ms)
	peer "$@"
	peer=$PID
	wait_until 10 "[ \$(awk '{ print \$14 }' /proc/$peer/stat) -gt 20 ]"
	wait_quiet "$peer"
	figures "$peer" "$began" "$QUIET_MS"
	end "$peer"
	end "$SINK_PID"
}

run_rsyslog() { # run_rsyslog EXTRA
	sink drain
	rm -rf "$T/rsyslog"
	mkdir "$T/rsyslog"
	cat >"$T/rsyslog.conf" <<-END
		global(workDirectory="$T/rsyslog")
		module(load="imfile")
		input(type="imfile" File="$INPUT" Tag="bench" ruleset="out")
		ruleset(name="out") {
			action(type="omfwd" target="127.0.0.1" port="$SINK_PORT" protocol="tcp" $*)
		}
	END
	run_peer rsyslogd -n -M "$(dirname "$(find "$PEERS" -name imfile.so)")" -f "$T/rsyslog.conf" -i "$T/rsyslog/pid"
}

run_syslog_ng() {
	sink drain
	rm -rf "$T/syslog-ng"
	mkdir "$T/syslog-ng"
	cat >"$T/syslog-ng.conf" <<-END
		@version: 3.35
		options { keep-hostname(yes); log-fifo-size(200000); stats-freq(0); };
		source s { file("$INPUT" read-old-records(yes) flags(no-parse) follow-freq(1) log-fetch-limit(1000)
			log-iw-size(100000)); };
		destination d { network("127.0.0.1" port($SINK_PORT) transport("tcp")); };
		log { source(s); destination(d); flags(flow-control); };
	END
	run_peer syslog-ng -F --no-caps --module-path "$(dirname "$(find "$PEERS" -name libaffile.so)")" \
		-f "$T/syslog-ng.conf" -R "$T/syslog-ng/persist" -p "$T/syslog-ng/pid" -c "$T/syslog-ng/control"
}

compare() { # compare NAME COMMAND...
	local name=$1
	shift
	medians "$@"
	[ -n "${LIMIT-}" ] || LIMIT=${MEDIANS[0]}
	row "$name" "${MEDIANS[@]}" "$(calc "${MEDIANS[0]} / $LIMIT")"
}

peers=no
! have_peers || peers=yes
tables() {
	header program 'CPU s/GiB' MB/s 'peak MiB' 'CPU against the limit'
	LIMIT=
	compare 'bare limit' run_limit
	compare 'haul-agent, gzip, acknowledged' run_haul
	[ $peers = yes ] || return 0
	compare 'rsyslog, TCP, plain' run_rsyslog
	compare 'rsyslog, TCP, zip' run_rsyslog 'compression.mode="stream:always" ziplevel="1"'
	compare 'syslog-ng, TCP, plain' run_syslog_ng
}

make_input
title "Agent: $((INPUT_BYTES >> 20)) MiB of JSON lines, $INPUT_LINES lines"
tables

json=$INPUT
title 'Agent: the same lines in containers'\'' logs'
header input 'CPU s/GiB of messages' MB/s 'peak MiB' 'CPU against the plain file'
bytes=$INPUT_BYTES
medians run_haul
LIMIT=${MEDIANS[0]}
row 'plain file' "${MEDIANS[@]}" 1.00
INPUT=$T/cri.log
awk '{ print "2026-11-20T00:00:00.123456789Z stdout F " $0 }' "$json" >"$INPUT"
INPUT_BYTES=$bytes
compare cri run_haul 'type = cri'
rm "$INPUT"
INPUT=$T/docker.log
awk '{ gsub(/"/, "\\\""); print "{\"log\":\"" $0 "\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-20T00:00:00.123456789Z\"}" }' \
	"$json" >"$INPUT"
compare docker run_haul 'type = docker'
rm "$INPUT" "$json"

if make_corpus_input; then
	title "Agent: logs of other systems ($HAUL_CORPUS), $((INPUT_BYTES >> 20)) MiB"
	tables
fi
