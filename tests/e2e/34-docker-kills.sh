#!/bin/bash
# kill -9 of the agent, again and again, while Docker's logs are written, rotated at each few hundred lines and
# compressed in place, with pieces of long lines on both sides of the rotations: each line once, and whole.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/container.sh"
need_programs haul-agent haul-collector
note "seed $SEED"

folder=$T/docker/containers
id=$(printf '%064d' 7)
mkdir -p "$folder/$id"
printf '{"ID":"%s","Config":{"Hostname":"shop","Image":"shop","Labels":{}},"Name":"/shop"}' "$id" \
	>"$folder/$id/config.v2.json"
start_collector
docker_input="[input docker]
type = docker
path = $folder/*/*-json.log"
start_agent web-01 "$docker_input"
start_container docker "$folder/$id/$id-json.log" "$T/shop" $((600 * TORTURE)) 300000
container=$CONTAINER_PID
for ((i = 1; i <= 6 * TORTURE; i++)); do
	target=$(($(count_on_disk shop) + RANDOM % 200))
	try_until 1 "(( \$(count_on_disk shop) > $target ))" || true
	kill9 "$AGENT_PID"
	start_agent web-01
	kill -0 "$container" 2>/dev/null || break
done
end_container
expect_outputs "$T/shop" shop
stop "$AGENT_PID"
start_agent web-01
printf '{"log":"last\\n","stream":"stdout","time":"2026-11-22T05:40:00Z"}\n' >>"$folder/$id/$id-json.log"
echo last >>"$T/shop.stdout"
expect_outputs "$T/shop" shop
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
