#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=sqlite3,postgresql,jq
# The service feeds a database by its own schedules: into SQLite each five minutes what is new, at the slot in which it is exported; into a
# PostgreSQL that goes away and comes back: files wait, which is told, it is asked less and less often, and in the end all rows are in, once.
# Hours go by at a stroke.
# shellcheck disable=SC2317,SC2034,SC2154  # functions are called by wait_until and tap_true; the rigs share variables
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
export TZ=Europe/Berlin
BEGIN=$(date -d '2026-03-22 20:01' +%s)
# shellcheck source=test/integration/service.sh
. "$ROOT/test/integration/service.sh"
# shellcheck source=test/integration/clock-rig.sh
. "$ROOT/test/integration/clock-rig.sh"
# shellcheck source=test/sql-servers.sh
. "$ROOT/test/sql-servers.sh"
for program in sqlite3 jq; do
	command -v $program >/dev/null || tap_skip_all "needs $program"
done
sql_start postgresql

configure() { # SETTINGS OF THE DATABASE
	cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$STATE"; mail_log = "$LOG"; };
source: { quiet_warning = "0"; };
database: { $1 };
schedule: { ip_update_schedule = ""; report_schedule = ""; sql_export_schedule = "*:0/5"; sql_import_schedule = "*:0/5"; };
dns: { enabled = false; };
metrics: { textfile = "$WORK/m.prom"; };
X2
}
rows=0
more() { # ROWS
	local i users=()

	for ((i = 0; i < $1; i++)); do users+=("u$((++rows))"); done
	fail "${users[@]}"
	wait_until 10 committed $rows || tap_note "the CSV has no $rows rows"
}
# The users that there should be, in their order.
all_users() { seq -f u%g -s ' ' 1 $rows; }
sqlite_users() { sqlite3 -readonly "$WORK/db.sqlite" 'SELECT username FROM failed_logins ORDER BY csv, byte_offset' 2>&1 | tr '\n' ' ' | sed 's/ $//'; }
pg_users() { sql_ask postgresql 'SELECT username FROM failed_logins ORDER BY csv, byte_offset' | tr '\n' ' ' | sed 's/ $//'; }
files() { find "$STATE/sql" -name '*.sql' 2>/dev/null | wc -l; }
# The next slot of five minutes, and the end of both jobs of it; the first job's files are the second's.
to_slot() {
	look_at_clock
	slot=$((now / 300 * 300 + 300))
	pass_until $((slot + 1))
	job_name=sql-export
	wait_until 20 job_ended_since $slot || tap_fail "sql-export runs at $(date -d @$slot +%H:%M)"
}
to_both() {
	to_slot
	job_name=sql-import
	wait_until 20 job_ended_since $slot || tap_fail "sql-import runs at $(date -d @$slot +%H:%M)"
}
# Lines of status, the first kind of times and places left out.
says() { program status | grep "^$1: " | grep -v 'no such file; countries' | sed -E "s,$WORK/,,g; s,$sql_dir/,,g; s/[0-9]{10}-[0-9TZ]{16}\.sql/FILE/g; s/[-0-9]{10} [0-9:]{5}( \([^)]*\))?/WHEN/g"; } # KIND
sql_is() { [ "$(says sql)" = "sql:      $1" ]; }
sql_becomes() { # WHAT TEXT
	wait_until 10 sql_is "$1"
	tap_is "$(says sql)" "sql:      $1" "$2"
}
json() { program status --json | jq -c "$1"; }
metric() { awk -v name="maillogsentinel_$1" '$1 == name { print $2; found = 1 } END { if (!found) print "none" }' "$WORK/m.prom"; }
metric_is() { [ "$(metric "$1")" = "$2" ]; }

# ---- SQLite ------------------------------------------------------------------------------------

configure "db_path = \"$WORK/db.sqlite\";"
start_timed
sql_becomes 'no file waits in state/sql' "before the first slot"
tap_is "$(json .sql)" \
	"{\"path\":\"$STATE/sql\",\"files_waiting\":0,\"bytes_waiting\":0,\"oldest_waiting\":null,\"oldest_waiting_age\":null,\"last_import\":null,\"last_import_age\":null}" \
	"and for programs"
more 3
to_both
tap_is "$(sqlite_users)" "$(all_users)" "what is exported at a slot is imported at the same"
sql_becomes 'no file waits in state/sql; last import WHEN' "status knows"
tap_is "$(says job)" "$(printf 'job:      %s\n' 'sql-export: done WHEN, next WHEN: state/sql/FILE: 3 rows' 'sql-import: done WHEN, next WHEN: state/sql/FILE: 3 rows')" "and what each job did" ||
	tap_note "$(says job)"
done=$(grep -c 'sql-[a-z]*: done in ' "$WORK/err")
to_both
to_both
tap_is "$(files) $(grep -c 'sql-[a-z]*: ' "$WORK/err")" "1 $((done + 2))" "nothing is new: no file, and no word of it"
for ((i = 0; i < 3; i++)); do
	more 2
	to_both
