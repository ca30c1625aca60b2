#!/usr/bin/perl
# Archives for the tests of haul(1), made without a collector, and what haul must find in them, worked out the
# slow and obvious way.
#
#     archive.pl make DIR SEED LINES         an archive of some LINES lines in every form that segments have
#     archive.pl cat DIR                     all lines, in path order
#     archive.pl events DIR REGEX            the lines of all events in which a line matches, in path order
#     archive.pl context DIR REGEX B A       matching lines with context, as haul grep --no-events prints them
#     archive.pl churn DIR SEED LINES COPY   appends, closes, seals and begins shards for a while; COPY gets
#                                            every line
use strict;
use warnings;
use Time::HiRes 'sleep';

my @services = qw(cart cart-api cart.v2 pay);
my @hosts = qw(web-01 web-01.a web);
my @words = qw(order stock session payment retry cache token upstream);

sub pick { $_[int rand @_] }

# Times that are nearly in order, with few different microseconds, so that many are the same.
sub clock {
	my ($day, $at) = @_;
	my $us = int(rand 3) * 250_000;
	sprintf '%sT%02d:%02d:%02d.%06dZ', $day, $at / 3600 % 24, $at / 60 % 60, $at % 60, $us;
}

my $n = 0;

sub message {
	my $kind = int rand 10;
	$n++;
	my $id = sprintf 'id-%05d', $n / 7;
	my $level = pick(qw(info info info warn error debug));
	return qq({"level":"$level","msg":"@{[pick @words]} number $n","request_id":"$id","n":$n})
		if $kind < 5;
	return qq(level=$level msg="@{[pick @words]} \\"$n\\"" request_id=$id n=$n) if $kind < 7;
	return "@{[pick @words]} $n for $id took " . int(rand 900) . ' ms' if $kind < 9;
	return 'é ' . ('x' x rand 3000) . " $id";
}

# One entry of a log: a line, sometimes with a stack trace, whose lines another stream may interrupt.
sub entry {
	my ($day, $host, $service, $at) = @_;
	my $time = clock($day, $at);
	my $stream = rand() < 0.3 ? "$service/pod-" . int rand 2 : $service;
	my $e = rand() < 0.2 ? 'e' : '';
	my @lines;
	if (rand() < 0.03) {
		push @lines, "$time $host $stream F${e}x colour \\x1b[1m " . message();
	} elsif (rand() < 0.02) {
		push @lines, "$time $host $stream P$e " . message(), "$time $host $stream F$e " . message();
	} else {
		push @lines, "$time $host $stream F$e " . message();
	}
	if (rand() < 0.12) {
		my ($head) = $lines[-1] =~ /(id-\d+)/;
		for my $i (1 .. 1 + rand 6) {
			my $beside = rand() < 0.2 ? " $head" : '';
			push @lines, "$time $host $stream +$e     at com.acme.Step$i(Step.java:$i)$beside";
			push @lines, clock($day, $at) . " $host $service F other " . message() if rand() < 0.1;
		}
	}
	return @lines;
}

sub pack_file {
	my ($path, $lines, $how) = @_;
	my $whole = join '', map { "$_\n" } @$lines;
	if ($how eq 'plain') {
		open my $f, '>', "$path.log" or die $!;
		print $f $whole;
		close $f or die $!;
		return;
	}
	# Members or frames that end at line ends, or one for all.
	my ($tool, $ending) = $how =~ /gz/ ? ('gzip -c', 'gz') : ('zstd -q -c', 'zst');
	my @parts = ($whole);
	if ($how =~ /^many/) {
		@parts = ('');
		for (@$lines) {
			push @parts, '' if length $parts[-1] > 20_000;
			$parts[-1] .= "$_\n";
		}
	}
	unlink "$path.log.$ending";
	for (@parts) {
		open my $p, '|-', "$tool >>'$path.log.$ending'" or die $!;
		print $p $_;
		close $p or die "$tool: $!";
	}
}

sub make {
	my ($dir, $seed, $count) = @_;
	srand $seed;
	my @days = qw(2026-11-20 2026-11-21 2026-11-22);
	my $per_shard = $count / (@days * @services * @hosts);
	mkdir $dir;
	for my $day (@days) {
		mkdir "$dir/$day" or die "$dir/$day: $!";
		for my $service (@services) {
			mkdir "$dir/$day/$service" or die $!;
			for my $host (@hosts) {
				my ($at, $number) = (0, 0);
				my @lines;
				for (1 .. $per_shard) {
					my @new = entry($day, $host, $service, $at);
					# Now and then a line comes late.
					if (rand() < 0.03 && @lines > 50) {
						splice @lines, rand @lines, 0, @new;
					} else {
						push @lines, @new;
					}
					$at++ if rand() < 0.3;
					next if rand() > 6 / $per_shard || @lines < 5;
					pack_file(sprintf('%s/%s/%s/%s.%04d', $dir, $day, $service, $host, ++$number),
						\@lines, pick(qw(plain many-zst one-zst many-gz one-gz)));
					@lines = ();
				}
				pack_file("$dir/$day/$service/$host", \@lines, 'plain') if @lines;
			}
		}
	}
	mkdir "$dir/today";
	mkdir "$dir/.haul";
}

# ---------------------------------------------------------------------------------------------------
# What there is

sub files {
	my ($dir) = @_;
	return sort map { substr $_, 1 + length $dir } glob "$dir/2*-*-*/*/*.log $dir/2*-*-*/*/*.log.*";
}

