#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=postgresql,mariadb-server,sqlite3,python3
# Files of SQL that are damaged, and clients that go on after an error: each is refused by its name, what comes before is in, whole, and what
# a client made of a part of one is not taken for the whole.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/sql-servers.sh
. "$ROOT/test/sql-servers.sh"
PROGRAM=$MLS_PROGRAM_RELEASE
# shellcheck source=test/integration/sql-hosts.sh
. "$ROOT/test/integration/sql-hosts.sh"
DAMAGES=${MLS_DAMAGES:-30}
sql_start postgresql mariadb

for kind in sqlite postgresql mariadb; do
	host_with_files damaged-$kind $kind 40 300 20
	[ ${#files[@]} = 3 ] || { tap_fail "$kind: three files"; continue; }
	mkdir "$WORK/good.$kind"
	cp -p "${files[@]}" "$WORK/good.$kind/"
	wrong='' tried=0 count=$DAMAGES
	[ $kind = sqlite ] || count=$((DAMAGES / 10))
	for how in byte cut line twice nul tail empty; do
		for ((i = 0; i < count; i++)); do
			[ $i -lt 6 ] || [ $how = byte ] || break
			cp -p "$WORK/good.$kind/${files[1]##*/}" "${files[1]}"
			sql_rows damage "${files[1]}" $how $((MLS_SEED + i))
			cmp -s "$WORK/good.$kind/${files[1]##*/}" "${files[1]}" && continue
			tried=$((tried + 1))
			: >"$WORK/damaged-$kind/err"
			host damaged-$kind sql-import && wrong+="$how $i: taken"$'\n'
			grep -q "${files[1]##*/}" "$WORK/damaged-$kind/err" || wrong+="$how $i: not named"$'\n'
		done
	done
	tap_none "$kind: each of $tried damaged files is refused by its name" "$wrong"
	tap_is "$(database_count $kind "$database")" "40"$'\t'"1" "$kind: the one before is in, whole"
	cp -p "$WORK/good.$kind/${files[1]##*/}" "${files[1]}"
	tap_true "$kind: the good one is taken" host damaged-$kind sql-import
	database_holds $kind "$database" "$kind: and all rows are there" damaged-$kind
	# one that is in already is damaged later: nothing is to be done with it
	sql_rows damage "${files[0]}" byte 7
	host_log damaged-$kind 5 && host_extract damaged-$kind && host damaged-$kind sql-export
	host damaged-$kind sql-import
	tap_note "a file that is damaged after it was imported: exit status $?: $(tail -n 1 "$WORK/damaged-$kind/err" | cut -c1-300)"
	cp -p "$WORK/good.$kind/${files[0]##*/}" "${files[0]}"
	tap_true "$kind: it is put back" host damaged-$kind sql-import
	database_holds $kind "$database" "$kind: and all rows are there" damaged-$kind

	# a client that goes on after an error, with a file that is cut or has a row that the database refuses
	other=forced_$kind
	[ $kind != sqlite ] || other=$WORK/forced.sqlite
	database_make $kind "$other"
	host damaged-$kind sql-import --schema && mv "$WORK/damaged-$kind/out" "$WORK/schema.sql"
	database_read $kind "$other" "$WORK/schema.sql"
	for way in half row statement; do
		case $way in
		half) head -c $(($(stat -c %s "${files[1]}") * 2 / 3)) "${files[1]}" ;;
		row) sed "0,/'n2[0-9]*'/s/'n2[0-9]*'/nonsense(/" "${files[1]}" ;;
		statement) sed "0,/'2026-11-0[0-9] [0-9]*:[0-9]*/s//'2026-19-99 00:00/" "${files[1]}" ;;
		esac >"$WORK/bad.sql"
		case $kind in
		sqlite) sqlite3 -batch -init /dev/null "$other" <"$WORK/bad.sql" ;;
		postgresql) sql_psql -d "$other" -v ON_ERROR_STOP=0 -f "$WORK/bad.sql" ;;
		mariadb) sql_mariadb -D "$other" --force <"$WORK/bad.sql" ;;
		esac >"$WORK/out" 2>&1
		tap_note "$kind, $way: $(head -n 1 "$WORK/out" | cut -c1-200)"
		in=$(database_count $kind "$other" | cut -f2)
		if [ "$in" != 0 ] && [ $way = statement ] && [ $kind = sqlite ]; then
			tap_note "SQLite has no types to refuse it"
			database_ask sqlite "$other" 'DELETE FROM failed_logins_batches; DELETE FROM failed_logins'
		else
			tap_is "$in" 0 "$kind: what a client makes of a file with a bad $way is not known as in"
		fi
		case $kind in
		sqlite) sed "s,db_path = \"[^\"]*\",db_path = \"$other\"," ;;
		*) sed "s,db_name = \"[^\"]*\",db_name = \"$other\"," ;;
		esac <"$WORK/damaged-$kind/conf" >"$WORK/conf.other"
		tap_true "$kind: then the good files come in" "$PROGRAM" -c "$WORK/conf.other" sql-import
		database_holds $kind "$other" "$kind: and all rows are there" damaged-$kind
		database_ask $kind "$other" 'DELETE FROM failed_logins_batches'
		database_ask $kind "$other" 'DELETE FROM failed_logins'
	done
done

tap_done
