#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# From the Python version to this one, as it left a system: configuration, CSV, offset, units, files and programs. systemd itself is e2e/migrate.sh's.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/migrate-rig.sh
. "$(dirname "$0")/migrate-rig.sh"

# ---- looking ------------------------------------------------------------------------------------
old_system
tree >"$WORK/before"
migrate
tap_is "$status" 2 "it asks, and this is no terminal" || tap_note "$output"
migrate --dry-run
tap_is "$status" 0 "--dry-run" || tap_note "$output"
tree >"$WORK/after"
tap_none "changes nothing" "$(diff "$WORK/before" "$WORK/after")"
says "and says so" "Nothing was changed (--dry-run)."
says "it counts the rows" "$CSV: 7 rows are taken over"
says "and those that are none" "$CSV: 3 lines are no rows, and are kept aside, the first of them:"
says "with their lines" "line 8: date: neither dd/mm/YYYY HH:MM nor YYYY-mm-dd HH:MM"
says "and reasons" "line 10: ip: neither an address nor unknown"
says "all of them" "line 11: the closing quote is missing"
says "a year that is yet to come" "$CSV: 1 of them are dated later than it was written"
says "where reading goes on" "/var/log/mail.log: reading goes on at byte $(cat $STATE/state.offset)"
says "an unknown key" "[colours] shade: is not known here (line $(grep -n shade $CONFIG | cut -d: -f1))"
says "a bad value" "[general] log_file_backup_count: 'many' is not taken, general.log_file_backup_count has its default: wants a number"
says "a placeholder" "[report] sender_override: 'root@localhost' is no address that others know; the default holds"
says "a timer that says otherwise" "[systemd] report_schedule: not taken, since its timer says 'Mon..Fri 06:30'"
says "a schedule that is none" "[systemd] ip_update_schedule: '0 2 * * 1' is not taken, schedule.ip_update_schedule has its default: "
says "no timer" "[sql_export_systemd] frequency: not taken, since it had no timer"

# ---- doing --------------------------------------------------------------------------------------
migrate --yes
tap_is "$status" 0 "--yes does it" || tap_note "$output"
says "and names the next step" "maillogsentinel setup --automated $CONFIG"
cat >"$WORK/expected" <<X2
server,date,ip,user,hostname,reverse_dns_status,country_code,asn,aso
mx1,"$day_before 12:05",81.30.107.24,contribute,mail.example.com,OK,US,9808,"China Mobile"
mx1,"$day_before 12:06",205.177.40.1,user@example.com,null,Errno 1,US,5650,"Front;ier ""F"""
mx1,"$day_before 12:07",205.177.40.1,'=cmd|' /C calc'!A0,null,Errno 2,N/A,N/A,"N/A"
mx1,"$day_before 12:08",205.177.40.2,'N/A,null,Errno 2,N/A,64500,"a, b"
mx1,"$last_day 12:09",205.177.40.2,N/A,null,Errno 4,N/A,N/A,"N/A"
mx1,"$day_before 12:10",205.177.40.2,five,host.example,OK,N/A,N/A,"N/A"
mx1,"$this_day 00:00",203.0.113.9,read,null,Errno 2,N/A,N/A,"N/A"
X2
tap_is "$(cat $CSV)" "$(cat "$WORK/expected")" "the CSV is this version's"
tap_is "$(stat -c '%a %U' $CSV $STATE/state.offset $STATE $LOGS | paste -sd' ')" \
	"640 maillogsentinel 600 maillogsentinel 755 maillogsentinel 755 maillogsentinel" "of the service's user"
tap_is "$(stat -c '%a %U' $CONFIG)" "644 root" "the configuration is root's"
tap_is "$("$MLS_PROGRAM" check-config --dump | sed -nE 's/^\t(email|subject_prefix|sender_override|country_db_path|asn_db_path|asn_db_url|asn_db_checksum_url|log_level|log_file_max_bytes|log_file_backup_count|size|ttl_seconds|report_schedule|ip_update_schedule|sql_export_schedule) = (.*);/\1 \2/p')" \
	"$(cat <<X2
