#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: no
# What the release build says of its commands and their options, for the checks that hold others against it; they source this.
# shellcheck disable=SC2034 # those use what is set here
[ -x "$MLS_PROGRAM_RELEASE" ] || tap_skip_all "no program at $MLS_PROGRAM_RELEASE"

program() { # ARG...
	"$MLS_PROGRAM_RELEASE" "$@" 2>"$WORK/err"
}

# Prints what the two lists (one entry a line) don't share.
differences() { # FILE WHAT SAID TRUE
	comm -23 <(sort -u <<<"$3") <(sort -u <<<"$4") | sed -n "s^..*^$1: $2: '&' is not in the program^p"
	comm -13 <(sort -u <<<"$3") <(sort -u <<<"$4") | sed -n "s^..*^$1: $2: '&' is missing^p"
}

# Reads a --help and prints its options as NAME|ARGUMENT|TEXT, a line each for the letter and the long name.
read_options() {
	sed -n '/^Options:/,/^$/p' | sed -nE \
		-e 's/^  (-.), (--[a-z-]+)( ([A-Z]+))? +(.*)$/\1|\4|\5\n\2|\4|\5/p' -e t \
		-e 's/^  (--[a-z-]+)( ([A-Z]+))? +(.*)$/\1|\3|\4/p'
}

mapfile -t commands < <(program --help | sed -nE '/^Commands:/,/^$/s/^  ([a-z-]+) .*/\1/p')
# by command; "-" is what stands before one
declare -A options arguments texts
options[-]=$(program --help | read_options) arguments[-]=''
for command in "${commands[@]}"; do
	options[$command]=$(program "$command" --help | read_options)
	arguments[$command]=$(program "$command" --help | sed -n "1s/.* $command\( \[OPTION\]...\)\? *//p")
	texts[$command]=$(program --help | sed -nE "s/^  $command +(.*)/\1/p")
done
all_commands=$(printf '%s\n' "${commands[@]}")
tap_true "the program has commands" [ "${#commands[@]}" -gt 4 ]

# Prints the options of COMMAND, without the help that all have.
names_of() { # COMMAND
	if [ "$1" = - ]; then
		cut -d'|' -f1 <<<"${options[-]}"
	else
		cut -d'|' -f1 <<<"${options[$1]}" | grep -vxE -e '-h|--help'
	fi
}
