#!/bin/bash
# haul verify: what has arrived is proven while the collector runs and when it does not, by anyone who may read the
# archive; gaps and losses are told until they are repaired; damaged, missing, cut and foreign files are named.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/wire.sh"
need_programs haul-agent haul-collector haul
need sqlite3 zstd

verify() { # verify CODE [ARG...]: the report is in $T/report
	local want=$1 code=0
	shift
	"$HAUL_BIN/haul" --data-dir "$DATA" verify "$@" >"$T/report" 2>"$T/said" || code=$?
	[ "$code" = "$want" ] || fail "verify $*: exit $code instead of $want: $(cat "$T/said" "$T/report")"
}

told() { # told REGEX: a line of the report
	grep -qE -- "$1" "$T/report" || fail "no '$1' in: $(cat "$T/report")"
}

crc_of() {
	head -c "$2" "$1" | crc64
}

mkdir "$T/log"
start_collector 'segment_bytes = 1M'
verify 0 # nothing is complete
start_agent web-01 "$(input app "$T/log/*.log")"
write_lines "$T/log/app.log" 1 3000 'a line of some length, so that a segment is soon full: number'
write_lines "$T/log/small.log" 1 10
wait_count 60 3000 app
wait_count 60 10 small
size=$(stat -c %s "$T/log/app.log")

# While it runs, and as of the last answer.
verify 0
told "^web-01 $T/log/app.log \(app\): complete"
told "bytes 0 to $size proven, crc $(crc_of "$T/log/app.log" "$size"); 3000 lines; live"
told '^complete: 2 log files of 1 hosts'
write_lines "$T/log/small.log" 11 11
wait_count 60 11 small
verify 0 --path "$T/log/s*"
told '11 lines; live'
[ "$(grep -c '^web-01 ' "$T/report")" = 1 ] || fail "--path: $(cat "$T/report")"
verify 1 --path /nowhere
verify 0 -H 'db-*'
told '^complete: 0 log files'

# Without the right to write, and by nobody in particular.
if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --regid 0 --clear-groups "$HAUL_BIN/haul" --version >/dev/null 2>&1; then
	chmod 755 "$T"
	setpriv --reuid 65534 --regid 0 --clear-groups "$HAUL_BIN/haul" --data-dir "$DATA" verify >"$T/report" ||
		fail "as another user: $(cat "$T/report")"
	told '^complete: 2 log files'
fi

# A loss and a gap, by hand.
payload_of "$T/log/small.log" >"$T/payload"
id=$(stream_id)
open_session web-02
bytes=$(stat -c %s "$T/log/small.log")
head -n 4 "$T/log/small.log" >"$T/first"
head -n 4 "$T/payload" >"$T/first.payload"
first=$(stat -c %s "$T/first")
source_chunk "$T/log/small.log" 0 "$first" "$T/first.payload" stream="$id" host=web-02 path=/var/log/x.log service=x >"$T/batch"
tail -n +5 "$T/payload" >"$T/rest.payload"
source_chunk "$T/log/small.log" "$first" "$bytes" "$T/rest.payload" stream="$id" host=web-02 path=/var/log/x.log service=x >>"$T/batch"
header stream="$id" host=web-02 path=/var/log/x.log service=x from="$bytes" to=$((bytes + 100)) base=$((bytes + 100)) \
	crc_from="$(crc_of "$T/log/small.log" "$bytes")" loss=truncated >>"$T/batch"
post_batch "$T/batch"
expect_equal "$BODY" 200 "$CODE"
verify 1
told '^web-02 /var/log/x.log \(x\): NOT complete'
told "lost bytes $bytes to $((bytes + 100)): truncated, told 20"
told '^NOT complete: .* 1 losses \(100 bytes\)'
verify 0 --host web-01
verify 1 -o json --path /var/log/x.log
told "\"losses\":\[\{\"from\":$bytes,\"to\":$((bytes + 100)),\"cause\":\"truncated\",\"time\":\"20"
told '"type":"summary","complete":false'
expect_equal 'the metric' 1 "$(metric "$URL" haul_collector_losses_total)"

stop "$AGENT_PID"
stop "$COLLECTOR_PID"
verify 1
told 'truncated'
# A gap, as a damaged record of the log leaves one, each row with its sum.
ledger() {
	sqlite3 "$DATA/.haul/ledger.db" "$@"
}
row_sum() {
	perl -e 'print $_ eq "NULL" ? pack "CV", 1, 0 : pack("CV", 0, length) . $_ for @ARGV' "$@" | crc64
}
row=$(ledger "SELECT id FROM stream WHERE service = 'x'")
lsn=$(ledger "SELECT value + 1 FROM meta WHERE key = 'lsn'")
ledger "INSERT INTO gap VALUES ($row, 0, $first, 0, 0, NULL, 0x$(row_sum "$row" 0 "$first" 0 0 NULL));
	UPDATE meta SET value = $lsn, sum = 0x$(row_sum lsn "$lsn") WHERE key = 'lsn'"
start_collector
stop "$COLLECTOR_PID"
start_collector
verify 1
told "gap +bytes 0 to $first: "
told ' 1 gaps '
open_session web-02
source_chunk "$T/log/small.log" 0 "$first" "$T/first.payload" stream="$id" host=web-02 path=/var/log/x.log service=x repair:=true >"$T/batch"
post_batch "$T/batch"
expect_match "$BODY" committed "$BODY"
verify 1
! grep -q gap "$T/report" || fail "a gap that was repaired: $(cat "$T/report")"

# Damage. Sealed files first.
start_agent web-01
write_lines "$T/log/app.log" 3001 24000 'a line of some length, so that a segment is soon full: number'
wait_count 60 24000 app
stop "$AGENT_PID"
stop "$COLLECTOR_PID" # its last checkpoint closes what is full
start_collector
sealed() {
	find "$DATA" -name 'web-01.*.log.zst'
}
wait_until 60 '[ "$(sealed | wc -l)" -ge 1 ] && [ -z "$(find "$DATA" -name "web-01.[0-9]*.log")" ]'
verify 0 --host web-01
stop "$COLLECTOR_PID"
verify 0 --host web-01
one=$(sealed | head -n 1)
name=${one#"$DATA/"}
cp "$one" "$T/one"
perl -e 'open my $f, "+<", $ARGV[0] or die; seek $f, -s($f) / 2, 0; read $f, my $c, 1; seek $f, -s($f) / 2, 0; print $f chr(ord($c) ^ 255)' "$one"
verify 1 --host web-01
told "^damaged $name: it cannot be read from byte [0-9]+ of [0-9]+ on"
# Whole, but not what was written.
zstd -qdc "$T/one" | sed '1s/number/NUMBER/' >"$T/other"
zstd -qfo "$one" "$T/other"
verify 1 --host web-01
told "^differs $name: "
rm "$one"
verify 1 --host web-01
told "^missing $name|^missing ${name%.zst}"
cp "$T/one" "$one"
verify 0 --host web-01

# A live file that is shorter than the ledger says; one whose bytes were changed.
live=$(find "$DATA" -name 'web-01.log' -path '*/small/*' -type f)
cp "$live" "$T/live"
truncate -s -1 "$live"
verify 1
told "^short ${live#"$DATA/"}: "
sed '1s/line/LINE/' "$T/live" >"$live"
verify 1
told "^differs ${live#"$DATA/"}: "
cp "$T/live" "$live"
verify 0 --host web-01

# A file that the ledger does not know is trouble; what is no segment is nobody's business.
touch "${live%.log}.note"
verify 0 --host web-01
cp "$T/one" "${one%/*}/web-01.0077.log.zst"
verify 2 --host web-01
told '^unknown .*web-01.0077.log.zst'
rm "${one%/*}/web-01.0077.log.zst"

# No ledger at all.
rm "$DATA"/.haul/ledger-export.db "$DATA"/.haul/wal/snapshot.db
verify 2
grep -q 'copy of the ledger' "$T/said" || fail "$(cat "$T/said")"
verify 2 -o csv
