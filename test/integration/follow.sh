#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# `run` from start to stop: waits for a log that is not there, follows it over rotations, tells systemd, drains, and goes on
# after kill -9 where it was.
# shellcheck disable=SC2317  # functions are called by wait_until and tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$ROOT/test/integration/service.sh"
LOG=$WORK/var/log/mail.log
LISTEN=$(dirname "$MLS_PROGRAM")/../test/notify-listen
mkdir "$WORK/csv" "$WORK/state"
cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = "$LOG"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
dns: { enabled = false; };
X2
"$LISTEN" "$WORK/notify" >"$WORK/told" &
tap_defer kill $!
wait_until 10 test -S "$WORK/notify"
export NOTIFY_SOCKET=$WORK/notify

expect() { users_become 10 "$@"; } # USERS TEXT
told() { grep -q "$1" "$WORK/told"; }

start
tap_true "READY although there is no log and no directory" wait_until 10 told '^READY=1'
mkdir -p "$WORK/var/log"
line 1 >"$LOG"
expect "1 " "the log appears together with its directory"
line 2 >>"$LOG"
expect "1 2 " "a line is appended"
line 3 | tr -d '\n' >>"$LOG"
line 4 >"$WORK/next"
expect "1 2 " "a line without its end waits"
echo >>"$LOG"
expect "1 2 3 " "and is taken when the end comes"
mv "$LOG" "$LOG.1"
: >"$LOG"
line 4 >>"$LOG.1"
expect "1 2 3 4 " "the old file is followed while the new one is empty"
line 5 | tr -d '\n' >>"$LOG.1"
line 6 >>"$LOG"
expect "1 2 3 4 5 6 " "its last line, without an end, comes before the first of the new one"
mv "$LOG.1" "$LOG.2"
mv "$LOG" "$LOG.1"
gzip "$LOG.2"
line 7 >>"$LOG"
expect "1 2 3 4 5 6 7 " "a second rotation, with compression"
cp "$LOG" "$LOG.copy" && mv "$LOG.copy" "$LOG.1"
: >"$LOG"
line 8 >>"$LOG"
expect "1 2 3 4 5 6 7 8 " "copy and truncate"
mkdir "$WORK/var/old"
mv "$LOG" "$WORK/var/old/"
line 9 >>"$WORK/var/old/mail.log"
line 10 >"$LOG"
expect "1 2 3 4 5 6 7 8 9 10 " "moved to another directory"

tap_is "$("$MLS_PROGRAM" -c "$WORK/conf" extract 2>&1 >/dev/null | sed "s,$WORK,W,")" \
	"maillogsentinel: W/state/lock: another maillogsentinel is at work (process $pid run)" \
	"a second writer is told who has the lock"

mkdir "$WORK/other-state"
sed "s,$WORK/state,$WORK/other-state," "$WORK/conf" >"$WORK/other-conf"
tap_is "$("$MLS_PROGRAM" -c "$WORK/other-conf" extract 2>&1 >/dev/null | sed "s,$WORK,W,")" \
	"maillogsentinel: W/csv/maillogsentinel.csv: another maillogsentinel is writing it (process $pid)" \
	"a second configuration with the same CSV, too"

# until the commit that holds all ten rows
committed() { grep -q "^rows $1\$" "$WORK/state/state.offset"; }
tap_true "committed within its second" wait_until 10 committed 10
kill -9 $pid
wait $pid 2>/dev/null
line 11 >>"$LOG"
mv "$LOG" "$LOG.1"
line 12 >"$LOG"
start
expect "1 2 3 4 5 6 7 8 9 10 11 12 " "after kill -9 and a rotation meanwhile it goes on in the right file"
line 13 >>"$LOG"
expect "1 2 3 4 5 6 7 8 9 10 11 12 13 " "and follows the new one"
stop
tap_is $? 0 "SIGTERM ends it with status 0"
tap_true "systemd is told that it stops" told '^STOPPING=1'
tap_true "and what it did" told '^STATUS=Stopped; read .*: 13 failed logins in 13 lines'
tap_true "all is committed" committed 13
tap_true "extract finds nothing new" "$MLS_PROGRAM" -c "$WORK/conf" extract
tap_is "$(users)" "1 2 3 4 5 6 7 8 9 10 11 12 13 " "and adds nothing"
tap_is "$(stat -c '%a %n' "$CSV" "$WORK/state"/* | sed "s,$WORK/,,")" "640 csv/maillogsentinel.csv
600 state/lock
600 state/state.offset
644 state/status" "modes, and no other file"
tap_none "no warning but that of the databases" "$(grep -v -e 'no such file; .* N/A until' -e 'going on with' -e 'has started' -e stopping -e 'is not there, waiting for it' "$WORK/err")"
tap_done
