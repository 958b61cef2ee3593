#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=120
# sql-export --prune removes the files that the database has and that are old enough, and no others. And what is exported once more, after files, the
# bookmark or rows were lost, is taken in by a database that has it as nothing new. And rows that were written in the place of others, after an older
# state was put back, are not taken for those.
# shellcheck disable=SC2317  # functions are called by tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$ROOT/test/integration/service.sh"
# shellcheck source=test/integration/sql-rig.sh
. "$ROOT/test/integration/sql-rig.sh"
STATE=$WORK/state SQL=$WORK/state/sql
mkdir "$WORK/csv" "$STATE"
: >"$WORK/mail.log"
configure() { # [GROUP...]
	printf '%s\n' "paths: { working_dir = \"$WORK/csv\"; state_dir = \"$STATE\"; mail_log = \"$WORK/mail.log\"; };" \
		'dns: { enabled = false; };' "$@" >"$WORK/conf"
}
configure
program() { "$MLS_PROGRAM" -c "$WORK/conf" "$@" >"$WORK/out" 2>"$WORK/said"; }
program sql-import --schema || tap_skip_all "built without SQLite"
record() { # USER...
	local user

	for user; do line "$user" >>"$WORK/mail.log"; done
	program extract || tap_fail "extract: $(tail -n 1 "$WORK/said")"
}
exported() { # USER...: as a file
	record "$@"
	program sql-export || tap_fail "sql-export: $(cat "$WORK/said")"
}
names() { find "$SQL" -name '*.sql' -printf '%f\n' | sort | sed 's/^0*\([0-9]*\)-.*/\1/' | tr '\n' ' '; }
# Gives file NUMBER a name of some days ago.
age() { # NUMBER DAYS
	local file

	file=$(find "$SQL" -name "$(printf '%010d' "$1")-*")
	mv "$file" "$SQL/$(printf '%010d-%s' "$1" "$(date -u -d "-$2 days -1 minute" +%Y%m%dT%H%M%SZ)").sql"
}
prune_is() { # DAYS STATUS SAID NAMES TEXT
	local got

	program sql-export --prune "$1"
	got=$?
	tap_is "$got $(names)" "$2 $4" "$5"
	if [ -n "$3" ]; then tap_true "and says so" grep -qF -- "$3" "$WORK/out" "$WORK/said"; else tap_is "$(cat "$WORK/out" "$WORK/said")" "" "and says nothing"; fi
	[ "$(grep -cF -- "$3" <(cat "$WORK/out" "$WORK/said"))" -gt 0 ] || [ -z "$3" ] || tap_note <"$WORK/said"
}

for days in -1 x 36501 ""; do
	program sql-export --prune "$days"
	tap_is "$? $(grep -c 'no number of days' "$WORK/said")" "2 1" "--prune '$days' is refused"
