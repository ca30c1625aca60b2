#!/bin/bash
# Reading an archive while its files are appended to, closed, sealed and deleted: every search has each line
# that was there when it began, once; the order is right; and nothing that happens is trouble.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul
need zstd gzip

archive=$ROOT/tests/lib/archive.pl
haul=("$HAUL_BIN/haul" --data-dir "$DATA")
mkdir "$DATA"
: >"$T/copy"
start perl "$archive" churn "$DATA" "$SEED" "$((30000 * TORTURE))" "$T/copy"
churn=$PID

searches=0
while alive "$churn"; do
	# Lines that were there before the search began; the last may have been on its way.
	before=$(wc -l <"$T/copy")
	"${haul[@]}" grep -F ' line ' >"$T/found" 2>"$T/messages" || [ "$before" = 0 ] ||
		fail "exit $?: $(cat "$T/messages")"
	[ ! -s "$T/messages" ] || fail "it said: $(head -n 3 "$T/messages")"
	LC_ALL=C sort -c -s -k1,1 "$T/found" 2>/dev/null || fail 'not in order of time'
	awk '{ print $6 }' "$T/found" | sort -n >"$T/numbers"
	uniq -d "$T/numbers" | head -n 1 | grep . && fail 'a line is there twice'
	awk -v before="$before" '$1 <= before' "$T/numbers" | wc -l >"$T/seen"
	expect_equal 'lines that were there before' "$before" "$(cat "$T/seen")"
	searches=$((searches + 1))
done
wait "$churn" || fail "the writer failed: $(tail -n 3 "$T/perl.err")"
forget "$churn"
[ "$searches" -ge 3 ] || fail "only $searches searches"

# Retention takes days away under a search: what is left comes, without a word.
start bash -c "while [ -e '$DATA/2026-11-22' ]; do rm -rf '$DATA/2026-11-21' '$DATA/2026-11-22'; done"
remover=$PID
while alive "$remover"; do
	"${haul[@]}" grep -c -F ' line ' >/dev/null 2>"$T/messages" || [ $? = 1 ] || fail "exit: $(cat "$T/messages")"
	[ ! -s "$T/messages" ] || fail "it said: $(head -n 3 "$T/messages")"
done
wait "$remover"
forget "$remover"
expect_equal 'days left' 2026-11-23 "$("${haul[@]}" ls --names days)"
