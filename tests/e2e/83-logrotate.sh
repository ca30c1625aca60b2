#!/bin/bash
# Debian's logrotate, as it is, in each of its modes, with real writers: nginx reopened by USR1, rsyslogd by HUP, a script
# that opens its file for each write, and one that never opens it again. While the agent reads along, before it has read,
# and twice while it is down. The archive holds what was written, each line once.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
# Those that are unpacked below build/writers, else the machine's own.
WRITERS=$ROOT/build/writers
PATH=$WRITERS/usr/sbin:$PATH:/usr/sbin
WRITERS_LIB=$(printf '%s:' "$WRITERS"/usr/lib/*-linux-gnu)
MODULES=$(find "$WRITERS/usr/lib" /usr/lib -name lmnet.so -path "*/rsyslog/*" -printf "%h\n" 2>/dev/null | head -n 1) || true
need logrotate gzip
note "seed $SEED"

# ---------------------------------------------------------------------------------------------------
# Files that a script writes: a folder and a rule of logrotate for each mode.

declare -A RULES=(
	[create]='create'
	[compress]='create compress'
	[delay]='create compress delaycompress'
	[nocreate]='nocreate'
	[dateext]='create dateext dateformat|-%Y%m%d-%s'
	[datezip]='create compress dateext dateformat|.%s'
	[olddir]='create olddir|old'
	[oldzip]='create compress olddir|old'
	[copy]='copytruncate'
	[copyzip]='copytruncate compress'
	[copydelay]='copytruncate compress delaycompress'
	[copydate]='copytruncate compress dateext dateformat|-%s'
	[copyold]='copytruncate compress olddir|old'
	[zstd]='create compress delaycompress compresscmd|/usr/bin/gzip compressext|.gz compressoptions|-1'
	[extension]='create compress extension|.log'
)
mkdir "$T/log"
for mode in "${!RULES[@]}"; do
	mkdir -p "$T/log/$mode/old"
	printf '%s {\n\trotate 20\n\tmissingok\n' "$T/log/$mode/app.log"
	for word in ${RULES[$mode]}; do
		printf '\t%s\n' "${word/|/ }"
	done
	echo '}'
done >"$T/rotate.conf"
# By size, when logrotate thinks it is time: no force.
mkdir "$T/log/maxsize" "$T/log/late"
printf '%s {\n\trotate 20\n\tdaily\n\tmaxsize 20k\n\tcreate\n\tcompress\n}\n' "$T/log/maxsize/app.log" >"$T/size.conf"
# A script that never opens its file again: it goes on in what was renamed, and then in what was deleted, packed.
printf '%s {\n\trotate 20\n\tcreate\n\tcompress\n\tdelaycompress\n}\n' "$T/log/late/app.log" >"$T/late.conf"
exec 5>>"$T/log/late/app.log"

declare -A N=()
MODES=("${!RULES[@]}" maxsize late)
more() { # more MODE COUNT: lines of it, of different lengths
	local from=$((${N[$1]:-0} + 1)) to=$((${N[$1]:-0} + $2))
	N[$1]=$to
	seq -f "%.0f of $1, written by a script: $((RANDOM * RANDOM))" $from $to >"$T/piece"
	cat "$T/piece" >>"$T/expected.$1"
	if [ "$1" = late ]; then
		cat "$T/piece" >&5
	else
		cat "$T/piece" >>"$T/log/$1/app.log"
	fi
}

all_more() {
	local mode
	for mode in "${MODES[@]}"; do
		more "$mode" "$1"
	done
}

rotated_by() {
	LD_LIBRARY_PATH=$WRITERS_LIB logrotate "$@"
}

rotated=0
rotate() { # dates are told by the second
	wait_until 5 "(( \$(date +%s) > $rotated ))"
	rotated_by -f -s "$T/rotate.state" "$T/rotate.conf"
	rotated_by -s "$T/size.state" "$T/size.conf"
	[ "${MODES[-1]}" != late ] || rotated_by -f -s "$T/late.state" "$T/late.conf"
	rotated=$(date +%s)
}

read_along() { # the agent has seen what there is
	local mode
	for mode in "${MODES[@]}"; do
		wait_count 60 "${N[$mode]}" "$mode"
	done
}

check_all() {
	local mode
	for mode in "${MODES[@]}"; do
		expect_each_in_order "$T/expected.$mode" "$mode"
	done
}

# ---------------------------------------------------------------------------------------------------
# nginx and rsyslogd, with the rules that Debian gives them

free_port
nginx_port=$PORT
mkdir -p "$T/log/nginx" "$T/log/rsyslog"
start_nginx() {
	cat >"$T/nginx.conf" <<-END
		user root;
		worker_processes 1;
		pid $T/nginx.pid;
		error_log $T/nginx.err;
		events {}
		http {
			access_log off;
			log_format short '\$request_uri \$status';
			client_body_temp_path $T/nginx.body;
			proxy_temp_path $T/nginx.proxy;
			fastcgi_temp_path $T/nginx.fastcgi;
			uwsgi_temp_path $T/nginx.uwsgi;
			scgi_temp_path $T/nginx.scgi;
			keepalive_requests 100000;
			server {
				listen 127.0.0.1:$nginx_port;
				location /first/ { access_log $T/log/nginx/first.log short; return 204; }
				location /second/ { access_log $T/log/nginx/second.log short; return 204; }
			}
		}
	END
	ERR_NAME=nginx-start start nginx -e "$T/nginx.err" -c "$T/nginx.conf" -g 'daemon off;'
	NGINX_PID=$PID
	wait_until 20 "[ -s $T/nginx.pid ] && curl -fsS -o /dev/null http://127.0.0.1:$nginx_port/first/begin"
	cat >"$T/nginx.rotate" <<-END
		$T/log/nginx/*.log {
			daily
			missingok
			rotate 14
			compress
			delaycompress
			notifempty
			create 0640
			sharedscripts
			postrotate
				kill -USR1 \$(cat $T/nginx.pid)
			endscript
		}
	END
}

start_rsyslog() {
	cat >"$T/rsyslog.conf" <<-END
		module(load="imuxsock" SysSock.Use="off")
		input(type="imuxsock" Socket="$T/socket" CreatePath="on" RateLimit.Interval="0")
		template(name="short" type="string" string="%msg%\n")
		global(workDirectory="$T")
		local0.* action(type="omfile" file="$T/log/rsyslog/first.log" template="short")
		local1.* action(type="omfile" file="$T/log/rsyslog/second.log" template="short")
	END
	ERR_NAME=rsyslog start env LD_LIBRARY_PATH="$WRITERS_LIB" rsyslogd -M "$MODULES" -n -f "$T/rsyslog.conf" -i "$T/rsyslog.pid"
	RSYSLOG_PID=$PID
	wait_until 20 "[ -S $T/socket ] && [ -s $T/rsyslog.pid ]"
	cat >"$T/rsyslog.rotate" <<-END
		$T/log/rsyslog/first.log
		$T/log/rsyslog/second.log
		{
			rotate 4
			weekly
			missingok
			notifempty
			compress
			delaycompress
			sharedscripts
			postrotate
				kill -HUP \$(cat $T/rsyslog.pid)
			endscript
		}
	END
}

# Numbered messages to both files by turns, at a pace, until SIGTERM; what was written stands in expected.*.
syslog_writer() {
	perl -MSocket -e '
		my ($path, @expected) = @ARGV;
		my $stop = 0;
		$SIG{TERM} = sub { $stop = 1 };
		socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";
		connect($s, pack_sockaddr_un($path)) or die "$path: $!";
		my @out = map { open my $f, ">", $_ or die; $f } @expected;
		for (my $n = 1; !$stop; $n++) {
			for my $i (0, 1) {
				my $text = "message $n";
				defined send($s, sprintf("<%d>Nov 22 06:00:00 app: %s", (16 + $i) * 8 + 6, $text), 0) or die "send: $!";
				print { $out[$i] } " $text\n";
			}
			select undef, undef, undef, 0.002; # the pace of the load
		}' "$T/socket" "$T/expected.rsyslog.first" "$T/expected.rsyslog.second" 2>>"$T/writer.err" &
	PID=$!
	PIDS+=("$PID")
	ERR_OF[$PID]=$T/writer.err
}

daemons=()
command -v nginx >/dev/null && daemons+=(nginx)
command -v rsyslogd >/dev/null && daemons+=(rsyslog)
for daemon in ${daemons[@]+"${daemons[@]}"}; do
	"start_$daemon"
done

# ---------------------------------------------------------------------------------------------------

start_collector
inputs=()
for mode in "${MODES[@]}"; do
	inputs+=("$(input "$mode" "$T/log/$mode/*.log" "service = $mode" \
		"$([[ $mode = *old* ]] && echo 'rotated_dir = old')")")
done
inputs+=("$(input daemons "$T/log/nginx/*.log $T/log/rsyslog/*.log" 'service = {dir}.{stem}')")
all_more 100
start_agent web-01 "${inputs[@]}"
read_along

if [[ " ${daemons[*]-} " = *' nginx '* ]]; then
	requests=3000
	curl_pids=()
	for log in first second; do
		curl -sS -o /dev/null --rate 1000/s "http://127.0.0.1:$nginx_port/$log/[1-$requests]" 2>>"$T/curl.err" &
		curl_pids+=($!)
		PIDS+=($!)
	done
fi
if [[ " ${daemons[*]-} " = *' rsyslog '* ]]; then
	syslog_writer
	syslog_pid=$PID
fi

rotate # it had read everything
for ((i = 0; i < 3; i++)); do
	all_more $((200 + RANDOM % 300))
	rotate # it may have read some of it
	for daemon in ${daemons[@]+"${daemons[@]}"}; do
		rotated_by -f -s "$T/$daemon.state" "$T/$daemon.rotate"
	done
	all_more 50
done
read_along
check_all
note "${#RULES[@]} modes and two more, agent running: exact"

stop "$AGENT_PID"
# The last script writes into a file that has no name any more: only who holds it can read that.
MODES=("${!RULES[@]}" maxsize)
for ((i = 0; i < 2; i++)); do
	all_more $((200 + RANDOM % 300))
	rotate
done
all_more 50
start_agent web-01
read_along
rotate
all_more 50
read_along
check_all
note 'two rotations while it was down: exact'

if [ -n "${curl_pids-}" ]; then
	for PID in "${curl_pids[@]}"; do
		wait "$PID" || fail "curl: $(cat "$T/curl.err")"
	done
	for log in first second; do
		seq -f "/$log/%.0f 204" 1 "$requests" >"$T/expected.nginx.$log"
	done
	sed -i '1i /first/begin 204' "$T/expected.nginx.first"
	files=$(find "$T/log/nginx" -name '*.log.[0-9]*' | wc -l)
	((files >= 6)) || fail "nginx: $files rotated files"
	kill -QUIT "$NGINX_PID"
	wait "$NGINX_PID" || true
	forget "$NGINX_PID"
	for log in first second; do
		expect_each_in_order "$T/expected.nginx.$log" "nginx.$log"
	done
	note "nginx: $((2 * requests)) requests, $files rotations, exact"
else
	note 'nginx is not on this machine'
fi
if [ -n "${syslog_pid-}" ]; then
	stop_writer "$syslog_pid"
	kill -TERM "$RSYSLOG_PID"
	wait "$RSYSLOG_PID" || true
	forget "$RSYSLOG_PID"
	for log in first second; do
		expect_each_in_order "$T/expected.rsyslog.$log" "rsyslog.$log"
	done
	note "rsyslogd: $(wc -l <"$T/expected.rsyslog.first") messages to each of two files, exact"
else
	note 'rsyslogd is not on this machine'
fi
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
MODES+=(late)
check_all
