#!/bin/bash
# Segments that are full are sealed while lines come in: every tool that reads .zst reads them, the lines are
# those that were written, once; the index finds an id; and without the index the answers are the same.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector haul
need zstd zstdgrep
away_from_midnight

mkdir "$T/log"
start_collector 'segment_bytes = 1M'
start_agent web-01 "$(input app "$T/log/*.log")"
for ((i = 0; i < 4; i++)); do
	write_lines "$T/log/app.log" $((i * 12000 + 1)) $((i * 12000 + 12000)) 'a line of some length with id=8f14e45f-ceea-467f-a3c4-5d2a: number'
	wait_count 60 $((i * 12000 + 12000)) app
	stop "$COLLECTOR_PID" # its last checkpoint closes what is full
	start_collector
done
sealed() {
	find "$DATA" -name 'web-01.*.log.zst' | sort
}
wait_until 60 '[ "$(sealed | wc -l)" -ge 3 ]'
wait_until 60 '[ -z "$(find "$DATA" -name "web-01.[0-9]*.log")" ]'
expect_exactly_once "$T/log/app.log" app
[ ! -e "$DATA/.haul/sealing.tmp" ] || fail 'the temporary file is left over'

first=$(sealed | head -n 1)
zstd -tq "$first" || fail 'zstd -t'
zstdcat "$first" >"$T/plain"
[ "$(grep -c ' web-01 app Fr ' "$T/plain")" = "$(wc -l <"$T/plain")" ] || fail 'zstdcat'
zstdgrep -c ' web-01 app Fr ' "$first" >"$T/count"
[ "$(cat "$T/count")" -gt 1000 ] || fail "zstdgrep: $(cat "$T/count")"
if command -v rg >/dev/null; then
	expect_equal 'rg -z' "$(cat "$T/count")" "$(rg -zc ' web-01 app Fr ' "$first")"
fi
[ "$(stat -c %a "$first")" = 640 ] || fail "mode $(stat -c %a "$first")"

wait_until 30 '[ -n "$(find "$DATA/.haul/index" -name "*.parts")" ]'
needle='number 11111'
"$HAUL_BIN/haul" --data-dir "$DATA" grep -F "$needle" >"$T/indexed"
[ -s "$T/indexed" ] || fail 'nothing found'
expect_equal 'waiting' 0 "$(metric "$URL" haul_collector_seal_waiting_segments)"
[ "$(metric "$URL" haul_collector_sealed_segments_total)" -ge 1 ] || [ "$(metric "$URL" haul_collector_archive_segments)" -ge 3 ] ||
	fail 'metrics of the archive'
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
rm -r "$DATA/.haul/index"
"$HAUL_BIN/haul" --data-dir "$DATA" grep -F "$needle" | cmp - "$T/indexed" || fail 'the index changes the answer'

# A lost index is made again, and gzip is the other form.
collector_config 'segment_bytes = 1M' 'seal = gzip'
start_collector
wait_until 60 '[ -n "$(find "$DATA/.haul/index" -name "*.parts")" ]'
start_agent web-01 "$(input app "$T/log/*.log")"
write_lines "$T/log/app.log" 48001 64000 'a line of some length with id=8f14e45f-ceea-467f-a3c4-5d2a: number'
wait_count 60 64000 app
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
start_collector
wait_until 60 '[ -n "$(find "$DATA" -name "web-01.*.log.gz")" ]'
wait_until 60 '[ -z "$(find "$DATA" -name "web-01.[0-9]*.log")" ]'
packed=$(find "$DATA" -name 'web-01.*.log.gz' | head -n 1)
gzip -t "$packed" || fail 'gzip -t'
zcat "$packed" >"$T/plain"
[ "$(grep -c ' web-01 app Fr ' "$T/plain")" = "$(wc -l <"$T/plain")" ] || fail 'zcat'
expect_equal 'zgrep' "$(wc -l <"$T/plain")" "$(zgrep -c ' web-01 app Fr ' "$packed")"
compare_lines "$T/log/app.log" app
"$HAUL_BIN/haul" --data-dir "$DATA" grep -F 'number 55555' >"$T/found"
expect_equal 'a line in a member' 1 "$(wc -l <"$T/found")"

# The index can be made anew while the collector runs.
"$HAUL_BIN/haul-collector" reindex -c "$T/collector.conf" 2>"$T/said"
grep -q 'that runs' "$T/said" || fail "reindex: $(cat "$T/said")"
wait_until 60 '[ ! -e "$DATA/.haul/reindex" ]'
[ -n "$(find "$DATA/.haul/index" -name '*.parts')" ] || fail 'no index after reindex'
"$HAUL_BIN/haul" --data-dir "$DATA" grep -F 'number 55555' | cmp - "$T/found" || fail 'reindex changes the answer'

# Retention: a day that is over its age goes, one that is on hold stays.
old=$(date -u -d '40 days ago' +%F)
"$HAUL_BIN/haul-collector" retain --dry-run -c "$T/collector.conf" >"$T/retain"
expect_match 'nothing to delete' '^0 segments' "$(tail -n 1 "$T/retain")"
stop "$COLLECTOR_PID"
for service in app audit-app; do
	mkdir -p "$DATA/$old/$service"
	gzip -c "$T/log/app.log" >"$DATA/$old/$service/web-01.0001.log.gz"
done
collector_config '[retention]' 'max_age = 30d' '[retention audit-*]' 'hold = yes'
"$HAUL_BIN/haul-collector" retain --dry-run -c "$T/collector.conf" >"$T/retain"
expect_match 'the old day' "^$old  app .* 1 segments .*older than max_age" "$(head -n 1 "$T/retain")"
expect_match 'the sum' '^1 segments, ' "$(tail -n 1 "$T/retain")"
