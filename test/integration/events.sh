#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=120
# `run` where inotify does not work: no instance, no watch. It says so once, looks every few seconds, and follows the log all the same. And
# links: a log that leads to another file wakes it.
# shellcheck disable=SC2317  # functions are called by wait_until and tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$ROOT/test/integration/service.sh"
LOG=$WORK/log/mail.log

fresh() { # [MAIL_LOG]
	rm -rf "$WORK/csv" "$WORK/state" "$WORK/log" "$WORK/err"
	mkdir "$WORK/csv" "$WORK/state" "$WORK/log"
	cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = "${1-$LOG}"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
dns: { enabled = false; };
X2
}

times() { grep -cF "$1" "$WORK/err"; }

without() { # LIMIT ERROR
	fresh
	line 1 >"$LOG"
	# a limit of this user namespace alone
	# shellcheck disable=SC2016  # the inner shell expands it
	start_through unshare -Ur bash -c 'echo 0 >/proc/sys/user/$0 && exec "$@"' "$1"
	users_become 20 "1 " "$2: what is there is read"
	line 2 >>"$LOG"
	# far from the 30 s of a log that is watched
	users_become 15 "1 2 " "what is written is seen"
	mv "$LOG" "$LOG.1"
	line 3 >>"$LOG.1"
	line 4 >"$LOG"
	users_become 15 "1 2 3 4 " "a rotation is seen"
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
users_become 20 "1 " "a link to the file of today"
line 2 >>"$WORK/log/mail-20261121.log"
line 3 >"$WORK/log/mail-20261122.log"
point mail-20261122.log "$LOG"
users_become 15 "1 2 3 " "it is switched: the old one is read to its end first"
line 4 >>"$WORK/log/mail-20261122.log"
users_become 15 "1 2 3 4 " "and the new one is followed"
stop
line 5 >>"$WORK/log/mail-20261122.log"
gzip "$WORK/log/mail-20261122.log"
line 6 >"$WORK/log/mail-20261123.log"
line 7 >"$WORK/log/mail-20261124.log"
point mail-20261124.log "$LOG"
start
users_become 20 "1 2 3 4 5 6 7 " "it was switched twice while the service was stopped"
stop

fresh "$WORK/log/today/mail.log"
mkdir "$WORK/log/20261121" "$WORK/log/20261122"
line 1 >"$WORK/log/20261121/mail.log"
point 20261121 "$WORK/log/today"
start
users_become 20 "1 " "a link to the directory of today"
line 2 >"$WORK/log/20261122/mail.log"
point 20261122 "$WORK/log/today"
users_become 15 "1 2 " "it is switched"
stop
tap_none "no warning" "$(grep WARNING "$WORK/err" | grep -v -e 'no such file; .* N/A until')"
tap_done
