#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the box: for a minute nothing comes into the log. Then the service wakes up for its tick alone, twice, which feeds the watchdog
# and looks at the log; whatever is written beside the log.
# shellcheck disable=SC2317  # functions are called through tap_true and wait_until
# shellcheck source=test/tap.sh
. /in/test/tap.sh
# shellcheck source=test/e2e/inside/mail.sh
. /in/test/e2e/inside/mail.sh
# shellcheck source=test/e2e/inside/installed.sh
. /in/test/e2e/inside/installed.sh

command -v strace >/dev/null || tap_skip_all "needs strace"
mail_names
: >$MAILLOG
write_lines before 10
: >/var/log/syslog
# the report has its day, which is not today
schedule=$(date -d '+40 days' +'*-%m-%d 03:00') configure 'report: { email = "root@localhost"; };'
tap_true "it starts" systemctl start $UNIT
tap_true "and writes its rows" wait_until 20 all_committed
settled() { # nothing more is written
	local before

	before=$(cat "/proc/$PID/schedstat")
	sleep 1.5
	[ "$(cat "/proc/$PID/schedstat")" = "$before" ]
}
PID=$(unit_is MainPID)
tap_true "and has nothing more to do" wait_until 20 settled

run_before=$(cut -d ' ' -f 1 "/proc/$PID/schedstat")
strace -f -p "$PID" -o "$WORK/trace" 2>/dev/null &
tracer=$!
wait_until 5 grep -qv '^TracerPid:.0$' <(grep ^TracerPid "/proc/$PID/status")
for ((second = 0; second < 60; second++)); do
	echo "a line that is none of mail's" >>/var/log/syslog
	sleep 1
done
kill -INT $tracer
wait $tracer 2>/dev/null
ran_us=$((($(cut -d ' ' -f 1 "/proc/$PID/schedstat") - run_before) / 1000))
# of the ones that did not wait the program did not sleep
wakes=$(grep -cE 'epoll_wait\(.*, (-1|[1-9][0-9]*)\) += ' "$WORK/trace")
feeds=$(grep -c '"WATCHDOG=1"' "$WORK/trace")
calls=$(grep -c . "$WORK/trace")
tap_note "$wakes wake-ups, $feeds times the watchdog, $calls system calls, $ran_us us of the processor in 60 s"
tap_is "$wakes" "$feeds" "each wake-up feeds the watchdog"
tap_true "there were 2, or 3 with those at both ends" [ "$wakes" -ge 2 -a "$wakes" -le 3 ]
tap_true "each looks at the log" [ "$(grep -c "\"$MAILLOG\"" "$WORK/trace")" -ge "$wakes" ]
tap_true "and costs little: less than 100 system calls" [ $((calls / wakes)) -lt 100 ]
tap_true "0.0 % of a processor, strace and all" [ $ran_us -lt 30000 ]
tap_none "nothing was written" "$(grep -E '^[0-9]+ +(write|pwrite64|writev|rename|renameat|fsync|fdatasync|unlink|unlinkat)\(' "$WORK/trace")"
[ "$tap_failed" -eq 0 ] || head -n 150 "$WORK/trace" | tap_note
write_lines after 1
tap_true "it is still awake" wait_until 20 all_committed
systemctl stop $UNIT
tap_done
