#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=postgresql,mariadb-server,sqlite3,python3
# Rows that are hard to carry: each arrives as it is, in databases whose settings are hard, too, and through their own clients; each line that
# is no row is named, and nothing is thrown away for it.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/sql-servers.sh
. "$ROOT/test/sql-servers.sh"
# shellcheck source=test/integration/sql-hosts.sh
. "$ROOT/test/integration/sql-hosts.sh"
sql_start postgresql mariadb

# A log with hostile users, whose CSV gets rows that no log makes.
host_fill() { # NAME
	{
		sql_rows log 800 "$MLS_SEED"
		awk 'BEGIN {
			for (x = "filler"; length(x) < 60000;) x = x x
			for (i = 0; i < 75; i++)
				print "2026-11-22T13:01:48.060269+00:00 mx1 postfix/smtpd[9]: warning: unknown[192.0.2.1]: SASL PLAIN authentication failed: x, sasl_username=" substr(x, 1, 60000)
		}'
		sql_rows log 100 $((MLS_SEED + 1))
	} >"$WORK/$1/mail.log"
	host_extract "$1"
	sql_rows plant "$WORK/$1/csv/csv" >"$WORK/planted"
	sed -n 's/^odd //p' "$WORK/planted" >"$WORK/odd"
	sed -n 's/^foreign //p' "$WORK/planted" >"$WORK/foreign"
}

for kind in sqlite postgresql mariadb; do
	case $kind in
	sqlite) databases=("$WORK/hard.sqlite") ;;
	*) databases=(plain hard) ;;
	esac
	for database in "${databases[@]}"; do database_make $kind "$database"; done
	case $kind in
	postgresql)
		for setting in "standard_conforming_strings = off" "backslash_quote = on" "DateStyle = 'German, DMY'" "TimeZone = 'Pacific/Chatham'" \
			"client_encoding = 'LATIN1'" "default_transaction_isolation = 'serializable'" "escape_string_warning = on" "bytea_output = 'escape'" \
			"array_nulls = off" "transform_null_equals = on" "quote_all_identifiers = on" "lc_messages = 'C'"; do
			sql_psql -c "ALTER DATABASE hard SET $setting"
		done
		;;
	mariadb)
		sql_mariadb -e "ALTER DATABASE hard CHARACTER SET latin1 COLLATE latin1_german2_ci"
		sql_mariadb -e "SET GLOBAL sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,IGNORE_SPACE'; SET GLOBAL character_set_client = latin1;
			SET GLOBAL character_set_connection = latin1; SET GLOBAL character_set_results = latin1; SET GLOBAL collation_connection = latin1_swedish_ci;
			SET GLOBAL default_storage_engine = MyISAM; SET GLOBAL time_zone = '-11:00'; SET GLOBAL tx_isolation = 'SERIALIZABLE';
			SET GLOBAL max_allowed_packet = 1048576; SET GLOBAL explicit_defaults_for_timestamp = 0; SET GLOBAL autocommit = 0" 2>&1 | tap_note
		;;
	esac
	host_make $kind $kind "${databases[-1]}"
	host_fill $kind

	host $kind sql-export
	tap_is $? 1 "$kind: an export that leaves lines out says so"
	# "at byte N" or, where they follow each other, "bytes A to B"
	sed -nE 's/^maillogsentinel: .* at byte ([0-9]+): .*/\1 \1/p; s/^maillogsentinel: .* bytes ([0-9]+) to ([0-9]+): .*/\1 \2/p' "$WORK/$kind/err" >"$WORK/named"
	awk 'NR == FNR { from[NR] = $1; to[NR] = $2; n = NR; next }
		{ for (i = 1; i <= n; i++) if (from[i] <= $2 && $2 <= to[i]) { print $2; break } }' "$WORK/named" "$WORK/planted" | sort >"$WORK/left-out"
	tap_none "$kind: it names each" "$(sort "$WORK/foreign" | comm -23 - "$WORK/left-out")"
	tap_none "$kind: in lines that a terminal can show" "$(LC_ALL=C grep -nP '[^\x20-\x7e]' "$WORK/$kind/err" | head -n 3; awk 'length > 1000 { print substr($0, 1, 200) }' "$WORK/$kind/err")"
	tap_none "$kind: and no others" "$(host_expect $kind | awk 'NR == FNR { from[NR] = $1; to[NR] = $2; n = NR; next }
		{ for (i = 1; i <= n; i++) if (from[i] <= $3 && $3 <= to[i]) print $3 }' "$WORK/named" - | sort | comm -23 - <(sort "$WORK/odd"))"
	tap_note "$(tail -n 2 "$WORK/$kind/err" | cut -c1-200)"
	: >"$WORK/$kind/err"
	tap_true "$kind: they are left out once" host $kind sql-export
	tap_true "$kind: the rest is imported" host $kind sql-import
	tap_none "$kind: and nothing said" "$(cat "$WORK/$kind/err")"
	skipped=$WORK/odd database_holds $kind "${databases[-1]}" "$kind: every row is there as it is" $kind
	odd=$(sort "$WORK/odd" | comm -12 - "$WORK/left-out" | wc -l)
	tap_note "$(wc -l <"$WORK/foreign") lines that are no rows, $odd that are refused though they could be rows"
	tap_none "$kind: the files are text" "$(host_sql_files $kind | xargs -d '\n' grep -lP '[\x00-\x09\x0b-\x1f\x7f]')"
	tap_none "$kind: in UTF-8" "$(host_sql_files $kind | while IFS= read -r file; do iconv -f UTF-8 -t UTF-16 "$file" >/dev/null || echo "$file"; done)"

	# its own client
	database=${databases[0]}
	[ $kind != sqlite ] || { database=$WORK/plain.sqlite; database_make sqlite "$database"; }
	host $kind sql-import --schema && mv "$WORK/$kind/out" "$WORK/schema.sql"
	said=$(for file in "$WORK/schema.sql" $(host_sql_files $kind) $(host_sql_files $kind); do
		database_read $kind "$database" "$file" 2>&1 || echo "$file: $?"
	done)
	tap_none "$kind: its client takes the files, twice" "$(head -c 500 <<<"$said")"
	skipped=$WORK/odd database_holds $kind "$database" "$kind: and gives the same" $kind
	if [ $kind = postgresql ]; then
		# psql with the settings of that database
		sql_psql -c 'SET client_min_messages = warning; DROP TABLE failed_logins, failed_logins_batches, failed_logins_schema CASCADE' -d hard
		said=$(for file in "$WORK/schema.sql" $(host_sql_files $kind); do database_read $kind hard "$file" 2>&1; done)
		tap_none "$kind: in a hard database, too" "$(head -c 500 <<<"$said")"
		skipped=$WORK/odd database_holds $kind hard "$kind: they are the same" $kind
	fi
	for view in per_day per_country per_network top_addresses; do
		tap_true "$kind: the view $view counts them" database_ask $kind "$database" "SELECT count(*) FROM failed_logins_$view"
	done
done
tap_done
