#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the program says of its commands, options and configuration, and what the manuals and the default configuration
# say, is the same, in both directions. Checks the tree that the first argument names, or this one, against the release
# build.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
TREE=$(realpath "${1:-$ROOT}")
cd "$TREE" || exit 1
MANUAL=daemon/maillogsentinel.8 CONF_MANUAL=daemon/maillogsentinel.conf.5 MANUALS=(daemon/*.[1-9])
CONF=packaging/maillogsentinel.conf

# shellcheck source=test/check/program.sh
. "$ROOT/test/check/program.sh"

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
tap_none "the manuals name no option that is none" "$(for file in "${MANUALS[@]}"; do
	# -r and the like belong to other programs in the examples, the others to mdoc
	sed -E 's/(\bFl . , )-/\1--/g; s/\.?\bFl -/ --/g; s/\.?\bFl ([a-zA-Z])\b/ -\1/g' "$file" | grep -oE -e '(^|[ (])--?[a-zA-Z][a-z-]*' |
		tr -d ' (' | grep -vxE -e '-(tag|enum|bullet|width|compact|literal|offset|column|r|rn|s|bail|-now|[EOSTfnopquvx]|-output-fields)' | sort -u |
		comm -23 - <(for command in - "${commands[@]}"; do cut -d'|' -f1 <<<"${options[$command]}"; done | sort -u) |
		sed "s^..*^$file: &^"
done)"
tap_none "every manual of the program that is named is there" "$({
	sed -nE 's/^\.Xr (maillogsentinel[a-z.-]*) ([1-9]).*/\1.\2/p' daemon/*.[1-9] contrib/*/*.[1-9]
	grep -rhoE 'maillogsentinel[a-z.-]*\([1-9]\)' README.md packaging contrib .github daemon | sed 's/(\(.\))/.\1/'
} | sort -u | comm -23 - <(printf '%s\n' daemon/*.[1-9] contrib/*/*.[1-9] | sed 's,.*/,,' | sort))"
tap_none "the manual has the CSV's columns" "$(
	differences "$MANUAL" columns "$(awk '/^\.Sh / { here = /CSV/ } here && /^\.It Va/ { print $3 }' "$MANUAL")" "$columns"
	differences "$MANUAL" "first line" "$(grep '^server,' "$MANUAL")" "$(paste -sd, <<<"$columns")"
)"
# the page of the databases has their columns, too
tap_none "the manuals name no column or option of the configuration that is none" "$(for file in "${MANUALS[@]}"; do
	[[ $file != "$CONF_MANUAL" && $file != *-sql.7 ]] || continue
	sed -nE 's/^\.(It |Pq )*Va (.*)/\2/p' "$file" | tr ' ' '\n' | grep -vxE '[.,;)]*' | sort -u |
		comm -23 - <({ echo "$columns"; cut -d'|' -f1 <<<"$keys"; sed 's/|.*//; s/.*\.//' <<<"$keys"; } | sort -u) | sed "s^..*^$file: &^"
done)"

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
	[[ $key != *_db_path && $key != database.db_path && $key != database.sql_export_dir ]] || value='""' # which the dump completes
	case $value in
	true | false) types='truth' ;;
	[0-9]*) types='number' ;;
	*) types='text size duration path paths urls address addresses name columns schedule' ;;
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
	"$(diff <(sed -E 's/^(\t([a-z]+_db_path|db_path|sql_export_dir) = ).*/\1"";/' <<<"$dump") "$WORK/conf" | sed -n "s^[<>].*^$CONF: &^p")"
tap_is "$(program -c "$WORK/conf" check-config --dump)" "$dump" "which are the defaults"
tap_done
