#!/bin/bash
# Names that want to be paths, numbers that want to overflow, another's stream, a planted link: each is turned away, and
# nothing appears where it should not.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/wire.sh"
need_programs haul-collector

start_collector
open_session web-01
write_lines "$T/source" 1 20
payload_of "$T/source" >"$T/payload"
size=$(wc -c <"$T/source")
lines_below() { # everything below the data directory that a reader sees
	find "$DATA" -path "$DATA/.haul" -prune -o -type f -print | sort
}
chunk() { # chunk KEY=VALUE...: a good one but for that
	source_chunk "$T/source" 0 "$size" "$T/payload" stream="$(stream_id)" "$@"
}
refused() { # refused WHAT KEY=VALUE...: as a chunk (200 and a verdict), or as a whole (400)
	local what=$1
	shift
	chunk "$@" >"$T/chunk"
	post_batch "$T/chunk"
	case $CODE in
	200) expect_match "$what" '"status":"refused"' "$BODY" ;;
	400) ;;
	*) fail "$what: $CODE $BODY" ;;
	esac
}

# Names: of services, instances; JSON escapes spell them, too. Each as a chunk, so that others of its batch are taken.
long=$(head -c 300 /dev/zero | tr '\0' a)
for name in ../../etc/x .. . .haul today/x / 'a b' "$long" wéb аpp 'a\u0000b' 'a\u002fb' '\u002e\u002e' 'a\\b' -rf '*'; do
	refused "service $name" service="$name"
	expect_equal "service $name" 200 "$CODE"
	refused "instance $name" instance="$name"
	expect_equal "instance $name" 200 "$CODE"
done
refused 'no service' service=
chunk host=../web-01 >"$T/chunk"
post_batch "$T/chunk"
expect_equal "a host that is a path ($BODY)" 403 "$CODE"
before=$(lines_below)
expect_equal 'files' '' "$before"
[ -z "$(find "$T" -name x -o -name etc)" ] || fail 'a name has become a path'

# Numbers.
for from in 9223372036854775808 18446744073709551616 -1 1e3 0x10 '"0"' 1.0 99999999999999999999999; do
	refused "from $from" from:="$from" to:="$from" lines=0 bytes=0
done
refused 'to before from' from=10 to=5
refused 'to of 2^63' to=9223372036854775808
refused 'more lines than come' lines=1000000
refused 'more bytes than come' bytes=1000000
refused 'bytes of 2^64 - 1' bytes=18446744073709551615

# Chunks that overlap within a batch, and the same bytes twice.
id=$(stream_id)
half=$(head -n 10 "$T/source" | wc -c)
head -n 10 "$T/payload" >"$T/first"
tail -n +6 "$T/payload" >"$T/over"
{
	source_chunk "$T/source" 0 "$half" "$T/first" stream="$id"
	source_chunk "$T/source" "$(head -n 5 "$T/source" | wc -c)" "$size" "$T/over" stream="$id"
	source_chunk "$T/source" 0 "$half" "$T/first" stream="$id"
} >"$T/batch"
post_batch "$T/batch"
expect_match 'overlapping chunks' 'committed.*conflict.*duplicate' "$BODY"
tail -n +11 "$T/payload" >"$T/second"
source_chunk "$T/source" "$half" "$size" "$T/second" stream="$id" >"$T/chunk"
post_batch "$T/chunk"
expect_match 'the rest' '"status":"committed"' "$BODY"
expect_exactly_once "$T/source" app

# A million chunks, in a body that is small.
header from=0 to=0 stream="$(stream_id)" | perl -e '$_ = <>; print $_ x 20000 for 1 .. 50' | gzip -1 >"$T/million"
post_body "$T/million"
[[ $CODE = 400 || $CODE = 413 ]] || fail "a million chunks: $CODE $BODY"

# Another host's stream: under the same id it is another stream, and of what it has nobody hears.
stream_of_web=$id
open_session db-01
source_chunk "$T/source" "$half" "$size" "$T/second" host=db-01 stream="$stream_of_web" >"$T/chunk"
post_batch "$T/chunk"
expect_match "another host's stream" '"status":"conflict","offset":0' "$BODY"
source_chunk "$T/source" 0 "$half" "$T/first" host=web-01 stream="$stream_of_web" >"$T/chunk"
post_batch "$T/chunk"
expect_equal "another host's chunk ($BODY)" 403 "$CODE"
http GET '/v1/streams?host=db-01'
! grep -qF "$stream_of_web" "$T/body" || fail "another host's stream is listed"
compare_lines "$T/source" app

# A link where the service's directory would be: not followed, but put aside, and said; nothing waits for it.
mkdir "$T/elsewhere"
open_session web-01
day=$(date -u -d '2 days ago' +%F)
mkdir -p "$DATA/$day"
ln -s "$T/elsewhere" "$DATA/$day/linked"
PAYLOAD_TIME=${day}T12:00:00.000000Z payload_of "$T/source" >"$T/past"
source_chunk "$T/source" 0 "$size" "$T/past" stream="$(stream_id)" service=linked >"$T/chunk"
post_batch "$T/chunk"
expect_match 'the batch' '"status":"committed"' "$BODY"
wait_count 60 20 linked
expect_equal 'what was written through the link' '' "$(ls -A "$T/elsewhere")"
compare_lines "$T/source" linked
[ -n "$(find "$DATA/.haul/quarantine" -type l -lname "$T/elsewhere")" ] || fail 'the link is not put aside'
grep -q "$day/linked.*quarantine" "$T/collector.err" || fail 'nothing is said of the link'
collector_ready || fail 'the collector is not ready'
stop "$COLLECTOR_PID"
