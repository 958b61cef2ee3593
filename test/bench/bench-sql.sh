#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: no
# What it costs to export a million rows (MLS_BENCH_ROWS) and to import them into an empty database: SQLite, and PostgreSQL and MariaDB where their
# servers are installed, which sync to the disk as they do by default; then a run with nothing new, and 500 rows more. MLS_BENCH_ROUNDS
# (3) of it. The servers' memory and processors are not in the figures, only in the time.
#
#   bench-sql.sh MEASURE [KIND...]    # the program that measure.c is built into
#
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/sql-servers.sh
. "$ROOT/test/sql-servers.sh"
# shellcheck disable=SC2034 # the rig's
sql_synced=yes
measure=$1 rows=${MLS_BENCH_ROWS:-1000000} rounds=${MLS_BENCH_ROUNDS:-3}
shift
kinds=("$@")
if [ $# -eq 0 ]; then
	kinds=(sqlite)
	[ ! -x "$sql_pg_bin/postgres" ] || kinds+=(postgresql)
	[ -z "$sql_my_server" ] || kinds+=(mariadb)
fi
mkdir "$WORK/many" "$WORK/few"
"$measure" rows "$WORK/many" "$rows" && MLS_SEED=$((MLS_SEED + 1)) "$measure" rows "$WORK/few" 500 || exit

# A state directory in which these rows are committed, and its configuration.
prepare() { # KIND DATABASE ROWS
	local settings="db_path = \"$WORK/x.sqlite\";"

	[ "$1" = sqlite ] || settings=$(sql_settings "$1" socket "$2")
	rm -rf "$WORK/state"
	mkdir "$WORK/state" && cp "$WORK/$3/state.offset" "$WORK/state/" || exit
	printf '%s\n' "paths: { working_dir = \"$WORK/$3\"; state_dir = \"$WORK/state\"; mail_log = \"$WORK/mail.log\"; };" \
		"dns: { enabled = false; };" "database: { $settings };" >"$WORK/conf"
}
program() { # TEXT COMMAND
	"$measure" run "$1" "$MLS_PROGRAM_RELEASE" -c "$WORK/conf" "$2" | tee -a "$WORK/figures"
	[ "${PIPESTATUS[0]}" -eq 0 ] || exit
}
rows_in() { # KIND DATABASE
	case $1 in
	sqlite) sqlite3 "$WORK/x.sqlite" 'SELECT count(*) FROM failed_logins' ;;
	*) sql_ask "$1" 'SELECT count(*) FROM failed_logins' "$2" ;;
	esac
}

for kind in "${kinds[@]}"; do
	[ "$kind" = sqlite ] || sql_start "$kind"
	for ((round = 1; round <= rounds; round++)); do
		rm -f "$WORK/x.sqlite"*
		[ "$kind" = sqlite ] || sql_database "$kind" "round$round"
		: >"$WORK/figures"
		prepare "$kind" "round$round" many
		program "$kind: export" sql-export
		program "$kind: import" sql-import
		awk -v what="$kind: both" '{ sub(/^.*: [a-z]+ */, ""); s += $1; c += $3 } END { printf "%-44s %7.3f s  %6.3f s CPU\n", what, s, c }' "$WORK/figures"
		program "$kind: import of nothing" sql-import
		prepare "$kind" "round$round" few
		program "$kind: export of 500 rows of another host" sql-export
		program "$kind: import of them" sql-import
		[ "$(rows_in "$kind" "round$round")" = $((rows + 500)) ] || echo "$kind: not all rows are in"
	done
	[ "$kind" = sqlite ] || sql_stop "$kind"
done
