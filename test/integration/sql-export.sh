#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=120
# sql-export writes the rows that are new, once, over rotated CSVs too; names what can't be exported; goes on behind what is in files already, when
# its bookmark is gone or older; and refuses where it can't know where to go on, where it can't write, and where another is at work.
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
program() { "$MLS_PROGRAM" -c "$WORK/conf" "$@"; }
# Its exit status; what it prints in out and said.
export_rows() { program sql-export "$@" >"$WORK/out" 2>"$WORK/said"; }
record() { # USER...
	local user

	for user; do line "$user" >>"$WORK/mail.log"; done
	program extract 2>>"$WORK/err" || tap_fail "extract: $(tail -n 1 "$WORK/err")"
}
files() { find "$SQL" -type f | wc -l; }
last() { find "$SQL" -name '*.sql' | sort | tail -n 1; }
bookmark() { sed -n "s/.*$1=\([0-9a-f]*\).*/\1/p" "$STATE/sql-export.offset"; }
said_is() { # STATUS TEXT...
	local status=$1 text

	shift
	tap_is "$got" "$status" "exit status $status"
	for text; do tap_true "says '$text'" grep -qF -- "$text" "$WORK/said" || tap_note <"$WORK/said"; done
}

# ---- what is new --------------------------------------------------------------------------------------
export_rows; got=$?
said_is 1 "holds no state.offset: nothing has been recorded yet"
record
export_rows; got=$?
tap_is "$got $(cat "$WORK/out" "$WORK/said") $(files)" "0  0" "no rows are no file"
tap_true "but the place is known" test -s "$STATE/sql-export.offset"
tap_is "$(stat -c %a "$SQL")" 700 "the directory is its owner's"
record a b c
export_rows
tap_is "$(cat "$WORK/out") $(cat "$WORK/said")" "$(last): 3 rows " "a file, with a line that says so"
tap_is "$(sql_users "$SQL")" "a b c " "has the rows"
record d
mv "$CSV" "$CSV.1" && record e f
mv "$CSV" "$WORK/csv/archive" && gzip "$CSV.1" && record g
export_rows
tap_is "$(sql_users "$SQL")" "a b c d e f g " "over rotated and compressed CSVs"
tap_is "$(sql_says "$(last)" from) $(sql_says "$(last)" to)" "1.$(($(zcat "$CSV.1.gz" | head -n 4 | wc -c))) 3.$(stat -c %s "$CSV")" "whose range the file has"
tap_is "$(sql_rows "$SQL" | while read -r _ csv offset user; do
	case $csv in 1) zcat "$CSV.1.gz" ;; 2) cat "$WORK/csv/archive" ;; 3) cat "$CSV" ;; esac | tail -c +$((offset + 1)) | head -n 1 | cut -d, -f4
done | tr '\n' ' ')" "$(sql_users "$SQL")" "a row's key is where it stands"
before=$(stat -c %i "$STATE/sql-export.offset")
export_rows; got=$?
tap_is "$got $(cat "$WORK/out") $(files) $(stat -c %i "$STATE/sql-export.offset")" "0  2 $before" "nothing new: no file, nothing is written"
tap_none "all files are as they should be" "$(sql_defects "$SQL")"
instance=$(sql_rows "$SQL" | cut -d' ' -f1 | sort -u)
tap_is "$instance" "$(bookmark series)" "the instance is that of the CSVs"

# ---- what can't be exported ---------------------------------------------------------------------------
# Puts TEXT over the row of a user, of which it may not be longer. Such rows are far from both ends of the CSV, by which it is known.
spoil() { # USER TEXT
	local at

	at=$(grep -abF ",$1,null," "$CSV" | cut -d: -f1)
	printf '%s' "$2" | dd of="$CSV" bs=1 seek="$at" conv=notrunc status=none
}
at() { grep -abe "$1" "$CSV" | head -n 1 | cut -d: -f1; } # PATTERN, of a line
long=$(printf '%0300d' 7)
mapfile -t first < <(seq -f first%g 80)
mapfile -t middle < <(seq -f middle%g 9)
record "${first[@]}" torn "${middle[0]}" old "${middle[1]}" "x$long" "${middle[@]:2}"
spoil old "$(grep ",old,null," "$CSV" | sed 's/2026/0999/')"
spoil torn "$(grep ",torn,null," "$CSV" | sed 's/",/"\n/')"
spoil "x$long" $'\e[31m'
export_rows; got=$?
file="$CSV: of its files number 3"
said_is 1 "$file, bytes $(at '^mx1,"2026-11-22 13:01"$') to $(($(at ",${middle[0]},") - 1)): 2 lines are not exported, the first: " ': mx1,"2026-11-22 13:01"' \
	"$file, at byte $(at '"0999-'): is not exported: " ': mx1,"0999-11-22' "$file, at byte $(at $'^\e'): is not exported: " ': \x1b[31m'
