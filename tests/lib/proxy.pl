#!/usr/bin/perl
# A bad network between agent and collector: proxy.pl PORT UPSTREAM-PORT MODE-FILE SEED. Reads MODE-FILE at
# every event; it has one line:
#
#     pass                        everything goes through
#     bad CUT DROP DELAY [DOUBLE LATE HALF]
#                                 chances for each piece: a request is cut in half and the connection
#                                 closed; an answer is thrown away, likewise; a piece is held for 50 ms.
#                                 For each request: it reaches the collector a second time, up to a second
#                                 later, on another connection; it is held back, the connection to the client
#                                 closed, and it arrives up to a second later, when the client has long sent
#                                 others. For each answer: half of it arrives
#     answer FILE [MIN-BYTES]     POST /v1/batches (of so many bytes or more) gets what stands in FILE,
#                                 and never reaches the collector
#
# Says each request on stdout: milliseconds, what was done with it, the request line, its length.
use strict;
use warnings;
use IO::Socket::INET;
use IO::Select;
use Time::HiRes 'time';

my ($port, $upstream_port, $mode_file, $seed) = @ARGV;
srand $seed;
$| = 1;
$SIG{PIPE} = 'IGNORE';
$SIG{TERM} = sub { exit 0 };

my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 64, ReuseAddr => 1)
	or die "proxy: port $port: $!";
my $select = IO::Select->new($listen);
my (%peer, %is_client, %request, %held_back); # by file number
my @later; # requests that arrive at some time: [when, bytes]

sub mode {
	open my $f, '<', $mode_file or return ('pass');
	return split ' ', <$f> // 'pass';
}

sub say_request {
	my ($done, $line, $bytes) = @_;
	chomp(my $ms = `date +%s%3N`);
	print "$ms $done $line $bytes\n";
}

sub drop_pair {
	for my $s (my @pair = grep { defined } $_[0], $peer{ fileno $_[0] }) {
		my $n = fileno $s;
		next unless defined $n;
		delete $_->{$n} for \%peer, \%is_client, \%request, \%held_back;
		$select->remove($s);
		$s->close;
	}
}

sub send_all {
	my ($to, $bytes) = @_;
	$to->blocking(1);
	while (length $bytes) {
		my $n = syswrite $to, $bytes or return 0;
		substr $bytes, 0, $n, '';
	}
	return 1;
}

# The next whole request in what a client has sent, when the mode wants to answer it.
sub answer_request {
	my ($client, $file, $min) = @_;
	my $n = fileno $client;
	$request{$n} =~ /\A(.*?)\r\n(.*?)\r\n\r\n/s or return 1;
	my ($line, $headers, $head) = ($1, $2, $+[0]);
	my ($length) = $headers =~ /^Content-Length:\s*(\d+)/im;
	$length //= 0;
	if ($line !~ m{^POST /v1/batches} || $length < $min) {
		my $rest = substr $request{$n}, 0, length $request{$n}, '';
		say_request('pass', $line, $length);
		return send_all($peer{$n}, $rest);
	}
	if ($headers =~ /^Expect:\s*100/im && length $request{$n} == $head) {
		return send_all($client, "HTTP/1.1 100 Continue\r\n\r\n");
	}
	return 1 if length $request{$n} < $head + $length;
	substr $request{$n}, 0, $head + $length, '';
	say_request('answer', $line, $length);
	open my $f, '<', $file or die "proxy: $file: $!";
	local $/;
	my $text = <$f>;
	$text =~ s/\n/\r\n/g;
	return send_all($client, $text) && 0; # one answer a connection
}

# The length of the whole request at the beginning of what a client has sent; undef: more is to come.
sub whole_request {
	my ($bytes) = @_;
	$bytes =~ /\A.*?\r\n(.*?)\r\n\r\n/s or return;
	my $length = $+[0];
	$length += $1 if $bytes =~ /\A.*?^Content-Length:\s*(\d+)/ims && $-[0] < $length;
	return length $bytes < $length ? undef : $length;
}

sub arrives_later {
	my ($what, $request) = @_;
	say_request($what, (split /\r\n/, $request, 2)[0], length $request);
	$request =~ s/\r\nExpect:[^\r]*//i;
	push @later, [time + rand, $request];
}

# Remembers what a client sends; false: the connection is to be closed.
sub watch_request {
	my ($client, $piece, $double, $late) = @_;
	my $n = fileno $client;
	$held_back{$n} = rand() < $late if $request{$n} eq '';
	$request{$n} .= $piece;
	if ($held_back{$n} && $piece =~ /^Expect:\s*100/im) {
		send_all($client, "HTTP/1.1 100 Continue\r\n\r\n") or return 0;
	}
	my $length = whole_request($request{$n}) or return 1;
	my $request = substr $request{$n}, 0, $length, '';
	if ($held_back{$n}) {
		arrives_later('late', $request);
		return 0;
	}
	arrives_later('double', $request) if rand() < $double;
	return 1;
}

# What was held back goes on its way; the answers are nobody's.
sub deliver {
	my @due = grep { $_->[0] <= time } @later;
	@later = grep { $_->[0] > time } @later;
	for (@due) {
		my $up = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $upstream_port) or next;
		send_all($up, $_->[1]);
		$select->add($up);
	}
}

while (1) {
	my @ready = $select->can_read(@later ? 0.05 : undef);
	my ($mode, @args) = mode();
	deliver();
	for my $s (@ready) {
		next unless defined fileno $s;
		if ($s == $listen) {
			my $client = $listen->accept or next;
			my $up = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $upstream_port);
			if (!$up) { $client->close; next }
			($peer{ fileno $client }, $peer{ fileno $up }) = ($up, $client);
			$is_client{ fileno $client } = 1;
			$request{ fileno $client } = '';
			$select->add($client, $up);
			next;
		}
		my ($n, $piece) = (fileno $s);
		if (!sysread $s, $piece, 65536) { drop_pair($s); next }
		next unless $peer{$n};
		if ($mode eq 'answer' && $is_client{$n}) {
			$request{$n} .= $piece;
			drop_pair($s) unless answer_request($s, $args[0], $args[1] // 0);
			next;
		}
		if ($mode eq 'bad') {
			my ($cut, $drop, $delay, $double, $late, $half) = (@args, 0, 0, 0);
			select undef, undef, undef, 0.05 if rand() < $delay;
			if ($is_client{$n} && rand() < $cut) {
				send_all($peer{$n}, substr $piece, 0, length($piece) / 2);
				say_request('cut', 'a request', length $piece);
				drop_pair($s);
				next;
			}
			if (!$is_client{$n} && rand() < $drop) {
				say_request('drop', 'an answer', length $piece);
				drop_pair($s);
				next;
			}
			if (!$is_client{$n} && rand() < $half) {
				send_all($peer{$n}, substr $piece, 0, length($piece) / 2);
				say_request('half', 'an answer', length $piece);
				drop_pair($s);
				next;
			}
			if ($is_client{$n} && ($double || $late)) {
				if (!watch_request($s, $piece, $double, $late)) {
					drop_pair($s);
					next;
				}
				next if $held_back{$n};
			}
		}
		drop_pair($s) unless send_all($peer{$n}, $piece);
	}
}
