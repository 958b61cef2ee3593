#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the box: the installed maillogsentinel.service as systemd sees it. It starts, says how it is, stops, is killed while lines come,
# hangs, has a configuration that is none, is reloaded; and each line of the log has its row all the while.
# shellcheck disable=SC2317  # functions are called through tap_true and wait_until
# shellcheck source=test/tap.sh
. /in/test/tap.sh
# shellcheck source=test/e2e/inside/mail.sh
. /in/test/e2e/inside/mail.sh
# shellcheck source=test/e2e/inside/installed.sh
. /in/test/e2e/inside/installed.sh

# ---- what systemd thinks of the files ---------------------------------------------------------

tap_none "systemd-analyze verify has nothing to say" "$(systemd-analyze verify --man=no "$UNITS"/maillogsentinel*.{service,timer} 2>&1)"
for unit in "$UNITS"/maillogsentinel*.service; do
	tap_true "systemd-analyze security of ${unit##*/}" systemd-analyze security --threshold=15 --offline=yes --no-pager "$unit"
done
tap_is "$(systemctl list-unit-files --no-legend 'maillogsentinel*' | awk '{ print $1, $2 }')" \
	"maillogsentinel-extract.service static
maillogsentinel-report.service static
maillogsentinel-sql-export.service static
maillogsentinel-sql-import.service static
maillogsentinel-update-db.service static
maillogsentinel.service disabled
maillogsentinel-extract.timer disabled
maillogsentinel-report.timer disabled
maillogsentinel-sql-export.timer disabled
maillogsentinel-sql-import.timer disabled
maillogsentinel-update-db.timer disabled" "the units are there, and none is enabled"
tap_is "$(id -Gn maillogsentinel | tr ' ' '\n' | sort | tr '\n' ' ')" "adm maillogsentinel systemd-journal " "the user has its groups"

# ---- start, status, stop ----------------------------------------------------------------------

mail_names
: >$MAILLOG
chown root:adm $MAILLOG
chmod 640 $MAILLOG
configure
write_lines first 3
tap_true "it starts" systemctl start $UNIT || journalctl --no-pager -n 30 | tap_note
type=notify
[ "$(systemctl --version | awk 'NR == 1 { print $2 }')" -lt 253 ] || type=notify-reload
tap_is "$(unit_is ActiveState) $(unit_is Type)" "active $type" "and is ready then"
tap_true "having read the log" grep -q '^log ' $STATE/status
tap_true "the state is everybody's to see, the CSV is not" \
	[ "$(stat -c '%a %U %G' $STATE /var/log/maillogsentinel $STATE/status $CSV | tr '\n' ';')" = \
	"755 maillogsentinel maillogsentinel;750 maillogsentinel maillogsentinel;644 maillogsentinel maillogsentinel;640 maillogsentinel maillogsentinel;" ]
wait_until 20 all_committed
tap_is "$(rows | cut -d, -f4-6 | tr '\n' ' ')" "first1,client.example.net,OK first2,client.example.net,OK first3,client.example.net,OK " \
	"rows have the names that a name server says"
said() { [[ $(unit_is StatusText) == *"$1"* ]]; }
tap_true "a sentence says what it does" wait_until 10 said "$MAILLOG: 3 failed logins in 3 lines" || unit_is StatusText | tap_note
tap_true "which systemctl status shows" grep -qF "Status: \"$(unit_is StatusText)\"" <<<"$(systemctl status $UNIT)"
tap_is "$(unit_is NoNewPrivileges) $(sed -n 's/^Cap\(Eff\|Bnd\):\t//p' "/proc/$(unit_is MainPID)/status" | tr '\n' ' ')" \
	"yes 0000000000000000 0000000000000000 " "it has no privilege"
