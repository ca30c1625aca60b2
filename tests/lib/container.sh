# shellcheck shell=bash disable=SC2034 # ERR_OF is e2e.sh's, an associative array
declare -A ERR_OF
ENGINE_OPTIONS=() # of every container
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

# --- engines ----------------------------------------------------------------------------------------

# make_image FILE: a tar of a root file system with nothing but busybox.
make_image() {
	mkdir -p "$T/image/bin"
	cp "$(command -v busybox)" "$T/image/bin/"
	"$T/image/bin/busybox" --install -s "$T/image/bin" 2>/dev/null || true
	local name
	for name in sh cat echo printf sleep; do
		ln -sf busybox "$T/image/bin/$name"
	done
	tar -C "$T/image" -cf "$1" .
}

# A Docker engine of its own; engine COMMAND... talks to it. Its parts end with the scenario: an engine that
# gets SIGTERM stops its containers and containerd.
start_engine_dockerd() {
	local id
	mkdir -p "$T/docker"
	ERR_NAME=dockerd start dockerd --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs \
		--data-root "$T/docker/data" --exec-root "$T/docker/exec" -p "$T/docker/pid" \
		-H "unix://$T/docker/sock" --shutdown-timeout 1
	# shellcheck disable=SC2153 # `start` sets it
	ENGINE_PID=$PID
	trap 'ENGINE_CODE=$?; set +e; trap - ERR; end_engine; (exit "$ENGINE_CODE"); at_exit' EXIT
	if ! try_until 30 'engine version'; then
		# Not everywhere may one run containers, not even as root.
		end_engine
		skip "no Docker engine here: $(grep -o 'failed to start.*\|error.*' "$T/dockerd.err" | tail -n 1)"
	fi
	make_image "$T/image.tar"
	engine import "$T/image.tar" box >/dev/null
	id=$(engine run --rm --network=none box echo works 2>&1) || true
	[ "$id" = works ] || skip "no containers here: $id"
}

engine() {
	docker -H "unix://$T/docker/sock" "$@"
}

end_engine() {
	if alive "$ENGINE_PID"; then
		engine ps -q 2>/dev/null | while read -r id; do engine kill "$id" >/dev/null 2>&1 || true; done
		kill -TERM "$ENGINE_PID"
		try_until 20 "! alive $ENGINE_PID" || true
	fi
	umount -R "$T/docker/data" "$T/docker/exec" 2>/dev/null || true
	forget "$ENGINE_PID"
}

# The same of podman: engine COMMAND..., with storage of its own. What it started ends with the scenario.
start_engine_podman() {
	local said
	engine() {
		podman --root "$T/podman/root" --runroot "$PODMAN_RUN" --runtime runc --cgroup-manager=cgroupfs \
			--storage-driver=vfs --events-backend=file "$@"
	}
	PODMAN_RUN=$(mktemp -d /tmp/haul-podman.XXXXXX) # whose path has to be a short one
	trap 'ENGINE_CODE=$?; set +e; trap - ERR; end_podman; (exit "$ENGINE_CODE"); at_exit' EXIT
	make_image "$T/image.tar"
	said=$(engine import "$T/image.tar" box 2>&1) || skip "no podman here: $(tail -n 1 <<<"$said")"
	said=$(engine run --rm --network=none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 box echo works 2>&1) || true
	[ "$said" = works ] || skip "no containers here: $(tail -n 1 <<<"$said")"
}

end_podman() {
	engine rm -af -t 0 >/dev/null 2>&1 || true
	umount -R "$T/podman/root" "$PODMAN_RUN" 2>/dev/null || true
	rm -rf "$PODMAN_RUN"
}

# engine_run NAME OPTION... -- COMMAND...
engine_run() {
	local name=$1 options=()
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	engine run --name "$name" --network=none "${ENGINE_OPTIONS[@]}" ${options[@]+"${options[@]}"} box "$@" \
		>/dev/null 2>&1
}

# The command of a container that counts to its argument, on both outputs.
# shellcheck disable=SC2016,SC2034 # the containers' shells are meant
COUNT='i=1; while [ $i -le $0 ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); done'

# The same at a pace: an engine rotates and compresses several files a second else.
# shellcheck disable=SC2016,SC2034 # the containers' shells are meant
PACED='i=1; while [ $i -le $0 ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); [ $((i % 100)) != 0 ] || sleep 0.1; done'

expect_accounted() { # expect_accounted SERVICE N: COUNT wrote that, and what is missing the agent says of which files
	local lost=$T/lost.$1 output holes=0
	# A file that was found and went again keeps those after it waiting for up to a minute.
	wait_until 150 "[ \"\$(lines_on_disk $1 | awk '\$6 == $2' | wc -l)\" = 2 ]"
	wait_until 60 "[ \"\$(metric \$AGENT_URL haul_agent_lag_bytes)\" = 0 ]"
	for output in out err; do
		lines_on_disk "$1" | awk -v output=$output '$5 == output { print $6 }' | sort -n >"$lost"
		uniq -d "$lost" | cmp -s - /dev/null || fail "$output of $1 came twice"
		holes=$((holes + $(awk '$1 != last + 1 { n++ } { last = $1 } END { print n + 0 }' "$lost")))
	done
	# A file's lines make one hole for each output at most; one that was seen, and gone when it was its turn, is a loss.
	wait_until 30 "(( $holes <= 2 * (\$(metric \$AGENT_URL haul_agent_unseen_files_total) +
		\$(metric \$AGENT_URL haul_agent_losses_total)) ))"
	note "$1: $(count_on_disk "$1") of $((2 * $2)) lines, $holes holes"
}

expect_numbers() { # expect_numbers SERVICE N: COUNT wrote that
	wait_count 60 $((2 * $2)) "$1"
	lines_on_disk "$1" | awk '$4 == "F" && $5 == "out" { print $6 }' | sort -n | cmp - <(seq "$2") ||
		fail "stdout of $1"
	lines_on_disk "$1" | awk '$4 == "Fe" && $5 == "err" { print $6 }' | sort -n | cmp - <(seq "$2") ||
		fail "stderr of $1"
}

# expect_usual_containers N: what containers of every engine do.
expect_usual_containers() {
	# Both outputs, and the container's name; one that is removed as soon as it has ended.
	engine_run plain -- sh -c "$COUNT" "$1"
	expect_numbers plain "$1"
	engine_run quick --rm -- sh -c 'echo here and gone'
	wait_until 60 'messages quick | grep -cx "here and gone"'

	# A message of a MiB, which comes in pieces; and one that never gets its LF.
	head -c 786431 /dev/urandom | base64 -w 0 >"$T/mib"
	echo >>"$T/mib"
	engine_run mib -v "$T/mib:/mib:ro" -- cat /mib
	wait_count 60 1 mib
	messages mib | cmp - "$T/mib" || fail 'a message of a MiB'
	engine_run unfinished -- sh -c 'printf "no end"'
	wait_until 60 'lines_on_disk unfinished | grep -c " P no end$"'
}
