#!/bin/bash
# What the two programs say of themselves: health, readiness, metrics, status.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

mkdir "$T/log"
start_collector
http GET /healthz
expect_equal 'healthz' 200 "$CODE"
http GET /readyz
expect_equal 'readyz' 200 "$CODE"
http GET /nothing
expect_equal 'an unknown path' 404 "$CODE"
http DELETE /v1/batches
expect_equal 'an unknown method' 405 "$CODE"

write_lines "$T/log/app.log" 1 1000
start_agent web-01 "$(input app "$T/log/*.log")"
expect_exactly_once "$T/log/app.log" app

# page URL PREFIX: Prometheus text: each name has HELP and TYPE, begins with the prefix, has one value.
page() {
	curl -fsS -D "$T/page.headers" "$1/metrics" >"$T/page"
	grep -qi '^content-type: text/plain; version=0.0.4' "$T/page.headers" || fail "$1: content type"
	awk -v prefix="$2" '
		/^# HELP / { help[$3] = NF > 3; next }
		/^# TYPE / { type[$3] = $4; if ($4 == "counter" && $3 !~ /_total$/) bad($3 ": a counter without _total"); next }
		/^#/ { bad("a comment: " $0); next }
		{ name = $1; sub(/{.*/, "", name)
		  if (name !~ "^" prefix) bad(name ": no prefix")
		  if (!(name in type) || !help[name]) bad(name ": without HELP or TYPE")
		  if ($NF !~ /^[-+0-9.eE]+$/) bad($0)
		  n++ }
		function bad(what) { print what; failed = 1 }
		END { if (!n) bad("no metrics"); exit failed }' "$T/page" || fail "metrics of $1"
}
# Every metric stands in the manual page, and every one of the manual is there.
documented() { # documented MANUAL PREFIX
	sed -n "s/^\.It Cm \($2[a-z0-9_]*\).*/\1/p" "$ROOT/man/$1" | sort -u >"$T/documented"
	sed -n 's/^# TYPE \([a-z0-9_]*\) .*/\1/p' "$T/page" | sort >"$T/shown"
	diff "$T/documented" "$T/shown" || fail "$1 and the page differ"
}
page "$URL" haul_collector_
documented haul-collector.8 haul_collector_
page "$AGENT_URL" haul_agent_
documented haul-agent.8 haul_agent_
if command -v promtool >/dev/null; then
	for url in "$URL" "$AGENT_URL"; do
		curl -fsS "$url/metrics" | promtool check metrics >"$T/said" 2>&1 || fail "promtool: $(cat "$T/said")"
	done
else
	note 'skipped: promtool is not installed'
fi
[ "$(metric "$URL" haul_collector_lines_total)" = 1000 ] || fail "haul_collector_lines_total: $(metric "$URL" haul_collector_lines_total)"
[ "$(metric "$AGENT_URL" haul_agent_lines_total)" = 1000 ] || fail "haul_agent_lines_total: $(metric "$AGENT_URL" haul_agent_lines_total)"

size=$(stat -c %s "$T/log/app.log")
"$HAUL_BIN/haul-agent" status -c "$T/web-01.conf" >"$T/status"
grep -F "$T/log/app.log" "$T/status" | grep -q "$size/$size" || fail "status: $(cat "$T/status")"
"$HAUL_BIN/haul-agent" status --json -c "$T/web-01.conf" >"$T/status.json"
grep -qF "\"$T/log/app.log\"" "$T/status.json" || fail "status --json: $(cat "$T/status.json")"
"$HAUL_BIN/haul-collector" status -c "$T/collector.conf" >"$T/status"
[ -s "$T/status" ] || fail 'haul-collector status is empty'

"$HAUL_BIN/haul-agent" check -c "$T/web-01.conf" >"$T/check"
grep -qF "$T/log/app.log" "$T/check" || fail "check does not say what is followed: $(cat "$T/check")"
"$HAUL_BIN/haul-agent" explain -c "$T/web-01.conf" "$T/log/app.log" >"$T/explain" || fail 'explain'
grep -q app "$T/explain" || fail "explain: $(cat "$T/explain")"

stop "$AGENT_PID"
code=0
"$HAUL_BIN/haul-agent" status -c "$T/web-01.conf" >"$T/out" 2>"$T/said" || code=$?
expect_equal 'status without an agent' 1 "$code"
[ -s "$T/said" ] || fail 'status without an agent says nothing'
stop "$COLLECTOR_PID"
