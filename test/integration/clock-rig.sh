#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: no
# Sourced, after tap.sh and service.sh, by tests that set the service's clock (step-clock.c) and so let hours go by at a stroke.
#
# The clocks begin at the epoch time in BEGIN; who runs under `timed` (and the service, by start_timed) lives in that time. $job_name is
# the job that is looked at.
# shellcheck disable=SC2034,SC2154,SC2317  # the tests use and set variables; functions are called by wait_until and tap_true
STATE=$WORK/state LOG=$WORK/mail.log job_name=report
SHIM=$(dirname "$MLS_PROGRAM_RELEASE")/../test/step-clock.so
mkdir -p "$WORK/csv" "$STATE"
: >"$LOG"

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
	awk -v field="$1" -v job="$job_name" '$1 == "job" { mine = $2 == job } mine && $1 == field { print $2 }' "$STATE/jobs" 2>/dev/null
}
# The job has ended since that time.
job_ended_since() { # EPOCH
	local ended running

	ended=$(job_field ended) running=$(job_field running)
	[ "${running:-1}" = 0 ] && [ "${ended:-0}" -ge $(($1 * 1000000)) ]
}

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
