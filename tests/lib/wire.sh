# shellcheck shell=bash disable=SC2034,SC2154 # shares its variables with e2e.sh
# Speaks the wire protocol by hand: for scenarios that send what no agent would. Needs e2e.sh.

AGENT_UUID=00000000-0000-4000-8000-00000000e2e0
SESSION=0

# crc64 < BYTES: CRC-64/XZ, 16 lower-case hex digits.
crc64() {
	perl -e '
		binmode STDIN;
		no warnings "portable";
		my @table = map { my $c = $_;
			$c = $c & 1 ? ($c >> 1) ^ 0xC96C5795D7870F42 : $c >> 1 for 1 .. 8; $c } 0 .. 255;
		my $crc = ~0;
		local $/ = \65536;
		while (my $piece = <STDIN>) {
			$crc = $table[($crc ^ $_) & 255] ^ ($crc >> 8) for unpack "C*", $piece;
		}
		printf "%016x", ~$crc'
}

stream_id() { # a random one
	perl -e 'open my $r, "<", "/dev/urandom"; read $r, my $b, 16; print unpack "H*", $b'
}

# open_session HOST: sets SESSION.
open_session() {
	http POST /v1/session -H "Haul-Agent: $AGENT_UUID 0 haul-agent/e2e" -H 'Content-Type: application/json' \
		--data-binary "{\"host\":\"$1\",\"machine\":\"e2e-$1\"}"
	expect_equal "session for $1 ($BODY)" 200 "$CODE"
	SESSION=$(sed -n 's/.*"session":\([0-9]*\).*/\1/p' "$T/body")
	[ "$SESSION" ] || fail "no session in: $BODY"
}

# header KEY=VALUE...: one chunk header as JSON, with LF. Defaults below; a value that is not a number is
# quoted, KEY= leaves the key out, and KEY:=JSON gives it as it stands.
header() {
	perl -e '
		my @keys = qw(stream host service instance path ino btime start from to base crc_from crc lines
			dropped state bytes);
		my %v = (stream => "0" x 32, host => "web-01", service => "app", path => "/var/log/app.log",
			instance => "", ino => "131", btime => "1795327401225242264", start => 0, from => 0, to => 0,
			base => 0, crc_from => "0" x 16, crc => "0" x 16, lines => 0, dropped => 0, state => "",
			bytes => 0);
		my %text = map { $_ => 1 } qw(stream host service instance path ino btime crc_from crc state loss);
		my %raw;
		for (@ARGV) {
			if (/^(\w+):=(.*)$/s) { $raw{$1} = $2; push @keys, $1 unless exists $v{$1}; $v{$1} = 1 }
			elsif (/^(\w+)=(.*)$/s) {
				push @keys, $1 unless exists $v{$1};
				$v{$1} = $2 } }
		print "{" . join(",", map { my $v = $v{$_};
			exists $raw{$_} ? "\"$_\":$raw{$_}" : $text{$_} ? "\"$_\":\"$v\"" : "\"$_\":$v" }
			grep { !($text{$_} ? 0 : $v{$_} eq "") } @keys) . "}\n"' -- "$@"
}

# source_chunk SOURCE FROM TO PAYLOAD KEY=VALUE...: a whole chunk for the bytes [FROM, TO) of the file
# SOURCE, with its checksums, and the file PAYLOAD as its lines.
source_chunk() {
	local source=$1 from=$2 to=$3 payload=$4
	shift 4
	header from="$from" to="$to" crc_from="$(head -c "$from" "$source" | crc64)" \
		crc="$(head -c "$to" "$source" | crc64)" lines="$(wc -l <"$payload")" \
		bytes="$(wc -c <"$payload")" "$@"
	cat "$payload"
}

# payload_of FILE: payload lines for the lines of a file, all of one time.
payload_of() {
	sed "s/^/${PAYLOAD_TIME:-$(date -u +%Y-%m-%dT%H:%M:%S.000000Z)}F /" "$1"
}

# post_batch FILE [CURL-ARG...]: sends the file, gzipped, as a batch; sets CODE and BODY.
post_batch() {
	local file=$1
	shift
	gzip -c "$file" >"$T/batch.gz"
	post_body "$T/batch.gz" "$@"
}

post_body() { # as it is
	local file=$1
	shift
	http POST /v1/batches -H "Haul-Agent: $AGENT_UUID $SESSION haul-agent/e2e" \
		-H 'Content-Type: application/vnd.haul.batch' -H 'Content-Encoding: gzip' \
		--data-binary @"$file" "$@"
}
