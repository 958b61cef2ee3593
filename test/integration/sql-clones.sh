#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=postgresql,mariadb-server,sqlite3,python3
# Files in a wrong order, of other hosts and for other databases; two hosts that are clones of each other; and CSVs that were started over:
# nothing is lost or doubled, or it is said.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/sql-servers.sh
. "$ROOT/test/sql-servers.sh"
PROGRAM=$MLS_PROGRAM_RELEASE
# shellcheck source=test/integration/sql-hosts.sh
. "$ROOT/test/integration/sql-hosts.sh"
sql_start postgresql mariadb

# ---- files in a wrong order, of others, of another dialect ------------------------------------------

host_with_files swapped sqlite 10 20 30
mv "${files[0]}" "$WORK/x" && mv "${files[1]}" "${files[0]}" && mv "$WORK/x" "${files[1]}"
host swapped sql-import
tap_note "two files with each other's names: exit status $?: $(head -n 1 "$WORK/swapped/err" | cut -c1-300)"
mv "${files[0]}" "$WORK/x" && mv "${files[1]}" "${files[0]}" && mv "$WORK/x" "${files[1]}"
tap_true "swapped files are put back" host swapped sql-import
database_holds sqlite "$database" "and all rows are there" swapped

host_with_files gap sqlite 10 20 30
mv "${files[1]}" "$WORK/x"
host gap sql-import
tap_note "a file is missing: exit status $?: $(head -n 1 "$WORK/gap/err" | cut -c1-300)"
mv "$WORK/x" "${files[1]}"
tap_true "a file that comes later" host gap sql-import
database_holds sqlite "$database" "is taken, too" gap

host_with_files mixed sqlite 10 20
mixed=$database
host_with_files guest sqlite 15
cp "${files[0]}" "$WORK/mixed/state/sql/0000000001-20260101T000000Z.sql"
host mixed sql-import
tap_note "another host's file among the own: exit status $?: $(head -n 1 "$WORK/mixed/err" | cut -c1-300)"
for i in 1 2; do host_log mixed 5 && host_extract mixed && host mixed sql-export; done
rm "$WORK/mixed/state/sql/0000000001-20260101T000000Z.sql"
tap_true "when it is gone the own ones are imported" host mixed sql-import
database_ask sqlite "$mixed" "DELETE FROM failed_logins WHERE instance = '$(host_instance guest)'"
database_holds sqlite "$mixed" "and all own rows are there" mixed

host_with_files dialect sqlite 10
database_make postgresql dialect
sed -i "s,^db_type.*,$(sql_settings postgresql socket dialect)," "$WORK/dialect/conf"
refuses dialect "$(basename "${files[0]}").*sqlite|sqlite.*$(basename "${files[0]}")" "a file of another dialect is refused" sql-import

: >"$WORK/dialect/state/sql/0000000009-20260101T000000Z.sql"
mkdir -p "$WORK/dialect/state/sql/0000000010-20260101T000000Z.sql" "$WORK/dialect/state/sql/lost+found"
ln -s /dev/zero "$WORK/dialect/state/sql/0000000011-20260101T000000Z.sql"
mkfifo "$WORK/dialect/state/sql/0000000012-20260101T000000Z.sql"
refuses dialect . "strange things in the directory do not hang it" sql-import
host_log dialect 1 && host_extract dialect
timeout 20 "$PROGRAM" -c "$WORK/dialect/conf" sql-export >/dev/null 2>>"$WORK/dialect/err"
tap_note "an export beside them: exit status $?"

# ---- clones and resets ------------------------------------------------------------------------------

for kind in sqlite postgresql mariadb; do
	host_with_files clone-$kind $kind 30
	# a copy of the machine, with its state and all names, goes on by itself
	cp -a "$WORK/clone-$kind" "$WORK/copy-$kind"
	for name in first second; do
		host_log clone-$kind 40
		sed -i "s/sasl_username=n\([3-6][0-9]\)$/sasl_username=$name\1/" "$WORK/clone-$kind/mail.log"
		host_extract clone-$kind && host clone-$kind sql-export
		if [ $name = first ]; then
			tap_true "$kind: of two clones the first" host clone-$kind sql-import
			mv "$WORK/clone-$kind" "$WORK/first-$kind" && mv "$WORK/copy-$kind" "$WORK/clone-$kind"
		else
			refuses clone-$kind 'this host a copy of another' "$kind: the second writes other rows under the same keys, which is seen" sql-import
			database_holds $kind "$database" "$kind: the first one's rows are there" first-$kind
		fi
	done
done

for choice in --from-now --from-start; do
	host_with_files reset$choice sqlite 30
	host reset$choice sql-import
	old=$(host_expect reset$choice)
	# as a reset does it: a new first checkpoint
	mv "$WORK/reset$choice/csv/csv" "$WORK/reset$choice/old.csv"
	rm "$WORK/reset$choice/state/state.offset"
	host_log reset$choice 20 && sed -i 1,30d "$WORK/reset$choice/mail.log" && host_extract reset$choice
	refuses reset$choice '--from-now.*--from-start|--from-start.*--from-now' "after a reset an export asks what to do" sql-export
	refuses reset$choice '--from-now.*--from-start|--from-start.*--from-now' "as often as it is tried" sql-export
	tap_is "$(host_sql_files reset$choice)" "${files[*]}" "and writes nothing"
	tap_true "it is told $choice" host reset$choice sql-export $choice
	before=$(host_expect reset$choice)
	host_log reset$choice 7 && host_extract reset$choice
	tap_true "and goes on" host reset$choice sql-export
	tap_true "and so does the import" host reset$choice sql-import
	{
		printf '%s\n' "$old"
		if [ $choice = --from-start ]; then
			host_expect reset$choice
		else
			host_expect reset$choice | grep -vxF "$before"
		fi
	} >"$WORK/expected"
	database_dump sqlite "$database" >"$WORK/got"
	tap_none "$choice: these rows are there ($(wc -l <"$WORK/expected"))" "$(sql_rows compare "$WORK/expected" "$WORK/got" 2>&1)"
	tap_is "$(host_sql_files reset$choice | sed 's,.*/,,; s/-.*//' | sort | uniq -d)" '' "no number comes again"
done

tap_done
