#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=postgresql,mariadb-server,sqlite3,python3
# From the CSV into SQLite, PostgreSQL and MariaDB: each database holds exactly the CSV's rows, compared value by value, whether the program
# imports the files or the database's own client reads them, once, twice and in any order.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/sql-servers.sh
. "$ROOT/test/sql-servers.sh"
# shellcheck source=test/integration/sql-hosts.sh
. "$ROOT/test/integration/sql-hosts.sh"
RANDOM=$((MLS_SEED % 32768))
sql_start postgresql mariadb

for kind in sqlite postgresql mariadb; do
	database=first
	[ $kind != sqlite ] || database=$WORK/first.sqlite
	database_make $kind "$database"
	host_make $kind $kind "$database"

	host_extract $kind
	tap_true "$kind: nothing to export is no error" host $kind sql-export
	tap_true "$kind: nothing to import is no error" host $kind sql-import
	for round in 1 2 3; do
		sql_rows log 700 $((MLS_SEED + round)) >>"$WORK/$kind/mail.log"
		host_extract $kind
		[ $round != 2 ] || tap_true "$kind: an export between" host $kind sql-export
		[ $round = 3 ] || host_rotate $kind
	done
	tap_true "$kind: sql-export" host $kind sql-export
	tap_true "$kind: sql-import" host $kind sql-import
	database_holds $kind "$database" "$kind: the database holds the CSV's rows" $kind
	tap_is "$(host_sql_files $kind | wc -l)" 2 "$kind: one file for each export"
	tap_none "$kind: they are called by sequence and time" \
		"$(host_sql_files $kind | sed 's,.*/,,' | grep -vE '^[0-9]{10}-[0-9]{8}T[0-9]{6}Z\.sql$')"
	tap_none "$kind: nothing else is there" "$(find "$WORK/$kind/state/sql" -type f ! -name '*.sql')"
	tap_none "$kind: they are for their owner alone" "$(find "$WORK/$kind/state/sql" -type f ! -perm 600)"
	tap_none "$kind: nothing was said" "$(cat "$WORK/$kind/err")"

	# again: nothing
	before=$(database_count $kind "$database")
	tap_true "$kind: export without a new row" host $kind sql-export
	tap_is "$(host_sql_files $kind | wc -l)" 2 "$kind: which writes no file"
	tap_true "$kind: import without a new file" host $kind sql-import
	tap_is "$(database_count $kind "$database")" "$before" "$kind: changes nothing"

	# what comes later
	host_log $kind 50 && host_extract $kind && host $kind sql-export && host $kind sql-import
	host_log $kind 50 && host_extract $kind && host $kind sql-export
	host_log $kind 50 && host_extract $kind && host $kind sql-export && host $kind sql-import
	database_holds $kind "$database" "$kind: later rows come in, too" $kind
	mapfile -t files < <(host_sql_files $kind)
	tap_is "$(printf '%s\n' "${files[@]##*/}" | cut -d- -f1 | sed 's/^0*//' | tr '\n' ' ')" '1 2 3 4 5 ' "$kind: no number is left out"

	# the database's own client
	for way in once twice backwards; do
		database=client_$way
		[ $kind != sqlite ] || database=$WORK/$way.sqlite
		database_make $kind "$database"
		tap_true "$kind: the schema for a client" host $kind sql-import --schema
		tap_true "$kind: which it takes" database_read $kind "$database" "$WORK/$kind/out"
		tap_true "$kind: twice" database_read $kind "$database" "$WORK/$kind/out"
		wrong=''
		case $way in
		once) order=("${files[@]}") ;;
		twice) order=("${files[@]}" "${files[@]}") ;;
		backwards) mapfile -t order < <(printf '%s\n' "${files[@]}" | tac) ;;
		esac
		for file in "${order[@]}"; do
			said=$(database_read $kind "$database" "$file" 2>&1) || wrong+="$file: "
			wrong+=$said
		done
		tap_none "$kind: its client takes the files $way, and has nothing to say" "$wrong"
		database_holds $kind "$database" "$kind: they give the same rows" $kind
		tap_is "$(database_count $kind "$database" | cut -f2)" "${#files[@]}" "$kind: and each is known to be in"
	done
	# where a client has been before
	sed "s,db_path = \"[^\"]*\",db_path = \"$database\",; s,db_name = \"[^\"]*\",db_name = \"$database\"," "$WORK/$kind/conf" >"$WORK/$kind/conf.client"
	cp "$WORK/$kind/conf.client" "$WORK/$kind/conf"
	before=$(database_count $kind "$database")
	tap_true "$kind: sql-import behind the client" host $kind sql-import
	tap_is "$(database_count $kind "$database")" "$before" "$kind: has nothing to do"
	host_log $kind 5 && host_extract $kind && host $kind sql-export && host $kind sql-import
	database_holds $kind "$database" "$kind: and goes on there" $kind
	tap_none "$kind: nothing was said" "$(cat "$WORK/$kind/err")"
	tap_none "$kind: views have no wrong names" "$(for view in per_day per_country per_network top_addresses; do
		database_ask $kind "$database" "SELECT count(*) FROM failed_logins_$view" 2>&1 | grep -v '^[0-9]*$'
	done)"
done

# one schema, one content: the three answer alike
for view in per_day per_country per_network top_addresses; do
	for kind in sqlite postgresql mariadb; do
		database=first
		[ $kind != sqlite ] || database=$WORK/first.sqlite
		database_ask $kind "$database" "SELECT * FROM failed_logins_$view" |
			sed -E 's/NULL//g; s/( [0-9]{2}:[0-9]{2}):00/\1/g' | sort >"$WORK/view.$kind"
		[ $kind = sqlite ] || tap_true "the view $view answers alike in $kind" diff "$WORK/view.sqlite" "$WORK/view.$kind"
	done
done
tap_done
