#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=zsh
# What the program offers and what is written about it are the same, in both directions: the commands and their options in
# --help, the manual and the completions; the options of the configuration in `check-config --dump`, its manual and the
# default file. Usage: options.sh [BUILD-DIRECTORY]
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"

PROGRAM=''
for program in ${1:+"$1/daemon/maillogsentinel"} "$MLS_PROGRAM" "$ROOT"/build/{clang,asan,release,dev}/daemon/maillogsentinel; do
	[ -x "$program" ] && PROGRAM=$program && break
done
[ -n "$PROGRAM" ] || tap_skip_all "the program is not built"

# ---- what the program says --------------------------------------------------------------------

help_commands() {
	"$PROGRAM" --help | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'
}

# "COMMAND -x", "COMMAND --long", "COMMAND --long ARG", a line each; the options before the command are those of "all"
help_options() {
	local command

	for command in all $(help_commands); do
		if [ "$command" = all ]; then "$PROGRAM" --help; else "$PROGRAM" "$command" --help; fi |
			awk -v command="$command" '
				/^Options:/ { on = 1; next }
				/^$/ { on = 0 }
				on {
					sub(/^ */, ""); sub(/  .*/, "")
					n = split($0, part, ", ")
					argument = part[n] ~ / / ? substr(part[n], index(part[n], " ")) : ""
					for (i = 1; i <= n; i++) {
						sub(/ .*/, "", part[i])
						print command " " part[i] argument
					}
				}'
	done
}

# The manual says once that every command has --help.
without_help() { awk '$1 == "all" || ($2 != "-h" && $2 != "--help")'; }

# "GROUP.KEY"
dump_keys() {
	"$PROGRAM" -c /dev/null check-config --dump 2>/dev/null |
		awk '/^[A-Za-z_]+: \{/ { sub(/:.*/, ""); group = $0 } /^\t[a-z_]+ = / { print group "." $1 }'
}

# ---- what is written --------------------------------------------------------------------------

# As help_options, from the descriptions. In the manual arguments are small letters.
manual_options() { # TREE
	awk '
		/^\.Sh / { command = /DESCRIPTION/ ? "all" : "" ; commands = /COMMANDS/ }
		/^\.It Cm / && commands { command = $3 }
		/^\.It Fl / && command != "" {
			argument = match($0, / Ar [a-z]+$/) ? " " toupper(substr($0, RSTART + 4)) : ""
			for (i = 3; i <= NF && $i != "Ar"; i++) if ($i != ",") print command " -" $i argument
		}' "$1/daemon/maillogsentinel.8" | sort
}

# "COMMAND --long ARG", "COMMAND --long": what stands in brackets behind the command, in the synopsis (.Nm, then .Cm on its own
# line) and where its description begins (.It Cm)
synopsis_options() { # TREE SECTION
	awk -v section="$2" '
		/^\.Sh / { on = index($0, section) }
		!on { next }
		section == "SYNOPSIS" && /^\.Cm / { command = $2; head = 1 }
		section == "COMMANDS" && /^\.It Cm / { command = $3; head = 1 }
		/^\.It Fl / || !/^\./ { head = 0 }
		head && !/^\.Op Fl c / {
			line = $0
			while (match(line, /Fl -[a-z-]+( Ar [a-z]+)?/)) {
				n = split(substr(line, RSTART, RLENGTH), word, " ")
				print command " -" word[2] (n == 4 ? " " toupper(word[4]) : "")
				line = substr(line, RSTART + RLENGTH)
			}
		}' "$1/daemon/maillogsentinel.8" | sort
}

# The commands of the same two places
manual_commands() { # TREE SECTION
	awk -v section="$2" '
		/^\.Sh / { on = index($0, section) }
		on && section == "SYNOPSIS" && /^\.Cm / { print $2 }
		on && section == "COMMANDS" && /^\.It Cm / { print $3 }' "$1/daemon/maillogsentinel.8"
}

