#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What was removed before it was read (logrotate's maxage while the service was down, a log that was cut without a copy) can't
# become rows: it is said, with the file and how far it was read, and the rest is read in order.
# shellcheck disable=SC2317  # functions are called by wait_until
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
LOG=$WORK/log/mail.log CSV=$WORK/csv/maillogsentinel.csv
cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = "$LOG"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
dns: { enabled = false; };
X2

line() { # USER
	printf '2026-11-22T13:01:48.060269+00:00 mx1 postfix/smtpd[9]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=%s\n' "$1"
}

# A fresh place where the lines 1 and 2 were read; what that was long is in $read.
fresh() {
	rm -rf "$WORK/log" "$WORK/csv" "$WORK/state"
	mkdir "$WORK/log" "$WORK/csv" "$WORK/state"
	line 1 >"$LOG"
	line 2 >>"$LOG"
	read=$(stat -c %s "$LOG")
	extract
}

extract() { # and what it says, without what the missing databases say, is in $said
	status=0
	"$MLS_PROGRAM" -c "$WORK/conf" extract 2>"$WORK/err" || status=$?
	said=$(grep -v -e 'no such file; .* N/A until' -e 'going on with the new file' "$WORK/err" | sed "s,$WORK/log/,,g")
}

users() { sed 1d "$CSV" | cut -d, -f4 | tr '\n' ' '; }

# Line 3 goes into the old file, 4 into the next one and 5 into the log; then the old file is removed.
rotate_and_remove() { # NEXT-NAME OLD-NAME
	line 3 >>"$LOG"
	mv "$LOG" "$LOG$2"
	line 4 >"$LOG$1"
	line 5 >"$LOG"
	rm "$LOG$2"
}

warning="maillogsentinel: warning: mail.log: the file that was read up to byte"
fresh
tap_is "$status: $said: $(users)" "0: : 1 2 " "two lines are read"
rotate_and_remove .1 .2
extract
tap_is "$said" "$warning $read is gone; what was written to it after that is lost, going on with mail.log.1" \
	"a file was removed before it was read to its end: that is said"
tap_is "$status: $(users)" "0: 1 2 4 5 " "and what is newer is read, in order"
extract
tap_is "$status: $said: $(users)" "0: : 1 2 4 5 " "once"

fresh
rotate_and_remove -20261122 -20261121
gzip "$LOG-20261122"
extract
tap_is "$said" "$warning $read is gone; what was written to it after that is lost, going on with mail.log-20261122.gz" "the same with dates, compressed"
tap_is "$status: $(users)" "0: 1 2 4 5 " "what is newer is read"

fresh
line 3 >>"$LOG"
: >"$LOG"
line 4 >>"$LOG"
extract
tap_is "$said" "$warning $read is gone; what was written to it after that is lost, going on with mail.log" "cut without a copy"
tap_is "$status: $(users)" "0: 1 2 4 " "what stands there now is read"

fresh
rm "$LOG"
"$MLS_PROGRAM" -c "$WORK/conf" run 2>"$WORK/err" &
pid=$!
stop_daemon() { kill -9 "$pid" 2>/dev/null; }
tap_defer stop_daemon
says() { grep -qF "$1" "$WORK/err"; }
tap_true "the service, without any file: that is said" wait_until 10 says "mail.log: the file that was read up to byte $read is gone; what was written to it after that is lost, going on with the next one that appears"
line 4 >"$LOG"
users_are() { [ "$(users)" = "$1" ]; }
tap_true "and it goes on with the next one" wait_until 10 users_are "1 2 4 "
kill "$pid"
wait "$pid"
tap_is $? 0 "SIGTERM ends it"
tap_is "$(grep -c ' is gone; ' "$WORK/err")" 1 "it was said once"
tap_done