tap_true "stop" systemctl stop $UNIT
tap_is "$(unit_is ActiveState) $(unit_is Result) $(unit_is ExecMainStatus)" "inactive success 0" "in peace"
$PROGRAM status >/dev/null 2>&1
tap_is "$?" 3 "status says that it does not run"
tap_true "directories for what runs are gone, the others are not" [ ! -e /run/maillogsentinel -a -e $CSV ]

# Names that nobody answers for: what waits is what stop waits for.
printf 'nameserver 203.0.113.99\n' >/etc/resolv.conf
ip address add 203.0.113.99/32 dev lo
nc_pid=
socat -u UDP4-RECV:53,bind=203.0.113.99 OPEN:"$WORK/questions",creat &
nc_pid=$!
# all of them are read before the question is asked; the status would show them a second later, of the three that they wait
write_lines waits 5
systemctl start $UNIT
tap_true "rows wait for their names, which are asked for" wait_until 10 [ -s "$WORK/questions" ]
begun=$EPOCHSECONDS
tap_true "stop with rows that wait" systemctl stop $UNIT
tap_is "$(unit_is Result) $((EPOCHSECONDS - begun < 25)) $(users | grep -c waits)" "success 1 5" "within its time, and they are rows"
kill $nc_pid
printf 'nameserver 127.0.0.1\n' >/etc/resolv.conf

# ---- killed, hanging --------------------------------------------------------------------------

drop_in $UNIT WatchdogSec=2 RestartSec=100ms [Unit] StartLimitIntervalSec=0
tap_true "start with a watchdog of 2 s" systemctl start $UNIT
has_restarted() { [ "$(unit_is NRestarts)" -ge "$1" ] && state_is active; }
for n in 1 2 3; do
	write_lines "kill${n}a" 700
	systemctl kill --kill-who=main -s KILL $UNIT
	write_lines "kill${n}b" 300
	tap_true "killed, it is started anew ($n)" wait_until 20 has_restarted $n || systemctl status $UNIT | tap_note
done
write_lines stopped 400
systemctl kill --kill-who=main -s STOP $UNIT
write_lines hanging 400
tap_true "hanging, it is started anew" wait_until 20 has_restarted 4
tap_true "by the watchdog" grep -q 'Watchdog timeout' <<<"$(journalctl -q --no-pager -u $UNIT)"
write_lines after 10
tap_true "all is on disk" wait_until 20 all_committed || $PROGRAM status | tap_note
tap_none "each line has its row, and one" "$(diff <(sed -n 's/.*sasl_username=//p' $MAILLOG) <(users) | head -n 20)"
tap_true "stop" systemctl stop $UNIT

# ---- a configuration that is none -------------------------------------------------------------

# systemd would wait to start it anew, or would already have
stays_failed() { # STATUS TEXT
	systemctl start $UNIT 2>/dev/null && tap_fail "$2: it does not start"
	tap_is "$(unit_is ActiveState) $(unit_is SubState) $(unit_is ExecMainStatus) $(unit_is NRestarts)" "failed failed $1 0" "$2"
	systemctl reset-failed $UNIT
}
configure 'report: { emial = "root@localhost"; };'
stays_failed 78 "a mistake in the configuration: it has failed, and is not tried again"
tap_true "the journal names the mistake" grep -q "$CONFIG:2: report.emial: .*report.email" <<<"$(journalctl -q --no-pager -u $UNIT -n 20)" ||
	journalctl -q --no-pager -u $UNIT -n 20 | tap_note
configure
printf 'this is no checkpoint\n' >$STATE/broken
mv $STATE/state.offset $STATE/saved && mv $STATE/broken $STATE/state.offset
stays_failed 78 "a checkpoint that is none, likewise"
mv $STATE/saved $STATE/state.offset
drop_in $UNIT ExecStart= "ExecStart=$PROGRAM run --such-an-option"
stays_failed 2 "wrong usage, likewise"
drop_in $UNIT
tap_true "mended, it starts" systemctl start $UNIT
systemctl stop $UNIT
tap_none "each line has its row still" "$(diff <(sed -n 's/.*sasl_username=//p' $MAILLOG) <(users) | head -n 20)"

