#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: no
# Sourced, after tap.sh, by tests that look at the files of sql-export.

# Prints for each row in the files of a directory, in their order, its instance, CSV, offset and user (a number or a plain word).
sql_rows() { # DIRECTORY
	find "$1" -name '*.sql' | sort | xargs -r cat |
		sed -nE "s/^\('([0-9a-f]{16})',([0-9]+),([0-9]+),'[^']*','[^']*',[^,]*,'([^']*)',.*/\1 \2 \3 \4/p"
}

# The same of the users alone, a blank behind each.
sql_users() { sql_rows "$1" | cut -d' ' -f4 | tr '\n' ' '; } # DIRECTORY

# What a file says of itself.
sql_says() { sed -n "s/^-- $2: //p;/^[^-]/q" "$1"; } # FILE KEY

# What is wrong with the names and heads of a directory's files: sequences that are not one by one from FIRST on, a name that is none, a file that
# another can read, ranges that do not go on where the file before ended (or at the start of the next CSV), numbers of rows that are not there.
sql_defects() { # DIRECTORY [FIRST]
	local file name from end='' next=${2:-1} rows

	for file in "$1"/* "$1"/.[!.]*; do
		[ -e "$file" ] || continue
		name=${file##*/}
		[[ $name =~ ^[0-9]{10}-[0-9]{8}T[0-9]{6}Z\.sql$ ]] || { echo "$name: no such name"; continue; }
		[ $((10#${name%%-*})) -eq "$next" ] || echo "$name: instead of $next"
		next=$((10#${name%%-*} + 1))
		[ "$(sql_says "$file" sequence)" -eq $((next - 1)) ] || echo "$name: says it is $(sql_says "$file" sequence)"
		[ "$(stat -c %a "$file")" = 600 ] || echo "$name: mode $(stat -c %a "$file")"
		from=$(sql_says "$file" from)
		[ "${end:-$from}" = "$from" ] || [[ $from == $((${end%.*} + 1)).@(0|69) ]] || echo "$name: begins at $from, not $end"
		end=$(sql_says "$file" to)
		rows=$(grep -c "^('" "$file")
		[ "$(sql_says "$file" rows)" = "$rows" ] || echo "$name: says it has $(sql_says "$file" rows) rows, of which $rows are there"
		[ "$rows" -gt 0 ] || echo "$name: has no row"
		[ "$(tail -n 1 "$file")" = "COMMIT;" ] || echo "$name: has no end"
	done
}
