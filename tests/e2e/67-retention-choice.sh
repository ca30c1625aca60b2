#!/bin/bash
# What goes is what the dry run said: the most specific section of a service decides, whole days go first, what is on hold
# stays, and each deletion is told with service, day and bytes. A late line makes a new segment beside the sealed one.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector haul
need gzip
away_from_midnight

day_ago() {
	date -u -d "$1 days ago" +%F
}
# sealed SERVICE DAYS_AGO: two sealed segments of that day, some 100 KB that hardly compress.
sealed() {
	local day n
	day=$(day_ago "$2")
	mkdir -p "$DATA/$day/$1"
	for n in 1 2; do
		perl -e 'srand $ARGV[0]; printf "%sT12:00:00.%06dZ web-01 %s F line %d %s\n", $ARGV[1], $_, $ARGV[2], $_,
			join "", map { chr 48 + rand 74 } 1 .. 90 for 1 .. 700' "$2$n" "$day" "$1" | tr '\134' / |
			gzip >"$DATA/$day/$1/web-01.000$n.log.gz"
	done
}
for service in app audit-db audit-web big kept; do
	for days in 50 40 25 10; do
		sealed "$service" "$days"
	done
done
bytes=$(cat "$DATA/$(day_ago 25)/big/"* "$DATA/$(day_ago 10)/big/"* | wc -c)
retention=('[retention]' 'max_age = 30d' '[retention audit-*]' 'max_age = 45d' '[retention audit-web]' 'max_age = 20d'
	'[retention aud*]' 'max_age = 5d' '[retention big]' 'max_age =' "max_bytes = $((bytes + 1000))"
	'[retention ke*]' 'max_age = 1d' 'hold = yes')
listing() {
	(cd "$DATA" && find . -mindepth 3 -name 'web-01.*' -not -path './.haul/*' -not -path './today/*' | sort)
}
gone() { # gone SERVICE DAYS_AGO...: the paths that are to go
	local days
	for days in "${@:2}"; do
		printf './%s/%s/web-01.000%d.log.gz\n' "$(day_ago "$days")" "$1" 1 "$(day_ago "$days")" "$1" 2
	done
}
listing >"$T/before"
{
	gone app 50 40
	gone audit-db 50
	gone audit-web 50 40 25
	gone big 50 40
} | sort >"$T/wanted"

collector_config 'seal = gzip' 'seal_after = 1s' "${retention[@]}"
"$HAUL_BIN/haul-collector" retain --dry-run -c "$T/collector.conf" >"$T/dry" || fail 'retain --dry-run'
listing | cmp - "$T/before" || fail 'the dry run deletes'
expect_equal 'rows of the dry run' 9 "$(wc -l <"$T/dry")"
while read -r path; do
	IFS=/ read -r _ day service _ <<<"$path"
	grep -q "^$day  $service  *2 segments" "$T/dry" || fail "the dry run has no $day $service: $(cat "$T/dry")"
done <"$T/wanted"
expect_match 'the sum' '^16 segments, ' "$(tail -n 1 "$T/dry")"

start_collector 'seal = gzip' 'seal_after = 1s' "${retention[@]}"
left() {
	listing | cmp -s - <(comm -23 "$T/before" "$T/wanted")
}
wait_until 60 left
wait_until 30 '[ "$(metric "$URL" haul_collector_retention_deleted_segments_total)" = 16 ]'
sed -n 's/.*retention: \([-0-9]*\) of \([^ ]*\) is deleted: \([0-9]*\) bytes in \([0-9]*\) segments, \(.*\)/\1 \2 \4 \3 \5/p' \
	"$T/collector.err" | sort >"$T/told"
sed -n 's/^\(2[-0-9]*\)  \([^ ]*\) *\([0-9]*\) segments *\([0-9]*\) bytes  \(.*\)/\1 \2 \3 \4 \5/p' "$T/dry" | sort |
	cmp - "$T/told" || fail "told is $(cat "$T/told"), not $(cat "$T/dry")"

# A late line.
old=$(day_ago 10)
sha256sum "$DATA/$old/app/"* >"$T/sums"
mkdir "$T/log"
printf '%sT09:00:00.5Z a late line of that day\n' "$old" "$old" >"$T/log/app.log"
start_agent web-01 "$(input app "$T/log/*.log")"
wait_until 30 "grep -qs 'a late line' '$DATA/$old/app/web-01.log'"
stop "$AGENT_PID"
resealed() {
	stop "$COLLECTOR_PID" # its last checkpoint closes what is over and quiet
	start_collector 'seal = gzip' 'seal_after = 1s' "${retention[@]}"
	try_until 10 "[ -e '$DATA/$old/app/web-01.0003.log.gz' ] && [ ! -e '$DATA/$old/app/web-01.0003.log' ]"
}
wait_until 60 resealed
sha256sum -c --quiet "$T/sums" || fail 'a late line changes what was sealed'
expect_equal 'late lines' 2 "$(zcat "$DATA/$old/app/web-01.0003.log.gz" | grep -c 'a late line')"
