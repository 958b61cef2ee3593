#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=python3
# The service ends while its report is being sent - it is stopped, or killed with the job or without it - and starts again: the report
# comes, no other in its place or besides, and the next one has the rows that came later.
# shellcheck disable=SC2317,SC2034,SC2154  # functions are called by wait_until and tap_true; service.sh and report-rig.sh share variables
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
export TZ=Europe/Berlin
BEGIN=$(date -d '2026-03-22 20:00' +%s)
# shellcheck source=test/integration/service.sh
. "$(dirname "$0")/service.sh"
# shellcheck source=test/integration/report-rig.sh
. "$(dirname "$0")/report-rig.sh"
smtp_start 0
: >"$SMTP/log"
cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$STATE"; mail_log = "$LOG"; };
source: { quiet_warning = "0"; };
report: { email = "root@box.example"; smtp_url = "smtp://127.0.0.1:$smtp_port"; };
schedule: { ip_update_schedule = ""; report_schedule = "23:59"; };
dns: { enabled = false; };
X2

rows=0
more() {
	rows=$((rows + 1))
	fail "u$rows"
	wait_until 10 seen_in_csv "u$rows"
	pass 2
	wait_until 10 committed $rows
}
seen_in_csv() { [ "$(tail -n 1 "$CSV" 2>/dev/null | cut -d, -f4)" = "$1" ]; }
due() { due=$(job_field due) && [ "${due:-0}" -gt 0 ]; }
to_slot() {
	wait_until 10 due
	pass_until $((due / 1000000 + 1))
}
hangs() { [ "$(grep -c '^hang end$' "$SMTP/log")" -gt "$hung" ]; }
# So that what is to come soon, or after a failure, comes.
a_while() {
	local i

	for ((i = 0; i < 10; i++)); do
		pass 120
		sleep 0.05
		wait_until 10 no_child
	done
}
# The users of the mails since the first of so many, one mail after another.
users_since() { # MAILS
	local n

	read_mails
	for ((n = $1 + 1; n <= $(mails); n++)); do
		cut -d, -f4 "$WORK/read/$(printf %04d $n)/rows" 2>/dev/null | sed 1d | tr '\n' ' '
		printf '; '
	done
}

for how in TERM KILL "KILL of both"; do
	start_timed
	before=$(mails) hung=$(grep -c '^hang end$' "$SMTP/log")
	more
	smtp_mode 'end hang'
	to_slot
	tap_true "SIG$how: the report is on its way" wait_until 20 hangs
	child=$(tr -d ' ' <"/proc/$pid/task/$pid/children")
	kill "-${how%% *}" "$pid"
	[ "$how" != "KILL of both" ] || kill -9 "$child"
	wait "$pid" 2>/dev/null
	smtp_mode
	if [ "$how" = KILL ]; then
		# the job outlives it, and is in the way of the next service's
		start_timed
		pass 120
		wait_until 20 job_ended_since "$now"
		tap_is "$(users_since "$before")" "" "SIG$how: one report at a time"
		tap_true "SIG$how: which is said" grep -q 'another report is being sent' "$WORK/err"
		kill "$child"
		wait_until 20 test ! -e "/proc/$child"
		stop
	fi
	more_before=$rows
	rows=$((rows + 1))
	fail "u$rows"
	start_timed
	wait_until 10 seen_in_csv "u$rows"
	a_while
	pass 7200
	a_while
	tap_is "$(users_since "$before")" "u$more_before ; " "SIG$how: it comes after the next start, alone"
	to_slot
	wait_until 20 job_ended_since $((due / 1000000))
	tap_is "$(users_since "$before")" "u$more_before ; u$rows ; " "SIG$how: then the next"
	stop
done
tap_is "$(ls "$STATE/spool")" "" "nothing is left"
tap_none "the mails are sound" "$(mail_defects)"
tap_done
