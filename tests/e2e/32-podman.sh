#!/bin/bash
# podman's k8s-file logs as conmon writes them: time zones with an offset, a file that is replaced by rename and of
# which no copy is kept, names from the storage's containers.json.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/container.sh"
need_programs haul-agent haul-collector

storage=$T/storage/overlay-containers
id=$(printf '%064d' 7)
mkdir -p "$storage/$id/userdata"
printf '[{"id":"%064d","names":["other"],"metadata":"{}"},
	{"id":"%s","names":["shop"],"image":"x","metadata":"{\\"image-name\\":\\"localhost/shop:1\\",\\"name\\":\\"shop\\"}"}]' \
	8 "$id" >"$storage/containers.json"
start_collector
start_agent web-01 "[input podman]
type = podman
path = $T/storage/*-containers/*/userdata/ctr.log"

start_container podman "$storage/$id/userdata/ctr.log" "$T/shop" $((200 * TORTURE)) 400000
end_container
expect_outputs "$T/shop" shop
# What conmon says is in its zone: two hours before what it looks like.
now=$(date -u +%Y-%m-%dT%H)
lines_on_disk shop | tail -n 1 | grep -c "^$now\|^$(date -u -d '-1 hour' +%Y-%m-%dT%H)" || fail 'the time zone'
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
