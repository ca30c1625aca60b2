#!/bin/bash
# corpus.sh FOLDER: writes 16 log files that look like those of 16 well-known systems, for machines without
# a real corpus: their forms of timestamps, stack traces, odd bytes, CRLF, empty lines. Deterministic.
set -euo pipefail
export LC_ALL=C TZ=UTC
folder=${1:?corpus.sh FOLDER}
mkdir -p "$folder"

perl -e '
	use POSIX qw(strftime);
	my ($folder) = @ARGV;
	my $seed = 20261122;
	sub rnd { $seed = ($seed * 1103515245 + 12345) % 2147483648; return int($seed / 65536) % $_[0] }
	my @words = qw(block received from session opened for user root failed connection to cache miss retry
		timeout while reading response header upstream lease renewed task finished stage committed);
	sub text { join " ", map { $words[rnd(scalar @words)] } 1 .. 4 + rnd(12) }
	sub id { sprintf "%08x", rnd(32768) * 65536 + rnd(32768) }
	sub at { strftime $_[0], gmtime $_[1] }
	my %form = (
		Android => sub { at("%m-%d %H:%M:%S", $_[0]) . sprintf ".%03d  %d  %d %s WindowManager: %s",
			rnd(1000), rnd(9000), rnd(9000), (qw(V D I W E))[rnd(5)], text() },
		Apache => sub { at("[%a %b %d %H:%M:%S %Y]", $_[0]) . " [" . (qw(notice error))[rnd(2)] . "] " . text() },
		BGL => sub { "- $_[0] " . at("%Y.%m.%d", $_[0]) . " R02-M1-N0-C:J12-U11 "
			. at("%Y-%m-%d-%H.%M.%S", $_[0]) . ".363779 RAS KERNEL INFO " . text() },
		HDFS => sub { at("%y%m%d %H%M%S", $_[0]) . " " . rnd(999) . " INFO dfs.DataNode: blk_-" . id() . " "
			. text() },
		HPC => sub { rnd(99999) . " node-" . rnd(256) . " unix.hw state_change.unavailable $_[0] 1 " . text() },
		Hadoop => sub { at("%Y-%m-%d %H:%M:%S", $_[0]) . sprintf(",%03d", rnd(1000))
			. " INFO [main] org.apache.hadoop.mapreduce.v2.app.MRAppMaster: " . text() },
		HealthApp => sub { my @t = gmtime $_[0]; sprintf "%s-%d:%d:%d:%d|Step_LSC|30002312|%s",
			at("%Y%m%d", $_[0]), $t[2], $t[1], $t[0], rnd(1000), text() },
		Linux => sub { at("%b %e %H:%M:%S", $_[0]) . " combo sshd(pam_unix)[" . rnd(30000) . "]: " . text() },
		Mac => sub { at("%b %e %H:%M:%S", $_[0]) . " calvisitor-10-105-160-95 kernel[0]: " . text() },
		OpenSSH => sub { at("%b %d %H:%M:%S", $_[0]) . " LabSZ sshd[" . rnd(30000) . "]: " . text() },
		OpenStack => sub { "nova-api.log.1 " . at("%Y-%m-%d %H:%M:%S", $_[0])
			. ".008 25746 INFO nova.osapi_compute.wsgi.server [req-" . id() . " - - -] " . text() },
		Proxifier => sub { at("[%m.%d %H:%M:%S]", $_[0]) . " chrome.exe - proxy:5070 " . text() },
		Spark => sub { at("%y/%m/%d %H:%M:%S", $_[0]) . " INFO executor.Executor: " . text() },
		Thunderbird => sub { "- $_[0] " . at("%Y.%m.%d", $_[0]) . " dn228 " . at("%b %e %H:%M:%S", $_[0])
			. " dn228/dn228 crond[" . rnd(9999) . "]: " . text() },
		Windows => sub { at("%Y-%m-%d %H:%M:%S", $_[0]) . ", Info                  CBS    " . text() . "\r" },
		Zookeeper => sub { at("%Y-%m-%d %H:%M:%S", $_[0]) . sprintf(",%03d", rnd(1000))
			. " - WARN  [RecvWorker:188978561024:QuorumCnxManager\$RecvWorker\@762] - " . text() },
	);
	for my $name (sort keys %form) {
		open my $out, ">", "$folder/$name.log" or die "$folder/$name.log: $!";
		binmode $out;
		my $time = 1447000000 + rnd(30000) * 4000;
		for my $n (1 .. 2000) {
			$time += rnd(90);
			print $out $form{$name}->($time), "\n";
			# What real files have between their well-formed lines.
			if (!rnd(150)) {
				print $out "java.io.IOException: ", text(), "\n";
				print $out "\tat org.apache.", (qw(hadoop spark zookeeper))[rnd(3)], ".Main.run(Main.java:",
					rnd(900), ")\n" for 0 .. rnd(9);
			}
			print $out "\n" if !rnd(400);
			print $out "caf\xe9 \x1b[31m", text(), "\x1b[0m \\n \xc3\xa4\n" if !rnd(400);
		}
		close $out or die "$folder/$name.log: $!";
	}' "$folder"
