#!/bin/bash
# Lines that are not whole, or too long: a line whose LF comes after a restart, one that never gets it because
# the file goes, ten megabytes in one line, and the hole that a writer without O_APPEND leaves behind a truncation.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

mkdir "$T/log"
start_collector
start_agent web-01 "$(input app "$T/log/*.log")"

# "abc", agent restarted, "def\n".
printf 'first\nabc' >"$T/log/half.log"
wait_count 30 1 half
for part in def ghi; do
	stop "$AGENT_PID"
	start_agent web-01
	printf '%s' "$part" >>"$T/log/half.log"
	write_lines "$T/log/tick.log" 1 1 "$part"
	wait_until 30 "messages tick | grep -q $part"
done
kill9 "$AGENT_PID"
start_agent web-01
printf '\nlast\n' >>"$T/log/half.log"
printf 'first\nabcdefghi\nlast\n' >"$T/half"
expect_exactly_once "$T/half" half
expect_equal 'flags of half' $'Fr\nFr\nFr' "$(lines_on_disk half | awk '{ print $4 }')"

# Ten megabytes between two short ones: pieces, and with a restart between them.
perl -e 'srand 3; print "before\n"; print join("", map { chr(97 + rand 26) } 1 .. 10 << 20), "\nafter\n"' >"$T/long"
head -c 4500000 "$T/long" >"$T/log/long.log"
wait_count 30 3 long
kill9 "$AGENT_PID"
start_agent web-01
tail -c +4500001 "$T/long" >>"$T/log/long.log"
wait_until 60 "lines_on_disk long | tail -n 1 | grep -q ' after$'"
joined() { # pieces and the line that they lead to
	lines_on_disk "$1" | perl -ne '
		my (undef, undef, undef, $flags, $message) = split / /, $_, 5;
		chomp $message if $flags =~ /^P/;
		print $message'
}
joined long | cmp - "$T/long"
pieces=$(lines_on_disk long | awk '$4 ~ /^P/' | wc -l)
((pieces >= 9 && pieces <= 11)) || fail "$pieces pieces of the long line"
lines=$(count_on_disk long)
stop "$AGENT_PID"
start_agent web-01
write_lines "$T/log/long.log" 1 1 more
wait_count 30 $((lines + 1)) long
echo 'more 1' >>"$T/long"
joined long | cmp - "$T/long"
note "ten megabytes in $pieces pieces: exact"

# A hole of a gigabyte: the line behind it once, and nobody's memory grows with it.
exec 5>"$T/log/hole.log"
seq -f 'before %.0f' 1 100 >&5
wait_count 30 100 hole
truncate -s 0 "$T/log/hole.log"
perl -e '
	open my $f, "+<", $ARGV[0] or die "$ARGV[0]: $!";
	seek $f, 1 << 30, 0;
	syswrite $f, join "", map { "after $_\n" } 1 .. 100' "$T/log/hole.log"
exec 5>&-
{
	seq -f 'before %.0f' 1 100
	seq -f 'after %.0f' 1 100
} >"$T/hole"
expect_exactly_once "$T/hole" hole
wait_until 30 "grep -q 'hole.log: a hole of 1073741824 bytes' $T/web-01.err"
rss=$(awk '/^VmHWM/ { print $2 }' "/proc/$AGENT_PID/status")
note "a hole of a gigabyte: exact; the agent's largest size: $rss KiB"
case $HAUL_BIN in
*/release) ((rss < 100 * 1024)) || fail "the agent took $rss KiB" ;;
esac

# "abc" with no LF, file unlinked: it comes as a piece, when nobody writes it any more.
printf 'whole\nabc' >"$T/log/cut.log"
wait_count 30 1 cut
rm "$T/log/cut.log"
wait_count 120 2 cut
expect_match 'the unfinished line' ' Pr? abc$' "$(line_of cut 2)"
wait_until 30 "! holds $AGENT_PID '(deleted)'"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
compare_lines "$T/half" half
compare_lines "$T/hole" hole
