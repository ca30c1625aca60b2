#!/bin/bash
# What is shipped beside the programs holds: units, alert rules and the dashboard (every metric in them is a documented
# one), the manifests for containers, the format for lnav, completion. Where a checker is not installed, its part is
# told as skipped.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul haul-agent haul-collector
need perl

cd "$ROOT"
have() {
	command -v "$1" >/dev/null || {
		note "skipped: $1 is not installed"
		false
	}
}

# Every metric that a manual page documents.
sed -n 's/^\.It Cm \(haul_\(agent\|collector\)_[a-z0-9_]*\).*/\1/p' man/haul-agent.8 man/haul-collector.8 |
	sort -u >"$T/documented"
[ "$(wc -l <"$T/documented")" -gt 60 ] || fail 'the manuals document hardly any metrics'

metrics_of() { # the metrics that a file asks for, but for those in comments
	sed 's/^ *#.*//' "$1" | grep -oE '\bhaul_(agent|collector)_[a-z0-9_]+' | sort -u
}
for file in packaging/prometheus/*.yml packaging/grafana/*.json; do
	metrics_of "$file" >"$T/used"
	[ -s "$T/used" ] || fail "$file asks for no metric"
	unknown=$(comm -23 "$T/used" "$T/documented" | tr '\n' ' ')
	[ -z "$unknown" ] || fail "$file: no manual page knows $unknown"
done
# Lag, loss, disk and errors of both sides have their alert.
for word in lag_ lost_bytes failing collector_up; do
	grep -q "expr:.*haul_agent_.*$word" packaging/prometheus/haul-agent.rules.yml || fail "no alert on $word of the agent"
done
for word in host_lag lost_bytes disk_free errors_total last_contact; do
	grep -q "haul_collector_.*$word" packaging/prometheus/haul-collector.rules.yml || fail "no alert on $word of the collector"
done
if have promtool; then
	promtool check rules packaging/prometheus/*.yml >"$T/out" 2>&1 || fail "promtool: $(cat "$T/out")"
fi

perl -MJSON::PP -e '
	for (@ARGV) { open my $f, "<", $_ or die "$_: $!"; local $/; my $v = eval { decode_json(<$f>) }; die "$_: $@" if $@ }' \
	packaging/grafana/*.json packaging/lnav/*.json || fail 'JSON'
perl -MJSON::PP -e '
	open my $f, "<", $ARGV[0] or die; local $/; my $d = decode_json(<$f>); my (%id, %at);
	for my $p (@{$d->{panels}}) {
		die "two panels are $p->{id}\n" if $id{$p->{id}}++;
		my $g = $p->{gridPos};
		for my $x ($g->{x} .. $g->{x} + $g->{w} - 1) { for my $y ($g->{y} .. $g->{y} + $g->{h} - 1) {
			die "$p->{title} lies over another panel\n" if $at{"$x $y"}++; die "$p->{title}: too wide\n" if $x > 23 } }
		die "$p->{title} asks for nothing\n" if $p->{type} ne "row" && !grep { $_->{expr} } @{$p->{targets}};
	}' packaging/grafana/haul-dashboard.json || fail 'the dashboard'

# Manifests: well-formed, and each mount has its volume; the agent may read and nothing more.
if perl -MYAML::XS -e 1 2>/dev/null; then
	perl -MYAML::XS -e '
		my @docs = YAML::XS::LoadFile("packaging/container/daemonset.yaml");
		my ($set) = grep { $_->{kind} eq "DaemonSet" } @docs;
		my $pod = $set->{spec}{template}{spec};
		my %volume = map { $_->{name} => $_ } @{$pod->{volumes}};
		my %have = map { $_->{kind} . "/" . $_->{metadata}{name} => 1 } @docs;
		for my $c (@{$pod->{containers}}) {
			my %mounted;
			for my $m (@{$c->{volumeMounts}}) {
				my $v = delete $volume{$m->{name}} or die "no volume $m->{name}\n";
				for my $path (keys %mounted) {
					die "$m->{mountPath} lies in $path\n" if index("$m->{mountPath}/", "$path/") == 0 }
				$mounted{$m->{mountPath}} = 1;
				die "$m->{mountPath} may be written\n" if !$m->{readOnly} && $m->{name} ne "state";
				die "no ConfigMap\n" if $v->{configMap} && !$have{"ConfigMap/$v->{configMap}{name}"};
				die "no Secret\n" if $v->{secret} && !$have{"Secret/$v->{secret}{secretName}"};
			}
			my $caps = $c->{securityContext}{capabilities};
			die "capabilities\n" unless "@{$caps->{drop}}|@{$caps->{add}}" eq "ALL|DAC_READ_SEARCH";
		}
		die "volumes that nobody mounts: @{[keys %volume]}\n" if %volume;
		die "selector\n" unless $set->{spec}{selector}{matchLabels}{"app.kubernetes.io/name"}
			eq $set->{spec}{template}{metadata}{labels}{"app.kubernetes.io/name"};
		my ($config) = grep { $_->{kind} eq "ConfigMap" } @docs;
		open my $f, ">", "$ARGV[0]/agent.conf"; print $f $config->{data}{"agent.conf"}; close $f;
		my $compose = YAML::XS::LoadFile("packaging/container/compose.yaml");
		my $agent = $compose->{services}{"haul-agent"} or die "compose: no agent\n";
		for (@{$agent->{volumes}}) { my ($from) = split /:/;
			die "compose: no volume $from\n" unless $from =~ m{^[./]} || exists $compose->{volumes}{$from} }
		for my $file (glob "packaging/prometheus/*.yml") {
			my %name;
			for my $group (@{YAML::XS::LoadFile($file)->{groups}}) { for my $rule (@{$group->{rules}}) {
				die "$file: $rule->{alert} twice\n" if $name{$rule->{alert}}++;
				for (qw(alert expr)) { die "$file: a rule without $_\n" unless $rule->{$_} }
				die "$file: $rule->{alert}: severity\n" unless $rule->{labels}{severity} =~ /^(info|warning|critical)$/;
				die "$file: $rule->{alert}: summary\n" unless $rule->{annotations}{summary} } } }
		' "$T" || fail 'the manifests'
	# Its configuration is one that the agent takes, when the secret is there.
	echo a-token >"$T/token"
	sed -i "s,/etc/haul-token/,$T/," "$T/agent.conf"
	"$HAUL_BIN/haul-agent" check --quiet -c "$T/agent.conf" || fail 'the configuration in daemonset.yaml'
else
	note 'skipped: YAML::XS is not installed'
fi
for conf in packaging/conf/*.conf; do
	"$HAUL_BIN/haul-$(basename "$conf" .conf)" check --quiet -c "$conf" || fail "$conf"
	# And so it is when every line that is commented out is used.
	sed 's/^#\([a-z_]* =\|\[\)/\1/' "$conf" >"$T/all.conf"
	"$HAUL_BIN/haul-$(basename "$conf" .conf)" check --quiet -c "$T/all.conf" || fail "$conf, used as it stands"
done

# The format for lnav, on lines that the collector wrote, live and sealed.
cat >"$T/web-01.log" <<'LINES'
2026-11-22T05:40:00.123456Z web-01 checkout F {"level":"error","request_id":"5d9d"}
2026-11-22T05:40:00.123456Z web-01 prod.cart/cart-7d9f4-x2 +e     at com.acme.Cart.add(Cart.java:12)
2026-11-22T05:40:01.000000Z db-1 postgres F WARNING:  there is no transaction
2026-11-22T05:40:02.000000Z web-02 nginx Frx \x1b[31mred
LINES
if have lnav; then
	mkdir -p "$T/lnav/formats/haul" "$T/home"
	cp packaging/lnav/haul-lnav.json "$T/lnav/formats/haul/"
	zstd -qf "$T/web-01.log" -o "$T/web-01.0001.log.zst"
	for file in "$T/web-01.log" "$T/web-01.0001.log.zst"; do
		HOME=$T/home lnav -n -I "$T/lnav" -c ';SELECT log_level, host, service, instance, flags, log_body FROM haul_log' \
			-c ':write-csv-to -' "$file" >"$T/out" 2>&1
		expect_equal "$file in lnav" 'log_level,host,service,instance,flags,log_body
error,web-01,checkout,<NULL>,F,"{""level"":""error"",""request_id"":""5d9d""}"
info,web-01,prod.cart,cart-7d9f4-x2,+e,    at com.acme.Cart.add(Cart.java:12)
warning,db-1,postgres,<NULL>,F,WARNING:  there is no transaction
info,web-02,nginx,<NULL>,Frx,\x1b[31mred' "$(cat "$T/out")"
	done
fi

# Units, users and directories, as make install writes them.
mkdir -p "$T/units"
for unit in packaging/systemd/*.service; do
	sed "s|@BINDIR@|$HAUL_BIN|g" "$unit" >"$T/units/${unit##*/}"
	grep -q '^RestartPreventExitStatus=78$' "$unit" || fail "$unit: restarts with a wrong configuration"
	grep -q '^WatchdogSec=' "$unit" && grep -q '^Type=notify$' "$unit" || fail "$unit: Type=notify and a watchdog"
	grep -q '^ExecReload=.* check --quiet$' "$unit" || fail "$unit: reload does not check first"
