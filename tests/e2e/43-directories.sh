#!/bin/bash
# Directories that come, go and change their names: hundreds that live for a moment with a log each, a tree made
# in one go, a renamed directory, links that are retargeted and chains of them; and files that may be read only later.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
note "seed $SEED"

mkdir -p "$T/log/pods" "$T/tree" "$T/links/real" "$T/links/a" "$T/links/b"
start_collector
start_agent web-01 "$(input pods "$T/log/pods/*/app.log" 'service = pods')" \
	"$(input tree "$T/tree/**/*.log" 'service = tree')" \
	"$(input links "$T/links/*.log" 'service = {stem}')"
write_lines "$T/links/tick.log" 1 1 tick
wait_count 30 1 tick

# Each lives for 200 ms; its log is written at once and closed.
perl -MTime::HiRes=time,sleep -e '
	my ($dir, $expected) = @ARGV;
	my @alive;
	open my $copy, ">>", $expected or die "$expected: $!";
	for my $n (1 .. 300) {
		mkdir "$dir/pod-$n" or die "pod-$n: $!";
		open my $f, ">>", "$dir/pod-$n/app.log" or die "pod-$n: $!";
		my $text = join "", map { "pod $n line $_\n" } 1 .. 3;
		syswrite $f, $text;
		syswrite $copy, $text;
		close $f;
		push @alive, [time + 0.2, $n];
		while (@alive && ($n == 300 || $alive[0][0] <= time)) {
			my ($end, $old) = @{shift @alive};
			my $rest = $end - time;
			sleep $rest if $rest > 0;
			unlink "$dir/pod-$old/app.log" or die "pod-$old: $!";
			rmdir "$dir/pod-$old" or die "pod-$old: $!";
		}
		sleep 0.01; # the pace of the load
	}' "$T/log/pods" "$T/pods"
[ -z "$(ls "$T/log/pods")" ] || fail 'directories are left'
try_until "${WAIT:-60}" "(( \$(count_on_disk pods) >= $(wc -l <"$T/pods") ))" || true
messages pods | sort | uniq -d >"$T/doubled"
[ ! -s "$T/doubled" ] || fail "twice: $(head -n 3 "$T/doubled")"
sort "$T/pods" >"$T/pods.sorted"
messages pods | sort >"$T/pods.found"
cmp "$T/pods.sorted" "$T/pods.found" ||
	fail "missing: $(comm -23 "$T/pods.sorted" "$T/pods.found" | wc -l) of $(wc -l <"$T/pods") lines"
note '300 directories of 200 ms: exact'

# A tree of many levels made in one go, with files at each.
for ((i = 1; i <= 20; i++)); do
	mkdir -p "$T/tree/$i/b/c/d/e"
	for dir in . b b/c b/c/d b/c/d/e; do
		write_lines "$T/tree/$i/$dir/app.log" 1 5 "tree $i $dir"
	done
done
find "$T/tree" -name app.log -exec cat {} + >"$T/expected.tree"
expect_each_in_order "$T/expected.tree" tree "$T/tree/7/b/c/app.log"
mkdir "$T/new"
for ((i = 1; i <= 20; i++)); do
	mkdir -p "$T/new/$i/b"
	write_lines "$T/new/$i/b/app.log" 1 5 "moved in $i"
done
mv "$T/new" "$T/tree/in"
find "$T/tree" -name app.log -exec cat {} + >"$T/expected.tree"
expect_each_in_order "$T/expected.tree" tree "$T/tree/in/7/b/app.log"

# Renamed, with everything in it; written under the new name and through an old descriptor.
exec 5>>"$T/tree/in/7/b/app.log"
mv "$T/tree/in" "$T/tree/inside"
seq -f 'old descriptor %.0f' 1 5 >&5
exec 5>&-
write_lines "$T/tree/inside/8/b/app.log" 1 5 'new name'
mv "$T/tree/1/b" "$T/tree/2/b2"
write_lines "$T/tree/2/b2/c/app.log" 1 5 'moved away'
write_lines "$T/tree/2/b2/c/new.log" 1 5 'new in what was moved'
find "$T/tree" -name '*.log' -exec cat {} + >"$T/expected.tree"
expect_each_in_order "$T/expected.tree" tree "$T/tree/2/b2/c/app.log" "$T/tree/inside/7/b/app.log"
note 'trees: exact'

# A link to a file, retargeted; a chain of links, its middle retargeted; a link to nothing that gets its file.
cd "$T/links"
write_lines real/one 1 100 one
write_lines real/two 1 100 two
ln -s real/one current.log
ln -s real/chained middle
ln -s middle chain.log
ln -s real/later dangling.log
write_lines real/chained 1 100 chained
write_lines real/later 1 100 later
expect_exactly_once real/chained chain
expect_exactly_once real/later dangling
expect_exactly_once real/one current
ln -s real/two current.new
mv current.new current.log
cat real/one real/two >"$T/current"
expect_exactly_once "$T/current" current
write_lines real/two 101 200 two
cat real/one real/two >"$T/current"
expect_exactly_once "$T/current" current
write_lines real/other 1 100 other
ln -s real/other middle.new
mv -T middle.new middle
cat real/chained real/other >"$T/chained"
expect_exactly_once "$T/chained" chain
cd "$ROOT"
note 'links: exact'

stop "$AGENT_PID"
start_agent web-01
write_lines "$T/links/tick.log" 2 2 tick
wait_count 30 2 tick
expect_each_in_order "$T/expected.tree" tree
compare_lines "$T/current" current
compare_lines "$T/chained" chain
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
