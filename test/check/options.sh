#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=zsh
# What the program says of its commands, options and configuration, and what the manuals, the default configuration and the
# completions say, is the same, in both directions. Checks the tree that the first argument names, or this one,
# against the release build.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
TREE=$(realpath "${1:-$ROOT}")
cd "$TREE" || exit 1
MANUAL=daemon/maillogsentinel.8 CONF_MANUAL=daemon/maillogsentinel.conf.5 CONF=packaging/maillogsentinel.conf
BASH_COMPLETION=packaging/completions/maillogsentinel.bash ZSH_COMPLETION=packaging/completions/_maillogsentinel
[ -x "$MLS_PROGRAM_RELEASE" ] || tap_skip_all "no program at $MLS_PROGRAM_RELEASE"

program() { # ARG...
	"$MLS_PROGRAM_RELEASE" "$@" 2>"$WORK/err"
}

# Prints what the two lists (one entry a line) don't share.
differences() { # FILE WHAT SAID TRUE
	comm -23 <(sort -u <<<"$3") <(sort -u <<<"$4") | sed -n "s^..*^$1: $2: '&' is not in the program^p"
	comm -13 <(sort -u <<<"$3") <(sort -u <<<"$4") | sed -n "s^..*^$1: $2: '&' is missing^p"
}

# ---- the program --------------------------------------------------------------------------------
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

# Reads a configuration, options in force or commented out, and prints GROUP.KEY|VALUE|COMMENT.
read_keys() {
	awk '/^[A-Za-z_]+: \{/ { group = $1; sub(/:$/, "", group) }
		/^\t# / { comment = substr($0, 4) }
		/^\t#?[a-z_]+ = / {
			key = value = $0
			gsub(/^\t#?| = .*/, "", key)
			sub(/^\t#?[a-z_]+ = /, "", value); sub(/;$/, "", value)
			print group "." key "|" value "|" comment
		}'
}
: >"$WORK/empty"
dump=$(program -c "$WORK/empty" check-config --dump)
keys=$(read_keys <<<"$dump")
tap_true "the program has a configuration" [ "$(wc -l <<<"$keys")" -gt 10 ]
columns=$(program -c "$WORK/empty" extract --stdout --no-dns --from "$WORK/empty" | tr , '\n')

# ---- maillogsentinel(8) -------------------------------------------------------------------------
# PLACE COMMAND [OPTION [ARGUMENT]] for all that the manual names
manual=$(awk '
	function flags(place, i) {
		for (i = 1; i <= NF; i++) {
			if ($i != "Fl") continue
			print place, command, "-" $(i + 1), $(i + 2) == "Ar" ? $(i + 3) : ""
			if ($(i + 2) == "," && $(i + 3) ~ /^-/)
				print place, command, "-" $(i + 3), $(i + 4) == "Ar" ? $(i + 5) : ""
		}
	}
	/^\.Sh / { section = $2; command = "-" }
	section == "SYNOPSIS" && /^\.Nm/ { command = "-" }
	section == "SYNOPSIS" && /^\.Cm/ { command = $2; print "synopsis", command }
	section == "SYNOPSIS" && command != "-" { flags("synopsis") }
	section == "COMMANDS" && /^\.It Cm/ { command = $3; print "head", command; flags("head") }
	(section == "COMMANDS" || section == "DESCRIPTION") && /^\.It Fl/ { flags("item") }' "$MANUAL")
tap_none "the manual has the commands" "$(for place in synopsis head; do
	differences "$MANUAL" "$place" "$(awk -v place="$place" '$1 == place { print $2 }' <<<"$manual")" "$all_commands"
done)"
tap_none "the manual has the options of each command" "$(for command in - "${commands[@]}"; do
	for place in synopsis head item; do
		[ "$command$place" = -synopsis ] || [ "$command$place" = -head ] ||
			differences "$MANUAL" "$command ($place)" \
				"$(awk -v place="$place" -v command="$command" '$1 == place && $2 == command { print $3 }' <<<"$manual" |
					grep .)" "$(names_of "$command")"
	done
done)"
tap_none "the manual's options take the arguments that the program's take" "$(for command in - "${commands[@]}"; do
	while IFS='|' read -r name argument _; do
		# of "-c, --config file" the long one has the argument
		[[ $name == --* && ($name != --help || $command == -) ]] || continue
		said=$(awk -v command="$command" -v name="$name" \
			'$1 == "item" && $2 == command && $3 == name { print toupper($4) }' <<<"$manual")
		[ "$said" = "$argument" ] || echo "$MANUAL: $command $name: '$said' instead of '$argument'"
	done <<<"${options[$command]}"
