#!/bin/bash
# haul grep over live, closed and sealed files finds what grep finds in the same lines, in the order that sort
# gives them, however many threads search.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul
need zstd gzip

archive=$ROOT/tests/lib/archive.pl
haul=("$HAUL_BIN/haul" --data-dir "$DATA")
perl "$archive" make "$DATA" "$SEED" "$((6000 * TORTURE))"
perl "$archive" cat "$DATA" | LC_ALL=C sort -s -k1,1 >"$T/all"

# same WHAT GREP-OPTION... -- HAUL-OPTION...: the same lines in the same order.
same() {
	local what=$1 grep_options=()
	shift
	while [ "$1" != -- ]; do
		grep_options+=("$1")
		shift
	done
	shift
	LC_ALL=C.UTF-8 grep -a "${grep_options[@]}" "$T/all" >"$T/expected" || true
	"${haul[@]}" grep --no-events "$@" >"$T/found" || true
	cmp -s "$T/expected" "$T/found" ||
		fail "$what: $(diff "$T/expected" "$T/found" | head -n 6 | cut -c 1-150)"
}

for threads in 1 2 7; do
	export HAUL_THREADS=$threads
	same 'everything' '' -- ''
	same 'an id' -F id-00123 -- -F id-00123
	same 'a rare string' -F 'number 777"' -- -F 'number 777"'
	same 'nothing' -F 'no such text' -- -F 'no such text'
	same 'an expression' -P 'level":"(error|warn)".*"n":\d*7\b' -- 'level":"(error|warn)".*"n":\d*7\b'
	same 'an alternation' -P 'token|cache' -- 'token|cache'
	same 'without a string to look for' -P '\d{3} ms$' -- '\d{3} ms$'
	same 'anchors' -P '^2026-11-21T00:00:0[1-3]' -- '^2026-11-21T00:00:0[1-3]'
	same 'characters that are not ASCII' -P 'F é .x' -- 'F é .x'
	same 'no case' -iF 'ERROR' -- -iF 'ERROR'
	same 'no case, expression' -iP 'LEVEL=(ERROR|WARN)' -- -i 'LEVEL=(ERROR|WARN)'
	same 'not matching' -vF 'id-' -- -vF 'id-'
	same 'not matching an expression' -vP 'level|took' -- -v 'level|took'
	same 'long lines' -F xxxxxxxxxxxxxxxxxxxxxxxx -- -F xxxxxxxxxxxxxxxxxxxxxxxx
	same 'beginning with a minus' -Fe -000 -- -F -- -000
done
unset HAUL_THREADS

# Services, hosts, time.
same 'a service' -P '^\S+ \S+ cart(/\S+)? ' -- -s cart ''
same 'services' -P '^\S+ \S+ (cart-api|pay)(/\S+)? ' -- -s 'cart?*i' -s pay ''
same 'a host' -P '^\S+ web-01 ' -- -H web-01 ''
same 'hosts' -P '^\S+ web-01' -- -H 'web-01*' ''
same 'a day' '^2026-11-21' -- --since 2026-11-21 --until 2026-11-22 ''
awk '$1 >= "2026-11-21T00:01:00" && $1 < "2026-11-22T00:00:10.25"' "$T/all" >"$T/expected"
"${haul[@]}" grep --no-events --since 2026-11-21T00:01 --until 2026-11-22T00:00:10.25 '' >"$T/found"
cmp "$T/expected" "$T/found" || fail 'since and until'

# Counts, limits, paths.
expect_equal 'the count' "$(grep -c error "$T/all")" "$("${haul[@]}" grep -c error)"
expect_equal 'the inverted count' "$(grep -vc error "$T/all")" "$("${haul[@]}" grep -vc error)"
expect_equal 'count of nothing' 0 "$("${haul[@]}" grep -cF 'no such text' || true)"
expect_equal 'a limited count' 7 "$("${haul[@]}" grep -c -m 7 error)"
for limit in 1 5 100 100000; do
	grep -m "$limit" error "$T/all" >"$T/expected"
	"${haul[@]}" grep --no-events -m "$limit" error >"$T/found"
	cmp "$T/expected" "$T/found" || fail "-m $limit"
done
(
	cd "$DATA"
	find 2026* -type f | sort | while read -r file; do
		if case $file in
			*.zst) zstd -qdc "$file" ;;
			*.gz) gzip -dc "$file" ;;
			*) cat "$file" ;;
		esac | grep -cF 'number 77' >/dev/null; then
			echo "$file"
		fi
	done
) >"$T/expected"
"${haul[@]}" grep -lF 'number 77' >"$T/found"
cmp "$T/expected" "$T/found" || fail '-l'

# Whole events, context.
for pattern in error 'Step3\(' 'Step' other 'at com.*id-' 'id-00[12]'; do
	perl "$archive" events "$DATA" "$pattern" | LC_ALL=C sort -s -k1,1 >"$T/expected"
	"${haul[@]}" grep "$pattern" >"$T/found"
	cmp "$T/expected" "$T/found" ||
		fail "events of $pattern: $(diff "$T/expected" "$T/found" | head -n 6 | cut -c 1-150)"
done
for pattern in error 'id-001' 'Step3'; do
	for lines in '0 1' '1 0' '2 3' '40 40'; do
		read -r before after <<<"$lines"
		perl "$archive" context "$DATA" "$pattern" "$before" "$after" >"$T/expected"
		"${haul[@]}" grep --no-events -B "$before" -A "$after" "$pattern" >"$T/found"
		cmp "$T/expected" "$T/found" ||
			fail "context $lines of $pattern: $(diff "$T/expected" "$T/found" | head -n 6 | cut -c 1-150)"
	done
done
head -n 40 "$T/found" >"$T/expected"
"${haul[@]}" grep --no-events -C 40 Step3 | head -n 40 | cmp - "$T/expected" || fail '-C'

# Conditions: what jq says of the JSON lines, and the same in key=value texts.
"${haul[@]}" grep --no-events -w level=error -w 'n>=100' >"$T/found"
perl -ne 'my ($m) = (split / /, $_, 5)[4];
	print if $m =~ /^\{/ ? $m =~ /"level":"error".*"n":(\d+)/ && $1 >= 100
		: $m =~ /(?:^| )level=error .*\bn=(\d+)/ && $1 >= 100' "$T/all" >"$T/expected"
cmp "$T/expected" "$T/found" || fail "-w: $(diff "$T/expected" "$T/found" | head -n 6 | cut -c 1-150)"
[ -s "$T/found" ] || fail 'conditions that nothing fulfils'
