#!/bin/bash
# Days that are older than max_age go when the configuration says so, services on hold stay; and with a disk
# that is low and on_full = expire the oldest day goes and batches are taken again.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector haul
away_from_midnight

if [ "$(id -u)" = 0 ] && mkdir "$DATA" && mount -t tmpfs -o size=96m tmpfs "$DATA" 2>/dev/null; then
	mounted=1
else
	note 'not root: the part with a full disk is left out'
fi
mkdir "$T/log"
day_ago() {
	date -u -d "$1 days ago" +%F
}
# dated FILE DAY N: lines that bear a time of that day.
dated() {
	seq -f "${2}T08:00:00.123Z line %.0f of this day" 1 "$3" >>"$1"
}
six=$(day_ago 6) four=$(day_ago 4) two=$(day_ago 2)
for service in app audit; do
	for day in "$six" "$four" "$two"; do
		dated "$T/log/$service.log" "$day" 2000
	done
done
basic=('seal_after = 1s' 'min_free = 8M')
start_collector "${basic[@]}"
start_agent web-01 "$(input all "$T/log/*.log" 'service = {stem}')"
wait_count 60 6000 app
wait_count 60 6000 audit
there() { # there SERVICE DAY
	[ -e "$DATA/$2/$1" ]
}
sealed() {
	[ "$(find "$DATA" -name 'web-01.*.log.zst' | wc -l)" -eq 6 ] && [ -z "$(find "$DATA" -path "$DATA/2*" -name '*.log')" ]
}
closed() { # a checkpoint, and one more when the files were not quiet for long enough
	stop "$COLLECTOR_PID"
	start_collector
	try_until 10 sealed
}
wait_until 120 closed
expect_exactly_once "$T/log/app.log" app

collector_config "${basic[@]}" '[retention]' 'max_age = 5d' '[retention aud*]' 'hold = yes'
kill -HUP "$COLLECTOR_PID"
wait_until 60 "! there app $six"
wait_until 60 '[ "$(metric "$URL" haul_collector_retention_deleted_segments_total)" = 1 ]'
there app "$four" && there app "$two" && there audit "$six" || fail 'too much is gone'
"$HAUL_BIN/haul" --data-dir "$DATA" verify >"$T/report" || fail "what retention took is missed: $(cat "$T/report")"
grep -q "retention: $six of app is deleted" "$T/collector.err" || fail 'nothing was said'

if [ -n "${mounted-}" ]; then
	collector_config "${basic[@]}" 'on_full = expire' '[retention]' 'max_age = 5d' '[retention aud*]' 'hold = yes'
	kill -HUP "$COLLECTOR_PID"
	free=$(df -B1 --output=avail "$DATA" | tail -n 1)
	fallocate -l $((free - 7000000)) "$DATA/.haul/fill"
	wait_until 60 "! there app $four"
	rm "$DATA/.haul/fill"
	wait_until 60 collector_ready
	there audit "$six" && there audit "$four" || fail 'what is on hold is gone'
fi
lines=$(count_on_disk audit)
expect_equal 'on hold' 6000 "$lines"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