tap_is "$(wc -l <"$WORK/said") $(sql_says "$(last)" skipped)" "3 4" "each is named, and counted in the file"
tap_is "$(grep -c "$long" "$WORK/said") $(grep -c '000\.\.\.$' "$WORK/said")" "0 1" "as far as it is of use"
tap_is "$(sql_users "$(last)")" "${first[*]} ${middle[*]} " "the others get out"
export_rows; got=$?
tap_is "$got $(cat "$WORK/said")" "0 " "it is said once"
mapfile -t bad < <(seq -f 'bad%g' 150)
mapfile -t mixed < <(awk 'BEGIN { for (i = 1; i <= 150; i++) print "worse" i "\ngood" i }')
mapfile -t between < <(seq -f between%g 9)
mapfile -t last < <(seq -f last%g 9)
record "${bad[@]}" "${between[@]}" "${mixed[@]}" "${last[@]}"
for ((i = 1; i <= 150; i++)); do
	spoil bad$i '######'
	spoil worse$i '######'
done
export_rows; got=$?
said_is 1 ": 150 lines are not exported, the first: " "lines of the CSV that are not exported: 51 more"
tap_is "$(wc -l <"$WORK/said") $(sql_says "$(last)" skipped) $(sql_users "$(last)")" \
	"101 300 ${between[*]} $(printf 'good%s ' $(seq 150))${last[*]} " "very many are counted"
record j
mv "$CSV" "$WORK/aside"
record k
export_rows; got=$?
said_is 1 "number 3 of its files is gone or shorter than it was" "bytes of rows are missing"
tap_is "$(sql_users "$(last)")" "k " "what is there gets out"
mv "$WORK/aside" "$WORK/csv/aside"
export_rows; got=$?
tap_is "$got $(cat "$WORK/said")" "0 " "what is gone is said once"

# ---- where it goes on ---------------------------------------------------------------------------------
all=$(sql_users "$SQL")
[[ $all == *" k " ]] || tap_fail "k is the last one: $all"
cp "$STATE/sql-export.offset" "$WORK/older"
record l m
export_rows
record n
export_rows
cp "$WORK/older" "$STATE/sql-export.offset"
record o
export_rows; got=$?
tap_is "$got $(sql_users "$SQL")" "0 ${all}l m n o " "an older bookmark: behind what is in files"
tap_none "all files are as they should be" "$(sql_defects "$SQL")"
rm "$STATE/sql-export.offset"
record p
export_rows; got=$?
tap_is "$got $(sql_users "$SQL")" "0 ${all}l m n o p " "no bookmark: likewise"
tap_none "all files are as they should be" "$(sql_defects "$SQL")"
# the last file is damaged: its rows are not taken for exported
record q r
export_rows
cp "$STATE/sql-export.offset" "$WORK/newer"
sed -i 's/next .*/next 1/' "$STATE/sql-export.offset"
export_rows; got=$?
said_is 1 "sql-export.offset" "nothing is exported until it is put right"
tap_is "$(files)" "$(sql_says "$(last)" sequence)" "a damaged bookmark stops it"
cp "$WORK/older" "$STATE/sql-export.offset"
sed -i "s/,'r',/,'R',/" "$(last)"
export_rows; got=$?
tap_is "$got $(sql_users "$SQL")" "0 ${all}l m n o p q R q r " "a damaged file has no rows"
tap_is "$(sql_says "$(last)" sequence)" "$(files)" "a sequence is used once"
rm "$(last)"
cp "$WORK/newer" "$STATE/sql-export.offset"
next=$(sed -n 's/^next //p' "$STATE/sql-export.offset")
rm -r "$SQL"
record s
export_rows
tap_is "$(sql_says "$(last)" sequence) $(sql_users "$SQL")" "$next s " "without the files, too, the sequence goes on"
: >"$SQL/.9999999999-20261122T000000Z.sql.tmp"
: >"$SQL/.$(basename "$(last)").tmp"
: >"$SQL/notes.txt"
export_rows
tap_is "$(find "$SQL" -type f -printf '%f\n' | sort | tr '\n' ' ')" "$(basename "$(last)") notes.txt " \
	"what a crash left behind is removed, and nothing else"
