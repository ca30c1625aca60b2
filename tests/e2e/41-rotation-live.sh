#!/bin/bash
# Rotations of every kind under the agent's eyes: copied and truncated again and again while a writer goes on,
# packed where they stand over seconds, packed as kubelet does it, and a writer that never reopens its file.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
need gzip
note "seed $SEED"

mkdir -p "$T"/log/{copied,slowly,kubelet,late}
start_collector
start_agent web-01 "$(input narrow "$T/log/copied/*.log $T/log/late/*.log")" \
	"$(input wide "$T/log/slowly/* $T/log/kubelet/*")"
printf -v PAD '%060d' 0

# Copied and truncated. Between the copy and the truncation nobody writes: nobody could promise that. And the
# agent has seen something of each before, but not the rest.
n=0
for ((i = 1; i <= 6; i++)); do
	for part in 1 2; do
		k=$((1 + RANDOM % 3000))
		write_lines "$T/log/copied/app.log" $((n + 1)) $((n + k)) "$PAD line"
		n=$((n + k))
		((part == 2)) || wait_until 30 "messages copied.app | grep -qx '$PAD line $n'"
	done
	cp "$T/log/copied/app.log" "$T/log/copied/app.log.$i"
	truncate -s 0 "$T/log/copied/app.log"
done
seq -f "$PAD line %.0f" 1 $n >"$T/copied"
expect_each_in_order "$T/copied" copied.app
note "copied and truncated: $n lines, exact"

# The agent is not as fast as the one that packs: the packed file appears with its first bytes and gets the
# rest in pieces, and in the middle of it the plain one goes.
write_lines "$T/log/slowly/app.log" 1 3000 "$PAD line"
expect_exactly_once "$T/log/slowly/app.log" slowly.app
cp "$T/log/slowly/app.log" "$T/slowly"
mv "$T/log/slowly/app.log" "$T/log/slowly/app.log.1"
perl -e 'srand 7; printf "other %s\n", join "", map { chr(97 + rand 26) } 1 .. 60 for 1 .. 2000' >"$T/log/slowly/app.log"
cat "$T/log/slowly/app.log" >>"$T/slowly"
gzip -c "$T/log/slowly/app.log.1" >"$T/packed"
size=$(stat -c %s "$T/packed")
for ((part = 0; part < 10; part++)); do
	head -c $(((part + 1) * size / 10)) "$T/packed" | tail -c $(((part + 1) * size / 10 - part * size / 10)) \
		>>"$T/log/slowly/app.log.1.gz"
	((part != 5)) || rm "$T/log/slowly/app.log.1"
	# Each piece has been seen when something that came after it has been delivered.
	write_lines "$T/log/slowly/tick.log" $((part + 1)) $((part + 1)) tick
	wait_count 30 $((part + 1)) slowly.tick
done
cmp "$T/packed" "$T/log/slowly/app.log.1.gz"
expect_each_in_order "$T/slowly" slowly.app
note 'packed in place: exact'

# Kubelet's: the old one to .tmp, packed from there, the .tmp to its name with .gz, and the next one begins.
cd "$T/log/kubelet"
for ((i = 1; i <= 3; i++)); do
	write_lines 0.log $((i * 1000 + 1)) $((i * 1000 + 1000)) "$PAD line"
	tail -n 1000 0.log >>"$T/kubelet"
	((i == 2)) || wait_count 30 $((i * 1000)) kubelet.0
	for plain in 0.log.20*[0-9]; do
		[ -e "$plain" ] || continue
		gzip -c "$plain" >"$plain.tmp"
		mv "$plain.tmp" "$plain.gz"
		rm "$plain"
	done
	mv 0.log "0.log.20261122-06000$i"
done
cd "$ROOT"
expect_each_in_order "$T/kubelet" kubelet.0
note 'packed as kubelet does it: exact'

# A script that never reopens its file goes on in the renamed one, even when it has become .2.
exec 5>>"$T/log/late/app.log"
seq -f 'old %.0f' 1 1000 >&5
wait_count 30 1000 late.app
mv "$T/log/late/app.log" "$T/log/late/app.log.1"
seq -f 'new %.0f' 1 1000 >"$T/log/late/app.log"
wait_count 30 2000 late.app
mv "$T/log/late/app.log.1" "$T/log/late/app.log.2"
mv "$T/log/late/app.log" "$T/log/late/app.log.1"
seq -f 'newest %.0f' 1 1000 >"$T/log/late/app.log"
wait_count 30 3000 late.app
seq -f 'old %.0f' 1001 2000 >&5
wait_count 30 4000 late.app
rm "$T/log/late/app.log.2"
seq -f 'old %.0f' 2001 3000 >&5
exec 5>&-
seq -f 'old %.0f' 1 3000 >"$T/old"
{
	cat "$T/old"
	seq -f 'new %.0f' 1 1000
	seq -f 'newest %.0f' 1 1000
} >"$T/late"
expect_each_in_order "$T/late" late.app "$T/old"
note 'written late: exact'

stop "$AGENT_PID"
start_agent web-01
write_lines "$T/log/late/last.log" 1 10
expect_exactly_once "$T/log/late/last.log" late.last
expect_each_in_order "$T/copied" copied.app
expect_each_in_order "$T/slowly" slowly.app
expect_each_in_order "$T/kubelet" kubelet.0
expect_each_in_order "$T/late" late.app "$T/old"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
