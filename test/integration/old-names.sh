#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The spellings of the Python version end with status 2 and name the command that does it now; what looks like one and is none, does not.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
names=(maillogsentinel maillogsentinel.py maillogsentinel_setup.py ipinfo.py log_anonymizer.py)
for name in "${names[@]}"; do ln -s "$MLS_PROGRAM" "$WORK/$name"; done
cd "$WORK" || exit 1

say() { # COMMAND SAID [MORE...]: the answer repeats the words of SAID, which begin the line
	local -a words
	local output status

	read -ra words <<<"$2"
	output=$("./${words[0]}" "${@:3}" "${words[@]:1}" 2>&1)
	status=$?
	tap_is "$status $output" "2 maillogsentinel: '$2' is how the Python version was called; now it is 'maillogsentinel $1'" "$2 ${*:3}"
}
for name in maillogsentinel maillogsentinel.py; do
	say 'report --send' "$name --report"
	say reset "$name --reset"
	say purge "$name --purge"
	say sql-export "$name --sql-export"
	say sql-import "$name --sql-import"
	say setup "$name --setup"
	say 'report --send' "$name --report" --config /etc/maillogsentinel.conf
	say 'setup --interactive' "$name --setup" --interactive
	say 'setup --automated FILE' "$name --setup" --automated
	say update-db "$name --update"
done
say update-db 'ipinfo.py --update' --config /etc/maillogsentinel.conf
say 'lookup ADDRESS...' ipinfo.py 8.8.8.8
say extract maillogsentinel.py
say extract maillogsentinel.py --config --report
say 'anonymize [-i FILE] [-o FILE]' log_anonymizer.py --input mail.log --output redacted.log
say 'setup --interactive' maillogsentinel_setup.py --interactive

: >empty
tap_is "$(./maillogsentinel -c empty lookup 10.0.0.1; echo $?)" $'10.0.0.1  N/A  N/A  private (RFC 1918)\n0' "the program's own name does its work"
output=$(./maillogsentinel -c --report lookup 10.0.0.1 2>&1)
tap_is "$? $output" "78 maillogsentinel: --report: No such file or directory" "a file of that name is a file"
output=$(./maillogsentinel -c empty lookup -- --report 2>&1)
tap_is "$?" 1 "and what follows a command is the command's"
tap_is "$(grep -c Python <<<"$output")" 0 "which says what it says"
tap_done
