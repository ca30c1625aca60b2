# shellcheck shell=bash
# Completion of haul-collector(8) for bash: commands, options, and the hosts that there are tokens for.

_haul_collector() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local i command='' options
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		check | status | init | token | retain | reindex) [ -n "$command" ] || command=${COMP_WORDS[i]} ;;
		esac
	done
	COMPREPLY=()
	case $before in
	-c | --config)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	token)
		mapfile -t COMPREPLY < <(compgen -W 'add list revoke' -- "$word")
		return
		;;
	revoke)
		mapfile -t COMPREPLY < <(compgen -W "$(haul-collector token list 2>/dev/null | awk '{ print $1 }')" -- "$word")
		return
		;;
	esac
	options='--config --help --version'
	case $command in
	'') options="check status init token retain reindex $options" ;;
	check) options="$options --quiet" ;;
	status) options="$options --json" ;;
	init) options="$options --renew $(hostname -f 2>/dev/null)" ;;
	retain) options="$options --dry-run" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}

complete -F _haul_collector haul-collector
