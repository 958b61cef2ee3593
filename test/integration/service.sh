#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: no
# Sourced, after tap.sh, by tests that run the service: they write its configuration, $WORK/conf, with $WORK/csv as working_dir. What
# it says goes to $WORK/err, its process is $pid, and it is killed at the end of the test.
CSV=$WORK/csv/maillogsentinel.csv pid=''

start() { start_through env; }

# Starts it by way of a command that becomes it.
start_through() { # COMMAND [ARG...]
	"$@" "$MLS_PROGRAM" -c "$WORK/conf" run 2>>"$WORK/err" &
	pid=$!
}

# Ends it. Its exit status.
stop() {
	kill "$pid"
	wait "$pid"
}

# shellcheck disable=SC2317  # called by tap_defer
service_kill() { kill -9 "${pid:-x}" 2>/dev/null; }
tap_defer service_kill

# Prints a failed login as Postfix logs it.
line() { # USER
	printf '2026-11-22T13:01:48.060269+00:00 mx1 postfix/smtpd[9]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=%s\n' "$1"
}

# Prints the users of the CSV's rows, in their order, a blank behind each.
users() { cut -d, -f4 "$CSV" 2>/dev/null | sed 1d | tr '\n' ' '; }
users_are() { [ "$(users)" = "$1" ]; }

# The users must be these within that time.
users_become() { # SECONDS USERS TEXT
	wait_until "$1" users_are "$2"
	tap_is "$(users)" "$2" "$3"
}
