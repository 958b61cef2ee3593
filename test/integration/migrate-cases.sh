#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# From the Python version to this one where things are otherwise: a log that was rotated, compressed, regrown or is gone, no offset, the
# configuration of its last versions, none at all, a CSV with commas or under another name, this version at work already.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/migrate-rig.sh
. "$(dirname "$0")/migrate-rig.sh"

LOG=/var/log/mail.log
# Migrates and goes on reading: the rows that come with it are of these users.
goes_on() { # USERS TEXT
	local rows

	migrate --yes
	if [ "$status" -ne 0 ]; then
		tap_fail "$2"
		tap_note "exit status $status: $output"
		return
	fi
	rows=$(wc -l <$CSV)
	"$MLS_PROGRAM" extract --no-dns 2>"$WORK/err" || tap_note <"$WORK/err"
	tap_is "$(tail -n +$((rows + 1)) $CSV | cut -d, -f4 | paste -sd' ')" "$1" "$2"
}

# ---- where the offset is ------------------------------------------------------------------------
old_system
mv $LOG $LOG.1
line "$(stamp '30 minutes ago')" rotated >$LOG
goes_on "new rotated" "a log that was rotated since: its rest, then the new one"
says "which is said" "$LOG.1: reading goes on at byte"

old_system
gzip -n $LOG && mv $LOG.gz $LOG.2.gz
line "$(stamp '50 minutes ago')" second >$LOG.1
line "$(stamp '30 minutes ago')" rotated >$LOG
goes_on "new second rotated" "and compressed"
says "which is said" "$LOG.2.gz: reading goes on at byte"

old_system
mv $LOG $LOG.1
for i in 1 2 3 4 5 6; do line "$(stamp "$((40 - i)) minutes ago")" grown$i; done >$LOG
goes_on "new grown1 grown2 grown3 grown4 grown5 grown6" "a new log that is as long as the old one was"

old_system
sed -i 1d $LOG
cp $LOG $LOG.1
for i in 1 2; do line "$(stamp "$((40 - i)) minutes ago")" grown$i; done >$LOG
rm $LOG.1
goes_on "grown1 grown2" "the file of the offset is gone: what came behind the CSV's last row"
says "which is said" "$LOG: its place is not known, so it is read from the start; failed logins up to $this_day 00:00"

old_system
head -n 1 $LOG >"$WORK/whole" && cat "$WORK/whole" >$LOG
goes_on "" "nothing new"
line "$(stamp now)" later >>$LOG
"$MLS_PROGRAM" extract --no-dns 2>"$WORK/err"
tap_is "$(tail -n 1 $CSV | cut -d, -f4)" later "until something comes"

old_system
rm $STATE/state.offset
line "$(stamp 'yesterday 12:00')" old >"$WORK/whole" && cat "$WORK/whole" >$LOG
line "$(stamp now)" now >>$LOG
goes_on "now" "no offset: what came behind the CSV's last row"

