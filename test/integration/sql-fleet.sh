#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=240 packages=postgresql,mariadb-server,sqlite3,python3
# Many at once: 20 hosts into one database that is empty before, two importers of the same files, and a server that is restarted, or crashes,
# in the middle of an import, or is away: each row is there once.
# shellcheck disable=SC2317  # functions are called by wait_until
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/sql-servers.sh
. "$ROOT/test/sql-servers.sh"
PROGRAM=$MLS_PROGRAM_RELEASE
# shellcheck source=test/integration/sql-hosts.sh
. "$ROOT/test/integration/sql-hosts.sh"
HOSTS=20
RANDOM=$((MLS_SEED % 32768))
sql_start postgresql mariadb

# Runs a command for all of these hosts at once. Prints what fails.
all_at_once() { # COMMAND HOST...
	local i
	local -a names=("${@:2}") children=()

	for i in "${!names[@]}"; do
		host "${names[i]}" "$1" &
		children[i]=$!
	done
	for i in "${!names[@]}"; do
		wait "${children[i]}" || { echo "${names[i]}: exit status $?"; tail -n 1 "$WORK/${names[i]}/err"; }
	done
}

# The files of one host in another directory with a state of its own.
twin() { # NAME TWIN
	cp -r "$WORK/$1" "$WORK/$2"
	sed -i "s,$WORK/$1/state,$WORK/$2/state," "$WORK/$2/conf"
	[ "$(host_kind "$1")" != sqlite ] || sed -i "s,db_path = \"[^\"]*\",db_path = \"$(sed -n 's/.*db_path = "\([^"]*\)".*/\1/p' "$WORK/$1/conf")\"," "$WORK/$2/conf"
	: >"$WORK/$2/err"
}

for kind in sqlite postgresql mariadb; do
	database=fleet
	[ $kind != sqlite ] || database=$WORK/fleet.sqlite
	database_make $kind "$database"
	hosts=()
	for ((i = 1; i <= HOSTS; i++)); do
		hosts+=("$kind-$i")
		host_make $kind-$i $kind "$database"
		host_log $kind-$i $((100 + RANDOM % 300)) && host_extract $kind-$i
	done
	tap_none "$kind: $HOSTS hosts export" "$(all_at_once sql-export "${hosts[@]}")"
	tap_none "$kind: and import at once into an empty database" "$(all_at_once sql-import "${hosts[@]}")"
	database_holds $kind "$database" "$kind: which holds the rows of all" "${hosts[@]}"
	for i in "${hosts[@]}"; do
		host_log "$i" $((RANDOM % 100 + 1)) && host_extract "$i"
	done
	tap_none "$kind: and once more, exports and imports at once" "$(
		all_at_once sql-export "${hosts[@]}" &
		all_at_once sql-import "${hosts[@]}"
		wait
	)"
	all_at_once sql-import "${hosts[@]}" | tap_note
	database_holds $kind "$database" "$kind: which holds them all" "${hosts[@]}"
	tap_is "$(database_count $kind "$database" | cut -f2)" "$(for i in "${hosts[@]}"; do host_sql_files "$i"; done | wc -l)" "$kind: and all of their files"
	tap_none "$kind: nobody had to say anything" "$(cat "$WORK/$kind"-*/err)"

	# two importers of the same files, many of them
	database=twins
	[ $kind != sqlite ] || database=$WORK/twins.sqlite
	database_make $kind "$database"
	host_make $kind-a $kind "$database"
	for ((i = 0; i < 12; i++)); do
		host_log $kind-a $((RANDOM % 700 + 1)) && host_extract $kind-a && host $kind-a sql-export
	done
	twin $kind-a $kind-b
	twin $kind-a $kind-c
	tap_none "$kind: three importers of the same files at once" "$(all_at_once sql-import $kind-a $kind-b $kind-c)"
	database_holds $kind "$database" "$kind: each row is there once" $kind-a
	tap_is "$(database_count $kind "$database" | cut -f2)" 12 "$kind: and each file"

	# two of the same state: one of them does it, and the other says so
	host_log $kind-a 20000 && host_extract $kind-a
	for command in sql-export sql-import; do
		: >"$WORK/$kind-a/err"
		all_at_once $command $kind-a $kind-a $kind-a | grep -c 'exit status 1' >"$WORK/refused"
		tap_true "$kind: of three times $command some are refused, not all" test "$(cat "$WORK/refused")" -le 2
		tap_none "$kind: for one reason" "$(grep -v ' is at work ' "$WORK/$kind-a/err")"
	done
	tap_note "$(tail -n 1 "$WORK/$kind-a/err")"
	host $kind-a sql-export && host $kind-a sql-import
	database_holds $kind "$database" "$kind: and each row is there once" $kind-a
done

# ---- the server ends ---------------------------------------------------------------------------------

for kind in postgresql mariadb; do
	database_make $kind ends
	host_make $kind-e $kind ends
	host_log $kind-e 60000 && host_extract $kind-e && host $kind-e sql-export
	for ((i = 0; i < 5; i++)); do
		host_log $kind-e 100 && host_extract $kind-e && host $kind-e sql-export
	done
	twin $kind-e $kind-t
	database_make $kind timed
	sed -i 's/db_name = "ends"/db_name = "timed"/' "$WORK/$kind-t/conf"
	begin=${EPOCHREALTIME/[.,]/}
	tap_true "$kind: an import of $(host_sql_files $kind-e | wc -l) files" host $kind-t sql-import
	took_us=$((${EPOCHREALTIME/[.,]/} - begin))
	broken=0 ends=0
	for how in sql_kill sql_stop sql_kill; do
		host $kind-e sql-import &
		child=$!
		at_us=$((took_us * (10 + 25 * ends + RANDOM % 15) / 100))
		sleep "$(printf '%d.%06d' $((at_us / 1000000)) $((at_us % 1000000)))"
		$how $kind
		wait $child
		case $? in 1) broken=$((broken + 1)) ;; 0) ;; *) broken=99 ;; esac
		ends=$((ends + 1))
		sql_again $kind || tap_fail "$kind: starts again"
	done
	tap_true "$kind: of 3 imports $broken were broken off by the end of the server" test $broken -ge 1 -a $broken -le 3
	tap_note "$(cat "$WORK/$kind-e/err")"
	tap_true "$kind: each says why" test "$(grep -c ^maillogsentinel "$WORK/$kind-e/err")" -ge $broken
	wanted=$(database_ask $kind ends 'SELECT coalesce(sum(row_count), 0) FROM failed_logins_batches')
	tap_is "$(database_ask $kind ends 'SELECT count(*) FROM failed_logins')" "$wanted" "$kind: what is in, is in whole"
	sql_kill $kind
	: >"$WORK/$kind-e/err"
	host $kind-e sql-import
	tap_is $? 1 "$kind: a server that is away is an error"
	tap_note "$(cat "$WORK/$kind-e/err")"
	tap_true "$kind: in one line" test "$(wc -l <"$WORK/$kind-e/err")" -eq 1
	host_log $kind-e 10 && host_extract $kind-e
	tap_true "$kind: an export needs no server" host $kind-e sql-export
	sql_again $kind
	tap_true "$kind: when it is back, the import goes on" host $kind-e sql-import
	database_holds $kind ends "$kind: each row is there once" $kind-e
done
tap_done
