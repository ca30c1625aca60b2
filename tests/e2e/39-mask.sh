#!/bin/bash
# What is masked never leaves the host: not where a long line is cut, not in the pieces of a container's line, not in a line
# that the runtime has not written whole, not in what the agent says and keeps.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/container.sh"
need_programs haul-agent haul-collector
away_from_midnight
secret=0a1b2c3d4e5f6a7b8c9d
mkdir -p "$T/log" "$T/docker" "$T/pods/prod_cart_1/cart"
cart=$T/pods/prod_cart_1/cart/0.log

dots() { # dots COUNT
	head -c "$1" /dev/zero | tr '\0' .
}
docker() { # docker TEXT: as moby writes it; \n is the caller's
	printf '{"log":"%s","stream":"stdout","time":"%s"}\n' "$1" "$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)"
}
# The secret stands where the line is cut at max_line, and where a line begins that is longer than memory.
for ((n = 40; n <= 64; n++)); do
	printf '%s"token":"%s" end\n' "$(dots "$n")" "$secret"
done >"$T/log/app.log"
{
	dots 3000000
	printf '"token":"%s"' "$secret"
	dots 3000000
	printf '"token":"%s"\nlast "token":"%s" without an end' "$secret" "$secret"
} >>"$T/log/app.log"
# In JSON's escapes; parted by moby's pieces; in a line that is torn, and in its rest.
{
	docker "{\\\"token\\\":\\\"$secret\\\"}\\n"
	docker "$(dots 16370)\\\"token\\\":\\\"0a1b2c"
	docker "${secret#0a1b2c}\\\"\\n"
	printf '{"log":"{\\"token\\":\\"%s\\",\\"torn\\"\n' "$secret"
	docker "\\\"token\\\":\\\"$secret\\\" seen\\n"
} >"$T/docker/c-json.log"
# A chain that is longer than what is held of one, with the secret in two pieces at that place and everywhere else.
{
	cri stdout P '"token":"0a1b2c'
	for ((n = 0; n < 150; n++)); do
		cri stdout P "${secret#0a1b2c}\"$(dots 16330)\"token\":\"0a1b2c"
	done
	cri stdout F "${secret#0a1b2c}\""
	cri stdout F "\"token\":\"$secret\" seen"
	printf 'not of a runtime "token":"%s" seen\n' "$secret"
} >"$cart"
mask='mask = "token":"(\w{20})"'
start_collector
start_agent web-01 'memory_limit = 16M' \
	"[input app]" "path = $T/log/*.log" 'max_line = 64' "$mask" \
	"[input docker]" 'type = docker' "path = $T/docker/*-json.log" 'service = docker' "$mask" \
	"[input cri]" 'type = cri' "path = $T/pods/*/*/*.log" 'service = cri' "$mask"
wait_until 60 'messages docker | grep -c "\*\*\*.*seen"'
wait_until 60 '[ "$(messages cri | grep -c "\*\*\*.*seen")" = 2 ]'
mv "$T/log/app.log" "$T/app"
rm "$T/app"
wait_until 60 'messages app | tail -n 1 | grep -x "last \"token\":\"\*\*\*\" without an end"'
wait_until 30 "[ \"\$(metric $AGENT_URL haul_agent_lag_bytes)\" = 0 ]"
expect_equal 'docker' '{"token":"***"}
***
"token":"***" seen' "$(messages docker | grep -v '^\.')"
messages docker | grep -qx '\.*"token":"\*\*\*"' || fail 'a line in pieces'
[ "$(messages app | grep -c '\*\*\*')" -ge 25 ] || fail 'lines that are cut'
curl -fsS "$AGENT_URL/status" >"$T/status"
curl -fsS "$AGENT_URL/metrics" >"$T/metrics"
HAUL_OUT=$("$HAUL_BIN/haul-agent" explain -c "$T/web-01.conf" "$cart" 2>&1) || true
echo "$HAUL_OUT" >"$T/explain"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
# No part of it is anywhere.
for ((n = 0; n + 6 <= ${#secret}; n++)); do
	! grep -raqF "${secret:n:6}" "$DATA" "$T/web-01.state" "$T"/*.err "$T/status" "$T/metrics" "$T/explain" ||
		fail "a part of the secret has left the host: ${secret:n:6} in $(grep -raclF "${secret:n:6}" "$DATA" "$T"/*.err)"
done
