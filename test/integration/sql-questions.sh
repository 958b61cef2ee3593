#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=postgresql,mariadb-server,sqlite3,mandoc,python3
# What maillogsentinel-sql(7) tells people to type is good: the files are replayed by the databases' own clients as it says, and each of its
# questions has the answer in SQLite, PostgreSQL and MariaDB that comes out when the CSV is counted without SQL.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/sql-servers.sh
. "$(dirname "$0")/../sql-servers.sh"
MANUAL=$ROOT/daemon/maillogsentinel-sql.7
KINDS=(sqlite postgresql mariadb)
for program in sqlite3 mandoc python3; do
	command -v $program >/dev/null || tap_skip_all "needs $program"
done
questions() { python3 "$ROOT/test/integration/sql-questions.py" "$@"; } # ARG...
sql_start postgresql mariadb

export TZ=UTC
mkdir "$WORK/csv" "$WORK/state" "$WORK/blocks"
for what in log country asn; do
	questions $what >"$WORK/$what"
done
configure() { # KIND
	local place="db_path = \"$WORK/sqlite\";"

	[ "$1" = sqlite ] || place=$(sql_settings "$1")
	cat >"$WORK/conf-$1" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = "$WORK/log"; };
geolocation: { country_db_path = "$WORK/country"; };
ASN_ASO: { asn_db_path = "$WORK/asn"; };
dns: { enabled = false; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
database: { sql_export_dir = "$WORK/sql-$1"; $place };
X2
}
program() { # KIND ARG...
	"$MLS_PROGRAM" -c "$WORK/conf-$1" "${@:2}"
}
# The client that the manual names, fed from standard input; values are joined by tabs, and NULL is \N.
client() { # KIND
	case $1 in
	sqlite) sqlite3 -bail -separator $'\t' -nullvalue '\N' "$WORK/sqlite" ;;
	postgresql) sql_psql_user -F $'\t' -P null='\N' ;;
	mariadb) sql_mariadb_user -r | sed -E ':a; s/(^|\t)NULL(\t|$)/\1\\N\2/; ta' ;;
	esac
}

for kind in "${KINDS[@]}"; do
	configure "$kind"
done
program sqlite extract 2>"$WORK/err" || tap_note <"$WORK/err"
rows=$(($(wc -l <"$WORK/csv/maillogsentinel.csv") - 1))
tap_is "$rows" "$(wc -l <"$WORK/log")" "each line of the log is a row"
set -o pipefail
for kind in "${KINDS[@]}"; do
	rm -f "$WORK/state/sql-export.offset"
	tap_true "$kind: sql-export" program "$kind" sql-export
	for try in once again; do
		tap_true "$kind: the tables made by hand $try" eval "program $kind sql-import --schema | client $kind"
		tap_true "$kind: the files replayed by hand $try" eval "cat '$WORK/sql-$kind'/*.sql | client $kind"
	done
	tap_is "$(client "$kind" <<<"SELECT count(*) FROM failed_logins")" "$rows" "$kind: has the rows"
	tap_is "$(program "$kind" sql-import 2>&1; echo "$?")" 0 "$kind: sql-import has nothing to do then"
done

# ---- the questions ----------------------------------------------------------------------------------
mapfile -t blocks < <(questions blocks "$MANUAL" "$WORK/blocks")
answer() { # KIND FILE
	client "$1" <"$2" 2>&1 | sed -E 's/([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}):00/\1/g'
}
asked=0
declare -A seen=()
for block in "${blocks[@]}"; do
	number=${block%% *} heading=${block#* }
	[[ $heading == *'?' ]] || continue
	nth=${seen[$heading]:-0}
	seen[$heading]=$((nth + 1))
	expected=$(questions answer "$WORK/csv/maillogsentinel.csv" "$heading" "$nth" 2>&1)
	tap_true "$heading: there is an answer" [ "$(wc -l <<<"$expected")" -ge 2 ]
	IFS= read -r only <"$WORK/blocks/$number.sql"
	for kind in "${KINDS[@]}"; do
		# a block that is not for all begins with whom it is for
		[[ $only != --* || ${only,,} == *$kind* ]] || continue
		asked=$((asked + 1))
		tap_is "$(answer "$kind" "$WORK/blocks/$number.sql")" "$expected" "$kind: $heading ($nth)"
	done
done
tap_is "${#seen[@]} $asked" "10 33" "ten questions, each put to all three"

# ---- the ledger, and what is old --------------------------------------------------------------------
for block in "${blocks[@]}"; do
	number=${block%% *}
	case ${block#* } in
	failed_logins_batches)
		for kind in "${KINDS[@]}"; do
			tap_is "$(answer "$kind" "$WORK/blocks/$number.sql" | cut -f2-4)" $'1\t'"$rows"$'\t0' "$kind: how far each host is in"
		done
		;;
	SECURITY*)
		for kind in "${KINDS[@]}"; do
			client "$kind" <<<"UPDATE failed_logins SET date = '2025-11-21 23:59' WHERE byte_offset < 1000"
			old=$(client "$kind" <<<"SELECT count(*) FROM failed_logins WHERE byte_offset < 1000")
			client "$kind" <"$WORK/blocks/$number.sql"
			program "$kind" sql-import
			tap_is "$old $(client "$kind" <<<"SELECT count(*) FROM failed_logins")" "$old $((rows - old))" \
				"$kind: what is old can be deleted, and stays so"
		done
		;;
	esac
done

# ---- as people see it -------------------------------------------------------------------------------
tap_none "mandoc shows the statements as they must be typed" "$(
	mandoc -T utf8 -O width=200 "$MANUAL" | col -bx | sed 's/^ *//' >"$WORK/page"
	cat "$WORK/blocks/"*.sql | sed 's/^ *//' | grep -vxFf "$WORK/page"
)"
if command -v groff >/dev/null; then
	tap_none "and so does groff" "$(
		groff -K utf8 -T utf8 -m mdoc -rLL=200n "$MANUAL" 2>/dev/null | col -bx | sed 's/^ *//' >"$WORK/page"
		cat "$WORK/blocks/"*.sql | sed 's/^ *//' | grep -vxFf "$WORK/page"
	)"
else
	tap_skip "and so does groff" "no groff"
fi
tap_done
