#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the box: what the installed units do, they do in their sandbox. Names are asked for, the report goes to a real Postfix by
# smtp and by sendmail, databases come over https from nginx, rows go to SQLite, PostgreSQL and MariaDB, journal and log are read; by the service's own jobs, by the timers, by
# cron's lines of the manual. What the sandbox denies is said, and the drop-ins of the manual allow it.
# shellcheck disable=SC2317  # functions are called through tap_true and wait_until
# shellcheck source=test/tap.sh
. /in/test/tap.sh
# shellcheck source=test/e2e/inside/mail.sh
. /in/test/e2e/inside/mail.sh
# shellcheck source=test/e2e/inside/installed.sh
. /in/test/e2e/inside/installed.sh
# the service's /tmp is its own
# shellcheck source=test/sql-servers.sh
TMPDIR=/run MLS_TEST_CACHE=$WORK . /in/test/sql-servers.sh
MAILS=/var/mail/root
NGINX=$(PATH=$PATH:/usr/sbin command -v nginx) || tap_skip_all "needs nginx"

tap_true "the mail server starts" mail_up || { journalctl --no-pager -n 50 | tap_note; tap_done; }
postconf -M local/unix='local unix - n n - - local'
postconf -e "local_transport=local:\$myhostname" "local_recipient_maps=proxy:unix:passwd.byname \$alias_maps"
postfix reload 2>/dev/null
rm -f $MAILS
bad() { # USER
	smtp_login 587 203.0.113.20 PLAIN "$1" wrong
	[[ $smtp_reply == 535* ]] || tap_note "login of $1 got '$smtp_reply'"
	total=$((${total-0} + 1))
}
mails() { grep -c '^From ' $MAILS 2>/dev/null; }
has_mails() { [ "$(mails)" -ge "$1" ]; }
journal_of() { journalctl -q --no-pager -o cat -u "$1" "${@:2}"; }
# What a job of the service said last.
job_result() { $PROGRAM status --json | sed -n "s/.*{\"name\":\"$1\"[^}]*\"result\":\"\([^\"]*\)\".*/\1/p"; }

# ---- databases over https ---------------------------------------------------------------------

mkdir -p /srv/www /etc/ssl/box
printf '%s\n' 203.0.113.0,203.0.113.255,CA 2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,CA 5.0.0.0,5.255.255.255,DE >/srv/www/country.csv
printf '%s\n' '5.0.0.0,5.255.255.255,3320,"Deutsche Telekom AG"' >/srv/www/asn.csv
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=box.example -addext subjectAltName=DNS:box.example -days 2 \
	-keyout /etc/ssl/box/key.pem -out /etc/ssl/box/cert.pem 2>/dev/null
cat >/etc/ssl/box/nginx.conf <<-'T'
	events { }
	pid /run/box-nginx.pid;
	http {
		access_log /var/log/box-nginx.log;
		server { listen 443 ssl; server_name box.example; root /srv/www;
			ssl_certificate /etc/ssl/box/cert.pem; ssl_certificate_key /etc/ssl/box/key.pem; }
	}
T
systemd-run -q --unit=box-web "$NGINX" -c /etc/ssl/box/nginx.conf -g 'daemon off;'
trusted="Environment=SSL_CERT_FILE=/etc/ssl/box/cert.pem"
urls='geolocation: { country_db_url = "https://box.example/country.csv"; country_db_checksum_url = ""; };
ASN_ASO: { asn_db_url = "https://box.example/asn.csv"; asn_db_checksum_url = ""; };'
mail='report: { email = "root@box.example"; when_empty = "skip"; };'
metrics='metrics: { textfile = "/var/lib/maillogsentinel/maillogsentinel.prom"; };'

# ---- the service and its own jobs ---------------------------------------------------------------

drop_in $UNIT "$trusted"
update='*:*:0/3' schedule='*:*:0/3' sql='*:*:0/3' configure "$urls" "$mail" "$metrics"
sed -i 's/ip_update_schedule/ip_update_random_delay = "0"; &/' $CONFIG
tap_true "check-config is content, as the service's user" runuser -u maillogsentinel -- "$PROGRAM" check-config
tap_true "it starts" systemctl start $UNIT || journal_of $UNIT -n 30 | tap_note
mkdir -p /srv/collector
ln -s /var/lib/maillogsentinel/maillogsentinel.prom /srv/collector
others_read() { runuser -u nobody -- grep -qx "$1" /srv/collector/maillogsentinel.prom; }
tap_true "others read its metrics, through a link" wait_until 10 others_read 'maillogsentinel_up 1'
# or as many as the box itself
files=$(($(ulimit -Hn) < 65536 ? $(ulimit -Hn) : 65536))
tap_is "$(awk '/^Max open files/ { print $4, $5 }' "/proc/$(unit_is MainPID)/limits")" "$files $files" "it may follow many logs"
bad by-smtp
tap_true "the row comes" wait_until 20 all_committed
tap_is "$(rows | cut -d, -f3-6)" "203.0.113.20,by-smtp,client.example.net,OK" "with its name"
tap_true "update-db, as a job, fetches both databases" wait_until 20 [ -e $STATE/db/ip.image -a -e $STATE/db/origin-asn.mmdb ] ||
	journal_of $UNIT -n 30 | tap_note
