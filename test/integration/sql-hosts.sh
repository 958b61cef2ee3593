#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: no
# Sourced, after tap.sh and sql-servers.sh, by tests that take rows from hosts into databases. A host is a directory $WORK/NAME with a log, a
# CSV that is rotated to csv.1, csv.2, ..., a state and a configuration; KIND is sqlite, postgresql or mariadb. What a host's commands say
# goes to $WORK/NAME/err.
# shellcheck disable=SC2154  # what sql-servers.sh says
PROGRAM=${PROGRAM:-$MLS_PROGRAM}

sql_rows() { python3 "$ROOT/test/integration/sql-rows.py" "$@"; }

# Makes a host that writes to DATABASE (SQLite: a file). Its configuration ends with the group of that, a line for each of { and };.
host_make() { # NAME KIND DATABASE
	local dir=$WORK/$1

	mkdir -p "$dir/csv" "$dir/state"
	: >"$dir/mail.log"
	: >"$dir/err"
	printf '%s\n' "$2" >"$dir/kind"
	{
		printf 'paths: { working_dir = "%s/csv"; state_dir = "%s/state"; mail_log = "%s/mail.log"; csv_filename = "csv"; };\n' "$dir" "$dir" "$dir"
		printf 'schedule: { ip_update_schedule = ""; report_schedule = ""; };\ndns: { enabled = false; };\n'
		printf 'database: {\n'
		case $2 in
		sqlite) printf 'db_type = "sqlite"; db_path = "%s";\n' "$3" ;;
		*) sql_settings "$2" socket "$3" ;;
		esac
		printf '};\n'
	} >"$dir/conf"
}
host_kind() { cat "$WORK/$1/kind"; } # NAME

# Runs the program for a host; what it prints goes to $WORK/NAME/out.
host() { # NAME COMMAND [ARG...]
	"$PROGRAM" -c "$WORK/$1/conf" "${@:2}" >"$WORK/$1/out" 2>>"$WORK/$1/err"
}

# Adds failed logins of numbered users to its log.
host_log() { # NAME COUNT
	local from

	from=$(wc -l <"$WORK/$1/mail.log")
	awk -v n="$from" -v count="$2" -v host="$1" 'BEGIN { for (i = n; i < n + count; i++)
		printf "2026-11-%02dT%02d:%02d:48.060269+00:00 %s postfix/smtpd[9]: warning: unknown[203.0.%d.%d]: SASL PLAIN authentication failed: x, sasl_username=n%d\n",
			1 + int(i / 1440) % 28, int(i / 60) % 24, i % 60, host, i / 256 % 256, i % 256, i }' >>"$WORK/$1/mail.log"
}

# Takes over what is new in its log.
host_extract() { # NAME
	"$MLS_PROGRAM_RELEASE" -c "$WORK/$1/conf" extract 2>>"$WORK/$1/extract-err"
}

# The next row goes to a new CSV.
host_rotate() { # NAME
	local n=1

	while [ -e "$WORK/$1/csv/csv.$n" ]; do n=$((n + 1)); done
	mv "$WORK/$1/csv/csv" "$WORK/$1/csv/csv.$n"
}

host_instance() { sed -n 's/^csv-file .*series=\([0-9a-f]*\).*/\1/p' "$WORK/$1/state/state.offset"; } # NAME

# Its rows as a database must give them.
host_expect() { # NAME
	local n=1
	local -a files=()

	while [ -e "$WORK/$1/csv/csv.$n" ]; do files+=("$WORK/$1/csv/csv.$((n++))"); done
	sql_rows expect "$(host_instance "$1")" "${files[@]}" "$WORK/$1/csv/csv"
}
host_sql_files() { find "$WORK/$1/state/sql" -name '*.sql' 2>/dev/null | sort; } # NAME

# ---- databases --------------------------------------------------------------------------------------

# An empty database.
database_make() { # KIND DATABASE
	case $1 in
	sqlite) rm -f "$2" "$2"-* ;;
	*) sql_database "$1" "$2" ;;
	esac
}

