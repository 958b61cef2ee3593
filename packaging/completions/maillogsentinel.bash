# bash completion for maillogsentinel(8)                -*- shell-script -*-
# SPDX-License-Identifier: GPL-3.0-or-later

_maillogsentinel_words() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_maillogsentinel_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_maillogsentinel() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local command='' options='' arguments='' i

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-c | --config) i=$((i + 1)) ;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done

	case $command in
	'')
		options='-c --config -h --help -V --version'
		arguments='run extract explain lookup check-config'
		case $before in -c | --config) _maillogsentinel_files "$word" && return ;; esac
		;;
	run) options='-h --help' ;;
	extract)
		options='--from --stdout --no-dns --year -h --help'
		case $before in
		--from) _maillogsentinel_files "$word" && return ;;
		--year) return ;;
		esac
		;;
	explain)
		options='--json --year -h --help'
		arguments=FILE
		case $before in --year) return ;; esac
		;;
	lookup) options='--json -h --help' ;;
	check-config) options='--dump -h --help' ;;
	esac

	case $word in
	-*) _maillogsentinel_words "$options" "$word" ;;
	*)
		if [[ $arguments == FILE ]]; then
			_maillogsentinel_files "$word"
		else
			_maillogsentinel_words "$arguments" "$word"
		fi
		;;
	esac
}

complete -F _maillogsentinel maillogsentinel
