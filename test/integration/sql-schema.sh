#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=postgresql,mariadb-server,sqlite3,python3
# What sql-import makes in a real database and what it finds there: first use, by several at once too; a version that is not finished, too new
# or another's table; columns that are left out and come back; and the rights that maillogsentinel-sql(7) gives to whom.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/sql-servers.sh
. "$(dirname "$0")/../sql-servers.sh"
MANUAL=$ROOT/daemon/maillogsentinel-sql.7
KINDS=(sqlite postgresql mariadb)
for program in sqlite3 python3; do
	command -v $program >/dev/null || tap_skip_all "needs $program"
done
sql_start postgresql mariadb
export TZ=UTC
mkdir "$WORK/csv" "$WORK/state" "$WORK/blocks"

configure() { # KIND GROUP-DATABASE...
	cat >"$WORK/conf-$1" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = "$WORK/log"; };
dns: { enabled = false; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
geolocation: { country_db_url = ""; };
ASN_ASO: { asn_db_url = ""; };
database: { sql_export_dir = "$WORK/sql-$1"; ${*:2} };
X2
}
settings() { # KIND
	if [ "$1" = sqlite ]; then echo "db_path = \"$WORK/sqlite\";"; else sql_settings "$1"; fi
}
program() { # KIND ARG...
	"$MLS_PROGRAM" -c "$WORK/conf-$1" "${@:2}"
}
# As the user whose the tables are; values are joined by |.
ask() { # KIND STATEMENT
	case $1 in
	sqlite) sqlite3 -bail "$WORK/sqlite" "$2" ;;
	postgresql) sql_psql_user -c "$2" ;;
	mariadb) sql_mariadb_user -e "$2" | tr '\t' '|' ;;
	esac
}
# A new row, and the file of SQL with it.
minute=0
export_row() { # KIND USER
	printf '2026-11-22T10:%02d:00+00:00 mx1 postfix/smtpd[9]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x, sasl_username=%s\n' \
		$((minute++)) "$2" >>"$WORK/log"
	{ program "$1" extract 2>"$WORK/err" && program "$1" sql-export >/dev/null; } || tap_note <"$WORK/err"
}
# Empty again, and nothing is exported.
begin_anew() { # KIND
	case $1 in
	sqlite) rm -f "$WORK"/sqlite* ;;
	postgresql) sql_psql -c "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION mls" 2>/dev/null ;;
	mariadb) sql_mariadb -e "DROP DATABASE maillogsentinel; CREATE DATABASE maillogsentinel CHARACTER SET utf8mb4" ;;
	esac
	rm -rf "$WORK/sql-$1" "$WORK/state" "$WORK/csv" "$WORK/log"
	mkdir "$WORK/csv" "$WORK/state"
	configure "$1" "$(settings "$1")"
}
refused() { # KIND PATTERN TEXT
	local output

	output=$(program "$1" sql-import 2>&1)
	tap_true "$1: $3" [ "$?:$(grep -c "$2" <<<"$output")" = 1:1 ] || tap_note "$output"
}
# A name that most rows have makes no row dearer: how many pages 100 more of its rows touch.
pages_of_rows() { # FIRST
	ask postgresql "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) INSERT INTO failed_logins
		(instance, csv, byte_offset, username) SELECT '0123456789abcdef', 9, n, 'admin' FROM generate_series($1, $1 + 99) n" |
		sed -n 's/.*"Shared Hit Blocks": \([0-9]*\),.*/\1/p' | head -n 1
}
# Prints the views and indexes.
extras() { # KIND
	case $1 in
	sqlite) ask sqlite "SELECT name FROM sqlite_master WHERE type IN ('view', 'index') AND name LIKE 'failed%'" ;;
	postgresql) ask postgresql "SELECT viewname FROM pg_views WHERE schemaname = 'public' UNION SELECT indexname FROM pg_indexes
		WHERE schemaname = 'public' AND indexname NOT LIKE '%\_pkey'" ;;
	mariadb) ask mariadb "SELECT table_name FROM information_schema.views WHERE table_schema = DATABASE() UNION
		SELECT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() AND index_name <> 'PRIMARY'" ;;
	esac | sort | sed 's/^failed_logins_//' | paste -sd' '
}
ALL='by_date by_ip by_username per_country per_day per_network top_addresses'

# $count and $versions of the database.
look() { # KIND
	count=$(ask "$1" "SELECT count(*) FROM failed_logins")
	versions=$(ask "$1" "SELECT version FROM failed_logins_schema ORDER BY version" | paste -sd' ')
}

