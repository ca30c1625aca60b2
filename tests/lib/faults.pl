#!/usr/bin/perl
# Runs a program again and again, each time with another call failing: faults.pl PROGRAM HOW-MANY SEED WORKERS [CASE N]
#
# PROGRAM is agent or collector; the other one is left in peace. A run is short and whole: some lines, a rotation by
# renaming and one by copying, a stop, more lines, a restart. The fault may fall anywhere in it, the restart included.
# The oracle: the program never dies of a signal and never hangs; when it gives up it says why; and when all is well
# again (after a restart, if it takes one) every line that was written stands on disk once, in order.
#
# HOW-MANY is `all` (each case with N = 1, 2, 3 ... until a run passes with nothing left to fail) or a number of runs
# drawn by SEED. CASE N: only this one.
#
# Of the environment: T (a folder), HAUL_BIN (the programs), HAUL_FAULTS (the library), DATA and URL (agent: of the
# collector that runs), COLLECTOR_PORT.
use strict;
use warnings;
use POSIX qw(:sys_wait_h :signal_h);
use Time::HiRes qw(time sleep);
use IO::Socket::INET;
use File::Path 'remove_tree';

my ($program, $how_many, $seed, $workers, $only_case, $only_n) = @ARGV;
my $T = $ENV{T};
$| = 1;

# The case, what may be wrong in it: calls, how, how many of them in turn.
my @cases = map { [split] } (
	'open EIO 1', 'open EMFILE 1', 'open EMFILE 40', 'read EIO 1', 'read EINTR 1', 'read SHORT 1', 'read SHORT 1000000',
	'write EIO 1', 'write ENOSPC 1', 'write EINTR 1', 'write SHORT 1', 'write SHORT 1000000', 'sync EIO 1',
	'rename EIO 1', 'cut EIO 1', 'name EIO 1', 'malloc ENOMEM 1', 'malloc ENOMEM 20', 'mmap ENOMEM 1',
	'write,sync,rename,cut,name ENOSPC 1000000', 'write,sync,rename,cut,name EIO 1000000',
);
my @kinds = qw(open read write sync rename cut name malloc mmap);

# ---------------------------------------------------------------------------------------------------
# Files and processes

my $dir;      # of the run
my %started;  # pid -> name, of what is to be ended
my %status;   # pid -> how it ended

sub slurp {
	open my $f, '<', $_[0] or return '';
	local $/;
	return <$f> // '';
}

sub spill {
	my ($path, $text, $mode) = @_;
	open my $f, $mode // '>', $path or die "$path: $!";
	print $f $text;
	close $f or die "$path: $!";
}

sub launch { # NAME FAULT COMMAND...: its stderr goes to NAME.err
	my ($name, $fault, @command) = @_;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		open STDERR, '>>', "$dir/$name.err" or die;
		open STDOUT, '>&', \*STDERR;
		@ENV{qw(HAUL_FAULT LD_PRELOAD)} = ($fault, $ENV{HAUL_FAULTS}) if $fault;
		exec @command or die;
	}
	$started{$pid} = $name;
	delete $status{$pid}; # of a former process of this number
	return $pid;
}

# Until the condition holds or the time is over; how it ended is returned.
sub wait_for {
	my ($seconds, $condition) = @_;
	my $deadline = time + $seconds;
	while (!$condition->()) {
		return 0 if time > $deadline;
		sleep 0.01;
	}
	return 1;
}

sub ended {
	my ($pid) = @_;
	return 1 if exists $status{$pid};
	return 0 if waitpid($pid, WNOHANG) != $pid;
	$status{$pid} = $?;
	delete $started{$pid};
	return 1;
}

sub end_all {
	kill 'KILL', keys %started;
	waitpid $_, 0 for keys %started;
	%started = ();
}

# ---------------------------------------------------------------------------------------------------
# Lines

sub lines {
	my ($what, $from, $to) = @_;
	return join '', map { sprintf "%s %d %s\n", $what, $_, substr('x' x 400, ($_ * 37) % 300) } $from .. $to;
}

# The stored messages of this run, in the order of the files.
sub found {
	my ($data, $host) = @_;
	my $text = '';
	my %file;
	for my $path (glob "$data/[0-9]*-*-*/log/$host.*") {
		my ($number, $packed) = $path =~ m{/\Q$host\E(?:\.(\d{4,}))?\.log(\.zst)?$} or next;
		my $key = $number // 'live';
		$file{$key} = $path if !$file{$key} || $packed;
	}
	for (sort keys %file) {
		$text .= $file{$_} =~ /zst$/ ? `zstd -qdc $file{$_}` : slurp($file{$_});
	}
	return $text;
}