tap_true "over https, from nginx" grep -q 'GET /asn.csv .* 200 .*MailLogSentinel' /var/log/box-nginx.log
tap_true "the report, as a job, comes by mail" wait_until 20 has_mails 1 || journal_of $UNIT -n 30 | tap_note
tap_true "with the row" wait_until 10 grep -q by-smtp $MAILS
tap_none "nothing was wrong" "$(journalctl -q --no-pager -p warning -u $UNIT | grep -v 'no such file; countries')"
tap_is "$("$PROGRAM" lookup 5.1.2.3 | tr -s ' ')" "5.1.2.3 DE AS3320 Deutsche Telekom AG" "everybody may look addresses up"
tap_true "the jobs are in the service's sandbox, and well" [ "$(job_result report) $(job_result update-db)" != " " ]
in_database() { [ "$(runuser -u maillogsentinel -- sqlite3 -readonly "$STATE/maillogsentinel.sqlite" 'SELECT username, hostname FROM failed_logins' 2>&1)" = "$1" ]; }
tap_true "SQLite's database is made there, and has the row" wait_until 10 in_database 'by-smtp|client.example.net' || journal_of $UNIT -n 30 | tap_note

# ---- servers of databases ---------------------------------------------------------------------

systemctl stop $UNIT
export MLS_TEST_CACHE=$WORK
sql_start postgresql mariadb
chown maillogsentinel "$sql_password_file"
mkdir /srv/of-sqlite
mv $STATE/sql $STATE/sql-*.offset /srv/of-sqlite
for kind in postgresql mariadb; do
	rm -rf $STATE/sql $STATE/sql-*.offset
	for way in tcp socket; do
		bad "$kind-by-$way"
		sql='*:*:0/2' configure "database: { $(sql_settings "$kind" "$way") };"
		systemctl start $UNIT
		has_all() { [ "$(sql_ask "$kind" 'SELECT count(*) FROM failed_logins' 2>&1)" = "$total" ]; }
		tap_true "a job brings all rows into $kind, by $way" wait_until 20 has_all || journal_of $UNIT -n 20 | tap_note
		systemctl stop $UNIT
	done
	tap_is "$(sql_ask $kind "SELECT count(*) FROM failed_logins WHERE username LIKE '$kind-by-%'")" 2 "$kind: with their names"
done
sql_stop postgresql
sql_stop mariadb
rm -rf $STATE/sql $STATE/sql-*.offset
mv /srv/of-sqlite/* $STATE

# ---- mail through sendmail --------------------------------------------------------------------

systemctl stop $UNIT
schedule='*:*:0/2' configure 'report: { email = "root@box.example"; when_empty = "skip"; transport = "sendmail"; };'
systemctl start $UNIT
bad by-sendmail
denied() { [ -n "$(find "$STATE/spool" -name '*.eml')" ] && $PROGRAM status | grep -q '^warning:.*sendmail'; }
tap_true "sendmail can't be used in the sandbox, which is said" wait_until 20 denied || { $PROGRAM status; journal_of $UNIT -n 20; } | tap_note
systemctl stop $UNIT
mkdir -p /etc/systemd/system/$UNIT.d
cp /in/contrib/systemd/sendmail.conf /etc/systemd/system/$UNIT.d/
systemctl daemon-reload
tap_true "outside of it it can" grep -q 'sent to root@box.example' <<<"$($PROGRAM report --send --spooled 2>&1)"
count=$(mails)
systemctl start $UNIT
bad with-drop-in
tap_true "and with the drop-in" wait_until 20 has_mails $((count + 1)) || journal_of $UNIT -n 20 | tap_note
systemctl stop $UNIT
drop_in $UNIT "$trusted"

# ---- the timers, without the service ------------------------------------------------------------

configure "$urls" "$mail"
drop_in maillogsentinel-.service "$trusted"
rm -rf $STATE/db
# each two seconds; what is there stays
sped_up() { # TIMER
	drop_in "$1" OnCalendar= 'OnCalendar=*:*:0/2' AccuracySec=1us RandomizedDelaySec=0
	systemctl start "$1"
}
ended_well() { [ "$(unit_is Result "$1.service") $(unit_is ExecMainStatus "$1.service")" = "success 0" ] && ! state_is failed "$1.service"; }
bad by-timer
sped_up maillogsentinel-extract.timer
tap_true "the timer's extract writes the row" wait_until 10 all_committed
systemctl stop maillogsentinel-extract.timer
tap_true "and ends well" ended_well maillogsentinel-extract
bad before-the-report
count=$(mails)
sped_up maillogsentinel-report.timer
tap_true "the timer's report comes" wait_until 20 has_mails $((count + 1)) || journal_of maillogsentinel-report.service | tap_note
systemctl stop maillogsentinel-report.timer
tap_true "with what failed just before" wait_until 10 grep -q before-the-report $MAILS
sped_up maillogsentinel-update-db.timer
tap_true "the timer's update-db fetches the databases" wait_until 20 [ -e $STATE/db/ip.image ] || journal_of maillogsentinel-update-db.service | tap_note
systemctl stop maillogsentinel-update-db.timer
for job in report update-db; do
	wait_until 10 state_is inactive "maillogsentinel-$job.service"
	tap_true "$job ends well" ended_well maillogsentinel-$job
done
systemctl start $UNIT
tap_true "where the service runs" systemctl start maillogsentinel-{extract,report,update-db}.service
tap_is "$(unit_is ExecMainStatus maillogsentinel-extract.service) $(systemctl list-units --failed --no-legend 'maillogsentinel*')" "0 " \
	"they do nothing, and have not failed"
tap_is "$(journal_of maillogsentinel-update-db.service | grep -c "Skipped due to 'exec-condition'")" 1 "as systemd says"
systemctl stop $UNIT

# ---- cron's lines -------------------------------------------------------------------------------

bad by-cron
count=$(mails)
[ "$PROGRAM" = /usr/sbin/maillogsentinel ] || ln -s "$PROGRAM" /usr/sbin/maillogsentinel
lines=0
while read -r _ _ _ _ _ user command; do
	lines=$((lines + 1))
	tap_true "cron: $command" runuser -u "$user" -- env -i PATH=/usr/bin:/bin SSL_CERT_FILE=/etc/ssl/box/cert.pem /bin/sh -c "$command"
done < <(grep -E '^[0-9*/]+ [0-9*]+ \* \* [0-9*] ' /in/daemon/maillogsentinel.8)
tap_is $lines 4 "cron's lines"
tap_true "their report comes" wait_until 10 has_mails $((count + 1))
tap_true "with the row" wait_until 10 grep -q by-cron $MAILS
tap_is "$(runuser -u maillogsentinel -- sqlite3 -readonly $STATE/maillogsentinel.sqlite 'SELECT count(*) FROM failed_logins')" "$total" "and the database has all rows"

