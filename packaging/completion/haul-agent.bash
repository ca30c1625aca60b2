# shellcheck shell=bash
# Completion of haul-agent(8) for bash.

_haul_agent() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local i command='' options
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		check | status | explain | verify | join) [ -n "$command" ] || command=${COMP_WORDS[i]} ;;
		esac
	done
	COMPREPLY=()
	case $before in
	-c | --config)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	esac
	options='--config --help --version'
	case $command in
	'') options="check status explain verify join $options" ;;
	check) options="$options --quiet" ;;
	status) options="$options --json" ;;
	explain | verify)
		if [[ $word != -* ]]; then
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
			return
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}

complete -F _haul_agent haul-agent