sub found_count {
	my $text = found(@_);
	return $text =~ tr/\n//;
}

# What is wrong with what stands there; '' when nothing is.
sub wrong {
	my ($text, %wanted) = @_; # name of the source -> how many lines
	my (%seen, %last);
	for (split /\n/, $text) {
		my ($message) = /^\S+ \S+ \S+ [F+]e?r?x? (.*)$/ or return "a strange line: $_";
		my ($what, $n) = $message =~ /^(\S+) (\d+) / or return "a strange message: $message";
		return "$what $n stands twice" if $seen{"$what $n"}++;
		return "$what $n is out of order" if $n < ($last{$what} // 0);
		$last{$what} = $n;
		$message . "\n" eq lines($what, $n, $n) or return "$what $n is not what was written";
	}
	for my $what (sort keys %wanted) {
		my @missing = grep { !$seen{"$what $_"} } 1 .. $wanted{$what};
		return sprintf '%d lines of %s are missing, from %d on', scalar @missing, $what, $missing[0] if @missing;
	}
	return '';
}

# ---------------------------------------------------------------------------------------------------
# The fault

sub fault {
	my ($calls, $how, $count, $n) = @_;
	return "$calls:$how:$n:$count:$dir/fault";
}

sub fault_state {
	my ($calls, $failed, @all) = unpack 'Q11', slurp("$dir/fault");
	my ($text) = substr(slurp("$dir/fault"), 88) =~ /^([^\0]*)/;
	return { calls => $calls, failed => $failed, text => $text, all => { map { $kinds[$_] => $all[$_] } 0 .. $#kinds } };
}

# ---------------------------------------------------------------------------------------------------
# A run

my ($run, $host, $data, $url, $healed);

# Has it given up as it should? Dies with what is wrong.
sub judge_end {
	my ($name, $pid) = @_;
	my $status = $status{$pid};
	die sprintf("%s ended by signal %d\n", $name, $status & 127) if $status & 127;
	return if $status == 0;
	my $said = slurp("$dir/$name.err");
	die "$name gave up with exit " . ($status >> 8) . " and without a word\n" unless $said =~ /\S/;
}

my %command;

sub begin { # NAME FAULT
	my ($name, $fault) = @_;
	return launch($name, $fault, @{ $command{$name} });
}

sub finish { # NAME PID: ended by SIGTERM
	my ($name, $pid) = @_;
	kill 'TERM', $pid;
	wait_for(30, sub { ended($pid) }) or die "$name goes on 30 s after SIGTERM\n";
	$status{$pid} = 0 if ($status{$pid} & 127) == SIGTERM; # it had only just begun
	judge_end($name, $pid);
}

# Waits for so many lines; a program that gives up is started again, without a fault. Returns its pid.
sub until_there {
	my ($name, $pid, $count, $seconds) = @_;
	for (1 .. 3) {
		return $pid if wait_for($seconds, sub { ended($pid) || found_count($data, $host) >= $count })
			&& !ended($pid);
		$healed = 0;
		if (ended($pid)) {
			judge_end($name, $pid);
		} else {
			finish($name, $pid); # it goes on, but something stays behind: a restart must mend it
		}
		last if found_count($data, $host) >= $count && fault_state()->{failed} == 0;
		$pid = begin($name, '');
		$seconds = 60;
	}
	die sprintf("%d lines of %d arrived: %s\n", found_count($data, $host), $count, wrong(found($data, $host)));
}

sub agent_config {
	my ($host, $url, $extra) = @_;
	mkdir "$dir/log";
	spill("$dir/agent.conf", "[agent]\nhost = $host\nstate_dir = $dir/state\nlisten =\n[collector]\nurl = $url\n"
		. "batch_delay = 10ms\n[input app]\ntype = file\nservice = log\npath = $dir/log/*.log\n");
	$command{agent} = ["$ENV{HAUL_BIN}/haul-agent", '-c', "$dir/agent.conf"];
}

sub collector_config {
	my ($port) = @_;
	spill("$dir/collector.conf", "[collector]\nlisten = 127.0.0.1:$port\ndata_dir = $dir/data\nsegment_bytes = 1M\n"
		. "min_free = 1M\n");
	$command{collector} = ["$ENV{HAUL_BIN}/haul-collector", '-c', "$dir/collector.conf"];
}

sub free_port {
	my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "port: $!";
	return $s->sockport;
}

# One whole run; dies with what is wrong. Returns the state of the fault.
sub whole_run {
	my ($case, $n) = @_;
	my $fault = fault(@$case, $n);
	my ($other, $first) = (undef, $program eq 'collector' ? 1500 : 150);
	$host = "$program-$run";
	%command = ();
	$healed = 1;
	if ($program eq 'agent') {
		($data, $url) = ($ENV{DATA}, $ENV{URL});
	} else {
		my $port = free_port();
		($data, $url) = ("$dir/data", "http://127.0.0.1:$port");
		collector_config($port);
	}
	agent_config($host, $url);
	spill("$dir/log/renamed.log", lines('a', 1, $first));
	spill("$dir/log/copied.log", lines('c', 1, $first));
	my $pid = begin($program, $fault);
	$other = begin('agent', '') if $program eq 'collector';
	$pid = until_there($program, $pid, 2 * $first, 8);

	rename "$dir/log/renamed.log", "$dir/log/renamed.log.1" or die;
	spill("$dir/log/renamed.log", lines('b', 1, $first));
	spill("$dir/log/copied.log.1", slurp("$dir/log/copied.log"));
	truncate "$dir/log/copied.log", 0 or die;
	spill("$dir/log/copied.log", lines('d', 1, $first), '>>');
	$pid = until_there($program, $pid, 4 * $first, 8);
	finish($program, $pid);

	spill("$dir/log/renamed.log", lines('b', $first + 1, $first + 100), '>>');
	spill("$dir/log/renamed.log.1", lines('a', $first + 1, $first + 10), '>>');
	$pid = begin($program, fault_state()->{failed} ? '' : $fault);
	my $all = 4 * $first + 110;
	$pid = until_there($program, $pid, $all, 8);
	finish($program, $pid);
	finish('agent', $other) if $other;
	my $wrong = wrong(found($data, $host), a => $first + 10, b => $first + 100, c => $first, d => $first);
	die "$wrong\n" if $wrong;
	return fault_state();
}

# Runs one and says what is wrong with it. Returns the state of the fault, undef when it failed.
sub try_run {
	my ($case, $n) = @_;
	$run++;
	$dir = "$T/run-$program-$run-$$";
	mkdir $dir or die "$dir: $!";
	my $state = eval { whole_run($case, $n) };
	my $error = $@;
	end_all();
	if (!$state) {
		$state = fault_state();
		print "FAILED: $program, @$case[0, 1, 2] from call $n on ($state->{text}): $error";
		for (grep { -s } glob "$dir/*.err") {
			my @said = split /\n/, slurp($_);
			print map { "  | $_\n" } @said > 8 ? @said[-8 .. -1] : @said;
		}
		return;
	}
	print "restarted: $program, @$case[0, 1, 2] from call $n on: $state->{text}\n" if !$healed && $ENV{HAUL_VERBOSE};
	remove_tree($dir);
	return $state;
}

# ---------------------------------------------------------------------------------------------------
# Which of them

sub case_of { # "write,sync EIO 1"
	return [split ' ', $_[0]];
}

# The work of one worker: cases and numbers.
sub sampled {
	my ($worker) = @_;
	srand $seed; # each draws the same and takes its share
	my $state = try_run(['open', 'EIO', 0], 1) or return 1;
	my $failures = 0;
	for my $i (1 .. $how_many) {
		my $case = $cases[int rand @cases];
		my $most = 0;
		$most += $state->{all}{$_} for split /,/, $case->[0];
		my $n = 1 + int rand $most;
		next if $i % $workers != $worker || $most == 0;
		$failures++ unless try_run($case, $n);
	}
	return $failures;
}

sub all_of {
	my ($worker) = @_;
	my $failures = 0;
	for my $i (grep { $_ % $workers == $worker } 0 .. $#cases) {
		my ($n, $runs, $restarts) = (1, 0, 0);
		for (;; $n++) {
			my $state = try_run($cases[$i], $n);
			$runs++;
			$failures++ unless $state;
			$restarts++ if $state && !$healed;
			last if $state ? $state->{failed} == 0 : $failures > 20;
		}
		print "$program, @{ $cases[$i] }: $runs runs, $restarts needed a restart\n";
	}
	return $failures;
}

if (defined $only_n) {
	$run = 0;
	my $state = try_run(case_of($only_case), $only_n);
	print $state ? "failed: $state->{failed} ($state->{text}), calls: "
		. join(' ', map { "$_ $state->{all}{$_}" } @kinds) . "\n" : "wrong\n";
	exit !$state;
}
my @pids;
for my $worker (0 .. $workers - 1) {
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		$run = $worker * 1_000_000;
		$SIG{TERM} = sub { end_all(); exit 1 };
		my $failures = eval { $how_many eq 'all' ? all_of($worker) : sampled($worker) } // do { print "FAILED: $@"; 1 };
		exit($failures ? 1 : 0);
	}
	push @pids, $pid;
}
my $bad = 0;
for (@pids) {
	waitpid $_, 0;
	$bad ||= $?;
}
exit($bad ? 1 : 0);
