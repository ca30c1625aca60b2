#!/bin/bash
# haul trace: all lines and whole events of one id over services, hosts and days, with gaps, the services in order
# of first appearance, and the ids beside it when asked.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul

haul=("$HAUL_BIN/haul" --data-dir "$DATA")

line() { # line TIME HOST SERVICE FLAGS MESSAGE
	mkdir -p "$DATA/${1%T*}/$3"
	printf '%s %s %s %s %s\n' "$1" "$2" "$3" "$4" "$5" >>"$DATA/${1%T*}/$3/$2.log"
}

line 2026-11-21T23:59:59.900000Z web-01 gateway F '{"level":"info","request_id":"r-4711","trace_id":"t-000099"}'
line 2026-11-21T23:59:59.950000Z web-02 gateway F '{"level":"info","request_id":"r-4712"}'
line 2026-11-22T00:00:00.100000Z web-02 checkout F '{"level":"info","request_id":"r-4711"}'
line 2026-11-22T00:00:02.600000Z web-02 checkout F 'java.lang.IllegalState'
line 2026-11-22T00:00:02.600000Z web-02 checkout + '  at Checkout.pay r-4711'
line 2026-11-22T00:00:02.600000Z web-02 checkout + '  at Checkout.run'
line 2026-11-22T00:00:02.700000Z web-03 payment F 'level=error msg="declined" request_id=r-4711'
line 2026-11-22T00:00:03.000000Z web-04 mail F '{"level":"info","trace_id":"t-000099","request_id":"r-9999"}'
line 2026-11-22T00:00:04.000000Z web-04 audit F 'request_id=r-9999 done'

"${haul[@]}" trace r-4711 >"$T/story"
grep -v '^#' "$T/story" >"$T/lines"
grep -h '' "$DATA"/*/*/*.log | LC_ALL=C sort -s -k1,1 | grep -e r-4711 -e 'IllegalState' -e 'Checkout.run' >"$T/expected"
cmp "$T/expected" "$T/lines" || fail "the lines: $(cat "$T/lines")"
expect_match 'the slowest gap' '# \+2\.500 s \(the slowest gap\), \+2\.700 s since the start' "$(cat "$T/story")"
expect_match 'the sum' '# 6 lines, 1 errors, 3 services, 3 hosts, 2\.800 s, slowest gap 2\.500 s' "$(cat "$T/story")"
expect_equal 'the services in order' 'gateway checkout payment' \
	"$(sed -n '/^# service/,$p' "$T/story" | sed 1d | awk '{ print $2 }' | xargs)"
expect_match 'when payment came in' '# payment +\+2\.800 s +1 +1 +web-03' "$(cat "$T/story")"

"${haul[@]}" trace --no-events r-4711 | grep -v '^#' >"$T/lines"
grep r-4711 "$T/expected" | cmp - "$T/lines" || fail 'single lines'
expect_equal 'lines of JSON' 6 "$("${haul[@]}" trace -o json r-4711 | grep -c '^{"time"')"
expect_equal 'followed ids' 8 "$("${haul[@]}" trace --follow-ids r-4711 | grep -vc '^#')"
"${haul[@]}" trace --follow-ids r-4711 | grep -q r-4712 && fail 'another request'
expect_equal 'chosen services' 1 "$("${haul[@]}" trace -s pay\* r-4711 | grep -vc '^#')"

code=0
"${haul[@]}" trace no-such-id >"$T/story" || code=$?
expect_equal 'exit code of nothing' 1 "$code"
expect_equal 'output of nothing' '' "$(cat "$T/story")"
