#!/bin/bash
# Peers that mean no good: silence, drips, lies, bombs. Each is turned away in time, and those who have something to say
# are served meanwhile.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/wire.sh"
need_programs haul-collector

start_collector 'max_batch = 1M'
open_session web-01
write_lines "$T/source" 1 100
payload_of "$T/source" >"$T/payload"
size=$(wc -c <"$T/source")

served=0
still_serves() { # a whole new stream, taken while WHAT goes on
	local id
	id=$(stream_id)
	served=$((served + 1))
	source_chunk "$T/source" 0 "$size" "$T/payload" stream="$id" service="s$served" >"$T/chunk"
	post_batch "$T/chunk"
	expect_equal "a batch during: $1 ($BODY)" 200 "$CODE"
	expect_match "its verdict during: $1" '"status":"committed"' "$BODY"
}

# raw NAME PERL: a peer of its own in the background with a socket $s; what it says goes to NAME.out. Sets PID.
raw() {
	ERR_NAME=$1 start perl -MIO::Socket::INET -MTime::HiRes=time,sleep -e '
		$| = 1;
		sub dial { IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $ENV{PEER}) }
		my $s = dial() or die "connect: $!";
		'"$2"
}
export PEER=$COLLECTOR_PORT

# A header a byte at a time, and a body that stops: both are cut off, though a byte a second comes.
raw drip 'my $t = time; $SIG{PIPE} = "IGNORE";
	syswrite $s, "POST /v1/batches HTTP/1.1\r\nX: ";
	while (time - $t < 60) { my $r = ""; vec($r, fileno($s), 1) = 1;
		if (select $r, undef, undef, 0.2) { print "cut\n" unless sysread $s, my $b, 1; exit }
		syswrite $s, "x" or do { print "cut\n"; exit } }'
drip=$PID
still_serves 'a header that drips'

# Lengths that lie: more than comes (then half a close), less than comes, one beyond all measure.
raw liar 'print $s "POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{}";
	shutdown $s, 1; my $n = sysread $s, my $b, 100; print "over\n"'
# The end that comes together with the bytes before it may be noticed only when the body has stalled for 30 s.
wait_until 90 "! alive $PID"
still_serves 'a length that lies'
raw giant 'print $s "POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n";
	sysread $s, my $b, 1000; print $b'
wait_until 30 "! alive $PID"
raw large 'print $s "POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n";
	sysread $s, my $b, 1000; print $b'
wait_until 30 "! alive $PID"
expect_match '413 without reading the body' '^HTTP/1.1 413' "$(head -n 1 "$T/large.out")"
raw headers 'print $s "GET /healthz HTTP/1.1\r\nHost: x\r\n";
	for (1 .. 5000) { print $s "X-$_: ", "y" x 100, "\r\n" or last } print $s "\r\n"; sysread $s, my $b, 1000; print $b'
wait_until 30 "! alive $PID"
! grep -q ' 200 ' "$T/headers.out" || fail 'half a megabyte of headers was read'
still_serves 'headers without an end'

# Bombs and what looks like gzip.
head -c 60M /dev/zero | gzip -9 >"$T/bomb"
post_body "$T/bomb"
expect_equal "a bomb ($BODY)" 413 "$CODE"
: | gzip >"$T/empty"
for ((i = 0; i < 1000; i++)); do cat "$T/empty"; done >"$T/members"
post_body "$T/members"
expect_equal "1,000 members ($BODY)" 400 "$CODE"
head -c 1000 /dev/urandom >"$T/noise"
post_body "$T/noise"
[[ $CODE = 400 || $CODE = 413 ]] || fail "noise: $CODE $BODY"
still_serves 'bombs'

# A client that waits for a word is told before it sends.
head -c 2M /dev/zero >"$T/big"
http POST /v1/batches -H 'Expect: 100-continue' -H 'Content-Type: application/vnd.haul.batch' \
	-H 'Content-Encoding: gzip' -H "Haul-Agent: $AGENT_UUID $SESSION haul-agent/e2e" --data-binary @"$T/big" \
	--expect100-timeout 20
expect_equal 'too much, asked first' 413 "$CODE"
http POST /v1/batches -H 'Expect: 100-continue' -H 'Content-Type: application/vnd.haul.batch' \
	-H 'Content-Encoding: gzip' -H "Haul-Agent: $AGENT_UUID $SESSION haul-agent/e2e" \
	--data-binary @"$T/batch.gz" --expect100-timeout 20
expect_equal "a batch, asked first ($BODY)" 200 "$CODE"

# Names that want to be paths.
for host in ../../etc/passwd '' .hidden web/01 "$(head -c 300 /dev/zero | tr '\0' a)" web.0001 wéb 'a b'; do
	http POST /v1/session --data-binary "{\"host\":\"$host\",\"machine\":\"x\"}"
	expect_equal "host '$host' ($BODY)" 400 "$CODE"
done
http POST /v1/session --data-binary '{"host":"web\u0000","machine":"x"}'
expect_equal "a host with a NUL ($BODY)" 400 "$CODE"

# Thousands who say nothing.
crowd=10000
(($(ulimit -Hn) > crowd + 100)) 2>/dev/null || [ "$(ulimit -Hn)" = unlimited ] || crowd=$(($(ulimit -Hn) - 100))
ulimit -n $((crowd + 100))
raw crowd 'my @all = ($s); push @all, dial() // () while @all < '$crowd' && time - $^T < 60;
	print "there\n"; sleep 0.2 while 1'
wait_until 90 "grep -q there '$T/crowd.out'"
still_serves "$crowd connections that say nothing"
still_serves 'the same, again'
kill9 "$PID"

wait_until 60 "! alive $drip"
expect_equal 'the header that dripped' cut "$(cat "$T/drip.out")"
still_serves 'all that'
for ((i = 1; i <= served; i++)); do
	expect_exactly_once "$T/source" "s$i"
done
stop "$COLLECTOR_PID"