for kind in "${KINDS[@]}"; do
	# ---- first use --------------------------------------------------------------------------------
	begin_anew "$kind"
	export_row "$kind" first
	tap_true "$kind: first import" program "$kind" sql-import
	look "$kind"
	tap_is "$count|$versions|$(extras "$kind")" "1|1 2|$ALL" "$kind: makes everything"
	if [ "$kind" = postgresql ]; then
		few=$(pages_of_rows 1)
		ask postgresql "INSERT INTO failed_logins (instance, csv, byte_offset, username)
			SELECT '0123456789abcdef', 9, n, 'admin' FROM generate_series(1000, 30999) n"
		many=$(pages_of_rows 100000)
		tap_true "$kind: 100 rows of a name of 30,000 touch less than 5 times the pages ($many) of one of none ($few)" [ "$many" -lt $((5 * few)) ]
		ask postgresql "DELETE FROM failed_logins WHERE csv = 9"
	fi

	# ---- not finished -----------------------------------------------------------------------------
	ask "$kind" "DELETE FROM failed_logins_schema WHERE version > 1"
	export_row "$kind" second
	tap_true "$kind: the next import goes on at a version that was made but not noted" program "$kind" sql-import
	look "$kind"
	tap_is "$count|$versions" "2|1 2" "$kind: and notes it"
	ask "$kind" "DELETE FROM failed_logins_schema"
	export_row "$kind" third
	tap_true "$kind: and so where none was noted" program "$kind" sql-import
	look "$kind"
	tap_is "$count|$versions|$(extras "$kind")" "3|1 2|$ALL" "$kind: all is there then"

	# ---- too new, gone, another's -----------------------------------------------------------------
	ask "$kind" "INSERT INTO failed_logins_schema (version) VALUES (3)"
	export_row "$kind" fourth
	refused "$kind" 'newer version.*(3,' "a newer version's database is refused"
	ask "$kind" "DELETE FROM failed_logins_schema WHERE version = 3"
	program "$kind" sql-import >"$WORK/out" 2>&1 || tap_note <"$WORK/out"
	look "$kind"
	tap_is "$count" 4 "$kind: and taken when it is none any more"
	[ "$kind" != postgresql ] || ask "$kind" "DROP VIEW failed_logins_per_day, failed_logins_per_country, failed_logins_per_network, failed_logins_top_addresses"
	ask "$kind" "DROP TABLE failed_logins"
	refused "$kind" 'the table is gone, but failed_logins_batches' "a ledger without its table is refused"
	ask "$kind" "DROP TABLE failed_logins_batches"
	tap_true "$kind: with neither, all files come in again" program "$kind" sql-import
	look "$kind"
	tap_is "$count|$versions|$(extras "$kind")" "4|1 2|$ALL" "$kind: all of them"
	begin_anew "$kind"
	ask "$kind" "CREATE TABLE failed_logins (x INTEGER)"
	export_row "$kind" first
	refused "$kind" 'did not make' "another's table is refused"
	tap_is "$(ask "$kind" "SELECT count(*) FROM failed_logins")" 0 "$kind: and left alone"

	# ---- columns ----------------------------------------------------------------------------------
	begin_anew "$kind"
	configure "$kind" "$(settings "$kind")" 'columns = ("user=", "ip=address");'
	export_row "$kind" first
	tap_true "$kind: a column less, and one of another name" program "$kind" sql-import
	tap_is "$(extras "$kind")|$(ask "$kind" "SELECT address FROM failed_logins")" \
		"by_date by_ip per_country per_network|192.0.2.7" "$kind: what needs what is left out is not made"
	configure "$kind" "$(settings "$kind")" 'columns = "ip=address";'
	export_row "$kind" second
	tap_true "$kind: the column comes back" program "$kind" sql-import
	tap_is "$(extras "$kind")|$(ask "$kind" "SELECT ip, failures, usernames FROM failed_logins_top_addresses")" \
		"$ALL|192.0.2.7|2|1" "$kind: with what needs it"

	# ---- at once ----------------------------------------------------------------------------------
	begin_anew "$kind"
	export_row "$kind" first
	pids=() failed=
	for i in 1 2 3 4; do
		mkdir "$WORK/state-$i"
		sed "s,state_dir = \"[^\"]*\",state_dir = \"$WORK/state-$i\"," "$WORK/conf-$kind" >"$WORK/conf-$i"
		program "$i" sql-import >"$WORK/out-$i" 2>&1 &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || failed=yes
	done
	tap_none "$kind: four importers at once find no database" "$([ -z "$failed" ] || cat "$WORK"/out-*)"
	look "$kind"
	tap_is "$count|$versions|$(extras "$kind")" "1|1 2|$ALL" "$kind: and one makes it"
	rm -r "$WORK"/state-*
done

