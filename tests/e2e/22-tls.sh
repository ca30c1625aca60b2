#!/bin/bash
# TLS: the certificate and its reload, client certificates, and that nothing listens to the world by mistake.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/wire.sh"
need_programs haul-collector
need openssl

cd "$T"
authority() { # authority NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
		-keyout "$1.key" -out "$1.pem" 2>/dev/null
}
certificate() { # certificate NAME CA SUBJECT [EXTENSION]
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$3" -keyout "$1.key" -out "$1.csr" \
		2>/dev/null
	openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days 2 -out "$1.pem" \
		-extfile <(echo "${4:-basicConstraints=CA:FALSE}") 2>/dev/null
}
authority ca
authority other
certificate server ca /CN=logs subjectAltName=IP:127.0.0.1,DNS:localhost
certificate web-01 ca /CN=web-01
certificate named ca /CN=ignored subjectAltName=DNS:web-01,DNS:web-01.example.org
certificate stranger other /CN=web-01

collector() {
	"$HAUL_BIN/haul-collector" -c "$T/collector.conf" "$@" 2>>"$T/command.err"
}
with_tls() { # with_tls [LINE...]: the configuration
	collector_config "$(printf '[tls]\ncert = %s\nkey = %s' "$T/server.pem" "$T/server.key")" "$@"
	URL=https://127.0.0.1:$COLLECTOR_PORT
}
collector_ready() {
	curl -fsS -m 5 -o /dev/null --cacert "$T/ca.pem" "$URL/readyz"
}
session() { # session NAME HOST: with that certificate (none: -); sets CODE
	local show=()
	[ "$1" = - ] || show=(--cert "$1.pem" --key "$1.key")
	http POST /v1/session --cacert ca.pem "${show[@]}" --data-binary "{\"host\":\"$2\",\"machine\":\"x\"}"
}

with_tls
start_collector
session - web-01
expect_equal "TLS on loopback ($BODY)" 200 "$CODE"
curl -sS -m 5 --cacert other.pem "$URL/healthz" >/dev/null 2>&1 && fail 'another CA vouches for the collector'
curl -sS -m 5 "http://127.0.0.1:$COLLECTOR_PORT/healthz" >/dev/null 2>&1 && fail 'plain HTTP is answered'
curl -sS -m 5 --cacert ca.pem --tls-max 1.1 "$URL/healthz" >/dev/null 2>&1 && fail 'TLS 1.1 is spoken'
pin=$(sed -n "s/.*pin is \(sha256.*\)/\1/p" collector.err | tail -n 1)
curl -fsS -m 5 --insecure --pinnedpubkey "$pin" "$URL/healthz" >/dev/null || fail "the pin $pin is not the key's"
collector status | grep -q '^state *ready' || fail 'status over TLS'

# A new certificate for new connections; one that lives goes on with the old.
ERR_NAME=keep start perl -e '
	open my $s, "|-", "openssl s_client -quiet -connect 127.0.0.1:$ARGV[0] 2>/dev/null >$ARGV[1]" or die;
	$s->autoflush;
	sub ask { print $s "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" }
	ask(); select undef, undef, undef, 0.05 until -e "$ARGV[1].go";
	ask(); select undef, undef, undef, 0.05 while 1' "$COLLECTOR_PORT" "$T/kept"
kept_pid=$PID
wait_until 20 "grep -q alive $T/kept"
old_pin=$pin
certificate server ca /CN=logs subjectAltName=IP:127.0.0.1,DNS:localhost
kill -HUP "$COLLECTOR_PID"
wait_until 20 "! curl -fsS -m 5 --insecure --pinnedpubkey '$old_pin' '$URL/healthz'"
collector_ready || fail 'after the reload'
: >"$T/kept.go"
wait_until 20 "[ \$(grep -c alive $T/kept) = 2 ]"
kill9 "$kept_pid"

# A key that does not belong to the certificate: said, and all stays as it was.
cp server.key good.key
cp web-01.key server.key
kill -HUP "$COLLECTOR_PID"
wait_until 20 "grep -q 'the old configuration goes on' $T/collector.err"
collector_ready || fail 'after a reload that failed'
cp good.key server.key

# Client certificates: the name is the host.
with_tls "client_ca = $T/ca.pem"
kill -HUP "$COLLECTOR_PID"
wait_until 20 "session - web-01; [ \$CODE = 401 ]"
session web-01 web-01
expect_equal "its own name ($BODY)" 200 "$CODE"
session web-01 web-02
expect_equal "another name ($BODY)" 403 "$CODE"
session named web-01.example.org
expect_equal "an alternative name ($BODY)" 200 "$CODE"
session named ignored
expect_equal "the common name beside alternative ones ($BODY)" 403 "$CODE"
session stranger web-01
expect_equal "another CA's ($BODY)" 401 "$CODE"
collector_ready || fail 'health needs no certificate'
stop "$COLLECTOR_PID"

# Beyond loopback: not without TLS, not without knowing who talks, unless told to; and then it is said.
refuses() { # refuses WHAT LINE...
	local code=0 what=$1
	shift
	config_with "[collector]
listen = 0.0.0.0:0
data_dir = $DATA" '[collector]' "$@" >open.conf
	timeout 20 "$HAUL_BIN/haul-collector" -c open.conf >out 2>said || code=$?
	expect_equal "$what ($(cat said))" 78 "$code"
	grep -qF 'beyond loopback' said || fail "$what: $(cat said)"
}
refuses 'neither'
refuses 'TLS without tokens' "$(printf '[auth]\ntokens_file = %s\n[tls]\ncert = %s\nkey = %s' "$T/none" "$T/server.pem" \
	"$T/server.key")"
collector_config "listen = 0.0.0.0:$COLLECTOR_PORT" 'insecure = yes'
URL=http://127.0.0.1:$COLLECTOR_PORT
collector_ready() {
	curl -fsS -m 5 -o /dev/null "$URL/readyz"
}
start_collector
grep -q 'insecure = yes' collector.err || fail 'insecure = yes is not said'
stop "$COLLECTOR_PID"
with_tls "client_ca = $T/ca.pem"
sed -i 's/^listen = .*/listen = 0.0.0.0:'"$COLLECTOR_PORT/" collector.conf
collector_ready() {
	curl -fsS -m 5 -o /dev/null --cacert "$T/ca.pem" "$URL/readyz"
}
start_collector
session web-01 web-01
expect_equal "to the world, with certificates ($BODY)" 200 "$CODE"
stop "$COLLECTOR_PID"
