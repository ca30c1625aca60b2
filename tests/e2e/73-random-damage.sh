#!/bin/bash
# Any state file of either program is damaged, as the seed says: bits flipped, cut, a page zeroed, rubbish, emptied, removed.
# Both start again whatever was done, go on, and no line is lost or comes twice; what is damaged is said and set aside. A
# damaged file of the archive is named by verify, and nothing else suffers.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector haul
need zstd
note "seed $SEED"

mkdir "$T/log"
start_collector 'segment_bytes = 1M' 'seal_after = 0s'
start_agent web-01 "$(input app "$T/log/*.log" 'service = {stem}')"
printf -v PAD '%0120d' 0
n=0
more() {
	write_lines "$T/log/app.log" $((n + 1)) $((n + $1)) "$PAD"
	n=$((n + $1))
}
exact() {
	WAIT=${1:-90} expect_exactly_once "$T/log/app.log" app
}
more 12000 # more than a segment
exact
wait_until 60 "find $DATA -name 'web-01.*.log.zst' | grep -q ."
wait_until 60 "find $DATA/.haul/index -type f | grep -q ."

# State that may be damaged: a random file of a random side.
damage_one() {
	local file files
	if [ "$1" = agent ]; then
		mapfile -t files < <(find "$T/web-01.state" -type f -size +0 ! -name '*.damaged*' | sort)
	else
		mapfile -t files < <(find "$DATA/.haul" -type f -size +0 ! -path '*/quarantine/*' ! -name ballast |
			sort)
	fi
	file=${files[RANDOM % ${#files[@]}]}
	WHAT="${file#"$T"/}: $(perl "$ROOT/tests/lib/damage.pl" "$file" $((SEED + round)))"
}

rounds=$((TORTURE == 1 ? 10 : 20 * TORTURE))
for ((round = 1; round <= rounds; round++)); do
	side=$( ((RANDOM % 3)) && echo collector || echo agent)
	more $((RANDOM % 500 + 1))
	((RANDOM % 2)) || exact
	if [ "$side" = agent ]; then
		if ((RANDOM % 2)); then kill9 "$AGENT_PID"; else stop "$AGENT_PID"; fi
		damage_one agent
		more $((RANDOM % 500 + 1))
		start_agent web-01
	else
		if ((RANDOM % 2)); then kill9 "$COLLECTOR_PID"; else stop "$COLLECTOR_PID"; fi
		damage_one collector
		start_collector
		more $((RANDOM % 500 + 1))
	fi
	((rounds > 20)) || note "$WHAT"
	exact 90 || fail "after: $WHAT"
done

# Damage that cannot be overlooked is said, with the file's name, and the file is set aside.
stop "$AGENT_PID"
head -c 3000 /dev/urandom >"$T/web-01.state/registry"
start_agent web-01
more 100
exact
grep -q 'web-01.state/registry is damaged' "$T/web-01.err" || fail 'the damaged registry is not said'
[ -s "$T/web-01.state/registry.damaged" ] || fail 'the damaged registry is not set aside'
stop "$COLLECTOR_PID"
head -c 20000 /dev/urandom >"$DATA/.haul/ledger.db"
start_collector
more 100
exact
tail -n 20 "$T/collector.err" | grep -q 'ledger.db' || fail 'the damaged ledger is not said'
find "$DATA/.haul/quarantine" -name 'ledger.db*' | grep -q . || fail 'the damaged ledger is not set aside'

# A file of the archive: verify names it and nothing else; with its bytes again all is well.
sealed=$(find "$DATA" -name 'web-01.*.log.zst' | sort | head -n 1)
cp "$sealed" "$T/good"
haul() {
	"$HAUL_BIN/haul" --data-dir "$DATA" "$@"
}
haul verify >"$T/verify" 2>&1 || fail "verify before: $(tail -n 3 "$T/verify")"
perl -e 'open my $f, "+<", $ARGV[0] or die; seek $f, $ARGV[1], 0; read $f, my $b, 1; seek $f, $ARGV[1], 0; print $f chr(ord($b) ^ 4)' \
	"$sealed" $((RANDOM % $(stat -c %s "$sealed")))
stop "$COLLECTOR_PID"
start_collector
more 100
write_lines "$T/log/other.log" 1 100
expect_exactly_once "$T/log/other.log" other
code=0
haul verify >"$T/verify" 2>&1 || code=$?
[ $code = 1 ] || [ $code = 2 ] || fail "verify of a damaged archive: $code"
grep -q "${sealed##*/}" "$T/verify" || fail "verify does not name ${sealed##*/}"
cp "$T/good" "$sealed"
haul verify >"$T/verify" 2>&1 || fail "verify after: $(tail -n 3 "$T/verify")"
exact
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
exact
note "$rounds damages: exact"
