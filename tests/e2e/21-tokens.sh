#!/bin/bash
# Tokens: made, listed and revoked by command, in force at once, bound to hosts.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/wire.sh"
need_programs haul-collector

collector() {
	"$HAUL_BIN/haul-collector" -c "$T/collector.conf" "$@" 2>>"$T/command.err"
}

start_collector "$(printf '[auth]\ntokens_file = %s' "$T/tokens")"
write_lines "$T/source" 1 10
payload_of "$T/source" >"$T/payload"
source_chunk "$T/source" 0 "$(wc -c <"$T/source")" "$T/payload" stream="$(stream_id)" >"$T/chunk"

session_with() { # session_with TOKEN HOST: sets CODE
	http POST /v1/session -H "Authorization: Bearer $1" --data-binary "{\"host\":\"$2\",\"machine\":\"e2e-$2\"}"
}

# Without any, this machine may send.
open_session web-01
post_batch "$T/chunk"
expect_equal "a batch before there are tokens ($BODY)" 200 "$CODE"

add_token() { # add_token HOSTS: the token of the join string
	collector token add "$1" | sed "s/.*[?&]token=\\([^&]*\\).*/\\1/"
}
token=$(add_token web-01)
relay=$(add_token "db-*")
expect_equal 'mode of the tokens file' 600 "$(stat -c %a "$T/tokens")"
! grep -qF "${token:21}" "$T/tokens" || fail 'the secret stands in the tokens file'
expect_match 'the list' 'db-\*' "$(collector token list)"
! collector token list | grep -qF "$token" || fail 'the list shows a token'

post_batch "$T/chunk"
expect_equal "without a token ($BODY)" 401 "$CODE"
grep -qi '^Haul-Protocol: 1' "$HEADERS" || fail '401 without Haul-Protocol'
post_batch "$T/chunk" -H "Authorization: Bearer $token"
expect_equal "with one ($BODY)" 200 "$CODE"
post_batch "$T/chunk" -H "Authorization: Bearer ${token%?}0"
[ "${token%?}0" = "$token" ] || expect_equal "with another ($BODY)" 401 "$CODE"
post_batch "$T/chunk" -H "Authorization: Bearer $relay"
expect_equal "with another host's ($BODY)" 403 "$CODE"
session_with "$token" db-01
expect_equal "a session for another host ($BODY)" 403 "$CODE"
session_with "$relay" db-01
expect_equal "a relay's session ($BODY)" 200 "$CODE"
http GET '/v1/streams?host=web-01' -H "Authorization: Bearer $relay"
expect_equal "another host's streams ($BODY)" 403 "$CODE"
http GET '/v1/streams?host=web-01' -H "Authorization: Bearer $token"
expect_equal "its own ($BODY)" 200 "$CODE"
http GET /healthz
expect_equal 'health needs none' 200 "$CODE"
http GET /metrics
expect_equal 'nor do metrics on this machine' 200 "$CODE"
http GET /metrics -H 'X-Forwarded-For: 10.1.2.3'
expect_equal 'but through a proxy' 401 "$CODE"
http GET /metrics -H 'X-Forwarded-For: 10.1.2.3' -H "Authorization: Bearer $relay"
expect_equal 'with a token' 200 "$CODE"
collector status | grep -q web-01 || fail 'status does not show the host'
collector status --json | grep -q '"host":"web-01"' || fail 'status --json does not'

# Changed and revoked without a restart.
second=$(add_token web-01)
collector token revoke 'db-*'
post_batch "$T/chunk" -H "Authorization: Bearer $second"
expect_equal "the second token ($BODY)" 200 "$CODE"
session_with "$relay" db-01
expect_equal "a revoked one ($BODY)" 401 "$CODE"
collector token revoke web-01
session_with "$token" web-01
[ "$CODE" = 200 ] || expect_equal "after the last is gone ($BODY)" 200 "$CODE"
code=0
collector token revoke web-01 || code=$?
expect_equal 'revoking what is not there' 1 "$code"
code=0
collector token add 'no/host' || code=$?
expect_equal 'a token for no host' 1 "$code"
code=0
collector token || code=$?
expect_equal 'token without a word' 2 "$code"

# A damaged file is said, and what was known stays in force.
token=$(add_token web-01)
post_batch "$T/chunk" -H "Authorization: Bearer $token"
expect_equal 'a session that is over' 409 "$CODE"
session_with "$token" web-01
SESSION=$(sed -n 's/.*"session":\([0-9]*\).*/\1/p' "$T/body")
post_batch "$T/chunk" -H "Authorization: Bearer $token"
expect_equal "before the damage ($BODY)" 200 "$CODE"
cp "$T/tokens" "$T/tokens.good"
echo 'web-01 rubbish' >>"$T/tokens"
post_batch "$T/chunk" -H "Authorization: Bearer $token"
expect_equal "a damaged tokens file ($BODY)" 200 "$CODE"
post_batch "$T/chunk"
expect_equal "a damaged tokens file lets nobody in ($BODY)" 401 "$CODE"
line=$(wc -l <"$T/tokens")
wait_until 10 "grep -qF '$T/tokens:$line:' $T/collector.err"
cp "$T/tokens" "$T/tokens.bad"
code=0
collector check >"$T/out" || code=$?
expect_equal 'check with a damaged tokens file' 78 "$code"
stop "$COLLECTOR_PID"
