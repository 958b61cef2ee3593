#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the box: a system where the Python version's timers are at work, as its setup left it; what moves over stops and disables them, lets an
# extraction come to its end, and gives all back where a step fails. Then setup starts the service, which goes on where the other has stopped.
# shellcheck disable=SC2317  # functions are called through tap_true and wait_until
# shellcheck source=test/tap.sh
. /in/test/tap.sh
# shellcheck source=test/e2e/inside/mail.sh
. /in/test/e2e/inside/mail.sh
# shellcheck source=test/e2e/inside/installed.sh
. /in/test/e2e/inside/installed.sh
MIGRATE=$(dirname "$PROGRAM")/maillogsentinel-migrate OLD=/etc/systemd/system ASIDE=/var/backups/maillogsentinel-python
LOGS=/var/log/maillogsentinel
rm -rf $OLD/maillogsentinel*.d
useradd --system oldrun

# ---- as its setup leaves a system, with a program that is long at work ----------------------------
cat >/usr/local/bin/maillogsentinel.py <<'X2'
#!/usr/bin/env python3
X2
cat >/srv/extract <<X2
#!/bin/bash
touch /run/at-work
while [ ! -e /run/may-end ]; do sleep 0.1; done
stat -c %s $MAILLOG | tr -d '\\n' >$STATE/state.offset
X2
chmod +x /srv/extract
cp "$(command -v bash)" /srv/python3
unit() { # NAME DESCRIPTION EXEC
	printf '[Unit]\nDescription=%s\n[Service]\nType=oneshot\nExecStart=%s\n[Install]\nWantedBy=multi-user.target\n' "$2" "$3" >"$OLD/$1.service"
}
timer() { # NAME UNIT WHEN
	printf '[Unit]\nDescription=Run MailLogSentinel periodically\n[Timer]\nUnit=%s\nOnCalendar=%s\nPersistent=true\n[Install]\nWantedBy=timers.target\n' "$2" "$3" >"$OLD/$1.timer"
}
unit maillogsentinel "MailLogSentinel Log Extraction Service" "/srv/python3 /srv/extract maillogsentinel.py --config $CONFIG"
timer maillogsentinel-extract maillogsentinel.service hourly
unit maillogsentinel-report "MailLogSentinel Daily Report Service" "/usr/bin/python3 /usr/local/bin/maillogsentinel.py --report"
timer maillogsentinel-report maillogsentinel-report.service '*-*-* 06:15:00'
unit ipinfo-update "Service to update IP DBs for MailLogSentinel" "/usr/bin/python3 /usr/local/bin/ipinfo.py --update"
printf '[Unit]\nDescription=Timer to update IP DBs\n[Timer]\nUnit=ipinfo-update.service\nOnCalendar=monthly\n[Install]\nWantedBy=timers.target\n' >$OLD/ipinfo-update.timer
timers=(maillogsentinel-extract.timer maillogsentinel-report.timer ipinfo-update.timer)
cat >$CONFIG <<X2
[paths]
working_dir = $LOGS
state_dir = $STATE
mail_log = $MAILLOG
[report]
email =
[User]
run_as_user = oldrun
[systemd]
report_schedule = *-*-* 23:59:59
X2
mkdir -p $LOGS $STATE
printf 'server;date;ip;user;hostname;reverse_dns_status;country_code;asn;aso\r\nbox;%s 00:00;203.0.113.20;before;null;Errno 1;N/A;N/A;N/A\r\n' "$(date +%d/%m/%Y)" >$CSV
echo 0 >$STATE/state.offset
chown -R oldrun $LOGS $STATE $CONFIG
write_lines read 3
systemctl daemon-reload
systemctl enable -q --now "${timers[@]}"
tap_true "its timers are at work" systemctl is-active -q "${timers[@]}"
systemctl start --no-block maillogsentinel.service
tap_true "and an extraction" wait_until 10 test -e /run/at-work

# ---- a step that fails ----------------------------------------------------------------------------
touch /run/may-end
tap_true "which ends" wait_until 10 state_is inactive maillogsentinel.service
rm -f /run/may-end /run/at-work
mkdir -p /var/backups
: >$ASIDE # no directory
output=$("$MIGRATE" --yes 2>&1)
tap_is $? 1 "a step that fails" || tap_note "$output"
tap_true "leaves its timers at work" systemctl is-active -q "${timers[@]}"
tap_true "and enabled" systemctl is-enabled -q "${timers[@]}"
tap_is "$(cat $STATE/state.offset; head -c 6 $CSV $CONFIG | grep -c 'server\|\[paths')" "$(stat -c %s $MAILLOG)2" "and all its files where they were"
rm $ASIDE

# ---- moving over ------------------------------------------------------------------------------------
systemctl start --no-block maillogsentinel.service
wait_until 10 test -e /run/at-work
write_lines late 1
"$MIGRATE" --yes >"$WORK/out" 2>&1 &
tap_true "it says that it waits" wait_until 20 grep -q 'wait until the Python version has ended' "$WORK/out"
touch /run/may-end
wait $!
tap_is $? 0 "an extraction that is at work comes to its end" || tap_note <"$WORK/out"
tap_is "$(systemctl list-units --all --plain --no-legend 'ipinfo*' 'maillogsentinel-extract.timer' | awk '$3 == "active"')" "" "none of its timers is left"
tap_is "$(find $OLD \( -name 'maillogsentinel*' -o -name 'ipinfo*' \) ! -name '*.d' ! -path '*.d/*')" "" "nor a unit, or a link to one"
tap_is "$(find $ASIDE/etc/systemd/system -type f | wc -l)" 6 "they are put aside"
tap_is "$(unit_is FragmentPath)" "$UNITS/$UNIT" "systemd has this version's unit"
tap_true "setup goes on" "$PROGRAM" setup --automated $CONFIG
tap_true "the service runs" systemctl is-active -q $UNIT
write_lines new 2
tap_true "and goes on where the other has stopped" wait_until 20 grep -q ',new2,' $CSV || {
	tap_note <"$WORK/out"
	"$PROGRAM" status | tap_note
	journalctl -q --no-pager -u $UNIT | tail -n 15 | tap_note
}
tap_is "$(users | paste -sd' ')" "before new1 new2" "with its rows, each once"
tap_is "$("$PROGRAM" check-config --dump | sed -nE 's/^\t(report|ip_update)_schedule = "(.*)";/\2/p' | paste -sd'|')" "monthly|*-*-* 06:15:00" "what its timers said holds"
tap_is "$("$MIGRATE" --yes 2>&1)" "There is nothing of the Python version here. Nothing was changed." "a second time there is nothing to do"
tap_true "the service did not notice" systemctl is-active -q $UNIT
tap_done