# Asks with the database's own client; rows as lines, values joined by tabs.
database_ask() { # KIND DATABASE STATEMENT
	case $1 in
	sqlite) sqlite3 -batch -bail -noheader -tabs -init /dev/null "$2" "$3" ;;
	postgresql) sql_psql -F $'\t' -d "$2" -c "$3" ;;
	mariadb) sql_mariadb --raw -D "$2" -e "$3" ;;
	esac
}

# Runs a file with it, as a person would.
database_read() { # KIND DATABASE FILE
	case $1 in
	sqlite) sqlite3 -batch -bail -init /dev/null "$2" <"$3" ;;
	postgresql) PGPASSWORD=$sql_password "$sql_pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$sql_pg_port" -U "$sql_user" -d "$2" -f "$3" ;;
	mariadb) sql_mariadb_user -D "$2" <"$3" ;;
	esac
}

# All rows of the table, as host_expect prints them.
database_dump() { # KIND DATABASE [TABLE]
	local date value columns='' column

	case $1 in
	sqlite) date="date" ;;
	postgresql) date="to_char(date, 'YYYY-MM-DD HH24:MI') || CASE WHEN date = date_trunc('minute', date) THEN '' ELSE '?' END" ;;
	mariadb) date="CONCAT(DATE_FORMAT(date, '%Y-%m-%d %H:%i'), IF(SECOND(date) + MICROSECOND(date), '?', ''))" ;;
	esac
	for column in server "$date" ip username hostname reverse_dns_status country_code asn aso; do
		case $1:$column in
		postgresql:ip) value='host(ip)' ;;
		postgresql:asn) value='asn::text' ;;
		*) value=$column ;;
		esac
		if [ "$1" = mariadb ]; then
			columns+=", COALESCE(CONCAT('=', $value), '-')"
		else
			columns+=", COALESCE('=' || $value, '-')"
		fi
	done
	columns="SELECT instance, csv, byte_offset$columns FROM ${3:-failed_logins}"
	if [ "$1" = postgresql ]; then
		# what psql shows as a table lacks U+10FFFF
		PGCLIENTENCODING=UTF8 database_ask "$1" "$2" "COPY ($columns) TO STDOUT" | sed 's/\\\\/\\/g'
	else
		database_ask "$1" "$2" "$columns"
	fi
}

# The database must hold exactly the rows of these hosts.
database_holds() { # KIND DATABASE TEXT HOST...
	local host

	for host in "${@:4}"; do host_expect "$host"; done >"$WORK/expected"
	database_dump "$1" "$2" >"$WORK/got" 2>"$WORK/got-err"
	tap_none "$3 ($(wc -l <"$WORK/expected") rows)" "$(cat "$WORK/got-err"; sql_rows compare "$WORK/expected" "$WORK/got" "${skipped:-/dev/null}" 2>&1 | head -n 20)"
}

# What tells one state of it from another.
database_count() { # KIND DATABASE
	database_ask "$1" "$2" 'SELECT (SELECT count(*) FROM failed_logins), (SELECT count(*) FROM failed_logins_batches)'
}

# ---- tests ------------------------------------------------------------------------------------------

# A host with a file per COUNT, and its database, which is $database from then on.
host_with_files() { # NAME KIND COUNT...
	local count

	database=${1//-/_}
	[ "$2" != sqlite ] || database=$WORK/$1.sqlite
	database_make "$2" "$database"
	host_make "$1" "$2" "$database"
	for count in "${@:3}"; do
		host_log "$1" "$count" && host_extract "$1" && host "$1" sql-export
	done
	mapfile -t files < <(host_sql_files "$1")
}

# The command must fail and say why, in words that fit.
refuses() { # NAME REGEX TEXT COMMAND [ARG...]
	local status

	: >"$WORK/$1/err"
	host "$1" "${@:4}"
	status=$?
	if [ $status = 1 ] && grep -qE -e "$2" "$WORK/$1/err"; then
		tap_pass "$3"
	else
		tap_fail "$3"
		tap_note "exit status $status"
	fi
	head -n 3 "$WORK/$1/err" | cut -c1-300 | tap_note
}
