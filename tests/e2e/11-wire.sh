#!/bin/bash
# The wire protocol, spoken by hand: a malformed batch gets 400 with a reason and changes nothing; verdicts
# on good ones are those of compare-and-append.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/wire.sh"
need_programs haul-collector

start_collector 'max_batch = 1M'
open_session web-01
id=$(stream_id)
write_lines "$T/source" 1 100
payload_of "$T/source" >"$T/payload"
size=$(wc -c <"$T/source")
half=$(head -n 50 "$T/source" | wc -c)
head -n 50 "$T/payload" >"$T/first"
tail -n 50 "$T/payload" >"$T/second"
good=(stream="$id")

tree() { # everything that a reader sees
	find "$DATA" -path "$DATA/.haul" -prune -o -type f -printf '%P %s\n' | sort
}

verdict() { # the status of the only chunk, offset, checksum
	sed -n 's/.*"status":"\([a-z]*\)","offset":\([0-9]*\),"crc":"\([0-9a-f]*\)".*/\1 \2 \3/p' "$T/body"
}

send() { # send WHAT WANTED-CODE FILE
	post_batch "$3"
	expect_equal "$1 ($BODY)" "$2" "$CODE"
}

malformed() { # malformed WHAT < BODY: 400, a reason in words, nothing taken
	cat >"$T/bad"
	send "$1" 400 "$T/bad"
	[ -n "$BODY" ] || fail "$1: 400 without a reason"
	expect_equal "$1: the archive" "$before" "$(tree)"
}

source_chunk "$T/source" 0 "$half" "$T/first" "${good[@]}" >"$T/chunk1"
source_chunk "$T/source" "$half" "$size" "$T/second" "${good[@]}" >"$T/chunk2"
before=$(tree)

# Nothing of a batch is taken when any of it is malformed, also not the good chunk before.
{ cat "$T/chunk1"; echo 'not a header'; } | malformed 'a header that is not JSON'
{ cat "$T/chunk1"; header "${good[@]}" bytes=10; } | malformed 'fewer bytes than the header says'
{ cat "$T/chunk1"; printf '{"stream":"%s"' "$id"; } | malformed 'a header without an end'
{ cat "$T/chunk1"; header "${good[@]}" "note=$(head -c 9000 /dev/zero | tr '\0' x)" ; } | malformed 'a header of 9,000 bytes'
header "${good[@]}" from=10 to=5 start=0 | malformed 'a range that runs backwards'
header "${good[@]}" stream=ABC | malformed 'a stream that is not an id'
header "${good[@]}" 'lines:="many"' | malformed 'a number that is a string'
header "${good[@]}" crc=xyz | malformed 'a checksum that is not one'
header "${good[@]}" to=99999999999999999999999 | malformed 'a number beyond 64 bits'
header "${good[@]}" bytes=-1 | malformed 'a negative length'
header "${good[@]}" bytes=18446744073709551615 | malformed 'a length of 2^64 - 1'
printf '{"stream":"%s","stream":"%s"}\n' "$id" "$id" | malformed 'a key twice'
printf '{}\n' | malformed 'no keys at all'
printf '\n' | malformed 'an empty line'
perl -e '$h = shift; print "$h\n" x 10001' "$(header "${good[@]}")" | malformed '10,001 chunks'

# The envelope.
printf 'no gzip' >"$T/raw"
post_body "$T/raw"
expect_equal 'a body that is not gzip' 400 "$CODE"
gzip -c "$T/chunk1" | head -c 60 >"$T/raw"
post_body "$T/raw"
expect_equal 'a gzip member cut short' 400 "$CODE"
{ gzip -c "$T/chunk1"; gzip -c "$T/chunk2"; } >"$T/raw"
post_body "$T/raw"
expect_equal 'two gzip members' 400 "$CODE"
head -c 100M /dev/zero >"$T/zeros"
post_batch "$T/zeros"
[[ $CODE = 400 || $CODE = 413 ]] || fail "a gzip bomb: $CODE"
rm "$T/zeros"
head -c 3M /dev/urandom >"$T/raw"
post_body "$T/raw"
expect_equal 'more than max_batch' 413 "$CODE"
post_batch "$T/chunk1" -H 'Content-Type: text/plain'
expect_equal 'another content type' 415 "$CODE"
http POST /v1/batches -H "Haul-Agent: $AGENT_UUID $SESSION haul-agent/e2e" --data-binary @"$T/chunk1" \
	-H 'Content-Type: application/vnd.haul.batch'
