#!/usr/bin/perl
# Writes a container's log as its runtime does, pieces of long lines and rotation included:
#
#     container.pl cri|docker|podman FILE EXPECTED SEED LINES ROTATE_BYTES
#
# EXPECTED.stdout and EXPECTED.stderr get what the container wrote. Lines of both outputs alternate, also between the
# pieces of long ones. cri rotates as kubelet does, docker as moby with compress=true, podman as conmon.
use strict;
use warnings;
use IO::Compress::Gzip qw(gzip $GzipError);
use POSIX qw(strftime);
use Time::HiRes qw(time);

my ($runtime, $path, $expected, $seed, $lines, $rotate_bytes) = @ARGV;
my $piece = $runtime eq 'podman' ? 8192 : 16384;
srand $seed;

my ($file, $written, $rotations) = (undef, 0, 0);

sub create {
	open $file, '>>', $path or die "$path: $!";
	$written = 0;
}

sub slurp {
	my $name = shift;
	local $/;
	open my $f, '<', $name or die "$name: $!";
	return scalar <$f>;
}

# In small writes, so that it stands there unfinished for a while.
sub compress {
	my ($from, $to) = @_;
	my $text = slurp($from);
	gzip(\$text, \my $packed) or die $GzipError;
	open my $f, '>', $to or die "$to: $!";
	for (my $at = 0; $at < length $packed; $at += 4096) {
		syswrite($f, substr($packed, $at, 4096)) or die "$to: $!";
		select undef, undef, undef, 0.001; # the pace of a busy disk
	}
	close $f;
}

sub rotate_cri { # what was rotated before is compressed, then the live file is renamed; then it is opened anew
	for my $old (grep { !/\.gz$/ } glob "$path.2*") {
		compress($old, "$old.tmp");
		rename "$old.tmp", "$old.gz" or die $!;
		unlink $old or die $!;
	}
	my $stamp = strftime('%Y%m%d', gmtime) . sprintf '-%02d%02d%02d', $rotations / 3600,
		$rotations / 60 % 60, $rotations % 60;
	rename $path, "$path.$stamp" or die $!;
}

sub rotate_docker { # shifts what is there, and compresses in place
	for (my $n = 200; $n >= 1; $n--) {
		my $next = $n + 1;
		rename "$path.$n.gz", "$path.$next.gz" or die $! if -e "$path.$n.gz";
	}
	rename $path, "$path.1" or die $!;
	create();
	compress("$path.1", "$path.1.gz");
	unlink "$path.1" or die $!;
}

sub rotate_podman { # no copy is kept: the new file takes the old one's name. Whoever reads has to be quick.
	open my $f, '>', "$path.tmp" or die $!;
	close $f;
	rename "$path.tmp", $path or die $!;
}

sub rotate {
	$rotations++;
	close $file;
	if    ($runtime eq 'cri')    { rotate_cri() }
	elsif ($runtime eq 'docker') { rotate_docker(); return }
	else                         { rotate_podman() }
	create();
}

sub now {
	my $t = time;
	my $digits = sprintf '%09d', ($t - int $t) * 1e9;
	return strftime('%Y-%m-%dT%H:%M:%S', gmtime $t) . ".${digits}Z" if $runtime ne 'podman';
	return strftime('%Y-%m-%dT%H:%M:%S', gmtime $t + 7200) . ".${digits}+02:00";
}

# As Go's json-file driver has it.
sub json_string {
	my $s = shift;
	$s =~ s/(["\\])/\\$1/g;
	$s =~ s/\n/\\n/g;
	$s =~ s/\r/\\r/g;
	$s =~ s/([\x00-\x1f<>&])/sprintf '\u%04x', ord $1/ge;
	return "\"$s\"";
}

sub physical {
	my ($output, $text, $whole) = @_;
	return sprintf "%s %s %s %s\n", now(), $output, $whole ? 'F' : 'P', $text if $runtime ne 'docker';
	return sprintf "{\"log\":%s,\"stream\":\"%s\",\"time\":\"%s\"}\n",
		json_string($text . ($whole ? "\n" : '')), $output, now();
}

my @letters = (('a' .. 'z') x 3, ' ', '"', '\\', '<', '&', "\t", '{', '}', ':');

sub text {
	my ($tag, $n) = @_;
	my $length = rand() < 0.05 ? int rand 100_000 : int rand 200;
	$length = 1_048_576 - 20 if $n == 50 && $rotate_bytes >= 1_000_000; # else it would fill several files
	return sprintf("%s %08d %s", $tag, $n, join '', map { $letters[rand @letters] } 1 .. $length);
}

my %queue = (stdout => [], stderr => []);
my %count = (stdout => 0, stderr => 0);
my %copy;
for my $output (qw(stdout stderr)) {
	my $name = "$expected.$output";
	open $copy{$output}, '>', $name or die "$name: $!";
}

sub refill {
	my $output = shift;
	return if @{$queue{$output}} || $count{$output} >= $lines;
	my $text = text($output, ++$count{$output});
	print { $copy{$output} } "$text\n";
	while (length $text > $piece) {
		push @{$queue{$output}}, [substr($text, 0, $piece, ''), 0];
	}
	push @{$queue{$output}}, [$text, 1];
}

create();
for (my $n = 0;; $n++) {
	refill($_) for qw(stdout stderr);
	my @some = grep { @{$queue{$_}} } qw(stdout stderr);
	last if !@some;
	my $output = $some[rand @some];
	my ($text, $whole) = @{shift @{$queue{$output}}};
	my $line = physical($output, $text, $whole);
	syswrite($file, $line) == length $line or die "$path: $!";
	$written += length $line;
	rotate() if $written > $rotate_bytes;
	# The pace of the load: a file of podman's that is replaced before anybody looks is gone.
	select undef, undef, undef, 0.01 if $n % 40 == 0 || $runtime eq 'podman';
}
