#!/bin/bash
# kill -9 of both sides by turns, as the seed says, under load and with rotation going on all the time: renamed and packed,
# copied and truncated, and as Docker does it. A few times; 200 times each side with HAUL_TORTURE=10. Every line once, in
# order within each of its files.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector haul
need gzip
note "seed $SEED"

mkdir -p "$T/log"
id=$(printf '%064d' 7)
mkdir -p "$T/docker/$id"
printf '{"ID":"%s","Config":{"Image":"shop"},"Name":"/docker"}' "$id" >"$T/docker/$id/config.v2.json"
declare -A FILES=(
	[renamed]=$T/log/renamed.log
	[copied]=$T/log/copied.log
	[docker]=$T/docker/$id/$id-json.log
)
start_collector 'segment_bytes = 4M'
start_agent web-01 "$(input app "$T/log/*.log" 'service = {stem}')" "[input docker]
type = docker
path = $T/docker/*/*-json.log"
writers=()
for kind in "${!FILES[@]}"; do
	perl "$ROOT/tests/lib/rotator.pl" "$kind" "${FILES[$kind]}" "$T/expected.$kind" "$SEED" 2>>"$T/writer.err" &
	writers+=($!)
	PIDS+=($!)
	ERR_OF[$!]=$T/writer.err
done

live_bytes() {
	find "$DATA" -mindepth 3 -name 'web-01.log' -printf '%s\n' 2>/dev/null | awk '{ n += $1 } END { print n + 0 }'
}

pause() { # until so many bytes more have arrived, or at most so long
	local target=$(($(live_bytes) + RANDOM * 4))
	try_until $((RANDOM % 3)) "(( \$(live_bytes) > $target ))" || true
}

kill_agent() {
	kill9 "$AGENT_PID"
	start_agent web-01
}

kill_collector() { # now and then again while it recovers
	kill9 "$COLLECTOR_PID"
	while ((RANDOM % 4 == 0)); do
		run_collector
		try_until 1 "collector_ready || (( RANDOM % 4 == 0 ))" || true
		kill9 "$COLLECTOR_PID"
	done
	start_collector
}

each=$((TORTURE == 1 ? 5 : 20 * TORTURE))
agents=0 collectors=0
while ((agents < each || collectors < each)); do
	pause
	if ((collectors >= each || (agents < each && RANDOM % 2 == 0))); then
		kill_agent
		agents=$((agents + 1))
	else
		kill_collector
		collectors=$((collectors + 1))
	fi
	(((agents + collectors) % 50)) || note "killed $agents times the agent, $collectors times the collector"
done
for PID in "${writers[@]}"; do
	stop_writer "$PID"
done

exact() {
	local kind
	for kind in "${!FILES[@]}"; do
		WAIT=180 expect_each_in_order "$T/expected.$kind" "$kind"
		# Within each of its files.
		messages "$kind" | perl -ane '$F[2] > ($last{$F[1]} // 0) or die "out of order: $_"; $last{$F[1]} = $F[2]'
	done
}
exact
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
exact
for kind in "${!FILES[@]}"; do
	note "$kind: $(wc -l <"$T/expected.$kind") lines, $(tail -n 1 "$T/expected.$kind" | cut -d' ' -f2) rotations, exact"
done
