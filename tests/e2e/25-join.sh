#!/bin/bash
# From nothing to an encrypted pair: init and token add on the log server, join on the host. And what must not happen:
# a join that goes wrong changes nothing.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

collector() {
	"$HAUL_BIN/haul-collector" -c "$T/collector.conf" "$@" 2>>"$T/command.err"
}
collector_ready() {
	curl -fsS -m 5 -o /dev/null --cacert "$T/tls/ca.pem" "https://127.0.0.1:$COLLECTOR_PORT/readyz"
}
join() { # join STRING [FILE]: sets CODE and SAID
	CODE=0
	"$HAUL_BIN/haul-agent" join -c "${2:-$T/agent.conf}" "$1" 2>"$T/join.err" || CODE=$?
	SAID=$(cat "$T/join.err")
}
refused() { # refused WHAT CODE REGEX STRING [FILE]: and nothing has changed, and the secret is not told
	join "${@:4}"
	expect_equal "$1 ($SAID)" "$2" "$CODE"
	expect_match "$1" "$3" "$SAID"
	! grep -qE 'haul_[0-9a-f]{64}' "$T/join.err" || fail "$1: the token is told: $SAID"
	find "$T" -path "$T/*.conf.d*" -printf '%P %i %m\n' | sort >"$T/now"
	cmp -s "$T/before" "$T/now" || fail "$1 has left something behind: $(diff "$T/before" "$T/now")"
}
remember() {
	find "$T" -path "$T/*.conf.d*" -printf '%P %i %m\n' | sort >"$T/before"
}
written() { # written KEY: of the drop-in
	sed -n "s/^$1 = //p" "$T/agent.conf.d/collector.conf"
}

# --- the log server, which listens on one address: that is a name of the certificate, and what is advertised

collector_config "$(printf '[auth]\ntokens_file = %s' "$T/tokens")"
collector init
for key in ca.key key.pem; do
	expect_equal "mode of $key" 600 "$(stat -c %a "$T/tls/$key")"
done
code=0
collector init 127.0.0.1 || code=$?
expect_equal 'init a second time' 1 "$code"
grep -q "init was here" "$T/command.err" || fail "it does not say so"
string=$(collector token add web-01)
expect_match 'the join string' "^haul://127.0.0.1:$COLLECTOR_PORT\?host=web-01&token=haul_[0-9a-f]{64}&pin=[A-Za-z0-9_-]{43}$" \
	"$string"

# --- the host

