#!/bin/bash
# The examples in the manual pages and in README.md that are marked to be run (tests/lib/examples.pl says how) do what
# they are there for: each ends as it should and shows something, on a collector with a few days of two services.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul haul-agent haul-collector
need perl zstd zstdcat curl
away_from_midnight

# The world that the examples speak of: a request that went through checkout and payment, an error, a slow one, a day
# that is sealed, nginx.
id=5d9d77aa-8902-4cc1
mkdir -p "$T/shop" "$T/nginx" "$T/etc"
at() { # at SECONDS-AGO: a time stamp
	date -u -d "@$(($(date +%s) - $1))" +%Y-%m-%dT%H:%M:%S.000Z
}
line() { # line SERVICE SECONDS-AGO LEVEL TEXT [DURATION]
	printf '{"ts":"%s","level":"%s","request_id":"%s","duration_ms":%d,"msg":"%s"}\n' \
		"$(at "$2")" "$3" "$id" "${5:-12}" "$4" >>"$T/shop/$1.log"
}
line checkout 172800 info 'an order of two days ago'
line checkout 172790 error 'an error of two days ago'
for ((i = 0; i < 20; i++)); do
	line checkout $((60 - i)) info "POST /checkout $i"
done
line checkout 30 error 'card was declined' 1500
line checkout 0 info 'only today'
line payment 29 error 'limit is reached' 900
echo "10.0.0.1 - - [$(LC_ALL=C date -u +%d/%b/%Y:%H:%M:%S) +0000] \"GET / HTTP/1.1\" 200 12" >"$T/nginx/access.log"

start_collector 'seal_after = 1s'
start_agent web-01 "$(input shop "$T/shop/*.log" 'service = {stem}')" "$(input nginx "$T/nginx/*.log" 'service = nginx')"
wait_count 30 24 checkout
wait_count 30 1 nginx
wait_count 30 1 payment
stop "$COLLECTOR_PID" # its last checkpoint closes the day that is over
start_collector
wait_until 60 '[ -n "$(find "$DATA" -path "*/checkout/*.log.zst")" ]'

# As on a machine where all of it is installed: the programs find their configuration and the logs by themselves.
mkdir "$T/bin"
printf '#!/bin/bash\nexec "%s/haul" --data-dir "%s" "$@"\n' "$HAUL_BIN" "$DATA" >"$T/bin/haul"
printf '#!/bin/bash\nexec "%s/haul-agent" "$@" -c "%s/web-01.conf"\n' "$HAUL_BIN" "$T" >"$T/bin/haul-agent"
# Its commands have a tokens file of their own: with tokens the agent would have to show one.
sed "\$a [auth]\ntokens_file = $T/etc/tokens" "$T/collector.conf" >"$T/commands.conf"
printf '#!/bin/bash\nexec "%s/haul-collector" "$@" -c "%s/commands.conf"\n' "$HAUL_BIN" "$T" >"$T/bin/haul-collector"
chmod +x "$T"/bin/*

mkdir "$T/examples"
n=$(perl "$ROOT/tests/lib/examples.pl" "$T/examples" "$ROOT"/man/*.[1-8] "$ROOT/README.md")
((n >= 20)) || fail "only $n examples are marked to be run"
sed -i "s,/var/log/haul,$DATA,g; s,/var/log/nginx,$T/nginx,g; s,/etc/haul,$T/etc,g; s,127\.0\.0\.1:8514,127.0.0.1:$COLLECTOR_PORT,g; s,127\.0\.0\.1:8515,${AGENT_URL#http://},g" \
	"$T"/examples/*.sh

run_example() { # N
	PATH=$T/bin:$PATH bash -euo pipefail "$T/examples/$1.sh" </dev/null >"$T/said" 2>"$T/complained"
}
for ((i = 1; i <= n; i++)); do
	{ read -r where && read -r how; } <"$T/examples/$i.how" || true
	text="$where: $(cat "$T/examples/$i.sh")"
	code=0
	case $how in
	'until stopped')
		PATH=$T/bin:$PATH setsid bash -euo pipefail "$T/examples/$i.sh" </dev/null >"$T/said" 2>"$T/complained" &
		pid=$!
		PIDS+=("$pid")
		ERR_OF[$pid]=$T/complained
		wait_until 20 "line checkout 0 error 'once more' 2000; [ -s $T/said ] || ! alive $pid"
		kill -TERM -- "-$pid" || fail "$text ended: $(cat "$T/complained")"
		wait "$pid" || true
		forget "$pid"
		;;
	silent)
		run_example "$i" || code=$?
		[ ! -s "$T/said" ] || fail "$text says $(cat "$T/said")"
		;;
	'exit '*) run_example "$i" || code=$? ;;
	'') run_example "$i" || code=$? ;;
	*) fail "$where: what is 'run: $how'?" ;;
	esac
	expect_equal "$text ($(tail -n 3 "$T/complained"))" "$([[ $how == exit* ]] && echo "${how#exit }" || echo 0)" "$code"
	[ "$how" = silent ] || [ -s "$T/said" ] || fail "$text shows nothing: $(cat "$T/complained")"
done
note "$n examples"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