done
program sql-export --prune 1 --from-start
tap_is $? 2 "--prune with --from-start, too"
exported a b
exported c
exported d
prune_is 1 0 "" "1 2 3 " "what is new stays"
age 1 3
age 2 2
prune_is 1 1 "removed 0, kept 2 that the database does not have, 0 that are not for it" "1 2 3 " "what no database has stays"
program sql-import
tap_is "$?" 0 "an import" || tap_note <"$WORK/said"
prune_is 5 0 "" "1 2 3 " "what is not so old stays"
prune_is 2 0 "removed 2, kept 0 that the database does not have, 0 that are not for it" "3 " "what the database has goes"
prune_is 2 0 "" "3 " "once"
exported e
age 4 9
prune_is 1 0 "removed 0, kept 1 that the database does not have" "3 4 " "what waits stays"
# another file in its place: the same name, other rows
cp "$(find "$SQL" -name '0*3-*')" "$WORK/three"
sed -i "s/,'d',/,'D',/" "$(find "$SQL" -name '0*3-*')"
prune_is 0 0 "removed 1, kept 1 that" "4 " "the ledger's hash is that of the head"
rm "$SQL"/*
cp "$WORK/three" "$SQL/0000000004-20200101T000000Z.sql"
prune_is 0 0 "1 that are not for it" "4 " "a file under another's number stays"
printf 'damaged\n' >"$SQL/0000000004-20200101T000000Z.sql"
prune_is 0 1 "0000000004-20200101T000000Z.sql: " "4 " "and one that can't be read"
rm "$SQL"/*
exported f
configure "database: { db_type = \"postgresql\"; db_socket = \"$WORK/absent\"; };"
prune_is 0 0 "1 that are not for it" "5 " "a file for another database stays"
rm "$SQL"/*
exported g
prune_is 0 1 "kept 1 that the database does not have" "6 " "as do all when it is away"
configure
rm "$SQL"/* "$STATE/sql-export.offset"

# ---- once more ----------------------------------------------------------------------------------------
program sql-export && program sql-import
tap_is "$? $(sql_says "$(find "$SQL" -name '*.sql' | head -n 1)" sequence)" "0 4" "without bookmark and files: behind what the last import found"
mv "$CSV" "$CSV.1"
exported h i
mv "$CSV" "$CSV.2"
exported j k
program sql-import
tap_is $? 0 "three CSVs are taken in"
rm "$CSV.2" "$SQL"/*
program sql-export --from-start
tap_is "$? $(sql_users "$SQL") $(grep -c 'bytes of rows are missing' "$WORK/said")" "1 a b c d e f g j k  1" "of which one is gone, and all is exported again"
for file in "$SQL"/*; do
	echo "$(sql_says "$file" from) $(sql_says "$file" to)"
done >"$WORK/ranges"
tap_is "$(cut -c1 "$WORK/ranges" | tr '\n' ' ')$(cut -d' ' -f2 "$WORK/ranges" | cut -c1 | tr '\n' ' ')" "1 3 1 3 " "no file has the gap in its range"
program sql-import
tap_is "$? $(cat "$WORK/said")" "0 " "that is nothing new for the database" || tap_note <"$WORK/out"
program sql-export --prune 0
tap_is "$? $(names)" "0 " "and the files can go"
if command -v sqlite3 >/dev/null; then
	tap_is "$(sqlite3 "$STATE/maillogsentinel.sqlite" 'SELECT username FROM failed_logins ORDER BY csv, byte_offset' | tr '\n' ' ')" \
		"a b c d e f g h i j k " "each row is there once"
else
	tap_skip "each row is there once" "no sqlite3"
fi

# ---- an older state is put back -----------------------------------------------------------------------
instances() { sql_rows "$SQL" | cut -d' ' -f1 | uniq | wc -l; }
cp "$STATE/state.offset" "$WORK/older"
exported l m
cp "$WORK/older" "$STATE/state.offset"
program sql-export
tap_is "$? $(grep -c 'less of it is committed than was read before' "$WORK/said")" "1 1" "less is there than was exported"
exported n
tap_is "$(sql_users "$SQL") $(instances)" "l m n  1" "the log is read again, as it was: it goes on exactly"
program sql-import
tap_is $? 0 "which the database takes"
for option in --from-now --from-start; do
	cp "$STATE/state.offset" "$WORK/older"
	exported "o$option"
	cp "$WORK/older" "$STATE/state.offset"
	rm "$WORK/mail.log"
	record "p$option" q r
	for i in 1 2; do
		program sql-export
		tap_is "$? $(grep -c 'other rows than those that were exported.*--from-start.*--from-now' "$WORK/said")" "1 1" "other rows in their place are refused"
	done
	program sql-import && rm "$SQL"/*
	program sql-export $option
	record s
	program sql-export
	if [ $option = --from-now ]; then expected="s "; else expected="a b c d e f g j k l m n p--from-now q r s p$option q r s "; fi
	tap_is "$? $(sql_users "$SQL")" "0 $expected" "$option goes on"
	tap_is "$(instances) $(sql_rows "$SQL" | grep -c "^$(sed -n 's/.*series=//p' "$STATE/sql-export.offset")")" "1 0" "with keys that none had before"
	program sql-import
	tap_is "$? $(cat "$WORK/said")" "0 " "which the database takes"
done
tap_done
