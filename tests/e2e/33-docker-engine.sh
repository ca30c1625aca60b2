#!/bin/bash
# A real Docker engine: containers write, rotate, split long lines, write to both outputs, die and are removed while the
# agent is busy, down, or has no collector. As root, with a Docker engine of its own (packaging/deps.sh containers).
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/container.sh"
need_programs haul-agent haul-collector
need dockerd docker containerd runc busybox
[ "$(id -u)" = 0 ] || skip 'a Docker engine takes root'

start_engine_dockerd
start_collector
start_agent web-01 "[input docker]
type = docker
path = $T/docker/data/containers/*/*-json.log"

expect_usual_containers 1000

# An engine that rotates as fast as it can, and keeps little: each line is on disk, or of a file that is on record as lost.
for keep in 2 3 5; do
	engine_run "flood-$keep" --log-opt max-size=100k --log-opt max-file=$keep -- sh -c "$COUNT" $((5000 * TORTURE))
	expect_accounted "flood-$keep" $((5000 * TORTURE))
done

# Rotation with compression, under an agent that is busy, then down.
rotating=(--log-opt max-size=100k --log-opt max-file=$((20 * TORTURE)) --log-opt compress=true)
engine_run turning "${rotating[@]}" -- sh -c "$COUNT" $((4000 * TORTURE))
expect_numbers turning $((4000 * TORTURE))
mkdir "$T/go"
engine_run asleep -d "${rotating[@]}" -v "$T/go:/go:ro" -- \
	sh -c "echo first >&2; while [ ! -e /go/now ]; do sleep 0.05; done; $COUNT" $((4000 * TORTURE))
wait_count 60 1 asleep
stop "$AGENT_PID"
touch "$T/go/now"
engine wait asleep >/dev/null
start_agent web-01
wait_count 60 $((8000 * TORTURE + 1)) asleep
expect_numbers asleep $((4000 * TORTURE))

# No collector: the engine removes the container, the agent has its file.
stop "$COLLECTOR_PID"
engine_run doomed -d -- sh -c "$COUNT; sleep 1000" 3000
doomed=$(engine inspect -f '{{.Id}}' doomed)
wait_until 30 "holds $AGENT_PID $doomed-json.log"
wait_until 60 "engine logs doomed 2>&1 | grep -qx 'err 3000'"
engine rm -f doomed >/dev/null
run_collector
expect_numbers doomed 3000

# Exactly what Docker itself has.
engine logs plain 2>/dev/null | cmp - <(lines_on_disk plain | awk '$4 == "F"' | cut -d' ' -f5-)
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
