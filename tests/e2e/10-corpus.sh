#!/bin/bash
# Logs of 16 real systems, or what looks like them, shipped and compared byte for byte.
# HAUL_CORPUS names a folder of *.log files; without it ../shared/corpus or generated ones are used.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

corpus=${HAUL_CORPUS:-$ROOT/../shared/corpus}
mkdir "$T/log"
if compgen -G "$corpus/*.log" >/dev/null; then
	note "corpus: $corpus"
	for file in "$corpus"/*.log; do
		cat "$file" >"$T/log/${file##*/}"
	done
else
	note 'corpus: generated'
	bash "$ROOT/tests/lib/corpus.sh" "$T/log"
fi
for file in "$T"/log/*.log; do # a last line without LF would wait for one
	[ -z "$(tail -c 1 "$file" | tr -d '\n')" ] || echo >>"$file"
done

# Once with times as they stand (many days a file), once as a collector takes lines that are older than it
# keeps: with the time of receipt, all of today.
check() { # check SERVICE FILE
	local file=$2 service=$1 shard
	try_until 120 "(( \$(count_on_disk $service) >= $(wc -l <"$file") ))" || true
	messages "$service" | sort >"$T/found"
	sort "$file" | cmp -s - "$T/found" ||
		fail "$service: $(sort "$file" | diff - "$T/found" | head -n 6 | cat -v)"
	# Within a day the lines stand as they stood in the file.
	shard_files "$service" | sed 's/\.[0-9]*\.log.*//; s/\.log$//' | sort -u >"$T/shards"
	while IFS= read -r shard; do
		messages_of_shard "$shard" >"$T/day"
		perl -e '
			open my $f, "<", $ARGV[0] or die; open my $d, "<", $ARGV[1] or die;
			while (my $line = <$d>) {
				my $have;
				while (defined($have = <$f>)) { last if $have eq $line }
				defined $have or die "$ARGV[0]: out of order in a day: $line" }' "$file" "$T/day"
	done <"$T/shards"
}

messages_of_shard() { # DAY/SERVICE/HOST without suffix
	local file
	for file in "$1".[0-9]*.log* "$1.log"; do
		[ -e "$file" ] || continue
		case $file in
		*.zst) zstd -qdc "$file" ;;
		*) cat "$file" ;;
		esac
	done | perl -ne '
		my (undef, undef, undef, $flags, $message) = split / /, $_, 5;
		$message =~ s/\\(?:x([0-9a-f]{2})|\\)/defined $1 ? chr hex $1 : "\\"/ge if $flags =~ /x$/;
		print $message'
}

start_collector '[retention]' 'max_age = 36500d'
start_agent web-01 "$(input corpus "$T/log/*.log" 'service = kept.{stem}')"
for file in "$T"/log/*.log; do
	check "kept.$(basename "$file" .log)" "$file"
done
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
# Most of these systems' timestamps are understood.
unread=$(lines_on_disk 'kept.*' | awk '$4 ~ /r/' | wc -l)
total=$(lines_on_disk 'kept.*' | wc -l)
note "$unread of $total lines have the time of reading"
((unread * 10 < total)) || fail 'most timestamps are not understood'

rm -rf "$DATA" "$T/web-01.state"
start_collector '[retention]' 'max_age = 30d'
start_agent web-01 "$(input corpus "$T/log/*.log" 'service = old.{stem}')"
for file in "$T"/log/*.log; do
	check "old.$(basename "$file" .log)" "$file"
done
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
