# shellcheck shell=bash
# What the scenarios of container logs share; read after e2e.sh.

# cri OUTPUT TAG TEXT: a line as containerd writes it.
cri() {
	printf '%s %s %s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)" "$1" "$2" "$3"
}

# start_container RUNTIME FILE EXPECTED LINES ROTATE_BYTES: a container that writes a log (container.pl). Sets
# CONTAINER_PID.
start_container() {
	perl "$ROOT/tests/lib/container.pl" "$1" "$2" "$3" "$SEED" "$4" "$5" 2>>"$T/container.err" &
	CONTAINER_PID=$!
	PIDS+=("$CONTAINER_PID")
	ERR_OF[$CONTAINER_PID]=$T/container.err
}

end_container() { # waits for it
	wait "$CONTAINER_PID" || fail "the container failed: $(cat "$T/container.err")"
	forget "$CONTAINER_PID"
}

# expect_outputs EXPECTED SERVICE: what the container wrote stands on the collector's disk, each line once and
# under its output. Rotated files are streams of their own, so order is not compared.
expect_outputs() {
	local want output
	want=$(cat "$1.stdout" "$1.stderr" | wc -l)
	try_until "${WAIT:-90}" "(( \$(count_on_disk $2) >= $want ))" || true
	for output in stdout stderr; do
		lines_on_disk "$2" | OUTPUT=$output perl -ne '
			my ($time, $host, $service, $flags, $message) = split / /, $_, 5;
			next if ($flags =~ /e/ ? "stderr" : "stdout") ne $ENV{OUTPUT};
			$message =~ s/\\(?:x([0-9a-f]{2})|\\)/defined $1 ? chr hex $1 : "\\"/ge if $flags =~ /x$/;
			print $flags =~ /P/ ? "$flags $message" : $message' |
			LC_ALL=C sort >"$T/found.$output"
		LC_ALL=C sort "$1.$output" | cmp -s - "$T/found.$output" ||
			fail "$output of $2: $(LC_ALL=C sort "$1.$output" | comm -3 - "$T/found.$output" |
				cut -c 1-40 | head -n 10)"
	done
}
