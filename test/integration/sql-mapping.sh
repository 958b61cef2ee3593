#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=postgresql,mariadb-server,sqlite3,python3
# Another table, columns that are called otherwise or left out: rows, views and ledger follow; and what happens when that is changed while
# files wait.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/sql-servers.sh
. "$ROOT/test/sql-servers.sh"
# shellcheck source=test/integration/sql-hosts.sh
. "$ROOT/test/integration/sql-hosts.sh"
sql_start postgresql mariadb

# What the database holds is the CSV's, as far as the columns are there.
holds() { # KIND TABLE USERS-COLUMN TEXT
	tap_is "$(database_ask "$1" "$database" "SELECT csv, byte_offset, $3 FROM $2 ORDER BY csv, byte_offset" | md5sum)" \
		"$(host_expect "$1" | cut -f 2,3,7 | sed 's/=//' | md5sum)" "$4"
}
map() { # KIND TABLE COLUMNS
	sed -i "/^table = /d; s/^};$/table = \"$2\"; columns = [$3];\n};/" "$WORK/$1/conf"
}

for kind in sqlite postgresql mariadb; do
	database=mapping
	[ $kind != sqlite ] || database=$WORK/mapping.sqlite
	database_make $kind "$database"
	host_make $kind $kind "$database"
	map $kind select '"user=order", "aso=", "hostname=group", "country_code="'
	host_log $kind 100 && host_extract $kind
	tap_true "$kind: an export with names that SQL has a meaning for" host $kind sql-export
	tap_true "$kind: the import" host $kind sql-import
	case $kind in mariadb) q='`' ;; *) q='"' ;; esac
	holds $kind "${q}select$q" "${q}order$q" "$kind: the rows are there"
	tap_is "$(database_ask $kind "$database" "SELECT aso FROM ${q}select$q" 2>&1 | grep -ciE 'no such|does not exist|unknown')" 1 "$kind: without what is left out"
	tap_is "$(database_ask $kind "$database" "SELECT sum(row_count) FROM select_batches")" 100 "$kind: the ledger is called after it"
	tap_is "$(database_ask $kind "$database" "SELECT sum(failures) FROM select_per_day" 2>&1 | grep -c '^100$')" 1 "$kind: and so are the views"
	tap_none "$kind: a view of what is left out is none" "$(database_ask $kind "$database" "SELECT * FROM select_per_country" 2>/dev/null)"
	host $kind sql-import --schema && mv "$WORK/$kind/out" "$WORK/schema.sql"
	other=by_hand
	[ $kind != sqlite ] || other=$WORK/by-hand.sqlite
	database_make $kind "$other"
	tap_true "$kind: a client takes the schema" database_read $kind "$other" "$WORK/schema.sql"
	tap_true "$kind: and the file" database_read $kind "$other" "$(host_sql_files $kind)"
	before=$database database=$other
	holds $kind "${q}select$q" "${q}order$q" "$kind: with the same rows"
	database=$before

	# a column comes back, while a file waits
	host_log $kind 10 && host_extract $kind && host $kind sql-export
	map $kind select '"user=order", "hostname=group", "country_code="'
	host_log $kind 10 && host_extract $kind && host $kind sql-export
	host $kind sql-import
	tap_note "$kind: a column more: exit status $?: $(tail -n 1 "$WORK/$kind/err" | cut -c1-300)"
	holds $kind "${q}select$q" "${q}order$q" "$kind: a column more, and the rows are there"
	# one goes
	host_log $kind 10 && host_extract $kind && host $kind sql-export
	map $kind select '"user=order", "hostname=group", "country_code=", "asn="'
	host_log $kind 10 && host_extract $kind && host $kind sql-export
	host $kind sql-import
	tap_note "$kind: a column less: exit status $?: $(tail -n 1 "$WORK/$kind/err" | cut -c1-300)"
	holds $kind "${q}select$q" "${q}order$q" "$kind: a column less, and the rows are there"
	# another table, while a file waits for the first
	host_log $kind 10 && host_extract $kind && host $kind sql-export
	map $kind other '"user=order"'
	: >"$WORK/$kind/err"
	host $kind sql-import
	tap_note "$kind: another table: exit status $?: $(tail -n 1 "$WORK/$kind/err" | cut -c1-300)"
	map $kind select '"user=order", "hostname=group", "country_code=", "asn="'
	tap_true "$kind: the table is named again" host $kind sql-import
	holds $kind "${q}select$q" "${q}order$q" "$kind: and all rows are there"
done

while IFS= read -r names; do
	{ grep -v -e '^table = ' -e '^};$' "$WORK/sqlite/conf"; printf '%s\n};\n' "$names"; } >"$WORK/conf"
	"$PROGRAM" -c "$WORK/conf" check-config >"$WORK/out" 2>&1
	tap_is $? 78 "not taken: $names"
	tap_note "$(tail -n 1 "$WORK/out")"
done <<'X2'
table = "a b";
table = "";
table = "x\"; DROP TABLE y; --";
table = "1x";
table = "Failed";
table = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
table = "sqlite_x";
columns = "user=instance";
columns = "user=server";
columns = ["user=a", "aso=a"];
columns = ["user=a", "user=b"];
columns = "instance=";
columns = "byte_offset=";
columns = "nobody=x";
columns = "user";
columns = "user=a`b";
X2
tap_done