free_port
cat >"$T/agent.conf" <<CONF
[agent]
state_dir = $T/state
listen = 127.0.0.1:$PORT
[input app]
path = $T/logs/*.log
CONF
remember
refused 'a collector that is not there' 1 'cannot be reached' "$string"
start_collector
refused 'another key' 1 'pin|key' "${string%&pin=*}&pin=$(printf 'A%.0s' {1..43})"
refused 'no key, and a private authority' 1 'cannot be reached' "${string%&pin=*}"
unknown() { # STRING: the same with another token
	[ "${1/haul_??/haul_00}" = "$1" ] && echo "${1/haul_00/haul_ff}" || echo "${1/haul_??/haul_00}"
}
refused 'an unknown token' 1 'does not know this token' "$(unknown "$string")"
refused 'not a join string' 2 'does not begin with haul://' https://127.0.0.1
refused 'a string that the shell has cut' 2 'cut' "${string%%&*}"
refused 'a pin that was cut' 2 'pin' "${string%????}"
other=$(collector token add 'db-*')
refused 'a token for others' 1 'the token is for db-\*' "$other"
if [ "$(id -u)" != 0 ]; then
	mkdir "$T/shut.conf.d" && chmod 555 "$T/shut.conf.d"
	cp "$T/agent.conf" "$T/shut.conf"
	remember
	refused 'a directory that cannot be written' 1 'nothing has changed' "$string" "$T/shut.conf"
fi

join "  $string"$'\n'
expect_equal "join ($SAID)" 0 "$CODE"
expect_equal 'mode of the token' 600 "$(stat -c %a "$(written token_file)")"
expect_equal 'its address' "https://127.0.0.1:$COLLECTOR_PORT" "$(written url)"
expect_equal 'its host' web-01 "$(written host)"
"$HAUL_BIN/haul-agent" check -c "$T/agent.conf" >"$T/checked" 2>&1 || fail "check after join: $(cat "$T/checked")"

write_lines "$T/logs/app.log" 1 1000
ERR_NAME=agent start "$HAUL_BIN/haul-agent" -c "$T/agent.conf"
AGENT_PID=$PID
expect_exactly_once "$T/logs/app.log" app web-01

# --- again: by stdin, with a new token; the old one goes, the agent goes on

remember
refused 'a host that the token is not for' 1 'the token is for db' "$other"
second=$(collector token add web-01)
old=$(written token_file)
CODE=0
"$HAUL_BIN/haul-agent" join -c "$T/agent.conf" - <<<"$second" 2>"$T/join.err" || CODE=$?
expect_equal "a second join ($(cat "$T/join.err"))" 0 "$CODE"
[ ! -e "$old" ] || fail 'the token of the first join is still there'
expect_equal 'token files' 1 "$(find "$T/agent.conf.d" -name '*.token' | wc -l)"
kill -HUP "$AGENT_PID"
salt=${string#*token=haul_}
salt=${salt:0:16}
sed -i "/ $salt /d" "$T/tokens"
write_lines "$T/logs/app.log" 1001 2000
expect_exactly_once "$T/logs/app.log" app web-01

# --- a certificate anew, for the same key: agents notice nothing

names() { # of the certificate; the same text each time without openssl
	! command -v openssl >/dev/null || openssl x509 -in "$T/tls/cert.pem" -noout -ext subjectAltName
}
names=$(names)
expect_match 'its names' '^$|IP Address:127.0.0.1, DNS:' "$names"
collector init --renew
kill -HUP "$COLLECTOR_PID"
wait_until 20 "grep -q 'is read again' $T/collector.err"
write_lines "$T/logs/app.log" 2001 2100
expect_exactly_once "$T/logs/app.log" app web-01
expect_equal 'its names' "$names" "$(names)"

# --- what the configuration says elsewhere of a collector makes way, and no other line is touched

cp "$T/agent.conf" "$T/plain.conf"
printf '[collector]\nurl = http://127.0.0.1:1\n\thttp://127.0.0.1:2\nbatch_delay = 100ms\nca_file = /none\n' >>"$T/plain.conf"
remember
refused 'a wrong token' 1 'does not know this token' "$(unknown "$second")" "$T/plain.conf"
join "$second" "$T/plain.conf"
expect_equal "join where a collector is configured ($SAID)" 0 "$CODE"
expect_match 'it is said' 'plain.conf: what it said of another collector is a comment now' "$SAID"
expect_equal 'the configuration' "$(cat "$T/agent.conf")
[collector]
# url = http://127.0.0.1:1
# 	http://127.0.0.1:2
batch_delay = 100ms
# ca_file = /none" "$(cat "$T/plain.conf")"
"$HAUL_BIN/haul-agent" check -c "$T/plain.conf" >"$T/checked" 2>&1 || fail "check after join: $(cat "$T/checked")"

# --- to another collector: what the first has stays there, the files begin anew at the second

first_port=$COLLECTOR_PORT first_pid=$COLLECTOR_PID
mkdir "$T/second"
free_port
sed "s|$COLLECTOR_PORT|$PORT|; s|$DATA|$T/second/data|; s|$T/tokens|$T/second/tokens|" "$T/collector.conf" \
	>"$T/second/collector.conf"
code=0
"$HAUL_BIN/haul-collector" -c "$T/second/collector.conf" init 127.0.0.1 2>>"$T/command.err" || code=$?
expect_equal 'init of a second one' 0 "$code"
moved=$("$HAUL_BIN/haul-collector" -c "$T/second/collector.conf" token add web-01 2>>"$T/command.err")
ERR_NAME=second start "$HAUL_BIN/haul-collector" -c "$T/second/collector.conf"
second_pid=$PID
wait_until 60 "curl -fsS -m 5 --cacert $T/second/tls/ca.pem https://127.0.0.1:$PORT/readyz"
join "$moved"
expect_equal "join at another collector ($SAID)" 0 "$CODE"
kill -HUP "$AGENT_PID"
write_lines "$T/logs/app.log" 2101 2200
DATA=$T/second/data
expect_exactly_once "$T/logs/app.log" app web-01
grep -q 'moves from collector' "$T/agent.err" || fail 'the move is not said'
stop "$AGENT_PID"
stop "$second_pid"
stop "$first_pid"
note "joined at $first_port, then at $PORT"