expect_equal 'without Content-Encoding' 415 "$CODE"
source_chunk "$T/source" 0 "$half" "$T/first" "${good[@]}" host=web-02 >"$T/other"
send "another host's chunk" 403 "$T/other"
expect_equal 'the archive after all that' "$before" "$(tree)"
grep -qi '^Haul-Protocol: 1' "$HEADERS" || fail 'an answer without Haul-Protocol'
grep -qiE '^Haul-Collector: [0-9a-f-]{36}' "$HEADERS" || fail 'an answer without Haul-Collector'

# Compare and append.
crc_half=$(head -c "$half" "$T/source" | crc64)
crc_all=$(crc64 <"$T/source")
send 'a chunk that overtakes the birth' 200 "$T/chunk2"
expect_match 'its verdict' '^conflict 0 ' "$(verdict)"
send 'the first chunk' 200 "$T/chunk1"
expect_equal 'its verdict' "committed $half $crc_half" "$(verdict)"
send 'the first chunk again' 200 "$T/chunk1"
expect_equal 'its verdict' "duplicate $half $crc_half" "$(verdict)"
sed 's/^line 7$/line 8/' "$T/source" >"$T/twin"
source_chunk "$T/twin" "$half" "$size" "$T/second" "${good[@]}" >"$T/chunk-twin"
send 'the same place in another file' 200 "$T/chunk-twin"
expect_equal 'its verdict' "conflict $half $crc_half" "$(verdict)"
source_chunk "$T/source" 10 "$size" "$T/second" "${good[@]}" >"$T/overlap"
send 'a chunk that overlaps' 200 "$T/overlap"
expect_equal 'its verdict' "conflict $half $crc_half" "$(verdict)"
send 'the second chunk' 200 "$T/chunk2"
expect_equal 'its verdict' "committed $size $crc_all" "$(verdict)"
source_chunk "$T/source" "$size" "$size" /dev/null "${good[@]}" state=abc >"$T/state"
send 'an empty chunk that moves the state' 200 "$T/state"
expect_equal 'its verdict' "committed $size $crc_all" "$(verdict)"

# A chunk whose lines are not clean is refused, and the one beside it is taken.
other=$(stream_id)
sed '3s/line/li\x1bne/' "$T/payload" >"$T/unclean"
{
	source_chunk "$T/source" 0 "$size" "$T/unclean" stream="$other" service=unclean
	source_chunk "$T/source" 0 "$size" "$T/payload" stream="$(stream_id)" service=clean
} >"$T/mixed"
send 'an unclean chunk beside a clean one' 200 "$T/mixed"
expect_match 'the verdicts' '"status":"refused".*"error":.*"status":"committed"' "$BODY"
source_chunk "$T/source" 0 "$size" "$T/payload" stream="$other" service=../../etc >"$T/escape"
send 'a service that is a path' 200 "$T/escape"
expect_match 'its verdict' '"status":"refused"' "$BODY"

# What the collector knows of the host.
http GET '/v1/streams?host=web-01' -H "Haul-Agent: $AGENT_UUID $SESSION haul-agent/e2e"
expect_equal 'the list of streams' 200 "$CODE"
expect_match 'our stream in it' "\"stream\":\"$id\"[^}]*\"offset\":$size,\"crc\":\"$crc_all\",\"state\":\"abc\"" "$BODY"
expect_equal 'rows' 2 "$(wc -l <"$T/body")"

# A new session: the old one's batches are not judged any more.
old=$SESSION
open_session web-01
((SESSION > old)) || fail "session $SESSION after $old"
SESSION=$old send 'a batch of an older session' 409 "$T/chunk1"

expect_exactly_once "$T/source" app
expect_exactly_once "$T/source" clean
expect_equal 'unclean lines' 0 "$(count_on_disk unclean)"
[ ! -e "$T/etc" ] || fail 'a service name left the data directory'

# And all that is durable.
kill9 "$COLLECTOR_PID"
start_collector
compare_lines "$T/source" app
compare_lines "$T/source" clean
open_session web-01
send 'the second chunk after the crash' 200 "$T/chunk2"
expect_equal 'its verdict' "duplicate $size $crc_all" "$(verdict)"
stop "$COLLECTOR_PID"
