#!/bin/bash
# What the running programs tell Prometheus is what their man pages list, name by name, with their labels, and as
# Prometheus' conventions have it.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
need perl

mkdir -p "$T/log" "$T/far"
start_collector
write_lines "$T/log/app.log" 1 100
printf 'secret 1\nsecret 2\ndropped\n' >>"$T/log/app.log"
write_lines "$T/far/other.log" 1 100
start_agent web-01 "$(input app "$T/log/*.log" 'mask = \d' 'drop = ^dropped')" \
	"$(input far "$T/far/*.log" 'remote = yes' 'service = other')"
wait_count 60 102 app
expect_exactly_once "$T/far/other.log" other

# check URL PREFIX MAN: one page against one man page.
check() {
	curl -fsS "$1/metrics" >"$T/page"
	perl -e '
		my ($prefix, $page, $man) = @ARGV;
		my (%help, %type, %labels, %seen, %closed, %text, $current, $item, $bad);
		sub bad { print "$_[0]\n"; $bad = 1 }
		open my $p, "<", $page or die;
		while (<$p>) {
			chomp;
			if (/^# HELP (\S+) (.*)/) {
				bad("$1: HELP twice") if exists $help{$1};
				bad("$1: HELP says nothing") if length $2 < 5;
				$help{$1} = $2;
			} elsif (/^# TYPE (\S+) (counter|gauge)$/) {
				bad("$1: TYPE twice") if $type{$1};
				bad("$1: TYPE before HELP") if !exists $help{$1};
				$type{$1} = $2;
				bad("$1: a counter ends in _total, and nothing else does")
					if ($2 eq "counter") != ($1 =~ /_total$/);
			} elsif (/^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/) {
				my ($name, $labels, $value) = ($1, $2 // "", $3);
				bad("$name: no HELP and TYPE before it") if !$type{$name};
				bad("$name: does not begin with $prefix") if $name !~ /^\Q$prefix\E[a-z]/;
				bad("$name: its samples are not together") if $closed{$name};
				$closed{$current} = 1 if defined $current && $current ne $name;
				$current = $name;
				bad("$name\{$labels}: twice") if $seen{"$name\{$labels}"}++;
				bad("$name: $value is no number") if $value !~ /^[-+]?(\d+(\.\d+)?(e[-+]?\d+)?|Inf|NaN)$/i;
				bad("$name: $value is negative") if $type{$name} eq "counter" && $value < 0;
				bad("$name: not a base unit") if $name =~
					/_(ms|us|ns|milliseconds|microseconds|minutes|hours|days|kb|mb|gb|kib|mib|percent|pct)(_|$)/i;
				$labels{$name}{$1} = 1 while $labels =~ /([a-z_]+)="/g;
			} else {
				bad("not understood: $_");
			}
		}
		open my $m, "<", $man or die;
		while (<$m>) {
			if (/^\.It Cm (\Q$prefix\E\w+)$/) {
				bad("$1: twice in the man page") if exists $text{$1};
				$text{$item = $1} = "";
			} elsif (/^\.(It|El|Sh)/) {
				undef $item;
			} elsif (defined $item) {
				$text{$item} .= $_;
			}
		}
		for my $name (sort keys %type) {
			bad("$name: not in the man page") if !exists $text{$name};
			bad("$name: never a sample") if !$seen{$name} && !grep { /^\Q$name\E\{/ } keys %seen;
			for (keys %{$labels{$name} // {}}) {
				bad("$name: the man page does not tell of its label $_")
					if ($text{$name} // "") !~ /\bby\b.*\b$_\b/s && ($text{$name} // "") !~ /\blabel\b.*\b$_\b/s;
			}
		}
		for (sort keys %text) {
			bad("$_: only in the man page") if !$type{$_};
			bad("$_: the man page says nothing about it") if $text{$_} !~ /\w/;
		}
		bad("no metrics") if !%type;
		exit($bad ? 1 : 0)' "$2" "$T/page" "$3" || fail "the metrics of $1"
}
check "$AGENT_URL" haul_agent_ "$ROOT/man/haul-agent.8"
check "$URL" haul_collector_ "$ROOT/man/haul-collector.8"
for page in haul-agent haul-collector; do
	tr '\n' ' ' <"$ROOT/man/$page.8" | grep -q 'Names that end in .Dq _total are counters, all others gauges' ||
		fail "$page(8) does not tell which are counters"
done

# Figures of which the truth is known.
expect_equal 'lines' 202 "$(metric "$AGENT_URL" haul_agent_lines_total)"
curl -fsS "$AGENT_URL/metrics" >"$T/page"
for wanted in 'haul_agent_lines_total{input="app"} 102' 'haul_agent_lines_total{input="far"} 100' \
	'haul_agent_dropped_lines_total{input="app"} 1' 'haul_agent_dropped_lines_total{input="far"} 0' \
	"haul_agent_masked_total{input=\"app\"} $(seq 1 100 | tr -d '\n' | wc -c | awk '{ print $1 + 2 }')" \
	'haul_agent_lost_bytes_total{cause="limit"} 0' 'haul_agent_collector_up 1' \
	"haul_agent_bytes_total{input=\"far\"} $(wc -c <"$T/far/other.log")"; do
	grep -Fxq "$wanted" "$T/page" || fail "no $wanted in: $(cat "$T/page")"
done
wait_until 10 "[ \$(metric $AGENT_URL haul_agent_files) = 2 ]"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
