#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=120 packages=sqlite3
# sql-import brings what sql-export wrote into SQLite, each row once: when it is killed, when two are at work, when somebody has replayed the files by
# hand, when the database is an older one; and it stops, with the reason, at a file that is not as it should be or can't get in.
# shellcheck disable=SC2317  # functions are called by tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$ROOT/test/integration/service.sh"
# shellcheck source=test/integration/sql-rig.sh
. "$ROOT/test/integration/sql-rig.sh"
command -v sqlite3 >/dev/null || tap_skip_all "needs sqlite3"
STATE=$WORK/state SQL=$WORK/state/sql DB=$WORK/state/maillogsentinel.sqlite
RANDOM=${MLS_SEED:-$$}
mkdir "$WORK/csv" "$STATE"
: >"$WORK/mail.log"

configure() { # FILE STATE_DIR [GROUP...]
	local to=$1 state=$2

	shift 2
	printf '%s\n' "paths: { working_dir = \"$WORK/csv\"; state_dir = \"$state\"; mail_log = \"$WORK/mail.log\"; };" \
		'dns: { enabled = false; };' "$@" >"$to"
}
configure "$WORK/conf" "$STATE"
prepare() { "$MLS_PROGRAM_RELEASE" -c "$WORK/conf" "$@" 2>>"$WORK/err"; }
# Its exit status; what it prints in out and said.
import() { "$MLS_PROGRAM" -c "${1:-$WORK/conf}" sql-import >"$WORK/out" 2>"$WORK/said"; }
number=0
# A file of SQL with COUNT rows.
make_file() { # COUNT
	local i

	for ((i = 0; i < $1; i++)); do line "user$((number++))"; done >>"$WORK/mail.log"
	if ! prepare extract || ! prepare sql-export >>"$WORK/files"; then
		tap_fail "a file: $(tail -n 1 "$WORK/err")"
	fi
}
ask() { sqlite3 -batch "${2:-$DB}" "$1" 2>&1; } # STATEMENT [DATABASE]
# What the files hold, and what the database does, in the same form.
in_files() { sql_rows "$SQL" | sort; }
in_database() { ask "SELECT instance || ' ' || csv || ' ' || byte_offset || ' ' || username FROM failed_logins" | sort; }
# The rows that are in, beside those that the ledger says are.
is_consistent() { [ "$(ask 'SELECT count(*) FROM failed_logins')" = "$(ask 'SELECT coalesce(sum(row_count), 0) FROM failed_logins_batches')" ]; }
exact() { # TEXT
	tap_is "$(in_database | cmp - <(in_files) 2>&1)" "" "$1: exactly the files' rows are in"
}
said_is() { # STATUS TEXT...
	local status=$1 text

	shift
	tap_is "$got" "$status" "exit status $status"
	for text; do tap_true "says '$text'" grep -qF -- "$text" "$WORK/said" || tap_note <"$WORK/said"; done
}

# ---- what is there -------------------------------------------------------------------------------
import; got=$?
tap_is "$got $(cat "$WORK/out" "$WORK/said")" "0 " "no files: nothing to do"
tap_true "and no database" test ! -e "$DB"
make_file 3 && make_file 4
import; got=$?
tap_is "$got $(cat "$WORK/said") $(cat "$WORK/out")" "0  $(cat "$WORK/files")" "a line for each file that got in"
exact "two files"
tap_is "$(stat -c %a "$DB")" 640 "the database has the mode of the CSV"
tap_is "$(ask "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL" | sort | tr '\n' ' ')" \
	"failed_logins_by_date failed_logins_by_ip failed_logins_by_username " "with its indexes"
tap_is "$(sed -n 's/^sequence //p' "$STATE/sql-import.offset")" 2 "how far it came is known without the database"
before=$(stat -c '%Y %s' "$DB")
import; got=$?
tap_is "$got $(cat "$WORK/out" "$WORK/said") $(stat -c '%Y %s' "$DB")" "0  $before" "nothing new: nothing is written"
make_file 1
import
tap_is "$(wc -l <"$WORK/out")" 1 "one more"
exact "three files"