# What bash offers after the words
bash_offers() { # TREE WORD...
	bash -c '
		. "$1/packaging/completions/maillogsentinel.bash"
		shift
		COMP_WORDS=(maillogsentinel "$@") COMP_CWORD=$#
		_maillogsentinel
		[ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
}

# "COMMAND -x" and "COMMAND --long", without arguments
bash_options() { # TREE
	local command

	bash_offers "$1" - | sed 's/^/all /'
	for command in $(bash_offers "$1" ''); do
		bash_offers "$1" -c x "$command" - | sed "s/^/$command /"
	done
}

zsh_commands() { # TREE
	sed -n "s/^\t'\([a-z-]*\):.*'\$/\1/p" "$1/packaging/completions/_maillogsentinel"
}

# The letters and long names of a line are in braces or begin a quoted text; $help holds help.
zsh_options() { # TREE
	awk '
		/^_arguments/ { command = "all" }
		/^\t[a-z-]+\)$/ { command = "" }
		/^\t\t?[a-z-]+\)$/ && inside { sub(/^\t+/, ""); sub(/\)$/, ""); command = $0; next }
		/case \$words/ { inside = 1 }
		command == "" { next }
		{
			if (/\$help/) print command " -h\n" command " --help"
			line = $0
			while (match(line, /\{-[^}]*\}|["\047]\*?--?[a-z][a-z-]*\[/)) {
				names = substr(line, RSTART, RLENGTH)
				line = substr(line, RSTART + RLENGTH)
				gsub(/[]{}[*"\047]/, "", names)
				n = split(names, name, ",")
				for (i = 1; i <= n; i++) print command " " name[i]
			}
		}' "$1/packaging/completions/_maillogsentinel" | sort
}

# "GROUP.KEY = DEFAULT"
default_values() { # TREE
	awk '
		/^[A-Za-z_]+: \{/ { sub(/:.*/, ""); group = $0 }
		/^\t#[a-z_]+ = .*;$/ { sub(/^\t#/, ""); sub(/;$/, ""); print group "." $0 }' "$1/packaging/maillogsentinel.conf" | sort
}

# As default_values. In the manual the value stands behind "Default:"; what is no text there has no quotes here.
manual_values() { # TREE
	awk '
		/^\.Ss / { group = $2 }
		/^\.It Va [a-z_]+ No = Ar / { key = $3; type = $NF; default_next = 0 }
		/^Default:$/ && key != "" { default_next = 1; next }
		default_next {
			value = $0
			sub(/^\.(Qq ?)?((Li|Pa) ?)?/, "", value)
			sub(/ ?[.,]$/, "", value)
			print group "." key " = " (type ~ /^(truth|number)$/ ? value : "\"" value "\"")
			default_next = 0
			key = ""
		}' "$1/daemon/maillogsentinel.conf.5" | sort
}

# "GROUP.KEY MIN to MAX"
default_ranges() { # TREE
	awk '
		/^[A-Za-z_]+: \{/ { sub(/:.*/, ""); group = $0 }
		/^\t# / { range = match($0, /\([0-9][^()]* to [0-9][^()]*\)$/) ? substr($0, RSTART + 1, RLENGTH - 2) : "" }
		/^\t#[a-z_]+ = / {
			if (range ~ / (ms|s|answers)$/) sub(/ [a-z]+$/, "", range)
			if (range != "") print group "." substr($1, 2) " " range
		}' "$1/packaging/maillogsentinel.conf" | sort
}

manual_ranges() { # TREE
	awk '
		/^\.Ss / { group = $2 }
		/^\.It Va / { key = $3 }
		match($0, /^[0-9]+( [KMG]iB)? to [0-9]+( [KMG]iB)?( [a-z]+)?\.$/) {
			range = substr($0, 1, RLENGTH - 1)
			sub(/ [a-z]+$/, "", range)
			print group "." key " " range
		}' "$1/daemon/maillogsentinel.conf.5" | sort
}

# ---- compared ---------------------------------------------------------------------------------

# What only one of them has
compare() { # NAME-A A NAME-B B
	comm -23 <(sort <<<"$2") <(sort <<<"$4") | sed "/^$/d; s/^/only in $1: /"
	comm -13 <(sort <<<"$2") <(sort <<<"$4") | sed "/^$/d; s/^/only in $3: /"
}

names() { awk '{ print $1, $2 }'; }

commands=$(help_commands)
options=$(help_options)
keys=$(dump_keys)

points=(
	"the manual describes the commands" "its synopsis shows them" "the manual describes the options"
	"its synopsis shows them too" "and so does the head of each description" "bash completes the commands" "bash completes the options" "zsh completes the commands"
	"zsh completes the options" "the default file has the options of the configuration"
	"the manual has them, with their defaults" "and with their ranges"
)
findings() { # TREE POINT
	case $2 in
	"${points[0]}") compare --help "$commands" manual "$(manual_commands "$1" COMMANDS)" ;;
	"${points[1]}") compare --help "$commands" synopsis "$(manual_commands "$1" SYNOPSIS)" ;;
	"${points[2]}") compare --help "$(without_help <<<"$options")" manual "$(manual_options "$1")" ;;
	"${points[3]}") compare --help "$(without_help <<<"$options" | grep -v '^all ')" synopsis "$(synopsis_options "$1" SYNOPSIS)" ;;
	"${points[4]}") compare --help "$(without_help <<<"$options" | grep -v '^all ')" headings "$(synopsis_options "$1" COMMANDS)" ;;
	"${points[5]}") compare --help "$commands" bash "$(bash_offers "$1" '')" ;;
	"${points[6]}") compare --help "$(names <<<"$options")" bash "$(bash_options "$1")" ;;
	"${points[7]}") compare --help "$commands" zsh "$(zsh_commands "$1")" ;;
	"${points[8]}") compare --help "$(names <<<"$options")" zsh "$(zsh_options "$1")" ;;
	"${points[9]}") compare --dump "$keys" 'default file' "$(default_values "$1" | sed 's/ = .*//')" ;;
	"${points[10]}") compare 'default file' "$(default_values "$1")" manual "$(manual_values "$1")" ;;
	"${points[11]}") compare 'default file' "$(default_ranges "$1")" manual "$(manual_ranges "$1")" ;;
	esac
}