# ---- other places -------------------------------------------------------------------------------

install -d -o maillogsentinel -g maillogsentinel /srv/statistics
configure 'paths: { working_dir = "/srv/statistics"; };'
mv $STATE/state.offset $STATE/report.offset /tmp
drop_in $UNIT RestartSec=100ms
systemctl start $UNIT 2>/dev/null && tap_fail "a directory outside the sandbox is refused"
tap_true "a directory outside the sandbox can't be written in" grep -q '/srv/statistics.*Read-only file system' <<<"$(journal_of $UNIT -n 20)" ||
	journal_of $UNIT -n 20 | tap_note
systemctl stop $UNIT
drop_in $UNIT ReadWritePaths=/srv/statistics
tap_true "with a drop-in" systemctl start $UNIT
tap_true "it can" wait_until 20 eval "[ \"\$(wc -l </srv/statistics/maillogsentinel.csv)\" = $((total + 1)) ]"
systemctl stop $UNIT
groupadd loggers
chgrp loggers $MAILLOG
drop_in $UNIT
configure
rm -f $STATE/state.offset $CSV
systemctl start $UNIT
not_readable() { $PROGRAM status | grep -q "$MAILLOG: Permission denied"; }
tap_true "a log of another group is waited for" wait_until 10 not_readable
systemctl stop $UNIT
drop_in $UNIT SupplementaryGroups=loggers
systemctl start $UNIT
tap_true "and read with a drop-in" wait_until 20 all_committed
systemctl stop $UNIT
drop_in $UNIT

# ---- a central log host -------------------------------------------------------------------------

rm -f $STATE/state.offset $CSV
failure=$(grep 'authentication failed' $MAILLOG | tail -n 1)
for ((n = 0; n < 1500; n++)); do
	mkdir -p /var/log/remote/$n
	printf '%s\n' "$failure$n" >/var/log/remote/$n/mail.log
done
configure 'paths: { mail_log = "/var/log/remote/*/mail.log"; };'
systemctl start $UNIT
has_1500() { [ "$(sed -n 's/^rows //p' "$STATE/state.offset" 2>/dev/null)" = 1500 ]; }
tap_true "more logs than the usual limit of open files are followed" wait_until 20 has_1500 || $PROGRAM status | head -n 20 | tap_note
files=("/proc/$(unit_is MainPID)/fd"/*)
tap_true "all of them are open" [ ${#files[@]} -gt 1500 ]
tap_none "without a warning" "$($PROGRAM status | grep '^warning:' | grep -v 'no such file; countries')"
systemctl stop $UNIT

# ---- the journal --------------------------------------------------------------------------------

rm -f $STATE/state.offset $CSV
configure 'source: { type = "journal"; };'
systemctl start $UNIT
tap_true "the journal is read" wait_until 20 all_committed || $PROGRAM status | tap_note
tap_none "and has the same" "$(diff <(sed -n 's/.*sasl_username=//p' $MAILLOG) <(users))"
systemctl stop $UNIT
tap_none "no system call was denied" "$(denied_calls)"
tap_is "$(find $STATE /var/log/maillogsentinel ! -user maillogsentinel)" "" "all is the service's"
tap_done