# ---- an engine without SP-GiST ----------------------------------------------------------------------
begin_anew postgresql
sql_psql -c "SET allow_system_table_mods = on; UPDATE pg_am SET amname = 'none' WHERE amname = 'spgist'"
export_row postgresql first
output=$(program postgresql sql-import 2>&1)
tap_is "$?:$(grep -c 'it makes no such index (CREATE INDEX .*failed_logins_by_username.*spgist' <<<"$output"):$(wc -l <<<"$output")" 0:1:2 \
	"postgresql: an index that it refuses is left out with a warning" || tap_note "$output"
look postgresql
tap_is "$count|$versions|$(extras postgresql)" "1|1 2|${ALL/by_username /}" "postgresql: all else is made"
export_row postgresql second
output=$(program postgresql sql-import 2>&1)
tap_is "$?:$(wc -l <<<"$output")" 0:1 "postgresql: and said once" || tap_note "$output"
sql_psql -c "SET allow_system_table_mods = on; UPDATE pg_am SET amname = 'spgist' WHERE amname = 'none'"

# ---- the rights that the manual gives ---------------------------------------------------------------
mapfile -t blocks < <(python3 "$ROOT/test/integration/sql-questions.py" blocks "$MANUAL" "$WORK/blocks")
numbers_of() { # HEADING
	printf '%s\n' "${blocks[@]}" | sed -n "s/ $1\$//p"
}
password() { # PASSWORD
	(umask 077 && printf '%s\n' "$1" >"$WORK/password")
	echo "db_password_file = \"$WORK/password\";"
}
VIEWS=(per_day per_country per_network top_addresses)

begin_anew postgresql
sql_psql -d postgres -c "DROP DATABASE maillogsentinel"
mapfile -t numbers < <(numbers_of PostgreSQL)
tap_is "${#numbers[@]}" 3 "the manual has three sets of statements for PostgreSQL"
tap_true "postgresql: a user and a database" sql_psql -d postgres -f "$WORK/blocks/${numbers[0]}.sql"
place="db_type = \"postgresql\"; db_host = \"127.0.0.1\"; db_port = $sql_pg_port;"
configure postgresql "$place db_user = \"maillogsentinel\"; $(password secret)"
export_row postgresql first
tap_true "postgresql: are enough" program postgresql sql-import
tap_true "postgresql: a reader" sql_psql -f "$WORK/blocks/${numbers[1]}.sql"
for view in "${VIEWS[@]}"; do
	tap_is "$(PGPASSWORD='other secret' sql_psql -h 127.0.0.1 -U reader -c "SELECT failures FROM failed_logins_$view")" 1 \
		"postgresql: sees failed_logins_$view"
done
tap_true "postgresql: a writer" sql_psql -f "$WORK/blocks/${numbers[2]}.sql"
configure postgresql "$place db_user = \"writer\"; $(password 'third secret')"
export_row postgresql second
tap_true "postgresql: may import" program postgresql sql-import
tap_is "$(sql_psql -c "SELECT count(*) FROM failed_logins")" 2 "postgresql: and has done so"
tap_is "$(PGPASSWORD='third secret' sql_psql -h 127.0.0.1 -U writer -c "DELETE FROM failed_logins" 2>&1)" \
	"ERROR:  permission denied for table failed_logins" "postgresql: but may not delete"

begin_anew mariadb
sql_mariadb -e "DROP DATABASE maillogsentinel"
mapfile -t numbers < <(numbers_of "MariaDB and MySQL")
tap_is "${#numbers[@]}" 4 "the manual has four sets of statements for MariaDB"
tap_true "mariadb: a database and a user of this host" sql_mariadb -D mysql -e "source $WORK/blocks/${numbers[0]}.sql"
sql_mariadb -e "DROP DATABASE maillogsentinel"
tap_true "mariadb: a database and users elsewhere" sql_mariadb -D mysql -e "source $WORK/blocks/${numbers[1]}.sql"
place="db_type = \"mysql\"; db_socket = \"$sql_my_socket\";"
export_row mariadb first
tap_true "mariadb: the first import makes the tables" program mariadb sql-import
tap_true "mariadb: a reader" sql_mariadb -e "source $WORK/blocks/${numbers[2]}.sql"
for view in "${VIEWS[@]}"; do
	tap_is "$(MYSQL_PWD='other secret' sql_mariadb -u reader -e "SELECT failures FROM failed_logins_$view")" 1 \
		"mariadb: sees failed_logins_$view"
done
tap_true "mariadb: a writer" sql_mariadb -e "source $WORK/blocks/${numbers[3]}.sql"
configure mariadb "$place db_user = \"writer\"; $(password 'third secret')"
export_row mariadb second
tap_true "mariadb: may import" program mariadb sql-import
tap_is "$(sql_mariadb -e "SELECT count(*) FROM failed_logins")" 2 "mariadb: and has done so"
tap_true "mariadb: but may not delete" grep -q "DELETE command denied" <(MYSQL_PWD='third secret' sql_mariadb -u writer -e "DELETE FROM failed_logins" 2>&1)
tap_done