# ---- by hand --------------------------------------------------------------------------------------
make_file 5
sqlite3 -bail "$DB" <"$(tail -n 1 "$WORK/files" | cut -d: -f1)" >"$WORK/said" 2>&1
tap_is "$? $(cat "$WORK/said")" "0 " "sqlite3 takes a file"
sqlite3 -bail "$DB" <"$(tail -n 1 "$WORK/files" | cut -d: -f1)" >"$WORK/said" 2>&1
tap_is "$? $(cat "$WORK/said")" "0 " "twice"
import; got=$?
tap_is "$got $(cat "$WORK/out" "$WORK/said")" "0 " "it is not imported again"
exact "a file by hand"
cp "$DB" "$WORK/backup"
make_file 2 && make_file 2
import
cp "$WORK/backup" "$DB"
import; got=$?
tap_is "$got $(wc -l <"$WORK/out")" "0 2" "a database from a backup gets what it lacks"
exact "a backup"
"$MLS_PROGRAM" -c "$WORK/conf" sql-import --schema >"$WORK/schema" 2>"$WORK/said"; got=$?
said_is 0
rm -f "$DB"*
cat "$WORK/schema" "$WORK/schema" "$SQL"/*.sql | sqlite3 -bail "$DB" >"$WORK/said" 2>&1
tap_is "$? $(cat "$WORK/said")" "0 " "sqlite3 takes the schema, twice, and all files"
exact "all by hand"
import; got=$?
tap_is "$got $(cat "$WORK/out" "$WORK/said")" "0 " "and nothing is left to import"

# ---- files that don't get in ----------------------------------------------------------------------
# The last but one of four that are new; the others are what they should be.
stops() { # TEXT SAID
	import; got=$?
	said_is 1 "$bad: " "$2" "; 2 files wait"
	tap_is "$(wc -l <"$WORK/out") $(ask "SELECT max(sequence) FROM failed_logins_batches")" "$3 $last" "$1: those before it are in, and no other"
	tap_true "$1: nothing of it is in" is_consistent
	tap_is "$(sed -n 's/^sequence //p' "$STATE/sql-import.offset")" "$last" "$1: how far it came is known"
}
for _ in 1 2 3 4; do make_file 2; done
bad=$(tail -n 2 "$WORK/files" | head -n 1 | cut -d: -f1)
last=$(($(basename "$bad" | sed 's/-.*//;s/^0*//') - 1))
cp "$bad" "$WORK/good"
sed -i "s/'user\([0-9]*\)'/'User\1'/" "$bad"
stops "a value that was changed" "it is not as it was written" 2
sed '/^COMMIT/d' "$WORK/good" >"$bad"
stops "a file that was cut" "" 0
sed 's/dialect: sqlite/dialect: mysql/' "$WORK/good" >"$bad"
stops "a file for another database" "it is for mysql, and database.db_type is sqlite: import it into that, or remove it and have its rows written anew" 0
cp "$(tail -n 1 "$WORK/files" | cut -d: -f1)" "$bad"
stops "a file under another's name" "under another name" 0
: >"$bad"
stops "an empty file" "" 0
cp "$WORK/good" "$bad"
ask "INSERT INTO failed_logins (instance, csv, byte_offset, username) SELECT instance, csv, byte_offset + 70, 'other' FROM failed_logins ORDER BY csv DESC, byte_offset DESC LIMIT 1"
import; got=$?
said_is 1 "$bad: $DB: the table does not hold exactly its 2 rows" "was an older state put back"
ask "DELETE FROM failed_logins WHERE username = 'other'"
ask "INSERT INTO failed_logins_batches SELECT instance, sequence + 1, 'x' || substr(hash, 2), row_count, skipped, from_csv, from_offset, to_csv, to_offset, imported_at FROM failed_logins_batches ORDER BY sequence DESC LIMIT 1"
import; got=$?
said_is 1 "$bad: $DB: another file of its number is in"
ask "DELETE FROM failed_logins_batches WHERE hash LIKE 'x%'"
import; got=$?
tap_is "$got $(wc -l <"$WORK/out") $(cat "$WORK/said")" "0 2 " "as it was, it gets in"
exact "after all that"

