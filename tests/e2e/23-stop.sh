#!/bin/bash
# SIGTERM: what is in flight is finished and stands on the disk; what stands still does not hold the end up.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/wire.sh"
need_programs haul-collector

start_collector
export PEER=$COLLECTOR_PORT
write_lines "$T/source" 1 2000
payload_of "$T/source" >"$T/payload"
open_session web-01
source_chunk "$T/source" 0 "$(wc -c <"$T/source")" "$T/payload" stream="$(stream_id)" >"$T/chunk"
gzip -c "$T/chunk" >"$T/batch.gz"

# peer NAME PART: sends the batch but for its last bytes, and them when NAME.go appears. The answer goes to NAME.out.
peer() {
	ERR_NAME=$1 start perl -MIO::Socket::INET -e '
		my ($name, $file, $agent) = @ARGV;
		open my $f, "<:raw", $file or die; local $/; my $body = <$f>;
		my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $ENV{PEER}) or die "connect: $!";
		print $s "POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Type: application/vnd.haul.batch\r\n",
			"Content-Encoding: gzip\r\nHaul-Agent: $agent\r\nContent-Length: ", length $body, "\r\n\r\n",
			substr $body, 0, -10;
		$s->flush;
		open my $sent, ">", "$name.sent"; close $sent;
		select undef, undef, undef, 0.02 until -e "$name.go";
		print $s substr $body, -10;
		print while <$s>;' "$T/$1" "$T/batch.gz" "$AGENT_UUID $SESSION haul-agent/e2e"
	wait_until 20 "[ -e $T/$1.sent ]"
}

in_flight() {
	[ "$(metric "$URL" haul_collector_http_requests_in_flight)" = "$1" ]
}

peer slow
slow=$PID
wait_until 20 in_flight 2 # it and the one that asks
kill -TERM "$COLLECTOR_PID"
wait_until 20 "! curl -sS -m 5 '$URL/healthz'" # nobody else gets in
: >"$T/slow.go"
wait_until 20 "! alive $slow"
expect_match 'the batch that was under way' '"status":"committed"' "$(tail -n 1 "$T/slow.out")"
wait_until 20 "! alive $COLLECTOR_PID"
code=0
wait "$COLLECTOR_PID" || code=$?
forget "$COLLECTOR_PID"
expect_equal 'exit' 0 "$code"

start_collector
expect_exactly_once "$T/source" app
open_session web-01
peer stuck
wait_until 20 in_flight 2
began=$(now_ms)
stop "$COLLECTOR_PID"
took=$(($(now_ms) - began))
((took < 12000)) || fail "the end took $took ms"
[ ! -s "$T/stuck.out" ] || fail "who never ended got an answer: $(cat "$T/stuck.out")"

# Two on one folder, and on one port.
start_collector
other_port=$COLLECTOR_PORT
sed "s/^listen = .*/listen = 127.0.0.1:0/" "$T/collector.conf" >"$T/second.conf"
code=0
timeout 60 "$HAUL_BIN/haul-collector" -c "$T/second.conf" >"$T/out" 2>"$T/said" || code=$?
expect_equal "a second collector on the same folder ($(cat "$T/said"))" 1 "$code"
grep -qF "$DATA" "$T/said" || fail "which folder? $(cat "$T/said")"
sed "s|^data_dir = .*|data_dir = $T/data2|" "$T/collector.conf" >"$T/second.conf"
code=0
timeout 60 "$HAUL_BIN/haul-collector" -c "$T/second.conf" >"$T/out" 2>"$T/said" || code=$?
expect_equal "a second collector on the same port ($(cat "$T/said"))" 1 "$code"
grep -qF "127.0.0.1:$other_port" "$T/said" || fail "which port? $(cat "$T/said")"
stop "$COLLECTOR_PID"

# Port 0 is any, and said.
sed "s/^listen = .*/listen = 127.0.0.1:0/" "$T/collector.conf" >"$T/second.conf"
ERR_NAME=any start "$HAUL_BIN/haul-collector" -c "$T/second.conf"
any=$PID
wait_until 30 "grep -q 'listening on 127.0.0.1:[1-9]' $T/any.err"
URL=http://$(sed -n 's/.*listening on \(127[0-9.:]*\).*/\1/p' "$T/any.err")
http GET /readyz
expect_equal 'any port' 200 "$CODE"
stop "$any"
