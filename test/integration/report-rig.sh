#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: no
# Sourced, after tap.sh and service.sh, by tests of reports that are sent: a mail server that behaves as it is told (smtp-play.py), a
# clock that the test sets (step-clock.c), and what was in the mails, by Python's parser (read-mail.py).
#
# The clocks begin at the epoch time in BEGIN; who runs under `timed` (and the service, by start_timed) lives in that time.
# shellcheck disable=SC2034,SC2154,SC2317  # the tests use and set variables; functions are called by wait_until and tap_true
command -v python3 >/dev/null || tap_skip_all "needs python3"
STATE=$WORK/state LOG=$WORK/mail.log SMTP=$WORK/smtp MAIL=$WORK/smtp/mail
SHIM=$(dirname "$MLS_PROGRAM_RELEASE")/../test/step-clock.so
mkdir -p "$WORK/csv" "$STATE" "$SMTP" "$WORK/read"
: >"$LOG"

# ---- the clock --------------------------------------------------------------------------------

ahead=$((BEGIN - EPOCHSECONDS)) passed=0
export STEP_CLOCK=$WORK/clock
clock_write() { printf '%012d %012d %012d %012d\n' $ahead $passed $ahead $passed 1<>"$STEP_CLOCK"; }
clock_write
# Sets $now, the time of day in seconds of the epoch.
look_at_clock() { now=$((EPOCHSECONDS + ahead)); }
# Lets time go by.
pass() { # SECONDS
	ahead=$((ahead + $1)) passed=$((passed + $1))
	clock_write
}
pass_until() { # EPOCH
	look_at_clock
	[ "$1" -le "$now" ] || pass $(($1 - now))
}
# As somebody who sets the clock does.
set_clock() { # SECONDS AHEAD (negative: back)
	ahead=$((ahead + $1))
	clock_write
}
timed() { LD_PRELOAD=$SHIM "$@"; }
# The plain build: the sanitizers refuse a preloaded library.
program() { timed "$MLS_PROGRAM_RELEASE" -c "$WORK/conf" "$@"; }
start_timed() {
	LD_PRELOAD=$SHIM "$MLS_PROGRAM_RELEASE" -c "$WORK/conf" run 2>>"$WORK/err" &
	pid=$!
	wait_until 20 is_ready
}
is_ready() { [ "$(sed -n 's/^pid //p' "$STATE/status" 2>/dev/null)" = "$pid" ] || status_says "process $pid"; }
status_says() { program status 2>/dev/null | grep -q -- "$1"; } # PATTERN
no_child() { [ -z "$(cat "/proc/$pid/task/$pid/children" 2>/dev/null)" ]; }
# A field of a job in state_dir/jobs.
job_field() { # FIELD
	awk -v field="$1" '$1 == "job" { mine = $2 == "report" } mine && $1 == field { print $2 }' "$STATE/jobs" 2>/dev/null
}
# The job has ended since that time.
job_ended_since() { # EPOCH
	local ended running

	ended=$(job_field ended) running=$(job_field running)
	[ "${running:-1}" = 0 ] && [ "${ended:-0}" -ge $(($1 * 1000000)) ]
}

# ---- the log ----------------------------------------------------------------------------------

# Logs failed logins now, one for each user.
fail() { # USER...
	local stamp user

	look_at_clock
	printf -v stamp '%(%Y-%m-%dT%H:%M:%S%z)T' "$now"
	for user; do
		printf '%s:%s mx1 postfix/smtpd[9]: warning: unknown[203.0.113.%d]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=%s\n' \
			"${stamp::-2}" "${stamp: -2}" $((RANDOM % 250 + 1)) "$user"
	done >>"$LOG"
}
committed() { [ "$(sed -n 's/^rows //p' "$STATE/state.offset" 2>/dev/null)" = "$1" ]; } # ROWS

# ---- the mail server --------------------------------------------------------------------------

smtp_mode() { # [LINE...]
	printf '%s\n' "$@" >"$SMTP/mode.new"
	mv "$SMTP/mode.new" "$SMTP/mode"
}
smtp_start() { # [PORT]
	rm -f "$SMTP/port"
	python3 "$ROOT/test/integration/smtp-play.py" "$SMTP" "$@" &
	smtp_pid=$!
	wait_until 20 test -s "$SMTP/port" || tap_fail "the mail server of this test does not start"
	smtp_port=$(cat "$SMTP/port")
}
smtp_stop() {
	kill "$smtp_pid" 2>/dev/null
	wait "$smtp_pid" 2>/dev/null
}
tap_defer smtp_stop
smtp_pid=x
# What happened since the last time.
smtp_seen=0
smtp_log() {
	local lines

	lines=$(wc -l <"$SMTP/log")
	tail -n +$((smtp_seen + 1)) "$SMTP/log" | head -n $((lines - smtp_seen))
	smtp_seen=$lines
}

# ---- mails ------------------------------------------------------------------------------------

# Takes apart what has come: $WORK/read/NUMBER.
read_mails() {
	local mail

	for mail in "$MAIL"/????; do
		[ ! -f "$mail" ] || [ -d "$WORK/read/${mail##*/}" ] ||
			python3 "$ROOT/test/integration/read-mail.py" "$mail" "$WORK/read/${mail##*/}"
	done
}
mails() { find "$MAIL" -type f -name '????' | wc -l; }
# The mails' rows, in the order in which they came; a mail that came again (as its Message-ID says) once.
mail_rows() {
	local directory id
	local -A seen=()

	read_mails
	for directory in "$WORK"/read/????; do
		id=$(sed -n 's/^Message-ID: //p' "$directory/head")
		[ -n "${seen[${id:-none}]-}" ] || grep -hv '^server,date,' "$directory/rows" 2>/dev/null
		seen[${id:-none}]=yes
	done
}
mail_users() { mail_rows | cut -d, -f4 | tr '\n' ' '; }
# Which mails say another number than they have rows.
wrong_totals() {
	local directory rows said

	read_mails
	for directory in "$WORK"/read/????; do
		rows=$(grep -cv '^server,date,' "$directory/rows" 2>/dev/null)
		said=$(sed -n 's/^Total attempts .*: \([0-9]*\)$/\1/p' "$directory/text")
		[ "$said" = "${rows:-0}" ] || echo "${directory##*/}: $rows rows, but: $(grep '^Total attempts' "$directory/text")"
	done
}
mail_defects() { read_mails; grep -H '^defects: .' "$WORK"/read/*/head; }
spool() { (cd "$STATE/spool" 2>/dev/null && ls -- *."$1" 2>/dev/null) | wc -l; } # eml|failed
