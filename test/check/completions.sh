#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=zsh,fish
# The completions offer what the program has, as each shell itself sees it. Checks those of the release build, or those in the
# directory that the first argument names.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/check/program.sh
. "$ROOT/test/check/program.sh"
cd "${1:-$(dirname "$MLS_PROGRAM_RELEASE")/../packaging/completions}" || exit 1
BASH_COMPLETION=maillogsentinel ZSH_COMPLETION=_maillogsentinel FISH_COMPLETION=maillogsentinel.fish

# ---- the completion for bash --------------------------------------------------------------------
# Prints what bash offers for the last of WORDS; "(files)" for files.
offers_bash() { # WORDS...
	(
		# shellcheck disable=SC2317 # the completion calls it
		compopt() { echo "(files)"; }
		# shellcheck source=/dev/null
		. "./$BASH_COMPLETION"
		COMP_WORDS=(maillogsentinel "$@") COMP_CWORD=$# COMPREPLY=()
		_maillogsentinel
		[ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}"
	) 2>&1
}
expect_bash() { # OFFER WORDS...
	local wanted=$1 got

	shift
	got=$(offers_bash "$@" | tr '\n' ' ')
	[ "${got% }" = "$wanted" ] || echo "$BASH_COMPLETION: $*: '${got% }' instead of '$wanted'"
}

tap_none "bash offers the commands" "$(differences "$BASH_COMPLETION" commands "$(offers_bash '')" "$all_commands")"
tap_none "bash offers the options" "$(
	differences "$BASH_COMPLETION" "before a command" "$(offers_bash -)" "$(cut -d'|' -f1 <<<"${options[-]}")"
	for command in "${commands[@]}"; do
		for before in '-c x' '--config = x' -V; do
			# shellcheck disable=SC2086 # words
			differences "$BASH_COMPLETION" "$command" "$(offers_bash $before "$command" -)" "$(cut -d'|' -f1 <<<"${options[$command]}")"
		done
	done
)"
tap_none "bash offers files where files are wanted" "$(for command in - "${commands[@]}"; do
	before=()
	[ "$command" = - ] || before=("$command")
	while IFS='|' read -r name argument _; do
		[ -n "$argument" ] || continue
		wanted=
		[ "$argument" != FILE ] || wanted='(files)'
		expect_bash "$wanted" "${before[@]}" "$name" ''
		[[ $name == --* ]] || continue
		expect_bash "$wanted" "${before[@]}" "$name" =
		expect_bash "$wanted" "${before[@]}" "$name" = x
	done <<<"${options[$command]}"
	wanted=
	[[ ${arguments[$command]} != *FILE* ]] || wanted='(files)'
	expect_bash "$wanted" "${before[@]}" x
done)"
if command -v shellcheck >/dev/null; then
	tap_none "shellcheck has nothing to say of it" "$(shellcheck -f gcc "$BASH_COMPLETION" 2>&1)"
else
	tap_skip "shellcheck has nothing to say of it" "no shellcheck"
fi

# ---- the completion for zsh ---------------------------------------------------------------------
# Prints the specifications of COMMAND's options, or of those before it and then "command:NAME:TEXT" of each.
specs_zsh() { # COMMAND
	# shellcheck disable=SC2016 # zsh's
	zsh -f -c 'file=$1 words=($2)
		_arguments() {
			if [[ $words[1] == - || -n $asked ]]; then print -rl -- "$@"; fi
			asked=yes
			if [[ $words[1] == - ]]; then state=command; else state=argument; fi
		}
		_describe() { for entry in ${(P)4}; do print -r -- "command:$entry"; done }
		. $file' - "./$ZSH_COMPLETION" "$1" 2>&1
}

if command -v zsh >/dev/null; then
	tap_none "zsh offers the commands, and says the same of them" "$(differences "$ZSH_COMPLETION" commands \
		"$(specs_zsh - | sed -n 's/^command://p')" "$(for command in "${commands[@]}"; do echo "$command:${texts[$command]}"; done)")"
	tap_none "zsh offers the options, and says the same of them" "$(for command in - "${commands[@]}"; do
		differences "$ZSH_COMPLETION" "$command" \
			"$(specs_zsh "$command" | sed -nE 's/^(\([^)]*\))?\*?(-[a-zA-Z-]+)[=+]?\[(.*)\](:.*)?$/\2|\3/p')" \
			"$(cut -d'|' -f1,3 <<<"${options[$command]}")"
	done)"
	tap_none "zsh offers files where files are wanted" "$(for command in - "${commands[@]}"; do
		specs=$(specs_zsh "$command")
		while IFS='|' read -r name argument _; do
			spec=$(grep -E -e "^(\([^)]*\))?\*?${name}[=+]?\[" <<<"$specs")
			case $argument in
			FILE) [[ $spec == *']:'*':_files' ]] ;;
			'') [[ $spec == *']' ]] ;;
			*) [[ $spec == *']:'*': ' ]] ;;
			esac || echo "$ZSH_COMPLETION: $command $name $argument: '$spec'"
		done <<<"${options[$command]}"
		files=$(grep -c '^:.*:_files$' <<<"$specs")
		[[ ${arguments[$command]} == *FILE* ]] && files=$((files - 1))
		[ "$files" -eq 0 ] || echo "$ZSH_COMPLETION: $command: files as arguments, or none"
	done)"
