#!/usr/bin/perl
# Damages a file as disks, crashes and people do: damage.pl FILE SEED. Says what it did.
use strict;
use warnings;

my ($file, $seed) = @ARGV;
srand $seed;
my $size = -s $file || 0;
open my $f, '+<', $file or die "$file: $!";

# What has been written of it, roughly: the zeros at the end of a log that was made longer beforehand do not count.
my $used = $size;
while ($used > 0) {
	my $step = ($used < 65536 ? $used : 65536);
	sysseek $f, $used - $step, 0;
	sysread($f, my $piece, $step);
	$piece =~ s/\0+\z//;
	$used -= $step - length $piece;
	last if length $piece;
}
$used ||= 1;

sub overwrite {
	my ($at, $bytes) = @_;
	sysseek $f, $at, 0;
	syswrite($f, $bytes) == length $bytes or die "$file: $!";
}

my %ways = (
	flip => sub {
		my @places = map { int rand $used } 1 .. 1 + int rand 8;
		for my $at (@places) {
			sysseek $f, $at, 0;
			sysread($f, my $byte, 1) or next;
			overwrite($at, chr(ord($byte) ^ 1 << int rand 8));
		}
		return 'bits flipped at ' . join ' ', sort { $a <=> $b } @places;
	},
	cut => sub {
		my $to = int rand $used;
		truncate $f, $to or die "$file: $!";
		return "cut to $to";
	},
	zero => sub {
		my $at = 4096 * int rand(($used + 4095) / 4096);
		my $n = $size - $at < 4096 ? $size - $at : 4096;
		return 'nothing' if $n <= 0;
		overwrite($at, "\0" x $n);
		return "a page of zeros at $at";
	},
	rubbish => sub {
		my $at = int rand $used;
		my $n = 1 + int rand($size - $at < 8192 ? $size - $at : 8192);
		overwrite($at, join '', map { chr int rand 256 } 1 .. $n);
		return "$n bytes of rubbish at $at";
	},
	grow => sub {
		overwrite($size, join '', map { chr int rand 256 } 1 .. 1 + int rand 5000);
		return 'rubbish behind its end';
	},
	empty => sub { truncate $f, 0; return 'emptied' },
	remove => sub { unlink $file or die "$file: $!"; return 'removed' },
);
my $way = (sort keys %ways)[int rand keys %ways];
print $size || $way eq 'remove' ? $ways{$way}->() : 'it is empty: nothing', "\n";