done
if have systemd-analyze; then
	systemd-analyze verify --man=no "$T"/units/*.service >"$T/out" 2>&1 || true
	! grep haul "$T/out" || fail 'systemd-analyze verify has findings'
	for unit in "$T"/units/*.service; do
		systemd-analyze security --offline=yes --threshold=30 "$unit" >"$T/out" 2>&1 ||
			fail "systemd-analyze security ${unit##*/}: $(tail -n 1 "$T/out")"
		note "${unit##*/}: $(tail -n 1 "$T/out" | grep -oE '[0-9.]+ [A-Z]+')"
	done
fi

# Completion: every command of --help is offered, and no other.
completed() { # completed PROGRAM WORD...: what bash offers for the last word
	PATH=$HAUL_BIN:$PATH bash -c '
		. "packaging/completion/$1.bash"
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		compopt() { :; }
		"_${1//-/_}"
		printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
}
commands_of() { # the words behind the name, or in the list of commands, of --help
	"$HAUL_BIN/$1" --help | sed -n "s/^\(usage:\)\? *$1 \([a-z]\+\)\b.*/\2/p; s/^  \([a-z]\+\)\b .*/\1/p" | sort -u
}
for program in haul haul-agent haul-collector; do
	completed "$program" '' | grep -v '^-' | sort >"$T/offered"
	commands_of "$program" >"$T/known"
	cmp -s "$T/known" "$T/offered" || fail "completion of $program: $(diff "$T/known" "$T/offered")"
	while read -r command; do
		grep -q "'$command:" "packaging/completion/_$program" || fail "zsh knows no $program $command"
	done <"$T/known"
	! command -v zsh >/dev/null || zsh -n "packaging/completion/_$program" || fail "_$program is not zsh"
done
expect_equal 'completion of an option' --quiet "$(completed haul-agent check --q)"
expect_equal 'completion of an option' --json "$(completed haul-collector status --j)"