rm "$SQL/notes.txt"

# ---- by hand ------------------------------------------------------------------------------------------
export_rows --from-now --from-start; got=$?
said_is 2 "contradict"
record t
count=$(files)
export_rows --from-now; got=$?
tap_is "$got $(cat "$WORK/out" "$WORK/said") $(files)" "0  $count" "--from-now writes nothing"
record u
export_rows
tap_is "$(sql_users "$SQL")" "s u " "and the next begins there"
export_rows --from-start; got=$?
tap_is "$got $(sql_users "$SQL")" "1 s u ${all%k }j k l m n o p q r s t u " "--from-start writes all rows, but that some are gone, which is said"
tap_is "$(sql_rows "$SQL" | sort -u | wc -l)" "$(sql_rows "$SQL" | cut -d' ' -f4 | sort -u | wc -l)" "under the keys that they had"

# the state is new, the CSV is another one
rm "$STATE/state.offset" "$CSV"
: >"$WORK/mail.log"
record v w
for i in 1 2; do
	export_rows; got=$?
	said_is 1 "started over" "--from-start" "--from-now"
done
rm -r "$SQL"
export_rows --from-start; got=$?
tap_is "$got $(cat "$WORK/said") $(sql_users "$SQL")" "0  v w " "--from-start begins with the new ones"
tap_true "which have another instance" test "$(sql_rows "$SQL" | cut -d' ' -f1 | sort -u)" != "$instance"
tap_true "and a sequence that is above all before" test "$(sql_says "$(last)" sequence)" -gt "$next"
rm "$STATE/state.offset" "$CSV"
: >"$WORK/mail.log"
record x
export_rows --from-now
record y
export_rows; got=$?
tap_is "$got $(sql_users "$SQL")" "0 v w y " "--from-now begins behind them"

# ---- what it needs ------------------------------------------------------------------------------------
record z
flock "$STATE/sql-export.lock" true # flock(2) is another lock
exec 5<>"$STATE/sql-export.lock"
python3 -c 'import fcntl, struct, time
fcntl.fcntl(5, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
print("held", flush=True)
time.sleep(60)' >"$WORK/held" &
holder=$!
wait_until 20 test -s "$WORK/held"
export_rows; got=$?
said_is 1 "another sql-export is at work"
kill $holder
wait $holder 2>/dev/null
exec 5>&-
configure "database: { sql_export_dir = \"$WORK/absent/sql\"; };"
export_rows; got=$?
said_is 1 "$WORK/absent/sql: No such file or directory"
: >"$WORK/file"
configure "database: { sql_export_dir = \"$WORK/file\"; };"
export_rows; got=$?
said_is 1 "$WORK/file: Not a directory"
configure "database: { sql_export_dir = \"$WORK/other\"; db_type = \"postgresql\"; table = \"mails\"; columns = [ \"user=login\", \"aso=\" ]; };"
export_rows; got=$?
tap_is "$got $(sql_users "$WORK/other")" "0 z " "another directory"
file=$(find "$WORK/other" -name '*.sql')
tap_is "$(sql_says "$file" dialect) $(sql_says "$file" table) $(sql_says "$file" sequence)" \
	"postgresql mails $(($(sql_says "$(last)" sequence) + 1))" "the dialect, the table, and the next sequence"
tap_true "and its columns" grep -qF '"ip","login","hostname","reverse_dns_status","country_code","asn") VALUES' "$file"
configure
mv "$STATE/state.offset" "$WORK/checkpoint"
mkdir "$STATE/state.offset"
export_rows; got=$?
said_is 1 "$STATE/state.offset: "
rmdir "$STATE/state.offset"
mv "$WORK/checkpoint" "$STATE/state.offset"
cp "$STATE/state.offset" "$WORK/checkpoint"
sed -i 's/^rows .*/rows 0/' "$STATE/state.offset"
export_rows; got=$?
said_is 1 "$STATE/state.offset: "
cp "$WORK/checkpoint" "$STATE/state.offset"
export_rows; got=$?
tap_is "$got $(cat "$WORK/said")" "0 " "then all is well"
tap_done
