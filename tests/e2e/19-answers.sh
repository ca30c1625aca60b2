#!/bin/bash
# What the agent makes of other answers than 200: it keeps to Retry-After, halves what is too large, and
# takes only the word of a collector that speaks haul's protocol. Nothing is set aside, nothing lost.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

mkdir "$T/log"
start_collector
start_proxy
start_agent web-01 "$(input app "$T/log/*.log")"
write_lines "$T/log/app.log" 1 100
expect_exactly_once "$T/log/app.log" app
n=100

answered() {
	grep -c ' answer ' "$T/proxy.out" || true
}

# answer WHAT HEADERS...: batches get this answer until some of them did; then all is well again.
answer() {
	local what=$1 had
	shift
	printf '%s\n' "$@" '' >"$T/answer"
	had=$(answered)
	network answer "$T/answer"
	write_lines "$T/log/app.log" $((n + 1)) $((n + 100))
	n=$((n + 100))
	wait_until 60 "(( \$(answered) >= $((had + 2)) ))"
	network pass
	WAIT=90 expect_exactly_once "$T/log/app.log" app
	note "$what: exact"
}

for code in '400 Bad Request' '403 Forbidden' '404 Not Found' '413 Too Large' '502 Bad Gateway' '200 OK'; do
	answer "a stranger's $code" "HTTP/1.1 $code" 'Content-Length: 0'
done

# The agent comes back when it was told to, not before.
uuid=$(curl -sS -D - -o /dev/null "$URL/healthz" | tr -d '\r' | sed -n 's/^Haul-Collector: //Ip')
haul=('Haul-Protocol: 1' "Haul-Collector: $uuid" 'Content-Length: 0')
for code in '429 Too Many Requests' '503 Service Unavailable' '507 Insufficient Storage'; do
	answer "$code" "HTTP/1.1 $code" "${haul[@]}" 'Retry-After: 2'
	gap=$(grep ' answer ' "$T/proxy.out" | tail -n 2 | awk 'NR == 1 { a = $1 } END { print $1 - a }')
	((gap >= 1900)) || fail "$code with Retry-After: 2 was tried again after $gap ms"
done

# An answer that does not say of each chunk where it stands: the agent asks for its streams.
for body in '{"chunks":[]}' '{"chunks":[{"stream":"00000000000000000000000000000000","status":"committed","offset":5,"crc":"0000000000000000"}]}'; do
	asked=$(grep -c '/v1/streams' "$T/proxy.out" || true)
	answer "an answer of $body" 'HTTP/1.1 200 OK' "${haul[@]/%: 0/: ${#body}}" 'Content-Type: application/json' '' "$body"
	(($(grep -c '/v1/streams' "$T/proxy.out") > asked)) || fail "$body: the streams were not asked for"
done

# Too large: smaller ones come.
printf '%s\n' 'HTTP/1.1 413 Content Too Large' "${haul[@]}" '' >"$T/answer"
network answer "$T/answer" 4000
perl -e 'srand 1; for my $i (1 .. 2000) { printf "%d %s\n", $i, join "", map { chr(97 + rand 26) } 1 .. 60 }' \
	>"$T/log/large.log"
WAIT=120 expect_exactly_once "$T/log/large.log" large
(($(answered) > 0)) || fail 'nothing was too large'
network pass
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
compare_lines "$T/log/app.log" app
compare_lines "$T/log/large.log" large
