#!/bin/bash
# haul tail shows every line once: of shards that are there and that appear, past midnight, through closing and
# sealing, by events and by polling; whole events, the last lines first, and it ends when nobody reads.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul
need zstd gzip

archive=$ROOT/tests/lib/archive.pl
haul=("$HAUL_BIN/haul" --data-dir "$DATA")

tail_ended() { # by itself, with this exit code
	local code=0
	try_until 20 "! alive $TAIL" || fail 'tail goes on'
	wait "$TAIL" || code=$?
	forget "$TAIL"
	expect_equal 'exit code of tail' "$1" "$code"
}

start_tail() { # NAME ARG...: output in $T/NAME.out
	ERR_NAME=$1 start "${haul[@]}" tail "${@:2}"
	TAIL=$PID
}

line() { # line HOST SERVICE TEXT [TIME]: appended to the live file
	mkdir -p "$DATA/2026-11-22/$2"
	printf '%s %s %s %s\n' "${4:-2026-11-22T05:00:00.000000Z}" "$1" "$2" "$3" >>"$DATA/2026-11-22/$2/$1.log"
}

# Everything, while an archive comes to life.
for poll in '' 1; do
	rm -rf "$DATA"
	mkdir "$DATA"
	: >"$T/copy"
	export HAUL_POLL=$poll
	start_tail "all$poll" -n 0
	wait_until 20 "ls -l /proc/$TAIL/fd | grep -q '$DATA'"
	perl "$archive" churn "$DATA" "$SEED" "$((8000 * TORTURE))" "$T/copy"
	wait_until 30 "[ \$(wc -l <'$T/all$poll.out') -ge \$(wc -l <'$T/copy') ]"
	kill -INT "$TAIL"
	tail_ended 0
	cmp -s <(sort "$T/copy") <(sort "$T/all$poll.out") ||
		fail "not what was written: $(diff <(sort "$T/copy") <(sort "$T/all$poll.out") | head -n 4)"
done
unset HAUL_POLL

# The last lines first, of all shards, in order of time; nothing twice where they end.
rm -rf "$DATA"
mkdir "$DATA"
for i in 1 2 3 4 5 6 7 8 9; do
	line "web-$((i % 3))" cart "F old $i" "2026-11-22T05:00:0$i.000000Z"
done
start_tail backlog -n 4
wait_until 20 "[ \$(wc -l <'$T/backlog.out') = 4 ]"
line web-1 cart 'F new 1' 2026-11-22T05:01:00.000000Z
line web-7 pay 'F new 2' 2026-11-22T05:02:00.000000Z
wait_until 20 "grep -q 'new 1' '$T/backlog.out' && grep -q 'new 2' '$T/backlog.out'"
kill -INT "$TAIL"
tail_ended 0
expect_equal 'the last lines' 'old 6 old 7 old 8 old 9' \
	"$(head -n 4 "$T/backlog.out" | cut -d' ' -f5- | tr '\n' ' ' | sed 's/ $//')"
expect_equal 'lines' 6 "$(wc -l <"$T/backlog.out")"

# Since a time: all of it, sealed or not, then what comes.
zstd -q --rm "$DATA/2026-11-22/cart/web-0.log" -o "$DATA/2026-11-22/cart/web-0.0001.log.zst"
start_tail since --since 2026-11-22T05:00:05
wait_until 20 "[ \$(wc -l <'$T/since.out') = 7 ]"
line web-0 cart 'F newest' 2026-11-22T05:03:00.000000Z
wait_until 20 "grep -q newest '$T/since.out'"
kill -INT "$TAIL"
tail_ended 0
expect_equal 'the sealed ones too' 2 "$(grep -c 'web-0 cart F old [69]' "$T/since.out")"

# A pattern brings whole events, whichever line matches; -m ends it.
start_tail events -n 0 -s cart -m 3 wanted
wait_until 20 "grep -q . /proc/$TAIL/wchan"
for _ in 1 2; do # what is written before it follows is not shown; each that is shown counts for -m
	line web-1 cart 'F wanted first'
	try_until 10 "grep -q 'wanted first' '$T/events.out'" && break
done
grep -q 'wanted first' "$T/events.out" || fail 'nothing came'
line web-1 pay 'F wanted but another service' 2026-11-22T06:00:01.000000Z
line web-1 cart 'F head' 2026-11-22T06:00:02.000000Z
line web-1 cart '+  at one' 2026-11-22T06:00:02.000000Z
line web-1 cart '+  at wanted' 2026-11-22T06:00:02.000000Z
line web-1 cart '+  at three' 2026-11-22T06:00:02.000000Z
line web-1 cart 'F passed over' 2026-11-22T06:00:03.000000Z
wait_until 20 "grep -q 'at three' '$T/events.out'"
until ! alive "$TAIL"; do
	line web-2 cart 'F wanted again' 2026-11-22T06:00:04.000000Z
	try_until 1 "! alive $TAIL" || true
done
tail_ended 0
expect_equal 'the event' 'F head+  at one+  at wanted+  at three' \
	"$(grep 06:00:02 "$T/events.out" | cut -d' ' -f4- | tr -d '\n')"
grep -q -e 'passed over' -e 'another service' "$T/events.out" && fail 'too much'

# Nobody reads any more: it ends, even when nothing comes.
start bash -c "'${haul[0]}' --data-dir '$DATA' tail -n 1 | head -n 1 >/dev/null"
TAIL=$PID
tail_ended 0
