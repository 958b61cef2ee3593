#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the box: an administrator installs the package, says in its configuration who gets the report, reloads it with and without
# mistakes, has it killed in every way, upgrades, removes and purges it, while logins fail at a real mail server all the time. At the
# end the rows are those that grep and sed find in the server's log, in its order.
# shellcheck disable=SC2317  # functions are called through tap_true and wait_until
# shellcheck source=test/tap.sh
. /in/test/tap.sh
# shellcheck source=test/e2e/inside/mail.sh
. /in/test/e2e/inside/mail.sh
STATE=/var/lib/maillogsentinel LOGS=/var/log/maillogsentinel MAILLOG=/var/log/mail.log MAILS=/var/mail/root
NAME=maillogsentinel
DEB=$(echo /in/deb/*.deb)
export DEBIAN_FRONTEND=noninteractive
# of containers, where services must not start by themselves
rm -f /usr/sbin/policy-rc.d
# all pages of this machine would be indexed again at each step
rm -f /var/lib/man-db/auto-update

# ---- tools ------------------------------------------------------------------------------------

property() { systemctl show -P "$1" "${2:-$UNIT}"; }
is() { [ "$(property "$1")" = "$2" ]; }       # PROPERTY VALUE
is_not() { [ "$(property "$1")" != "$2" ]; }  # PROPERTY VALUE
status_json() { $PROGRAM status --json 2>/dev/null; }
generation() { status_json | python3 -c 'import json, sys; print(json.load(sys.stdin)["generation"])' 2>/dev/null; }
generation_is() { [ "$(generation 2>/dev/null)" = "$1" ]; }
drop_in() { # NAME LINE...: to the unit
	mkdir -p /etc/systemd/system/$UNIT.d
	printf '%s\n' '[Service]' "${@:2}" >"/etc/systemd/system/$UNIT.d/$1.conf"
	systemctl daemon-reload
}
no_drop_in() {
	rm -r "/etc/systemd/system/$UNIT.d"
	systemctl daemon-reload
}
# Everything that a package could have left, but what is in /usr (dpkg knows that).
places=(/etc /opt /srv /var /run /root /home)
everything() {
	find "${places[@]}" -xdev \( -path /run/systemd -o -path /var/log/journal -o -path /run/log -o \
		-path /var/spool/postfix -o -path /run/user -o -path /run/credentials \) -prune -o -print | sort
}

# The address and the user of each failed login that the server has logged, without the program.
failed='s/^[^ ]* [^ ]* postfix[^ ]*\/smtpd\[[0-9]*\]: warning: [^ ]*\[([^] ]*)\]: SASL [A-Z0-9-]* authentication failed: .*, sasl_username=(.*)$/\1,\2/p'
logged() { cat $MAILLOG.1 $MAILLOG 2>/dev/null | sed -nE "$failed"; }
rows() { find $LOGS -name '*.csv' -printf '%T@ %p\n' | sort -n | while read -r _ file; do sed 1d "$file"; done | cut -d, -f3,4; }
all_rows() { [ "$(rows | wc -l)" -ge "$(logged | wc -l)" ]; }
# The attackers: logins from two sides for as long as the file is there.
attack() {
	local side n=0

	touch "$WORK/attack"
	for side in 203.0.113.20 127.0.0.5; do
		while [ -e "$WORK/attack" ]; do
			smtp_login 587 $side PLAIN "${1-}$side-$((++n))" wrong
			sleep 0.02
		done &
		attackers+=("$!")
	done
}
attack_ends() {
	rm "$WORK/attack"
	wait "${attackers[@]}"
	attackers=()
}
attackers=()
# Rows and log are the same, now that there are no attackers.
settled() { # TEXT
	wait_until 20 all_rows
	tap_true "$1: $(logged | wc -l) failed logins, each is a row" diff <(logged) <(rows)
}
login_fails() { # USER
	smtp_login 587 203.0.113.20 PLAIN "$1" wrong
}
mail_count() { cat $MAILS 2>/dev/null | grep -c '^From '; }
has_mails() { [ "$(mail_count)" -ge "$1" ]; }

tap_true "the mail server starts" mail_up || { journalctl --no-pager -n 50 | tap_note; tap_done; }
postconf -M local/unix='local unix - n n - - local'
postconf -e "local_transport=local:\$myhostname" "local_recipient_maps=proxy:unix:passwd.byname \$alias_maps"
postfix reload 2>/dev/null
rm -f $MAILS
# what update-db fetches
printf '%s\n' 81.30.104.0,81.30.111.255,CN 203.0.113.0,203.0.113.255,FR >/srv/country.csv
printf '%s\n' '81.30.104.0,81.30.111.255,9808,"China Mobile"' '203.0.113.0,203.0.113.255,64500,"Example, ""Inc."""' >/srv/asn.csv
login_fails before-the-package
everything >"$WORK/before"

# ---- installed --------------------------------------------------------------------------------

status=0
dpkg -i "$DEB" >"$WORK/said" 2>&1 || status=$?
tap_is "$status $(dpkg-query -W -f='${db:Status-Abbrev}' $NAME)" "0 ii " "the package is installed" || tap_note <"$WORK/said"
tap_none "and has nothing to complain of" "$(grep -iE 'warn|error|fail|denied|cannot|note:' "$WORK/said" | grep -v 'note: .*_db_path: .* is not there')"
tap_is "$(property ActiveState) $(property UnitFileState) $(property NRestarts)" "active enabled 0" "the service runs, and will after a boot"
tap_is "$(id -nG $NAME | tr ' ' '\n' | sort | tr '\n' ' ')" "adm maillogsentinel systemd-journal " "its user's groups"
tap_is "$(getent passwd $NAME | cut -d: -f7) $(getent shadow $NAME | cut -d: -f2 | cut -c1)" "/usr/sbin/nologin !" "who can't log in"
for unit in extract report update-db sql-export sql-import; do
	tap_is "$(systemctl is-enabled $NAME-$unit.timer) $(systemctl is-active $NAME-$unit.timer)" "disabled inactive" "$NAME-$unit.timer is there, disabled"
done
tap_is "$(dpkg-query -W -f='${Conffiles}' $NAME | awk 'NF { print $1 }')" $CONFIG "its one conffile"
tap_none "every file of it is whole" "$(dpkg --verify $NAME)"
for file in man8/$NAME.8.gz man5/$NAME.conf.5.gz man7/$NAME-sql.7.gz bash-completion/completions/$NAME zsh/ fish/ sysusers.d/; do
	tap_true "it brings $file" grep -q "$file" <(dpkg -L $NAME)
done
tap_is "$(stat -c '%U:%G %a' $STATE $LOGS | tr '\n' ' ')" "$NAME:$NAME 755 $NAME:$NAME 750 " "directories of its own"
tap_true "check-config is content with the conffile" $PROGRAM check-config
tap_is "$(property Type) $(property NotifyAccess) $(property WatchdogUSec) $(property Restart) $(property RestartPreventExitStatus)" \
	"notify main 1min on-failure 2 78" "the unit's ways"
mapfile -t units < <(dpkg -L $NAME | grep -E '/system/[^/]*\.(service|timer)$')
tap_is ${#units[@]} 11 "eleven units"
tap_none "systemd-analyze verify" "$(systemd-analyze verify "${units[@]}" 2>&1 | grep -i $NAME)"
for unit in "${units[@]}"; do
	case $unit in *.service) tap_true "security of ${unit##*/}" systemd-analyze security --no-pager --threshold=15 "${unit##*/}" ;; esac
done

# ---- configured, reloaded ---------------------------------------------------------------------

configure() { # LINE...
	cat >$CONFIG <<-X
		schedule: { ip_update_schedule = ""; report_schedule = "${schedule-}"; };
		report: { email = "root@box.example"; };
		geolocation: { country_db_url = "file:///srv/country.csv"; };
		ASN_ASO: { asn_db_url = "file:///srv/asn.csv"; };
	X
	printf '%s\n' "$@" >>$CONFIG
}
pid=$(property MainPID)
attack first-
configure 'general: { journal_events = true; };'
tap_true "reload with a good configuration" systemctl reload $UNIT
tap_true "status tells of the second generation" wait_until 5 generation_is 2
tap_true "update-db by root" $PROGRAM update-db
healthy() { $PROGRAM status >"$WORK/status" 2>&1; }
tap_true "and that all is well" wait_until 5 healthy || tap_note <"$WORK/status"
login_fails seen-by-the-journal
tap_none "no file of root's in its places" "$(find $STATE $LOGS -not -user $NAME)"
in_journal() { journalctl -q -o json _SYSTEMD_UNIT="$UNIT" MLS_IP=203.0.113.20 MLS_USER=seen-by-the-journal | grep -q .; }
tap_true "journalctl finds a login by its fields" wait_until 10 in_journal
configure 'general: { journal_events = true; };' 'dns: { enabled = false; };'
systemctl reload $UNIT
wait_until 5 generation_is 3
login_fails without-a-name
without_name() { grep -q ',without-a-name,null,Off,' "$CSV"; }
tap_true "what a reload has changed takes effect" wait_until 10 without_name
configure 'dns: { enabled = maybe; };'
no_reload() { ! systemctl reload "$UNIT"; }
tap_true "reload with a mistake fails" no_reload
tap_true "and leaves the service running" is ActiveState active
tap_true "systemctl status shows the line of the mistake" grep -q "$CONFIG:5" <(systemctl status -n 20 $UNIT)
generation=$(generation)
systemctl kill -s HUP --kill-who=main $UNIT
tap_true "a SIGHUP without systemd's check" wait_until 5 generation_is $((${generation:-0} + 1))
says_why() { property StatusText | grep -qF "$CONFIG:5"; }
tap_true "says why it was refused in systemctl status" wait_until 5 says_why || tap_note "$(property StatusText)"
tap_true "and in the journal" grep -q "$CONFIG:5" <(journalctl -q -u $UNIT -o cat -p warning)
$PROGRAM status >"$WORK/status" 2>&1
tap_is "$? $(grep -c "^warning:.*$CONFIG" "$WORK/status")" "1 1" "status exits with 1 and names the file" || tap_note <"$WORK/status"
tap_is "$(property MainPID)" "$pid" "all by the same process"
configure 'general: { journal_events = true; };'
tap_true "mended" systemctl reload $UNIT
tap_true "all is well again" wait_until 5 healthy || tap_note <"$WORK/status"
attack_ends
settled "reloads"

# ---- started, stopped, killed -----------------------------------------------------------------

attack second-
tap_true "stop" systemctl stop $UNIT
tap_is "$(property Result) $(property ExecMainStatus) $(journalctl -q -u $UNIT -o cat | grep -c 'timed out\|SIGKILL')" "success 0 0" "in its own time"
$PROGRAM status >"$WORK/status" 2>&1
tap_is $? 3 "status then exits with 3"
# a start that can't be ready yet: the program comes up when somebody has said so
mkfifo -m 644 /run/go
drop_in go 'ExecStart=' "ExecStart=/bin/sh -c 'read go </run/go; exec $PROGRAM run'"
systemctl start $UNIT &
start=$!
wait_until 10 is ActiveState activating
tap_is "$(property ActiveState) $(kill -0 $start && echo waits)" "activating waits" "start waits"
timeout 5 sh -c 'echo go >/run/go'
wait $start
tap_is "$? $(property ActiveState)" "0 active" "until the program is ready"
no_drop_in
rm /run/go
drop_in watchdog WatchdogSec=2
systemctl restart $UNIT
pid=$(property MainPID)
systemctl kill -s STOP --kill-who=main $UNIT
other_pid() { is ActiveState active && is_not MainPID "$pid"; }
tap_true "what hangs is killed by the watchdog and started again" wait_until 30 other_pid
tap_true "which the journal tells" grep -q -i 'watchdog timeout' <(journalctl -q -u $UNIT -o cat)
no_drop_in
systemctl restart $UNIT
pid=$(property MainPID)
systemctl kill -s KILL --kill-who=main $UNIT
tap_true "kill -9: started again" wait_until 30 other_pid
configure 'dns: { enabled = maybe; };'
systemctl restart $UNIT 2>/dev/null
tap_true "with a mistake in the configuration it fails" wait_until 10 is ActiveState failed
tap_is "$(property ExecMainStatus) $(property NRestarts)" "78 0" "once"
configure 'general: { journal_events = true; };'
systemctl reset-failed $UNIT
tap_true "mended" systemctl start $UNIT
attack_ends
settled "stop, watchdog, kill, failure"

# ---- the log is rotated, the package is upgraded ----------------------------------------------

attack third-
tap_true "logrotate rotates the log" logrotate -f /etc/logrotate.d/rsyslog
# the next version: another program, another conffile
dpkg-deb -R "$DEB" "$WORK/next"
sed -i 's/^Version: .*/&+next/' "$WORK/next/DEBIAN/control"
echo '# next' >>"$WORK/next$CONFIG"
dpkg-deb --root-owner-group -b "$WORK/next" "$WORK/next.deb" >/dev/null
kept=$(sha256sum <$CONFIG) pid=$(property MainPID)
status=0
dpkg --force-confdef --force-confold -i "$WORK/next.deb" >"$WORK/said" 2>&1 || status=$?
tap_is "$status $(dpkg-query -W -f='${Version}' $NAME | grep -c next)" "0 1" "an upgrade" || tap_note <"$WORK/said"
tap_is "$(sha256sum <$CONFIG)" "$kept" "keeps the configuration"
tap_true "and runs the new program" other_pid
tap_is "$(stat -c %i /proc/"$(property MainPID)"/exe -L)" "$(stat -c %i $PROGRAM)" "indeed"
attack_ends
settled "rotation, upgrade"

# ---- jobs -------------------------------------------------------------------------------------

schedule='*:*:0/3'
configure
systemctl reload $UNIT
tap_true "the schedule's report comes" wait_until 20 has_mails 1
schedule=
configure
systemctl reload $UNIT
count=$(mail_count)
login_fails for-the-timers
settled "before the timers"
pid=$(property MainPID)
for job in report update-db extract; do
	tap_true "$NAME-$job.service has nothing to do beside the service" systemctl start $NAME-$job.service
done
tap_is "$(property MainPID) $(mail_count)" "$pid $count" "and does nothing"
systemctl disable -q --now $UNIT 2>/dev/null
login_fails for-the-extract-timer
mkdir -p /etc/systemd/system/$NAME-{extract,report}.timer.d
for job in extract report; do
	printf '[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2\nRandomizedDelaySec=0\nAccuracySec=1ms\n' >/etc/systemd/system/$NAME-$job.timer.d/often.conf
done
systemctl daemon-reload
tap_true "the timers start" systemctl start $NAME-extract.timer $NAME-report.timer
settled "the timer's extract"
reported() { grep -q for-the-extract-timer "$MAILS"; }
tap_true "the timer's report comes" wait_until 20 reported
systemctl stop $NAME-{extract,report}.timer $NAME-{extract,report}.service
rm -r /etc/systemd/system/$NAME-*.timer.d
systemctl daemon-reload
tap_true "update-db's service" systemctl start $NAME-update-db.service
tap_none "no unit of it has failed" "$(systemctl list-units --failed --plain --no-legend "$NAME*")"

# ---- removed, purged --------------------------------------------------------------------------

systemctl enable -q --now $UNIT
tap_true "remove" dpkg -r $NAME
tap_is "$(ls $PROGRAM 2>/dev/null; systemctl is-active $UNIT)" inactive "ends the service"
tap_is "$(sha256sum <$CONFIG; test -s $STATE/state.offset && test -s $CSV && echo kept)" "$(printf '%s\n' "$(sha256sum <$CONFIG)" kept)" "keeps configuration and data"
login_fails while-removed
tap_true "installed once more" dpkg --force-confdef --force-confold -i "$WORK/next.deb"
tap_is "$(property ActiveState)" active "it runs"
settled "remove and install"
tap_none "no errors in its journal but those that were made" \
	"$(journalctl -q --no-pager _SYSTEMD_UNIT=$UNIT -p err -o cat | grep -vF "$CONFIG:5")"
mapfile -t owned < <(find "${places[@]}" -xdev -user $NAME 2>/dev/null)
mapfile -t files < <(dpkg -L $NAME | grep $NAME)
tap_true "purge" dpkg -P $NAME
tap_is "$(systemctl list-unit-files --no-legend "$NAME*"; systemctl list-units --all --plain --no-legend "$NAME*")" "" "no unit is left"
everything >"$WORK/after"
tap_none "purge leaves nothing" "$(comm -13 "$WORK/before" "$WORK/after" |
	grep -vE '^/var/(mail|tmp|cache/man|lib/logrotate|lib/systemd/timers$|log/(mail|auth|user|syslog|cron))')"
tap_is "$(getent passwd $NAME; getent group $NAME; find "${owned[@]}" "${files[@]}" 2>/dev/null)" "" "no user, no file of it"
tap_done
