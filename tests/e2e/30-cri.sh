#!/bin/bash
# Logs of pods as containerd and kubelet write them: outputs that alternate, lines in pieces, rotation, a container
# that starts again, a pod that is gone at once; while the agent is killed now and then.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/container.sh"
need_programs haul-agent haul-collector
away_from_midnight

pods=$T/pods
cart=$pods/prod_cart-7d9f4-x2_0c1d8ee0-7ac8-4ae3-a2c1-4f4e9c4d2f11/cart
mkdir -p "$cart"
start_collector
start_agent web-01 "[input pods]
type = cri
path = $pods/*/*/*.log"

# By hand first, every byte of it. The clock of one line stands in another zone, on the same day as the others.
now=$(date +%s)
zoned=$(date -u -d "@$((now + 7200))" +%Y-%m-%dT%H:%M:%S.000000001Z)
{
	cri stdout P 1
	cri stderr F 2
	cri stdout P 3
	cri stdout F 4
	cri stdout F ''
	cri stdout F '  two blanks'
	printf '%s stderr P half\n' "${zoned/Z/+02:00}"
	cri stderr F ' a line'
	printf 'nonsense\n'
} >"$cart/0.log"
wait_count 30 6 prod.cart
lines_on_disk prod.cart | cut -d' ' -f3- >"$T/columns"
printf '%s\n' 'prod.cart/cart-7d9f4-x2 Fe 2' 'prod.cart/cart-7d9f4-x2 F 134' \
	'prod.cart/cart-7d9f4-x2 F ' 'prod.cart/cart-7d9f4-x2 F   two blanks' \
	'prod.cart/cart-7d9f4-x2 Fe half a line' 'prod.cart/cart-7d9f4-x2 Fr nonsense' | cmp - "$T/columns"
lines_on_disk prod.cart | grep -c "^$(date -u -d "@$now" +%Y-%m-%dT%H:%M:%S).000000Z web-01 .* Fe half a line\$"

# A chain over a restart of the agent.
cri stdout P one- >>"$cart/0.log"
cri stderr F passes >>"$cart/0.log"
wait_count 30 7 prod.cart
stop "$AGENT_PID"
cri stdout P two- >>"$cart/0.log"
mv "$cart/0.log" "$cart/0.log.20261122-054000"
cri stdout F three >"$cart/0.log"
start_agent web-01
wait_count 30 8 prod.cart
expect_equal 'a chain over restart and rotation' one-two-three "$(messages prod.cart | tail -n 1)"

# Under load, with rotation and kill -9.
shop=$pods/prod_shop-1_7d/shop
mkdir -p "$shop"
start_container cri "$shop/0.log" "$T/shop" $((400 * TORTURE)) 1000000
while alive "$CONTAINER_PID"; do
	more=$(($(count_on_disk prod.shop) + 40))
	try_until 10 "(( \$(count_on_disk prod.shop) >= $more )) || ! alive $CONTAINER_PID" || true
	kill9 "$AGENT_PID"
	start_agent web-01
done
end_container
expect_outputs "$T/shop" prod.shop

# It starts again: another file, the same service. And a pod that lives as long as its line takes.
cri stdout F again >"$shop/1.log"
quick=$pods/jobs_quick-1_9e/job
mkdir -p "$quick"
for ((i = 1; i <= 20; i++)); do
	mkdir -p "$pods/jobs_quick-${i}_9e/job"
	cri stdout F "job $i" >"$pods/jobs_quick-${i}_9e/job/0.log"
	wait_until 20 "holds $AGENT_PID quick-${i}_9e/job/0.log || (( \$(count_on_disk jobs.job) >= $i ))"
	rm -r "$pods/jobs_quick-${i}_9e"
done
wait_count 30 20 jobs.job
messages jobs.job | sort -k2n | cmp - <(seq -f 'job %.0f' 1 20)
lines_on_disk jobs.job | grep -c ' jobs.job/quick-7 F job 7$'
wait_until 30 'messages prod.shop | grep -cx again'

# Pods that live for 200 ms, folders and all. A machine that is busy with other things may not let the agent run in that
# time at all: one round of five has to be complete.
short_lives() { # short_lives ROUND
	local i
	perl -e '
		use POSIX qw(strftime);
		my ($pods, $round) = @ARGV;
		my $now = strftime "%Y-%m-%dT%H:%M:%S.000000001Z", gmtime;
		for my $i (1 .. 20) {
			my $pod = "$pods/jobs_short-$round-${i}_9e";
			mkdir $pod; mkdir "$pod/short";
			open my $f, ">", "$pod/short/0.log" or die;
			print $f "$now stdout F round $round pod $i line $_\n" for 1 .. 5;
			close $f;
			select undef, undef, undef, 0.2; # its life
			unlink "$pod/short/0.log"; rmdir "$pod/short"; rmdir $pod;
		}' "$pods" "$1"
	try_until 5 "(( \$(messages jobs.short | grep -c '^round $1 ') == 100 ))" || return 1
	for i in 1 7 20; do
		lines_on_disk jobs.short | grep -c " jobs.short/short-$1-$i F round $1 pod $i line 5$" ||
			fail "pod $i is not its lines' instance"
	done
}
short_lives 1 || short_lives 2 || short_lives 3 || short_lives 4 || short_lives 5 ||
	fail 'lines of pods that live for 200 ms'

stop "$AGENT_PID"
stop "$COLLECTOR_PID"
expect_equal 'services' 'jobs.job jobs.short prod.cart prod.shop' "$(cd "$DATA/today" && echo *)"
