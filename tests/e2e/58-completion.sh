#!/bin/bash
# Completion in bash and zsh offers commands, options, and the services, hosts and days that the archive really has.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul
away_from_midnight

PATH=$HAUL_BIN:$PATH
day=$(date -u +%F)
for shard in checkout/web-01 checkout/web-02 cart/web-01 pay.charge/db-01; do
	mkdir -p "$DATA/$day/${shard%/*}"
	printf '%sT00:00:00.000000Z %s %s F x\n' "$day" "${shard#*/}" "${shard%/*}" >"$DATA/$day/$shard.log"
done

# offered SHELL WORD...: what is offered for the last word, in one line, sorted.
offered() {
	local shell=$1
	shift
	case $shell in
	bash) offered_bash "$@" ;;
	zsh) offered_zsh "$@" ;;
	esac | sed '/^$/d' | sort -u | paste -sd ' ' -
}

offered_bash() {
	bash -c '
		. "$1"
		shift
		complete -p haul | grep -q -- "-F _haul haul" || exit 1
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		_haul
		printf "%s\n" "${COMPREPLY[@]}"' bash "$ROOT/packaging/completion/haul.bash" "$@"
}

# A terminal of its own, in which TAB is pressed after the words; compadd then says what it is asked to offer.
cat >"$T/setup.zsh" <<'END'
PROMPT= RPROMPT=
fpath=($COMPLETIONS $fpath)
autoload -Uz compinit && compinit -u -d $DUMP
bindkey '^I' complete-word
zstyle ':completion:*' completer _complete
compadd() {
	local -a hits
	if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)* ]]; then
		builtin compadd -A hits "$@"
		print -rl -- $hits >>$OFFERED
	fi
	builtin compadd "$@"
}
finished() { print >$OFFERED.done }
comppostfuncs=(finished)
print -r -- @@@ready
END
cat >"$T/press.zsh" <<'END'
zmodload zsh/zpty
typeset line
zpty shell zsh -f -i
zpty -w shell "source $SETUP"
while zpty -r shell line; do
	[[ $line == @@@ready* ]] && break
done
zpty -w -n shell "$*"$'\t'
while [[ ! -e $OFFERED.done ]]; do
	zpty -rt shell line || sleep 0.05
done
zpty -d shell
END
offered_zsh() {
	rm -f "$T/offered" "$T/offered.done"
	COMPLETIONS=$ROOT/packaging/completion DUMP=$T/zcompdump OFFERED=$T/offered SETUP=$T/setup.zsh \
		timeout 60 zsh -f "$T/press.zsh" "$@" >"$T/terminal" </dev/null
	cat "$T/offered"
}

check() { # check SHELL WANTED WORD...: offered are exactly these
	local shell=$1 wanted=$2
	shift 2
	expect_equal "$shell: $*" "$wanted" "$(offered "$shell" "$@")"
}

commands='count grep ls patterns tail top trace verify'
shells=bash
command -v zsh >/dev/null && shells='bash zsh'
for shell in $shells; do
	check "$shell" 'cart checkout pay.charge' haul --data-dir "$DATA" grep -s ''
	check "$shell" 'cart checkout pay.charge' haul --data-dir "$DATA" tail --service ''
	check "$shell" 'db-01 web-01 web-02' haul --data-dir "$DATA" verify -H ''
	check "$shell" 'json text' haul --data-dir "$DATA" verify -o ''
	expect_match "$shell: days" " $day | $day\$|^$day " "$(offered "$shell" haul --data-dir "$DATA" count --since '')"
	[[ $(offered "$shell" haul --data-dir "$DATA" verify --) == *--path* ]] || fail "$shell: options of verify"
done
check bash 'checkout' haul --data-dir "$DATA" grep -s ch
expect_equal 'bash: commands' "--data-dir --help --version $commands" "$(offered bash haul '')"
export HAUL_DATA_DIR=$DATA
check bash 'web-01 web-02' haul grep -F x -H web
for command in $commands; do
	[[ $(offered bash haul "$command" --) == *--since* ]] || fail "bash: options of $command"
done
[ "$shells" = bash ] && note 'zsh is not on this machine: its completion is not tried'
exit 0