done)"
tap_none "the manuals name no option that is none" "$(for file in "$MANUAL" "$CONF_MANUAL"; do
	# -r and the like belong to other programs in the examples, the others to mdoc
	sed -E 's/^(\.It Fl . , )-/\1--/; s/\.?\bFl -/ --/g; s/\.?\bFl ([a-zA-Z])\b/ -\1/g' "$file" | grep -oE -e '(^|[ (])--?[a-zA-Z][a-z-]*' |
		tr -d ' (' | grep -vxE -e '-(tag|width|compact|literal|offset|r|rn|-now)' | sort -u |
		comm -23 - <(for command in - "${commands[@]}"; do cut -d'|' -f1 <<<"${options[$command]}"; done | sort -u) |
		sed "s^..*^$file: &^"
done)"
tap_none "the manual has the CSV's columns" "$(
	differences "$MANUAL" columns "$(awk '/^\.Sh / { here = /CSV/ } here && /^\.It Va/ { print $3 }' "$MANUAL")" "$columns"
	differences "$MANUAL" "first line" "$(grep '^server,' "$MANUAL")" "$(paste -sd, <<<"$columns")"
)"
tap_none "the manual names no column or option of the configuration that is none" "$(sed -nE 's/^\.(It |Pq )*Va (.*)/\2/p' "$MANUAL" |
	tr ' ' '\n' | grep -vxE '[.,)]*' | sort -u |
	comm -23 - <({ echo "$columns"; cut -d'|' -f1 <<<"$keys"; sed 's/|.*//; s/.*\.//' <<<"$keys"; } | sort -u) | sed "s^..*^$MANUAL: &^")"

# ---- maillogsentinel.conf(5) --------------------------------------------------------------------
# GROUP.KEY|TYPE|DEFAULT|TEXT
conf_manual=$(awk '
	function finish() { if (key) print group "." key "|" type "|" fallback "|" text; key = "" }
	/^\.Sh / { finish(); here = $2 == "OPTIONS" }
	/^\.(Ss|El) / { finish(); group = $2 }
	here && /^\.It Va/ { finish(); key = $3; type = $NF; fallback = "none"; text = "" }
	wants { fallback = $0; gsub(/^\.(Qq|Li)( Pa| Li)?| *[.,]$/, "", fallback); sub(/^ /, "", fallback) }
	{ wants = $0 == "Default:"; text = text " " $0 }
	END { finish() }' "$CONF_MANUAL")
tap_none "the manual has every option of the configuration" \
	"$(differences "$CONF_MANUAL" options "$(cut -d'|' -f1 <<<"$conf_manual")" "$(cut -d'|' -f1 <<<"$keys")")"
tap_none "with its type, its range and its default" "$(while IFS='|' read -r key value comment; do
	IFS='|' read -r _ type fallback text <<<"$(grep -F "$key|" <<<"$conf_manual")"
	[[ $key != *_db_path ]] || value='""' # which the dump completes
	case $value in
	true | false) types='truth' ;;
	[0-9]*) types='number' ;;
	*) types='text size duration path paths urls address addresses schedule' ;;
	esac
	[[ " $types " == *" $type "* ]] || echo "$CONF_MANUAL: $key: is no $type"
	[ "$fallback" = "${value//\"/}" ] || echo "$CONF_MANUAL: $key: default '$fallback' instead of $value"
	range=$(grep -oE '\([0-9]+( [KMG]iB)? to [0-9]+( [KMG]iB)?' <<<"$comment" | tr -d '(')
	[[ $text == *"$range"* ]] || echo "$CONF_MANUAL: $key: lacks '$range'"
done <<<"$keys")"
tap_is "$(sed -n '/^\.Sh OPTIONS/,/^\.Ss Databases/s/^\.Ss //p' "$CONF_MANUAL")" \
	"$(sed -nE 's/^([A-Za-z_]+): \{/\1/p' <<<"$dump"; echo Databases)" "and the groups in the program's order"

# ---- the default configuration ------------------------------------------------------------------
tap_none "the default configuration has every option" \
	"$(differences "$CONF" options "$(read_keys <"$CONF" | cut -d'|' -f1)" "$(cut -d'|' -f1 <<<"$keys")")"
tap_none "none of them in force" "$(grep -nE $'^\t[a-z]' "$CONF" | sed "s^..*^$CONF: &^")"
# behind the lines that explain the file
sed -E '1,/^$/d; s/^\t#([a-z_]+ = )/\t\1/' "$CONF" >"$WORK/conf"
tap_none "with the values and the comments of check-config --dump" \
	"$(diff <(sed -E 's/^(\t[a-z]+_db_path = ).*/\1"";/' <<<"$dump") "$WORK/conf" | sed -n "s^[<>].*^$CONF: &^p")"
tap_is "$(program -c "$WORK/conf" check-config --dump)" "$dump" "which are the defaults"

# ---- the completion for bash --------------------------------------------------------------------
# Prints what bash offers for the last of WORDS; "(files)" for files.
offers_bash() { # WORDS...
	(
		# shellcheck disable=SC2317 # the completion calls it
		compopt() { echo "(files)"; }
		# shellcheck source=/dev/null
		. "$BASH_COMPLETION"
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
		. $file' - "$TREE/$ZSH_COMPLETION" "$1" 2>&1
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
tap_done
