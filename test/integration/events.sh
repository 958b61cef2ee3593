#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=120
# `run` where inotify does not work: no instance, no watch. It says so once, looks every few seconds, and follows the log all the same. And
# links: a log that leads to another file wakes it.
# shellcheck disable=SC2317  # functions are called by wait_until and tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
LOG=$WORK/log/mail.log CSV=$WORK/csv/maillogsentinel.csv

fresh() { # [MAIL_LOG]
	rm -rf "$WORK/csv" "$WORK/state" "$WORK/log" "$WORK/err"
	mkdir "$WORK/csv" "$WORK/state" "$WORK/log"
	cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = "${1-$LOG}"; };
dns: { enabled = false; };
X2
}

# Starts it with LIMIT=0, a limit of this user namespace alone.
start() { # [LIMIT]
	if [ -n "${1-}" ]; then
		# shellcheck disable=SC2016  # the inner shell expands it
		unshare -Ur bash -c 'echo 0 >/proc/sys/user/$0 && exec "$@"' "$1" "$MLS_PROGRAM" -c "$WORK/conf" run 2>>"$WORK/err" &
	else
		"$MLS_PROGRAM" -c "$WORK/conf" run 2>>"$WORK/err" &
	fi
	pid=$!
}
kill_it() { kill -9 "${pid:-x}" 2>/dev/null; }
tap_defer kill_it
stop() {
	kill $pid
	wait $pid
}

line() { # USER
	printf '2026-11-22T13:01:48.060269+00:00 mx1 postfix/smtpd[9]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=%s\n' "$1"
}
users() {
	cut -d, -f4 "$CSV" 2>/dev/null | sed 1d | tr '\n' ' '
}
users_are() { [ "$(users)" = "$1" ]; }
expect() { # SECONDS USERS TEXT
	wait_until "$1" users_are "$2" || true
	tap_is "$(users)" "$2" "$3"
}
times() { grep -cF "$1" "$WORK/err"; }

without() { # LIMIT ERROR
	fresh
	line 1 >"$LOG"
	start "$1"
	expect 20 "1 " "$2: what is there is read"
	line 2 >>"$LOG"
	# far from the 30 s of a log that is watched
	expect 15 "1 2 " "what is written is seen"
	mv "$LOG" "$LOG.1"
	line 3 >>"$LOG.1"
	line 4 >"$LOG"
	expect 15 "1 2 3 4 " "a rotation is seen"
	tap_is "$(times "inotify: $2; looking every 3 s")" 1 "it is said once"
	stop
	tap_is $? 0 "and it ends as it should"
}

if unshare -Ur bash -c 'echo 0 >/proc/sys/user/max_inotify_instances' 2>/dev/null; then
	without max_inotify_instances "Too many open files"
	without max_inotify_watches "No space left on device"
else
	tap_skip "inotify's limits" "no user namespaces"
fi

# ---- links -------------------------------------------------------------------------------------
point() { # TARGET LINK
	ln -s "$1" "$WORK/log/next" && mv -T "$WORK/log/next" "$2"
}
fresh
line 1 >"$WORK/log/mail-20261121.log"
point mail-20261121.log "$LOG"
start
expect 20 "1 " "a link to the file of today"
line 2 >>"$WORK/log/mail-20261121.log"
line 3 >"$WORK/log/mail-20261122.log"
point mail-20261122.log "$LOG"
expect 15 "1 2 3 " "it is switched: the old one is read to its end first"
line 4 >>"$WORK/log/mail-20261122.log"
expect 15 "1 2 3 4 " "and the new one is followed"
stop
line 5 >>"$WORK/log/mail-20261122.log"
gzip "$WORK/log/mail-20261122.log"
line 6 >"$WORK/log/mail-20261123.log"
line 7 >"$WORK/log/mail-20261124.log"
point mail-20261124.log "$LOG"
start
expect 20 "1 2 3 4 5 6 7 " "it was switched twice while the service was stopped"
stop

fresh "$WORK/log/today/mail.log"
mkdir "$WORK/log/20261121" "$WORK/log/20261122"
line 1 >"$WORK/log/20261121/mail.log"
point 20261121 "$WORK/log/today"
start
expect 20 "1 " "a link to the directory of today"
line 2 >"$WORK/log/20261122/mail.log"
point 20261122 "$WORK/log/today"
expect 15 "1 2 " "it is switched"
stop
tap_none "no warning" "$(grep WARNING "$WORK/err" | grep -v -e 'no such file; what it')"
tap_done
