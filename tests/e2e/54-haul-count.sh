#!/bin/bash
# haul count, top, patterns and ls: their numbers are those that awk works out from the same lines.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul
need zstd gzip

archive=$ROOT/tests/lib/archive.pl
haul=("$HAUL_BIN/haul" --data-dir "$DATA")
perl "$archive" make "$DATA" "$SEED" "$((6000 * TORTURE))"
perl "$archive" cat "$DATA" >"$T/all"
lines=$(wc -l <"$T/all")

same() { # same WHAT: $T/expected and $T/found
	cmp -s "$T/expected" "$T/found" ||
		fail "$1: $(diff "$T/expected" "$T/found" | head -n 6)"
}

# values FIELD: of each line "VALUE LINE"; VALUE is - where the line has none. A message is JSON from its first
# byte on, or a text with key=value pairs.
values() {
	perl -se 'while (<STDIN>) {
		my ($message) = (split / /, $_, 5)[4];
		my ($value) = $message =~ /^\{/ ? $message =~ /"$field":"?([^",}]*)/ : $message =~ /(?:^| )$field=(\S+)/;
		print $value // "-", " $_";
	}' -- -field="$1" <"$T/all"
}

# By time.
cut -c 1-16 "$T/all" | sort | uniq -c | awk '{ print $2 ":00Z," $1 }' >"$T/expected"
"${haul[@]}" count --every 1m -o csv | sed 1d >"$T/found"
same 'a minute'
cut -c 1-13 "$T/all" | sort | uniq -c | awk '{ print $2 ":00:00Z," $1 }' >"$T/expected"
"${haul[@]}" count --every 1h -o csv | sed 1d >"$T/found"
same 'an hour'
awk '{ s = substr($1, 18, 2); print substr($1, 1, 17) sprintf("%02d", s - s % 10) "Z" }' "$T/all" | sort | uniq -c |
	awk '{ print $2 "," $1 }' >"$T/expected"
"${haul[@]}" count --every 10s -o csv | sed 1d >"$T/found"
same 'ten seconds'

# By fields: most frequent first; lines without the field have a row of their own.
values level | awk '{ n[$1]++ } END { for (l in n) print (l == "-" ? "" : l) "," n[l] }' |
	sort -t, -k2,2nr -k1,1 >"$T/expected"
"${haul[@]}" count --by level -o csv | sed 1d | sort -t, -k2,2nr -k1,1 >"$T/found"
same 'by level'
"${haul[@]}" count --by level -o csv | sed 1d | sort -c -t, -k2,2nr || fail 'not in order of counts'
values level | awk '$1 == "error" { split($4, s, "/"); n[substr($2, 1, 16) ":00Z," s[1]]++ }
	END { for (k in n) print k "," n[k] }' | sort >"$T/expected"
"${haul[@]}" count -w level=error --by service --every 1m -o csv | sed 1d | sort >"$T/found"
same 'errors by service and minute'
expect_equal 'the sum of an automatic table' "$lines" \
	"$("${haul[@]}" count | awk 'NR > 1 { n += $2 } END { print n }')"
expect_equal 'as JSON' "$lines" "$("${haul[@]}" count --by host -o json | perl -ne '/"count":(\d+)/ and $n += $1; END { print $n }')"
expect_equal 'a pattern' "$(grep -c token "$T/all")" \
	"$("${haul[@]}" count --by host token -o csv | sed 1d | awk -F, '{ n += $2 } END { print n }')"

# The most frequent values, exactly.
values request_id | awk '$1 != "-" { n[$1]++ } END { for (v in n) print n[v], v }' | sort -k1,1nr -k2,2 |
	awk 'NR <= 10 { print $2 "," $1 }' >"$T/expected"
"${haul[@]}" top request_id -o csv | sed 1d | cut -d, -f1,2 >"$T/found"
same 'top'
expect_equal 'rows of top' 3 "$("${haul[@]}" top -m 3 request_id -o csv | sed 1d | wc -l)"

# Patterns: the counts add up to the number of lines.
"${haul[@]}" patterns -o csv >"$T/found"
expect_equal 'the sum of patterns' "$lines" "$(sed 1d "$T/found" | awk -F, '{ n += $1 } END { print n }')"
grep -q ',error,<\*> number <num>$' "$T/found" || fail "no such pattern: $(head "$T/found")"
expect_equal 'errors only' "$(values level | grep -c '^error ')" \
	"$("${haul[@]}" patterns -w level=error -o csv | sed 1d | awk -F, '{ n += $1 } END { print n }')"
mkdir -p "$DATA/2026-11-23/cart"
echo '2026-11-23T00:00:00.000000Z web cart F never seen 5 times before' >"$DATA/2026-11-23/cart/web.log"
echo '2026-11-23T00:00:00.000000Z web cart F {"level":"info","msg":"retry number 8"}' >>"$DATA/2026-11-23/cart/web.log"
expect_equal 'new patterns' 'never seen <num> times before' \
	"$("${haul[@]}" patterns --new-since 2026-11-23 -o csv | sed 1d | cut -d, -f6)"
rm -r "$DATA/2026-11-23"

# What there is.
awk '{ split($3, s, "/"); k = substr($1, 1, 10) "," s[1] "," $2; n[k]++; b[k] += length($0) + 1
	if (!(k in f) || $1 < f[k]) f[k] = $1
	if ($1 > l[k]) l[k] = $1 }
	END { for (k in n) print k "," n[k] "," b[k] "," f[k] "," l[k] }' "$T/all" | sort >"$T/expected"
"${haul[@]}" ls -o csv | sed 1d | cut -d, -f1-5,7- | sort >"$T/found"
same 'ls'
expect_equal 'bytes on disk' "$(find "$DATA"/2026* -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')" \
	"$("${haul[@]}" ls --by day -o csv | sed 1d | awk -F, '{ n += $4 } END { print n }')"
expect_equal 'services' 'cart cart-api cart.v2 pay' "$("${haul[@]}" ls --names services | xargs)"
expect_equal 'hosts' 'web web-01 web-01.a' "$("${haul[@]}" ls --names hosts | xargs)"
expect_equal 'by service' "$(awk '{ split($3, s, "/"); n[s[1]]++ } END { print n["pay"] }' "$T/all")" \
	"$("${haul[@]}" ls --by service -o csv | awk -F, '$1 == "pay" { print $2 }')"

# A name that no line has is an error that says what there is.
for command in 'count --by lvl' 'top lvl' 'grep -w lvl=error'; do
	code=0
	# shellcheck disable=SC2086
	"${haul[@]}" $command >"$T/found" 2>"$T/messages" || code=$?
	expect_equal "$command: exit code" 2 "$code"
	expect_match "$command" "no line has a field 'lvl'; there are .*level" "$(cat "$T/messages")"
	expect_equal "$command: output" '' "$(cat "$T/found")"
done
