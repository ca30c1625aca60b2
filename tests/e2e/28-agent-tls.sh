#!/bin/bash
# The agent over TLS: the collector known by its authority and name or by its key's pin, and by nothing less; the agent
# known by its certificate. What is not sent stays in its file and comes when the trouble is mended.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
need openssl
away_from_midnight

authority() { # authority NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
		-keyout "$T/$1.key" -out "$T/$1.pem" 2>/dev/null
}
certificate() { # certificate NAME SUBJECT [EXTENSION]
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$T/$1.key" \
		-out "$T/$1.csr" 2>/dev/null
	openssl x509 -req -in "$T/$1.csr" -CA "$T/ca.pem" -CAkey "$T/ca.key" -CAcreateserial -days 2 \
		-out "$T/$1.pem" -extfile <(echo "${3:-basicConstraints=CA:FALSE}") 2>/dev/null
}
authority ca
authority other
certificate here /CN=logs subjectAltName=IP:127.0.0.1
certificate elsewhere /CN=logs subjectAltName=DNS:logs.example.org
certificate web-01 /CN=web-01

serve() { # serve CERTIFICATE [LINE...]: the collector with it, anew
	local name=$1
	shift
	[ -z "$COLLECTOR_PID" ] || stop "$COLLECTOR_PID"
	collector_config "$(printf '[tls]\ncert = %s\nkey = %s' "$T/$name.pem" "$T/$name.key")" "$@"
	URL=https://127.0.0.1:$COLLECTOR_PORT
	start_collector
}
collector_ready() {
	curl -fsS -m 5 --insecure -o /dev/null "$URL/readyz"
}
configure() { # configure LINE...: of the agent's [collector]
	agent_config web-01 "$(input app "$T/logs/*.log")" "$(printf '[collector]\n'; printf '%s\n' "$@")"
}
# sends WHAT: lines come through; holds WHAT REGEX: they do not, and the agent says why.
n=0 there=0
more() {
	write_lines "$T/logs/app.log" $((n + 1)) $((n + 100))
	n=$((n + 100))
}
sends() {
	more
	expect_exactly_once "$T/logs/app.log" app
	there=$n
	note "$1: arrived"
}
holds() {
	local before
	before=$(wc -l <"$T/web-01.err")
	kill -HUP "$AGENT_PID"
	more
	wait_until 60 "tail -n +$((before + 1)) $T/web-01.err | grep -qiE '$2'"
	expect_equal "$1: lines on disk" "$there" "$(count_on_disk app)"
	note "$1: $(tail -n +$((before + 1)) "$T/web-01.err" | grep -iE "$2" | head -n 1)"
}

# By authority and name.
serve here
configure "ca_file = $T/ca.pem"
start_agent web-01
sends 'a certificate of the authority'
configure "ca_file = $T/other.pem"
holds 'another authority' 'cannot be reached.*certificate'
configure 'url = '"$URL"
holds 'no authority that is known' 'cannot be reached.*certificate'
serve elsewhere
configure "ca_file = $T/ca.pem"
holds 'another name' 'cannot be reached.*(name|certificate)'

# By the key alone.
pin() {
	sed -n 's/.*pin is \(sha256.*\)/\1/p' "$T/collector.err" | tail -n 1
}
configure "pin = $(pin)"
kill -HUP "$AGENT_PID"
sends 'the pin, whatever the name'
configure "pin = sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
holds 'another pin' 'cannot be reached.*(pin|key)'
# Both: the pin does not make up for the name.
configure "pin = $(pin)" "ca_file = $T/ca.pem"
holds 'the pin, but another name' 'cannot be reached.*(name|certificate)'

# The agent's own certificate.
serve here "client_ca = $T/ca.pem"
configure "ca_file = $T/ca.pem"
holds 'no certificate of its own' '401.*certificate'
configure "ca_file = $T/ca.pem" "client_cert = $T/web-01.pem" "client_key = $T/web-01.key"
kill -HUP "$AGENT_PID"
sends 'with one'
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
expect_equal 'hosts' "$DATA/today/app/web-01.log" "$(echo "$DATA"/today/app/*)"
