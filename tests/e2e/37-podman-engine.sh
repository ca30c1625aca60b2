#!/bin/bash
# Real podman containers with the k8s-file driver: they write to both outputs, long lines, more than their log may have,
# end and are removed while the agent is busy, down, or has no collector. As root (packaging/deps.sh containers).
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/container.sh"
need_programs haul-agent haul-collector
need podman conmon runc busybox
[ "$(id -u)" = 0 ] || skip 'podman as it is tested here takes root'

start_engine_podman
ENGINE_OPTIONS=(--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --log-driver=k8s-file)
start_collector
start_agent web-01 "[input podman]
type = podman
path = $T/podman/root/*-containers/*/userdata/ctr.log"

expect_usual_containers 500

# conmon begins its file anew at a size: while the agent reads it, nothing is missing.
engine_run turning --log-opt max-size=50kb -- sh -c "$PACED" 2000
expect_numbers turning 2000

# Written while the agent is down.
mkdir "$T/go"
engine_run asleep -d -v "$T/go:/go:ro" -- \
	sh -c "echo first >&2; while [ ! -e /go/now ]; do sleep 0.05; done; $COUNT" 2000
wait_count 60 1 asleep
stop "$AGENT_PID"
touch "$T/go/now"
engine wait asleep >/dev/null
start_agent web-01
wait_count 60 4001 asleep
expect_numbers asleep 2000

# No collector: the container is removed, the agent has its file.
stop "$COLLECTOR_PID"
engine_run doomed -d -- sh -c "$COUNT; sleep 1000" 1000
doomed=$(engine inspect -f '{{.Id}}' doomed)
wait_until 30 "holds $AGENT_PID $doomed/userdata/ctr.log"
wait_until 60 "engine logs doomed 2>&1 | grep -qx 'err 1000'"
engine rm -f -t 0 doomed >/dev/null
run_collector
expect_numbers doomed 1000

# Exactly what podman itself has.
engine logs plain 2>/dev/null | cmp - <(lines_on_disk plain | awk '$4 == "F"' | cut -d' ' -f5-)
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