done
tap_is "$(sqlite_users) $(files)" "$(all_users) 4" "each slot brings what is new"
wait_until 10 metric_is sql_files_waiting 0
tap_is "$(metric sql_files_waiting) $(metric sql_bytes_waiting) $(metric sql_oldest_waiting_timestamp_seconds) $(metric 'job_failures{name="sql-import"}')" "0 0 none 0" "metrics"
imported_since() { [ "$(metric sql_last_import_timestamp_seconds | cut -d. -f1)" -ge "$1" ]; }
tap_true "of the last import, too" wait_until 20 imported_since $slot
tap_is "$(says warning)" "" "all is well"
stop

# ---- PostgreSQL, which goes away ----------------------------------------------------------------

rm -rf "${STATE:?}"/* "$WORK"/csv/*
: >"$LOG"
rows=0 job_name=sql-import
configure "$(sql_settings postgresql)"
start_timed
more 2
to_both
tap_is "$(pg_users)" "$(all_users)" "PostgreSQL has the rows"

# The job as programs are told of it.
import() { json ".jobs[] | select(.name == \"sql-import\") | $1" | tr -d '"'; }
seconds() { date -d "$(import "$1")" +%s; } # KEY
failed_times() { [ "$(import .failures)" = "$1" ]; }
goes_wrong() { # TIMES TEXT
	wait_until 20 failed_times "$1" || tap_fail "$2: $(import .)"
}
sql_stop postgresql
more 2
to_slot
goes_wrong 1 "a server that is away"
tap_is "$(says job | sed -n 's/^job:      sql-import: //p' | sed 's/\(, maillogsentinel: \).*/\1WHY/')" \
	"failed WHEN, next WHEN: state/sql/FILE: postgresql at 127.0.0.1:$sql_pg_port, maillogsentinel: WHY" \
	"status says what is wrong with which server"
sql_becomes '1 file waits in state/sql, since WHEN; last import WHEN' "and that a file waits"
tap_true "it is a warning" grep -q "^warning:  since WHEN: sql-import: failed, and is tried again: " <<<"$(says warning)"
status=0
program status >/dev/null || status=$?
tap_is $status 1 "which the exit status knows"

# The waits between the tries in minutes, while slots come all the time.
waits='' times=1
for _ in 1 2 3 4 5; do
	last=$(seconds .last) next=$(seconds .next)
	waits+="$(((next - last + 5) / 60)) "
	more 1
	look_at_clock
	while [ $((now / 300 * 300 + 300)) -lt $((next - 1)) ]; do
		to_slot
		failed_times $times || tap_fail "a slot at $(date -d @$slot +%H:%M) is no try"
		look_at_clock
	done
	pass_until $((next + 1))
	goes_wrong $((++times)) "the try at $(date -d @"$next" +%H:%M)"
done
tap_is "$waits" "5 10 20 30 30 " "it is asked less and less often, in minutes"
waiting=$(($(files) - 1))
tap_true "while the export goes on ($waiting files)" [ $waiting -gt 4 ]
sql_becomes "$waiting files wait in state/sql, since WHEN; last import WHEN" "all of them wait"
wait_until 10 metric_is sql_files_waiting $waiting
tap_is "$(metric sql_files_waiting) $(metric 'job_failures{name="sql-import"}')" "$waiting $times" "so metrics say"
tap_is "$(metric sql_bytes_waiting)" "$(find "$STATE/sql" -name '*.sql' ! -name '0000000001-*' -printf '%s\n' | awk '{ sum += $1 } END { print sum }')" "and their bytes"
tap_true "and since when" [ "$(metric sql_oldest_waiting_timestamp_seconds | cut -d. -f1)" = "$(date -d "$(json .sql.oldest_waiting | tr -d '"')" +%s)" ]

sql_again postgresql
pass_until $(($(seconds .next) + 1))
tap_true "it is back: the next try works" wait_until 20 failed_times 0 || tap_note "$(program status)"
tap_is "$(pg_users)" "$(all_users)" "and all rows are in, once and in order"
sql_becomes 'no file waits in state/sql; last import WHEN' "nothing waits"
tap_is "$(says warning)" "" "nothing is wrong any more"
tap_true "which is said" grep -q 'sql-import: works again' "$WORK/err"
more 1
to_both
tap_is "$(pg_users)" "$(all_users)" "its slots are back"

# Who starts the service anew may have mended it.
sql_kill postgresql
more 1
to_slot
goes_wrong 1 "a server that has crashed"
pass_until $(($(seconds .next) + 1))
goes_wrong 2 "and is not there yet"
stop
sql_again postgresql
start_timed
tap_true "a start knows of it" failed_times 2
pass 61
tap_true "and tries soon" wait_until 20 failed_times 0 || tap_note "$(program status)"
tap_is "$(pg_users)" "$(all_users)" "all is there"
stop
tap_done