else
	tap_skip "zsh offers what the program has" "no zsh"
fi

# ---- the completion for fish --------------------------------------------------------------------
# Prints what fish offers for the end of LINE: WORD, a tab, and its description.
offers_fish() { # LINE
	# shellcheck disable=SC2016 # fish's
	HOME=$WORK fish --no-config --private -c 'source $argv[1]; complete -C $argv[2]' "$FISH_COMPLETION" "$1" 2>&1
}

if command -v fish >/dev/null; then
	tap_none "fish offers the commands, and says the same of them" "$(differences "$FISH_COMPLETION" commands \
		"$(offers_fish 'maillogsentinel ')" "$(for command in "${commands[@]}"; do printf '%s\t%s\n' "$command" "${texts[$command]}"; done)")"
	tap_none "fish offers the options, and says the same of them" "$(for command in - "${commands[@]}"; do
		line='maillogsentinel '
		[ "$command" = - ] || line+="-c x $command "
		differences "$FISH_COMPLETION" "$command" "$(offers_fish "$line-")" \
			"$(sed -E 's/\|[^|]*\|/\t/' <<<"${options[$command]}")"
	done)"
	touch "$WORK/a-file"
	tap_none "fish offers files where files are wanted" "$(for command in - "${commands[@]}"; do
		line="maillogsentinel "
		[ "$command" = - ] || line+="$command "
		while IFS='|' read -r name argument _; do
			[[ $name == --* && $argument ]] || continue
			wanted=
			[ "$argument" != FILE ] || wanted=$WORK/a-file
			got=$(offers_fish "$line$name $WORK/a-fi" | cut -f1)
			[ "$got" = "$wanted" ] || echo "$FISH_COMPLETION: $command $name: '$got' instead of '$wanted'"
		done <<<"${options[$command]}"
		wanted=
		[[ ${arguments[$command]} != *FILE* ]] || wanted=$WORK/a-file
		got=$(offers_fish "$line$WORK/a-fi" | cut -f1)
		[ "$got" = "$wanted" ] || echo "$FISH_COMPLETION: $command: '$got' instead of '$wanted' as its argument"
	done)"
else
	tap_skip "fish offers what the program has" "no fish"
fi

# ---- at a terminal ------------------------------------------------------------------------------
# Types keys at a prompt of the shell, in which the program is a function that says what it got, and prints that.
typed() { # SHELL KEYS
	# shellcheck disable=SC2016 # zsh's
	timeout 20 zsh -f -c '
		zmodload zsh/zpty
		zpty shell env TERM=dumb HOME=$3 $4 $1
		put() { zpty -w -n shell "$1"$'\''\n'\'' }
		case $1 in
		bash*) put "PS1=ready\>; . ./maillogsentinel" ;;
		zsh*) put "PS1=ready\>; fpath=(\$PWD \$fpath); autoload -U compinit; compinit -u -D" ;;
		esac
		put "maillogsentinel() { echo \"got <\$*>\"; }"
		zpty -r shell output "*ready>*ready>*"
		zpty -w -n shell $2$'\''\n'\''
		zpty -r shell output "*got <*>*"
		print -r -- ${${output##*got <}%%>*}
		zpty -d shell' - "$1" "$2" "$WORK" x=y 2>&1
}

if command -v zsh >/dev/null; then
	for shell in 'bash --norc --noprofile -i' 'zsh -f -i'; do
		tap_is "$(typed "$shell" $'maillogsentinel upd\t--f\t')" 'update-db --force' "${shell%% *} completes what is typed"
		tap_is "$(typed "$shell" $'maillogsentinel -c maillogsentinel.f\texp\t--j\t')" \
			'-c maillogsentinel.fish explain --json' "${shell%% *} completes a file, and what comes behind it"
	done
else
	tap_skip "bash and zsh complete what is typed" "no zsh for its terminals"
fi
tap_done
