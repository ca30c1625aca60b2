# shellcheck shell=bash
# Completion of haul(1) for bash: commands, options, and the services, hosts and days that the archive has.

_haul_names() { # _haul_names services|hosts|days
	local dir=()
	[ -n "$_haul_dir" ] && dir=(--data-dir "$_haul_dir")
	haul ls "${dir[@]}" --names "$1" 2>/dev/null
}

_haul() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local i command='' _haul_dir='' options common
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--data-dir) _haul_dir=${COMP_WORDS[i + 1]} ;;
		grep | trace | tail | count | top | patterns | ls | verify)
			[ -n "$command" ] || [ "${COMP_WORDS[i - 1]}" = --data-dir ] || command=${COMP_WORDS[i]}
			;;
		esac
	done
	COMPREPLY=()
	case $before in
	-s | --service) mapfile -t COMPREPLY < <(compgen -W "$(_haul_names services)" -- "$word") ;;
	-H | --host) mapfile -t COMPREPLY < <(compgen -W "$(_haul_names hosts)" -- "$word") ;;
	--since | --until | --new-since)
		mapfile -t COMPREPLY < <(compgen -W "15m 1h 6h 1d today yesterday $(_haul_names days)" -- "$word")
		;;
	--every) mapfile -t COMPREPLY < <(compgen -W '10s 1m 10m 1h 1d' -- "$word") ;;
	--color) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$word") ;;
	--names) mapfile -t COMPREPLY < <(compgen -W 'services hosts days' -- "$word") ;;
	--data-dir) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
	--by) mapfile -t COMPREPLY < <(compgen -W 'host service day level' -- "$word") ;;
	-o | --output)
		case $command in
		grep | trace | tail) mapfile -t COMPREPLY < <(compgen -W 'text json raw' -- "$word") ;;
		verify) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$word") ;;
		*) mapfile -t COMPREPLY < <(compgen -W 'text json csv' -- "$word") ;;
		esac
		;;
	-w | --where | -A | --after-context | -B | --before-context | -C | --context | -m | --max-count | -n | --lines | \
		--path) ;;
	*)
		common='--service --host --since --output --color --data-dir --help --version'
		case $command in
		'') options='grep trace tail count top patterns ls verify --data-dir --help --version' ;;
		grep) options="$common --until --where --fixed-strings --ignore-case --invert-match --count
			--files-with-matches --after-context --before-context --context --max-count --no-events" ;;
		trace) options="$common --until --where --max-count --no-events --follow-ids" ;;
		tail) options="$common --where --fixed-strings --ignore-case --invert-match --max-count --no-events
			--lines" ;;
		count) options="$common --until --where --fixed-strings --ignore-case --invert-match --by --every" ;;
		top) options="$common --until --where --fixed-strings --ignore-case --invert-match --max-count" ;;
		patterns) options="$common --until --where --fixed-strings --ignore-case --invert-match --max-count
			--new-since" ;;
		ls) options="$common --until --by --names" ;;
		verify) options="$common --until --path" ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
		;;
	esac
}

complete -F _haul haul
