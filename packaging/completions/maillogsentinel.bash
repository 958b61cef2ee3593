# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Completion of maillogsentinel(8) for bash.

_maillogsentinel()
{
	local -A options=(
		[run]='-h --help'
		[extract]='--from --stdout --no-dns --year -h --help'
		[explain]='--json --year -h --help'
		[lookup]='--json -h --help'
		[report]='--send --spooled --html --date -h --help'
		[update-db]='--force --compile -h --help'
		[status]='--json -h --help'
		[check-config]='--dump -h --help'
	)
	local commands='run extract explain lookup report update-db status check-config' words
	local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' i

	# "--from=FILE" comes as three words
	if [[ $before == '=' ]]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	elif [[ $cur == '=' ]]; then
		cur=''
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-c | --config)
			[[ ${COMP_WORDS[i + 1]-} == '=' ]] && ((i++))
			((i++))
			;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done

	COMPREPLY=()
	case $command:$before in
	:-c | :--config | extract:--from | report:--html)
		compopt -o default # readline's own completion of file names
		return
		;;
	extract:--year | explain:--year | report:--date) return ;;
	esac
	if [[ ! $command ]]; then
		words=$commands
		[[ $cur != -* ]] || words='-c --config -h --help -V --version'
	elif [[ $command == explain && $cur != -* ]]; then
		compopt -o default
		return
	elif [[ $command == lookup && $cur != -* ]]; then
		return
	else
		words=${options[$command]-}
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
} && complete -F _maillogsentinel maillogsentinel