tap_true "there is something to compare" \
	test "$(wc -w <<<"$commands")" -ge 5 -a "$(wc -l <<<"$options")" -ge 15 -a "$(wc -l <<<"$keys")" -ge 15
for point in "${points[@]}"; do
	tap_none "$point" "$(findings "$ROOT" "$point")"
done
if command -v zsh >/dev/null; then
	tap_true "zsh reads its completion" zsh -n "$ROOT/packaging/completions/_maillogsentinel"
else
	tap_skip "zsh reads its completion" "no zsh"
fi
tap_is "$(cd "$WORK" && touch 'a b.log' && bash_offers "$ROOT" explain a)" 'a b.log' "bash completes a file with a blank"
tap_is "$(bash_offers "$ROOT" extract --year '')$(bash_offers "$ROOT" lookup '')" '' "bash offers nothing where it knows nothing"

# ---- the comparison sees what it is for -------------------------------------------------------

MANUAL=daemon/maillogsentinel.8 CONF=daemon/maillogsentinel.conf.5 FILE=packaging/maillogsentinel.conf
BASH_COMPLETION=packaging/completions/maillogsentinel.bash ZSH_COMPLETION=packaging/completions/_maillogsentinel

# With the mistake in a copy of the file, the point must fail.
plant() { # POINT-NUMBER FILE SED-COMMAND
	rm -rf "$WORK/tree"
	mkdir -p "$WORK/tree/packaging"
	cp -r "$ROOT/daemon" "$WORK/tree"
	cp -r "$ROOT/packaging/." "$WORK/tree/packaging"
	sed -i "$3" "$WORK/tree/$2"
	if cmp -s "$ROOT/$2" "$WORK/tree/$2"; then
		tap_fail "seen: $3 in $2"
		tap_note "this changes nothing"
	else
		tap_true "seen: $3 in $2" test -n "$(findings "$WORK/tree" "${points[$1]}")"
	fi
}

plant 0 $MANUAL '/^\.It Cm lookup/d'
plant 1 $MANUAL 's/^\.Cm explain/.Cm explains/'
plant 2 $MANUAL '/^\.It Fl -no-dns/d'
plant 2 $MANUAL 's/^\.It Fl -stdout/.It Fl -stdout Ar file/'
plant 2 $MANUAL 's/^\.It Fl V , /.It Fl v , /'
plant 3 $MANUAL '/^\.Op Fl -dump/d'
plant 3 $MANUAL 's/^\.Oo Fl -from Ar file Oc/.Oo Fl -from Oc/'
plant 4 $MANUAL 's/^\.It Cm lookup Oo Fl -json Oc/.It Cm lookup/'
plant 5 $BASH_COMPLETION "s/explain lookup/lookup/"
plant 6 $BASH_COMPLETION 's/--stdout --no-dns/--stdout/'
plant 6 $BASH_COMPLETION "s/'-c --config/'-c --configuration/"
plant 7 $ZSH_COMPLETION "/^\t'run:/d"
plant 8 $ZSH_COMPLETION '/--dump/d'
plant 8 $ZSH_COMPLETION 's/{-V,--version}/{-v,--version}/'
plant 9 $FILE '/#timeout_ms/d'
plant 9 $FILE 's/#tries/#retries/'
plant 10 $CONF 's/^\.Li 4096/.Li 128/'
plant 10 $CONF '/^\.It Va log_file No/d'
plant 11 $CONF 's/^50 to 60000/5 to 60000/'
plant 11 $CONF 's/^4 KiB to 1024 GiB/4 KiB to 1 GiB/'
tap_done
