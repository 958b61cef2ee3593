#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=postgresql,mariadb-server,sqlite3,python3
# Databases that are locked, read-only, full, set back or somebody else's: the reason is said, and once it is gone all rows are there.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/sql-servers.sh
. "$ROOT/test/sql-servers.sh"
PROGRAM=$MLS_PROGRAM_RELEASE
# shellcheck source=test/integration/sql-hosts.sh
. "$ROOT/test/integration/sql-hosts.sh"
sql_start postgresql mariadb

# locked by somebody for a while: in the mode that a client made it in, and in that of an import
host_with_files locked sqlite 30 30
host locked sql-import --schema && sqlite3 -init /dev/null "$database" <"$WORK/locked/out"
lock_for() { # SECONDS
	: >"$WORK/locked.out"
	{ printf 'BEGIN IMMEDIATE;\n.print locked\n'; sleep "$1"; printf 'COMMIT;\n'; } | sqlite3 -batch -init /dev/null "$database" >"$WORK/locked.out" &
	locker=$!
	wait_until 10 grep -q locked "$WORK/locked.out"
}
lock_for 1
tap_true "a database of a client that is locked for a second is waited for" host locked sql-import
wait $locker
database_holds sqlite "$database" "and all rows are there" locked
host_log locked 5 && host_extract locked && host locked sql-export
lock_for 1
tap_true "and once more" host locked sql-import
wait $locker
database_holds sqlite "$database" "and all rows are there" locked

# a reader that does not end keeps nobody waiting
host_log locked 5 && host_extract locked && host locked sql-export && host locked sql-import
tap_is "$(sqlite3 "$database" 'PRAGMA journal_mode')" wal "when nobody has it, the database gets its mode"
mkfifo "$WORK/hold"
{ printf 'BEGIN; SELECT count(*) FROM failed_logins;\n'; cat "$WORK/hold"; } | sqlite3 -batch -init /dev/null "$database" >"$WORK/reader.out" &
locker=$!
exec 6>"$WORK/hold"
wait_until 10 test -s "$WORK/reader.out"
host_log locked 5 && host_extract locked && host locked sql-export
tap_true "somebody reads meanwhile" host locked sql-import
exec 6>&-
wait $locker
database_holds sqlite "$database" "and all rows are there" locked

# not a database, a database of somebody else, a table of somebody else
host_with_files foreign sqlite 10
head -c 100000 /dev/urandom >"$database"
before=$(md5sum "$database")
refuses foreign 'not a database|database' "what is no database is refused" sql-import
tap_is "$(md5sum "$database")" "$before" "and is not touched"
rm "$database"
sqlite3 "$database" 'CREATE TABLE failed_logins (id INTEGER PRIMARY KEY, who TEXT); INSERT INTO failed_logins VALUES (1, 2)'
refuses foreign 'failed_logins' "a table of that name that is another's" sql-import
tap_is "$(sqlite3 "$database" 'SELECT * FROM failed_logins')" '1|2' "is left alone"

for kind in sqlite postgresql mariadb; do
	host_with_files tables-$kind $kind 30 20
	host tables-$kind sql-import
	database_ask $kind "$database" 'DROP TABLE failed_logins_batches'
	host_log tables-$kind 5 && host_extract tables-$kind && host tables-$kind sql-export
	host tables-$kind sql-import
	tap_note "$kind: the ledger is gone: exit status $?: $(tail -n 1 "$WORK/tables-$kind/err" | cut -c1-300)"
	host tables-$kind sql-import
	database_holds $kind "$database" "$kind: without the ledger all files come again, and no row twice" tables-$kind
	# a table that was emptied while the ledger stays is not filled again, but one of a restored backup is
	database_ask $kind "$database" 'DELETE FROM failed_logins_batches'
	database_ask $kind "$database" 'DELETE FROM failed_logins'
	tap_true "$kind: a database that is set back" host tables-$kind sql-import
	database_holds $kind "$database" "$kind: gets its files again" tables-$kind
	# of a newer version
	database_ask $kind "$database" 'INSERT INTO failed_logins_schema (version) SELECT max(version) + 1 FROM failed_logins_schema'
	refuses tables-$kind 'newer' "$kind: a schema of a newer version is refused" sql-import