old_system
rm $CSV $LOGS/sql/*
echo 0 >$STATE/state.offset
goes_on "read new" "an offset of 0 and no CSV: all of the log"
tap_is "$(head -n 1 $CSV)" "server,date,ip,user,hostname,reverse_dns_status,country_code,asn,aso" "and a CSV with its header"

# stamps with a zone and a year
old_system
sed -i "s/^.\{15\}/$(date -d '3 hours ago' +%FT%T.123456+00:00)/" $LOG
head -n 1 $LOG | wc -c >$STATE/state.offset
touch -d '2 hours ago' $STATE/state.offset
sed -i "2s/^.\{32\}/$(date -d '1 hour ago' +%FT%T.123456+00:00)/" $LOG
goes_on new "RFC 3339 stamps"

# ---- the configuration --------------------------------------------------------------------------
old_system
cat >$CONFIG <<X2
[meta]
schema_version = 1.0
[general]
log_level = debug
log_file_max_mb = 32
log_file_backup_count = 9
[paths]
working_dir = $LOGS
state_dir = $STATE
mail_log = $LOG
csv_filename = maillogsentinel.csv
[permissions]
service_user = oldrun
[report]
recipient = you@box.example
subject_prefix : [MX]
sender = me@box.example
[dns_cache]
enabled = false
size = 1000
ttl = 60
[geo]
country_db_path = /srv/own.mmdb
asn_db_path = $STATE/asn.mmdb
[database]
path = /srv/rows.sqlite
password = secret
[timers]
log_extraction = *:0/5
report = *-*-* 06:00:00
ip_db_update = Mon *-*-* 03:00:00
sql_export = *:0/30
sql_import = *:0/30
X2
rm $UNITS/maillogsentinel-report.timer
printf '[Unit]\nDescription=Run MailLogSentinel SQL Export periodically\n[Timer]\nOnCalendar=*:0/30\n' >$UNITS/maillogsentinel-sql-export.timer
migrate --yes
tap_is "$status" 0 "the configuration of its last versions" || tap_note "$output"
tap_is "$("$MLS_PROGRAM" check-config --dump 2>/dev/null | sed -nE 's/^\t(log_level|log_file_max_bytes|log_file_backup_count|email|subject_prefix|sender_override|enabled|size|ttl_seconds|country_db_path|country_db_url|asn_db_path|db_path|[a-z_]+_schedule) = (.*);/\1 \2/p')" \
	"$(cat <<X2
email "you@box.example"
subject_prefix "[MX]"
sender_override "me@box.example"
country_db_path "/srv/own.mmdb"
country_db_url ""
asn_db_path "$STATE/db/origin-asn.mmdb"
log_level "DEBUG"
log_file_max_bytes "32 MiB"
log_file_backup_count 9
enabled true
enabled false
size 1000
ttl_seconds 60
db_path "/srv/rows.sqlite"
ip_update_schedule "Mon *-*-* 03:00:00"
report_schedule "*-*-* 06:00:00"
sql_export_schedule "*:0/30"
sql_import_schedule ""
X2
)" "is taken over"
says "but for the password" "[database] password: not taken: write it to a file of its own, which database.db_password_file names"
tap_none "which nobody sees" "$(grep -F secret <<<"$output"; grep -rF secret $CONFIG)"

old_system
sed -i 's/^subject_prefix = .*/subject_prefix = %(KIND)s 100%%(sort)s %(name)s\nkind = %(Sort)s %(loop)s\nsort = log\nloop = %(loop)s/' $CONFIG
goes_on new "values that name others, which name others in turn, in any case"
tap_is "$("$MLS_PROGRAM" check-config --dump 2>/dev/null | sed -nE 's/^\tsubject_prefix = (.*);/\1/p')" \
	"\"log %(loop)s 100%(sort)s %(name)s\"" "are what they say, as far as they say anything"

old_system
mv $CONFIG $CONFIG.dpkg-old
cp "$ROOT/packaging/maillogsentinel.conf" $CONFIG
goes_on new "one that a package has put aside"
tap_true "is the configuration" grep -q 'email = \[ "root@box.example"' $CONFIG
tap_true "and both are put aside" test -e $ASIDE$CONFIG -a -e $ASIDE$CONFIG.dpkg-old -a ! -e $CONFIG.dpkg-old
migrate --yes
tap_is "$output" "There is nothing of the Python version here. Nothing was changed." "a second time there is nothing to do"

ini && mv $CONFIG $CONFIG.dpkg-old
printf 'report: { email = "now@box.example"; };\n' >$CONFIG
echo rows >$STATE/maillogsentinel.sqlite
migrate --yes
tap_is "$status $output" "0 There is nothing of the Python version here. Nothing was changed." "this version has been at work: what the package put aside is history"
tap_is "$(cat $CONFIG $STATE/maillogsentinel.sqlite)" $'report: { email = "now@box.example"; };\nrows' "and its files are its own"
migrate --yes --from $CONFIG
tap_is "$status $output" "78 maillogsentinel: $CONFIG: is no configuration of the Python version" "--from a file that is none"
migrate --yes --from $CONFIG.not-there
tap_is "$status" 1 "--from one that is not there"

old_system
mv $CONFIG /srv/mine.conf
migrate --yes --from /srv/mine.conf --to /srv/aside
tap_is "$status" 0 "--from and --to" || tap_note "$output"
tap_true "put it where they say" test -e /srv/aside/srv/mine.conf -a ! -e /srv/mine.conf
tap_is "$(stat -c '%a %U' $CONFIG)" "644 root" "the new one is where it belongs"

old_system
rm $CONFIG
goes_on new "no configuration at all"
tap_true "makes none" test ! -e $CONFIG

# ---- CSV and directories ------------------------------------------------------------------------
old_system
cat >$CSV <<X2
server,date,ip,user,hostname,reverse_dns_status,country_code,asn,aso
srv01,"2025-05-17 12:05",81.30.107.24,contribute,mail.example.com,OK,US,9808,"China Mobile"
srv01,"2025-05-17 13:45",192.0.2.45,admin,host.example.org,OK,BR,18881,"Celcom Axiata Berhad"
srv01,"2025-05-17 14:10",205.177.40.1,user@example.com,null,Errno 1,US,5650,"Frontier Communications"
X2
cp $CSV "$WORK/commas"
goes_on new "a CSV with commas"
tap_true "keeps its rows byte for byte" cmp "$WORK/commas" <(head -n 4 $CSV)