# ---- systemctl reload -------------------------------------------------------------------------

drop_in $UNIT
configure
tap_true "it starts, to be reloaded" systemctl start $UNIT
PID=$(unit_is MainPID)
generation() { $PROGRAM status --json | sed -n 's/.*"generation":\([0-9]*\).*/\1/p'; }
generation_is() { [ "$(generation)" = "$1" ]; }
tap_true "the first generation" wait_until 10 generation_is 1
configure 'general: { log_level = "DEBUG"; };' 'paths: { csv_filename = "other.csv"; };'
tap_true "a good change" systemctl reload $UNIT
tap_is "$(unit_is ActiveState) $(unit_is SubState)" "active running" "is done when systemctl returns"
tap_true "and is the second one" wait_until 10 generation_is 2
write_lines reloaded 5
tap_true "rows go on" wait_until 20 all_committed
tap_is "$(sed 1d /var/log/maillogsentinel/other.csv | cut -d, -f4 | tr '\n' ' ')" "reloaded1 reloaded2 reloaded3 reloaded4 reloaded5 " "in another CSV"
configure 'general: { log_level = "LOUD"; };' 'paths: { csv_filename = "third.csv"; };'
systemctl reload $UNIT 2>/dev/null && tap_fail "a mistake makes systemctl reload fail"
tap_is "$(unit_is ActiveState) $(unit_is MainPID)" "active $PID" "with a mistake it goes on"
tap_true "systemctl status names it" grep -q "$CONFIG:2: general.log_level: " <<<"$(systemctl status $UNIT)" || systemctl status $UNIT | tap_note
systemctl kill --kill-who=main -s HUP $UNIT
said() { [[ $(unit_is StatusText) == *"$1"* ]]; }
tap_true "and so does its sentence, after a signal that is sent without a check" wait_until 10 said "general.log_level" || unit_is StatusText | tap_note
write_lines mistaken 5
tap_true "rows go on" wait_until 20 all_committed
tap_is "$(sed 1d /var/log/maillogsentinel/other.csv | wc -l)" 10 "where they were"
configure 'paths: { working_dir = "/srv/csv"; };'
install -d -o maillogsentinel /srv/csv
systemctl reload $UNIT 2>/dev/null && tap_fail "a directory that the sandbox does not let it write in is refused"
configure
last=$(generation)
is_later() { [ "$(generation)" -gt "$last" ]; }
tap_true "back to the first CSV" systemctl reload $UNIT
tap_true "with another generation" wait_until 10 is_later
early=0
for n in 1 2 3 4 5; do
	write_lines "during${n}a" 300
	tap_true "reload while lines come ($n)" systemctl reload $UNIT
	[ "$(unit_is SubState)" = running ] || early=$((early + 1))
	write_lines "during${n}b" 100
done
tap_is $early 0 "each is over when systemctl returns"
tap_true "all is on disk" wait_until 20 all_committed || $PROGRAM status | tap_note
is_fine() { [[ $(unit_is StatusText) != *LOUD* ]] && ! $PROGRAM status | grep -q '^warning:.*LOUD'; }
tap_true "nothing is wrong any more" wait_until 10 is_fine
tap_is "$(unit_is MainPID) $(unit_is NRestarts)" "$PID 0" "all in one process"
systemctl stop $UNIT
written() { sed -n 's/.*sasl_username=//p' $MAILLOG | grep -E "$@"; }
tap_none "each line has its row, and one" "$(diff <(written '^(reloaded|mistaken)') <(sed 1d /var/log/maillogsentinel/other.csv | cut -d, -f4) | head -n 20
	diff <(written -v '^(reloaded|mistaken)') <(users) | head -n 20)"
tap_none "no system call was denied" "$(denied_calls)"
tap_done