# ---- files that are gone --------------------------------------------------------------------------
# Moves the files away that make_file makes for these numbers of rows, and makes one more.
lose() { # COUNT...
	local count first=$(($(wc -l <"$WORK/files") + 1))

	for count; do make_file "$count"; done
	tail -n +$first "$WORK/files" | cut -d: -f1 | xargs mv -t "$WORK/lost"
	make_file 1
}
mkdir "$WORK/lost"
lose 2
import; got=$?
said_is 1 "$SQL: the file $(cd "$WORK/lost" && echo * | cut -d- -f1) is gone, and was not seen to be in the database; sql-export --from-start writes"
tap_is "$(wc -l <"$WORK/out") $(wc -l <"$WORK/said")" "1 1" "what comes behind a file that is gone gets in"
exact "the file behind it"
import; got=$?
tap_is "$got $(cat "$WORK/said")" "0 " "it is said once"
mv "$WORK"/lost/* "$SQL"
import; got=$?
tap_is "$got $(cat "$WORK/said") $(wc -l <"$WORK/out")" "0  1" "when it is there again it gets in"
exact "all that were gone"
mkdir "$WORK/kept" && mv "$SQL"/* "$WORK/kept"
lose 2 3
import; got=$?
said_is 1 "$SQL: the files $(cd "$WORK/lost" && echo * | sed -E 's/-[^ ]*//g; s/ / to /') are gone, and were not seen"
mv "$WORK"/{lost,kept}/* "$SQL"
import; got=$?
tap_is "$got $(cat "$WORK/said") $(wc -l <"$WORK/out")" "0  2" "so is it where nothing is left of what was before"
exact "all of them"
mv "$SQL"/* "$WORK/kept"
make_file 1
import; got=$?
tap_is "$got $(cat "$WORK/said")" "0 " "nobody misses what was in"
mv "$WORK"/kept/* "$SQL"

# ---- a database that is none ----------------------------------------------------------------------
configure "$WORK/other" "$STATE" "database: { db_path = \"$WORK/absent/x.sqlite\"; };"
import "$WORK/other"; got=$?
said_is 1 "$WORK/absent/x.sqlite: No such file or directory"
configure "$WORK/other" "$STATE" "database: { db_path = \"$WORK/mail.log\"; };"
import "$WORK/other"; got=$?
said_is 1 "$WORK/mail.log: " "is not a database"
sqlite3 "$WORK/foreign" 'CREATE TABLE failed_logins (a)'
configure "$WORK/other" "$STATE" "database: { db_path = \"$WORK/foreign\"; };"
import "$WORK/other"; got=$?
said_is 1 "$WORK/foreign: "
tap_is "$(ask 'SELECT count(*) FROM failed_logins' "$WORK/foreign")" 0 "a table of that name that is another's is left alone"

# ---- two at once ----------------------------------------------------------------------------------
for _ in {1..12}; do make_file 40; done
mkdir "$WORK/twin"
cp -r "$SQL" "$WORK/twin/sql"
configure "$WORK/other" "$WORK/twin" "database: { db_path = \"$DB\"; };"
for round in 1 2 3; do
	[ $round -eq 1 ] || rm -f "$DB"*
	import "$WORK/other" & twin=$!
	"$MLS_PROGRAM" -c "$WORK/conf" sql-import >"$WORK/out2" 2>"$WORK/said2"
	tap_is "$? $(cat "$WORK/said2")" "0 " "two imports into one database: one of them"
	wait $twin
	tap_is "$? $(cat "$WORK/said")" "0 " "the other"
	exact "round $round"
done
make_file 1
coproc HOLDER { sqlite3 -batch "$DB"; }
echo "BEGIN IMMEDIATE; SELECT 'held';" >&"${HOLDER[1]}"
read -r said <&"${HOLDER[0]}"
tap_is "$said" held "somebody writes into the database"
"$MLS_PROGRAM" -c "$WORK/conf" sql-import >"$WORK/out2" 2>"$WORK/said2" & waiter=$!
has_lock() { grep -q "^$waiter " "$STATE/sql-import.lock"; }
wait_until 20 has_lock
import; got=$?
said_is 1 "$STATE: another import is at work (process $waiter sql-import)"
echo "COMMIT;" >&"${HOLDER[1]}"
eval "exec ${HOLDER[1]}>&-"
wait $waiter
tap_is "$? $(cat "$WORK/said2") $(wc -l <"$WORK/out2")" "0  1" "who waits for the database gets it"
exact "another writer"

# ---- killed ---------------------------------------------------------------------------------------
for _ in {1..12}; do make_file 100; done
rm -f "$DB"*
start=$(date +%s%N)
import
longest=$((($(date +%s%N) - start) / 1000))
kills=0 tries=0
while [ $kills -lt 50 ] && [ $((tries++)) -lt 200 ]; do
	# all is in: from the beginning
	[ "$(wc -l <"$WORK/out")" -gt 0 ] || rm -f "$DB"*
	"$MLS_PROGRAM" -c "$WORK/conf" sql-import >"$WORK/out" 2>"$WORK/said" & pid=$!
	sleep "$(printf '0.%06d' $(((RANDOM * 32768 + RANDOM) % (longest < 900000 ? longest : 900000))))"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	[ $? -ne 137 ] || kills=$((kills + 1))
	# a search for leaks may have been killed
	! grep -qv '^==' "$WORK/said" || tap_fail "a killed import said: $(cat "$WORK/said")"
	[ ! -s "$DB" ] || [ -z "$(ask "SELECT 1 FROM sqlite_master WHERE name = 'failed_logins_top_addresses'")" ] || is_consistent ||
		tap_fail "after kill $kills the ledger is about other rows than there are"
done
tap_is $kills 50 "killed at 50 moments (seed $MLS_SEED)"
import; got=$?
tap_is "$got $(cat "$WORK/said")" "0 " "what was left gets in"
exact "after the kills"
tap_is "$(ask 'PRAGMA integrity_check; PRAGMA foreign_key_check')" ok "the database is whole"
tap_is "$(ask "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL" | wc -l)" 3 "the indexes are there"

# ---- other columns --------------------------------------------------------------------------------
configure "$WORK/conf" "$STATE" 'database: { columns = ["aso=", "hostname=host"]; };'
make_file 2
import; got=$?
tap_is "$got $(cat "$WORK/said")" "0 " "a column has another name, one is left out"
exact "other columns"
tap_is "$(ask "SELECT count(*) FROM pragma_table_info('failed_logins') WHERE name IN ('host', 'hostname', 'aso')")" 3 "the table has what was and what is"
tap_done