done

# read-only, by rights and by settings
if [ "$(id -u)" = 0 ]; then
	host_with_files readonly sqlite 10
	host readonly sql-import
	host_log readonly 10 && host_extract readonly && host readonly sql-export
	chown -R nobody: "$WORK/readonly"
	chmod 755 "$WORK" && chmod 444 "$database" && chown root: "$database"
	refuses readonly 'read-?only|denied|unable|permission' "a SQLite file that may not be written" sql-import
	chown nobody: "$database" "$database"-* 2>/dev/null
	chmod 644 "$database"
	refuses readonly 'read-?only|denied|unable|permission' "in a directory that may not be written" sql-import
	mkdir "$WORK/own" && chown nobody: "$WORK/own" && mv "$database"* "$WORK/own/"
	database=$WORK/own/${database##*/}
	sed -i "s,db_path = \"[^\"]*\",db_path = \"$database\"," "$WORK/readonly/conf"
	tap_true "with rights" host readonly sql-import
	database_holds sqlite "$database" "all rows are there" readonly
fi
host_with_files readonly-pg postgresql 10
sql_psql -c "ALTER DATABASE $database SET default_transaction_read_only = on"
refuses readonly-pg 'read-only' "a read-only PostgreSQL" sql-import
sql_psql -c "ALTER DATABASE $database RESET default_transaction_read_only"
tap_true "that is writable again" host readonly-pg sql-import
database_holds postgresql "$database" "all rows are there" readonly-pg
host_with_files readonly-my mariadb 10
sql_mariadb -e 'SET GLOBAL read_only = 1'
refuses readonly-my 'read-only' "a read-only MariaDB" sql-import
sql_mariadb -e 'SET GLOBAL read_only = 0'
tap_true "that is writable again" host readonly-my sql-import
database_holds mariadb "$database" "all rows are there" readonly-my

# a disk that is full, of the files and of the database
if [ "$(id -u)" = 0 ] && mkdir "$WORK/small" && mount -t tmpfs -o size=1500k none "$WORK/small" 2>/dev/null; then
	tap_defer umount -l "$WORK/small"
	host_with_files full sqlite 10
	host full sql-import
	mkdir "$WORK/small/sql"
	cp -p "${files[@]}" "$WORK/small/sql/"
	sed -i "s,^database: {,&\nsql_export_dir = \"$WORK/small/sql\"; ," "$WORK/full/conf"
	host_log full 20000 && host_extract full
	refuses full 'No space' "a disk that is too full for the files" sql-export
	tap_none "leaves nothing that is half" "$(find "$WORK/small/sql" -type f ! -name '*.sql')"
	tap_none "and no file is torn" "$(for file in "$WORK/small/sql"/*.sql; do tail -n 1 "$file" | grep -q COMMIT || echo "$file"; done)"
	host full sql-import
	mount -o remount,size=60m "$WORK/small"
	tap_true "with room again" host full sql-export
	tap_true "the import goes on" host full sql-import
	database_holds sqlite "$database" "and all rows are there" full

	mount -o remount,size=8m "$WORK/small"
	rm -rf "$WORK/small/sql"
	mkdir "$WORK/small/db"
	sed -i "/^sql_export_dir/d; s,db_path = \"[^\"]*\",db_path = \"$WORK/small/db/db\"," "$WORK/full/conf"
	host_log full 60000 && host_extract full && host full sql-export
	cp -p "${files[@]}" "$WORK/full/state/sql/" 2>/dev/null
	refuses full 'full|No space' "a disk that is too full for the database" sql-import
	tap_is "$(sqlite3 "$WORK/small/db/db" 'PRAGMA integrity_check')" ok "leaves it whole"
	mount -o remount,size=200m "$WORK/small"
	tap_true "with room again" host full sql-import
else
	tap_skip "disks that are full" "needs root and mount"
fi
tap_done
