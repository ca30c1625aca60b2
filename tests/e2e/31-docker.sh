#!/bin/bash
# Docker's json-file logs as moby writes them: pieces of 16 KiB, escapes, rotation with compression in place, names
# from config.v2.json.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/container.sh"
need_programs haul-agent haul-collector haul

folder=$T/docker/containers
add_container() { # add_container ID NAME IMAGE LABEL: sets LOG
	mkdir -p "$folder/$1"
	printf '{"StreamConfig":{},"State":{"Running":true},"ID":"%s","Config":{"Hostname":"%s","Image":"%s","Labels":{"team":"%s"}},"Name":"/%s"}' \
		"$1" "${1:0:12}" "$3" "$4" "$2" >"$folder/$1/config.v2.json"
	LOG=$folder/$1/$1-json.log
}

start_collector '[retention]' 'max_age = 36500d' # the lines below are of 2026
docker_input="[input docker]
type = docker
path = $folder/*/*-json.log"
start_agent web-01 "$docker_input"

add_container "$(printf '%064d' 1)" web.1 registry/web:1 shop
cat >"$LOG" <<'END'
{"log":"plain\n","stream":"stdout","time":"2026-11-22T05:40:00.123456789Z"}
{"log":"{\"level\":\"error\",\"path\":\"C:\\\\x\",\"html\":\"\u003ca\u003e \u0026\"}\n","stream":"stderr","time":"2026-11-22T05:40:00.2Z"}
{"log":"\ud83d\ude00 \u00e4 \u001b[31mred\u001b[0m\n","stream":"stdout","attrs":{"tag":"x"},"time":"2026-11-22T05:40:00.3Z"}
{"log":"first ","stream":"stdout","time":"2026-11-22T05:40:00.4Z"}
{"log":"between\n","stream":"stderr","time":"2026-11-22T05:40:00.5Z"}
{"log":"second\n","stream":"stdout","time":"2026-11-22T05:40:00.4Z"}
END
wait_count 30 5 web.1
lines_on_disk web.1 | cmp - <(
	cat <<'END'
2026-11-22T05:40:00.123456Z web-01 web.1 F plain
2026-11-22T05:40:00.200000Z web-01 web.1 Fe {"level":"error","path":"C:\\x","html":"<a> &"}
2026-11-22T05:40:00.300000Z web-01 web.1 Fx 😀 ä \x1b[31mred\x1b[0m
2026-11-22T05:40:00.500000Z web-01 web.1 Fe between
2026-11-22T05:40:00.400000Z web-01 web.1 F first second
END
)

# One message of a MiB in pieces, byte for byte.
perl -e 'srand 1; print join("", map { chr 32 + int rand 95 } 1 .. 1048575), "\n"' >"$T/mib"
perl -e '
	local $/;
	my $text = <STDIN>;
	while (length $text) {
		my $piece = substr $text, 0, 16384, "";
		$piece =~ s/(["\\])/\\$1/g;
		$piece =~ s/([<>&])/sprintf "\\u%04x", ord $1/ge;
		$piece =~ s/\n/\\n/;
		print qq({"log":"$piece","stream":"stdout","time":"2026-11-22T05:40:01Z"}\n);
	}' <"$T/mib" >>"$LOG"
wait_count 30 6 web.1
messages web.1 | tail -n 1 | cmp - "$T/mib"

# A container that ended without an LF: what it said last is there.
printf '{"log":"panic","stream":"stderr","time":"2026-11-22T05:40:02Z"}\n' >>"$LOG"
wait_count 60 7 web.1
expect_match 'the last line' ' Pe panic$' "$(lines_on_disk web.1 | tail -n 1)"

# Under load, with rotation.
add_container "$(printf '%064d' 2)" shop registry/shop:2 shop
start_container docker "$LOG" "$T/shop" $((400 * TORTURE)) 1000000
end_container
expect_outputs "$T/shop" shop
stop "$AGENT_PID"

# A container that came while the agent was down, and whose log was rotated and compressed before anybody saw it.
add_container "$(printf '%064d' 5)" unseen registry/unseen:1 shop
unseen() { # unseen FIRST LAST
	seq -f '{"log":"unseen %.0f\n","stream":"stdout","time":"2026-11-22T05:40:00Z"}' "$1" "$2"
}
unseen 1 500 >"$LOG"
mv "$LOG" "$LOG.1"
unseen 501 1000 >"$LOG"
gzip -c "$LOG.1" >"$LOG.2.gz"
rm "$LOG.1"
mv "$LOG" "$LOG.1"
unseen 1001 1500 >"$LOG"
start_agent web-01
wait_count 60 1500 unseen
messages unseen | sort -k2n | cmp - <(seq -f 'unseen %.0f' 1 1500) || fail 'a container first seen after its rotation'
stop "$AGENT_PID"

# An engine that keeps two files, and an agent that is held up: what it deleted unread is on record, and nothing else is.
add_container "$(printf '%064d' 6)" fast registry/fast:1 shop
start_agent web-01
seq -f '{"log":"fast %.0f\n","stream":"stdout","time":"2026-11-22T05:40:00Z"}' 1 10 >"$LOG"
wait_count 30 10 fast
kill -STOP "$AGENT_PID"
for first in 11 21 31 41 51; do
	mv "$LOG" "$LOG.1"
	seq -f '{"log":"fast %.0f\n","stream":"stdout","time":"2026-11-22T05:40:00Z"}' "$first" $((first + 9)) >"$LOG"
done
kill -CONT "$AGENT_PID"
wait_count 30 30 fast
wait_until 30 'curl -fsS "$AGENT_URL/metrics" | grep -qF "haul_agent_losses_total{cause=\"unseen\"} 1"'
messages fast | sort -k2n | cmp - <(seq -f 'fast %.0f' 1 10 && seq -f 'fast %.0f' 41 60) || fail 'two files are left'
"$HAUL_BIN/haul" --data-dir "$DATA" verify >"$T/report" && fail 'verify: nothing is missing'
grep -q 'lost bytes 0 to 3: unseen' "$T/report" || fail "verify: $(cat "$T/report")"
[ "$(grep -c ' lost bytes ' "$T/report")" = 1 ] || fail "verify: $(cat "$T/report")"
stop "$AGENT_PID"

# Templates, and a container that has no names.
agent_config web-02 "$docker_input
service = {label:team}.{image}"
add_container "$(printf '%064d' 3)" api registry/api:3 core
printf '{"log":"x\\n","stream":"stdout","time":"2026-11-22T05:40:00Z"}\n' >"$LOG"
add_container "0123456789abcdef$(printf '%048d' 4)" nameless - -
printf '{"log":"x\\n","stream":"stdout","time":"2026-11-22T05:40:00Z"}\n' >"$LOG"
rm "${LOG%/*}/config.v2.json"
start_agent web-02
wait_count 30 1 core.registry_api_3 web-02
wait_until 30 "lines_on_disk core.registry_api_3 web-02 | grep -c ' core.registry_api_3/api F x'"
"$HAUL_BIN/haul-agent" check -c "$T/web-02.conf" | grep -q 'nameless\|0123456789ab' || fail 'the short id'
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
