#!/usr/bin/perl
# A writer that rotates its own file again and again until SIGTERM: rotator.pl KIND FILE EXPECTED SEED. What it wrote,
# without what a container engine puts around it, stands in EXPECTED: "NAME TURN NUMBER text", TURN counting the rotations.
#
#     renamed   renamed to FILE-TIME, which is packed a turn later (logrotate with dateext, compress, delaycompress)
#     copied    copied to FILE-TIME, truncated, the copy packed a turn later (copytruncate)
#     docker    FILE.1.gz and so on move up by one, FILE becomes FILE.1 and is packed in place (moby's json-file)
use strict;
use warnings;
use File::Copy 'copy';
use IO::Compress::Gzip '$GzipError';

my ($kind, $file, $expected, $seed) = @ARGV;
srand $seed;
my $stop = 0;
$SIG{TERM} = sub { $stop = 1 };
my ($turn, $n, $plain) = (0, 0, undef);
open my $copy, '>>', $expected or die "$expected: $!";
open my $out, '>>', $file or die "$file: $!";

# FILE.gz from FILE, as gzip does it; then FILE goes.
sub pack_file {
	my ($from, $to) = @_;
	my $z = IO::Compress::Gzip->new($to) or die "$to: $GzipError";
	open my $in, '<', $from or die "$from: $!";
	while (sysread $in, my $piece, 4096) {
		$z->print($piece) or die "$to: $!";
	}
	$z->close or die "$to: $!";
	unlink $from or die "$from: $!";
}

sub dated {
	return sprintf '%s-%d', $file, 1_795_000_000 + $turn;
}

my %rotate = (
	renamed => sub {
		rename $file, dated() or die "$file: $!";
		open $out, '>>', $file or die "$file: $!";
		pack_file($plain, "$plain.gz") if $plain;
		$plain = dated();
	},
	copied => sub {
		copy($file, dated()) or die "$file: $!";
		truncate $file, 0 or die "$file: $!";
		pack_file($plain, "$plain.gz") if $plain;
		$plain = dated();
	},
	docker => sub {
		for (my $i = $turn; $i >= 1; $i--) {
			rename "$file.$i.gz", "$file." . ($i + 1) . '.gz' if -e "$file.$i.gz";
		}
		rename $file, "$file.1" or die "$file: $!";
		open $out, '>>', $file or die "$file: $!";
		pack_file("$file.1", "$file.1.gz");
	},
);

sub line {
	my $text = sprintf '%s %d %d %s', $kind, $turn, ++$n, 'x' x ($n * 7 % 150);
	print $copy "$text\n";
	return "$text\n" unless $kind eq 'docker';
	return sprintf qq({"log":"%s\\n","stream":"stdout","time":"%s"}\n), $text, '2026-11-22T05:40:00.123456789Z';
}

while (!$stop) {
	my $bursts = 5 + int rand 60;
	while ($bursts-- && !$stop) {
		my $burst = join '', map { line() } 1 .. 1 + int rand 60;
		syswrite($out, $burst) == length $burst or die "$file: $!";
		select undef, undef, undef, 0.01 + rand 0.04; # the pace of the load
	}
	$turn++;
	$rotate{$kind}->();
}
close $copy or die "$expected: $!";