old_system
sed -i 's/$/\r/' "$WORK/commas"
sed -i "3s/,admin,/,'a\\\\x41,/" "$WORK/commas"
cp "$WORK/commas" $CSV
goes_on new "a CSV with commas as Python writes one"
tap_is "$(head -n 4 $CSV | cut -d, -f4 | paste -sd' ')" "user contribute ''a\\x5cx41 user@example.com" "has its rows, and no escapes"

for name in semicolons commas; do
	old_system
	[ $name = semicolons ] || cp "$WORK/commas" $CSV
	sed -i $'1s/^/\xef\xbb\xbf/' $CSV
	cp $CSV "$WORK/marked"
	goes_on new "a CSV with a byte order mark, and $name"
	tap_is "$(head -n 2 $CSV | cut -d, -f1,3,4 | paste -sd' ')" "server,ip,user $([ $name = commas ] && echo srv01 || echo mx1),81.30.107.24,contribute" "has its rows"
done

old_system
printf 'host;when;who\n' >$CSV
goes_on new "a CSV that nobody knows"
says "is not taken, which is said" "$CSV: its first line is not that of a CSV of the Python version; it is put aside, and no row of it is taken over"
tap_is "$(cat $ASIDE$CSV)" "host;when;who" "and is put aside"

old_system
sed -i 's/^csv_filename = .*/csv_filename = rows.csv/' $CONFIG
CSV=$LOGS/rows.csv
goes_on new "a name of the CSV that the Python version did not keep to"
tap_true "now counts" test ! -e $LOGS/maillogsentinel.csv -a -e $ASIDE/$LOGS/maillogsentinel.csv
CSV=$LOGS/maillogsentinel.csv

old_system
mkdir -p /srv/maillogsentinel $LOGS/state && mv $CSV /srv/maillogsentinel/ && mv $STATE/state.offset /srv/maillogsentinel
mkdir /srv/maillogsentinel/state && mv /srv/maillogsentinel/state.offset /srv/maillogsentinel/state/
chown -R oldrun /srv/maillogsentinel
sed -i "s,^working_dir = .*,working_dir = /srv/maillogsentinel,; /^state_dir/d" $CONFIG
CSV=/srv/maillogsentinel/maillogsentinel.csv
goes_on new "a working directory elsewhere, and the state below it"
tap_is "$(stat -c %U /srv/maillogsentinel) $(test -e /srv/maillogsentinel/state/state.offset && echo there)" "maillogsentinel " "are taken over"
CSV=$LOGS/maillogsentinel.csv

old_system
mkdir /srv/other && chown oldrun /srv/other && mv $CSV /srv/other
sed -i "s,^working_dir = .*,working_dir = /srv/other," $CONFIG
tree >"$WORK/before"
migrate --yes
tap_is "$status" 1 "a directory that could be anybody's"
says "is not taken from its owner" "paths.working_dir: /srv/other "
tree >"$WORK/after"
tap_none "and nothing has changed" "$(diff "$WORK/before" "$WORK/after")"

# ---- others -------------------------------------------------------------------------------------
old_system
mkdir -p /var/spool/cron/crontabs
printf '# maillogsentinel.py\n5 * * * * /usr/local/bin/maillogsentinel.py --report\n' >/var/spool/cron/crontabs/oldrun
migrate --dry-run
says "a crontab is named" "/var/spool/cron/crontabs/oldrun: line 2"

old_system
mkdir -p /srv/bin && printf '#!/bin/sh\nsleep 2\nreadlink /usr/local/bin/maillogsentinel.py >/srv/seen\n' >/srv/bin/maillogsentinel.py
cp "$(command -v bash)" /srv/bin/python3
/srv/bin/python3 /srv/bin/maillogsentinel.py &
begin=$EPOCHREALTIME
migrate --yes
tap_is "$status" 0 "an extraction that is at work" || tap_note "$output"
tap_true "is waited for" test "$(awk "BEGIN { print ($EPOCHREALTIME - $begin > 1) }")" -eq 1
says "which is said" "wait until the Python version has ended"
tap_is "$(cat /srv/seen)" "$(dirname "$MIGRATE")/maillogsentinel" "and none can be started meanwhile"

old_system
output=$(runuser -u nobody -- "$MIGRATE" --yes 2>&1)
tap_is "$? $output" "1 maillogsentinel: migrate: moves files of the system, which root alone can: run it with sudo, or with --dry-run to see what it would do" "who is not root is told" || tap_note "$output"
tap_done