email [ "root@box.example", "second@box.example" ]
subject_prefix "[MX1 100%]"
sender_override ""
country_db_path "$STATE/db/user-country.mmdb"
asn_db_path "/srv/asn.csv"
asn_db_url "https://mirror.box.example/asn.csv"
asn_db_checksum_url ""
log_level "ERROR"
log_file_max_bytes "2000000 B"
log_file_backup_count 5
size 4096
ttl_seconds 7200
ip_update_schedule "weekly"
report_schedule "Mon..Fri 06:30"
sql_export_schedule ""
X2
)" "with what the old one said"
tap_is "$(cd $ASIDE && find . -type f | sort)" "$(sort <<X2
./etc/maillogsentinel.conf
./etc/systemd/system/maillogsentinel-extract.timer
./etc/systemd/system/maillogsentinel-report.service
./etc/systemd/system/maillogsentinel-report.timer
./etc/systemd/system/maillogsentinel.service
./etc/systemd/system/maillogsentinel.service.d/override.conf
./usr/local/bin/ipinfo.py
./usr/local/bin/maillogsentinel.py
./var/lib/maillogsentinel/country_aside.csv
./var/lib/maillogsentinel/maillogsentinel.sqlite
./var/lib/maillogsentinel/sql_state.offset
./var/lib/maillogsentinel/state.offset
./var/log/maillogsentinel/maillogsentinel.csv
./var/log/maillogsentinel/maillogsentinel.csv.not-taken
./var/log/maillogsentinel/maillogsentinel.log
./var/log/maillogsentinel/maillogsentinel.log.1
./var/log/maillogsentinel/sql/20250601_export.sql
X2
)" "all that was there is put aside"
tap_is "$(stat -c %a $ASIDE)" 700 "for root alone"
tap_none "as it was" "$(cd $ASIDE && {
	find . -type f ! -name '*.not-taken' -printf '/%P %y %m %u %g %l %T@\n'
	find . -type f ! -name '*.not-taken' -exec sha1sum {} + | sed 's,  [.],  ,'
} | sort | comm -23 - <(sort "$WORK/before"))"
tap_is "$(tr -d '\r' <$ASIDE/$CSV.not-taken)" "$(tr -d '\r' <$ASIDE/$CSV | sed -n '1p;8p;10p;11p')" "the lines that are no rows are in a file of their own"
tap_is "$(readlink /usr/local/bin/maillogsentinel.py) $(readlink /usr/local/bin/ipinfo.py | xargs basename)" \
	"$(dirname "$(realpath "$MIGRATE")")/maillogsentinel maillogsentinel" "the old programs' names lead to the new one"
tap_is "$(/usr/local/bin/ipinfo.py --update 2>&1; echo $?)" \
	"maillogsentinel: 'ipinfo.py --update' is how the Python version was called; now it is 'maillogsentinel update-db'"$'\n2' "which names its commands"

tree >"$WORK/before"
migrate --yes
tap_is "$status $output" "0 There is nothing of the Python version here. Nothing was changed." "a second time there is nothing to do"
tree >"$WORK/after"
tap_none "and nothing is done" "$(diff "$WORK/before" "$WORK/after")"

# ---- going on -----------------------------------------------------------------------------------
rows=$(wc -l <$CSV)
tap_true "it goes on" "$MLS_PROGRAM" extract --no-dns
tap_is "$(tail -n +$((rows + 1)) $CSV | cut -d, -f4 | paste -sd' ')" new "behind what was read, with what is new"
"$MLS_PROGRAM" report >"$WORK/report" 2>"$WORK/err"
tap_is "$(grep '^Total' "$WORK/report")" "Total attempts since $this_day 00:00: 2" "the next report is of this day"
tap_is "$("$MLS_PROGRAM" sql-export 2>&1 | sed 's/.*: //')" "8 rows" "and all rows go into the database"
tap_done