sub lines_of {
	my ($path) = @_;
	my @open = $path =~ /zst$/ ? ('-|', "zstd -qdc '$path'") : $path =~ /gz$/ ? ('-|', "gzip -dc '$path'")
		: ('<', $path);
	open my $f, $open[0], $open[1] or die "$path: $!";
	my @lines = <$f>;
	chomp @lines;
	return @lines;
}

# Shards, each a list of [path, line] in the order in which the lines were appended.
sub shards {
	my ($dir) = @_;
	my (%shard, @order);
	for my $path (files($dir)) {
		my ($shard) = $path =~ m{^(.*?)(?:\.\d{4,})?\.log} or die $path;
		push @order, $shard if !$shard{$shard};
		push @{$shard{$shard}}, map { [$path, $_] } lines_of("$dir/$path");
	}
	return map { $shard{$_} } @order;
}

sub key {
	my ($time, undef, $stream, $flags) = split / /, $_[0], 5;
	return (join(' ', $time, $stream, $flags =~ /e/ ? 'e' : ''), substr $flags, 0, 1);
}

sub events {
	my ($dir, $regex) = @_;
	my %wanted; # path -> lines
	for my $shard (shards($dir)) {
		my (%head, @event, %hit);
		for my $i (0 .. $#$shard) {
			my ($key, $kind) = key($shard->[$i][1]);
			# A continuation without a head: those of the same key are one event.
			$head{$key} = $i if $kind eq 'F' || ($kind eq '+' && !defined $head{$key});
			$event[$i] = $kind eq 'P' ? "P$i" : $head{$key};
			$hit{$event[$i]} = 1 if $shard->[$i][1] =~ /$regex/;
		}
		for my $i (0 .. $#$shard) {
			push @{$wanted{$shard->[$i][0]}}, $shard->[$i][1] if $hit{$event[$i]};
		}
	}
	for my $path (sort keys %wanted) {
		print "$_\n" for @{$wanted{$path}};
	}
}

sub context {
	my ($dir, $regex, $before, $after) = @_;
	my @groups; # [time, path, number, lines]
	for my $shard (shards($dir)) {
		my ($first, $last);
		my $end = sub {
			return if !defined $first;
			my $from = $first - $before < 0 ? 0 : $first - $before;
			my $to = $last + $after > $#$shard ? $#$shard : $last + $after;
			my ($time) = split / /, $shard->[$first][1];
			push @groups, [$time, $shard->[$from][0], $from, map { $_->[1] } @$shard[$from .. $to]];
			undef $first;
		};
		for my $i (0 .. $#$shard) {
			next if $shard->[$i][1] !~ /$regex/;
			$end->() if defined $first && $i - $last > $before + $after + 1;
			$first = $i if !defined $first;
			$last = $i;
		}
		$end->();
	}
	my $any = 0;
	for my $group (sort { $a->[0] cmp $b->[0] || $a->[1] cmp $b->[1] || $a->[2] <=> $b->[2] } @groups) {
		print "--\n" if $any++;
		print "$_\n" for @$group[3 .. $#$group];
	}
}

# ---------------------------------------------------------------------------------------------------
# An archive that changes

sub churn {
	my ($dir, $seed, $count, $copy) = @_;
	srand $seed;
	my @days = qw(2026-11-21 2026-11-22 2026-11-23);
	my %number;
	my $i = 0;
	open my $all, '>>', $copy or die "$copy: $!";
	while ($i < $count) {
		my $day = $days[3 * $i / $count];
		my $service = 'svc' . int rand(1 + 3 * $i / $count);
		my $host = 'web-0' . int rand 3;
		my $path = "$dir/$day/$service";
		mkdir "$dir/$day";
		mkdir $path;
		my $lines = '';
		for (1 .. 1 + rand 20) {
			$i++;
			$lines .= sprintf "%sT%02d:%02d:%02d.%06dZ %s %s F line %d %s\n", $day, $i / 360_000 % 24,
				$i / 6000 % 60, $i / 100 % 60, $i % 100 * 10_000, $host, $service, $i, 'x' x ($i * 7 % 200);
		}
		open my $f, '>>', "$path/$host.log" or die $!;
		# A writer may be seen in the middle of its write.
		my $cut = rand() < 0.2 ? int rand length $lines : length $lines;
		syswrite $f, substr $lines, 0, $cut;
		sleep 0.001 if $cut < length $lines;
		syswrite $f, substr $lines, $cut;
		close $f;
		print $all $lines;
		$all->flush;
		if (rand() < 0.15) {
			my $closed = sprintf '%s/%s.%04d.log', $path, $host, ++$number{"$path/$host"};
			rename "$path/$host.log", $closed or die $!;
			if (rand() < 0.7) {
				my ($tool, $ending) = rand() < 0.8 ? ('zstd -q -c', 'zst') : ('gzip -c', 'gz');
				system("$tool '$closed' >'$path/.seal' && mv '$path/.seal' '$closed.$ending'") == 0 or die;
				unlink $closed;
			}
		}
		sleep 0.001 if rand() < 0.3;
	}
}

my $what = shift // '';
if ($what eq 'make') { make(@ARGV) }
elsif ($what eq 'cat') { for my $path (files($ARGV[0])) { print "$_\n" for lines_of("$ARGV[0]/$path") } }
elsif ($what eq 'events') { events(@ARGV) }
elsif ($what eq 'context') { context(@ARGV) }
elsif ($what eq 'churn') { churn(@ARGV) }
else { die "archive.pl: see its head\n" }
