#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the box: logins fail at a real mail server, and the report of them comes to root's mailbox through it. Python's parser takes
# the mail apart; each number in it is held against one that grep and awk count from the server's log. Then the server is away,
# does not know the recipient, finds the mail too large; and reports come by the schedule and through sendmail.
# shellcheck disable=SC2317  # functions are called through tap_true and wait_until
# shellcheck source=test/tap.sh
. /in/test/tap.sh
# shellcheck source=test/e2e/inside/mail.sh
. /in/test/e2e/inside/mail.sh
MAILS=/var/mail/root STATE=/var/lib/maillogsentinel MAILLOG=/var/log/mail.log
READ=/in/test/integration/read-mail.py

install -m 755 /in/bin/maillogsentinel $PROGRAM
useradd --system --no-create-home --groups adm maillogsentinel
install -d -o maillogsentinel -g maillogsentinel /var/log/maillogsentinel $STATE $STATE/db
printf '%s\n' 81.30.104.0,81.30.111.255,CN 205.177.0.0,205.177.255.255,US >$STATE/db/country.csv
printf '%s\n' '81.30.104.0,81.30.111.255,9808,"China Mobile <b>"' '205.177.0.0,205.177.255.255,5650,"Frontier, ""Inc."""' >$STATE/db/asn.csv
configure() { # REPORT-OPTION...
	cat >$CONFIG <<-X2
		paths: { working_dir = "/var/log/maillogsentinel"; state_dir = "$STATE"; mail_log = "$MAILLOG"; };
		schedule: { ip_update_schedule = ""; report_schedule = "${schedule-}"; };
		report: { $* };
		geolocation: { country_db_path = "$STATE/db/country.csv"; };
		ASN_ASO: { asn_db_path = "$STATE/db/asn.csv"; };
	X2
}
daemon_start() {
	systemd-run -q --unit="$UNIT" -p Type=notify -p User=maillogsentinel -p SupplementaryGroups=adm -p NoNewPrivileges=yes \
		-p ProtectSystem=strict -p ReadWritePaths="/var/log/maillogsentinel $STATE" \
		-p WatchdogSec=30 -p TimeoutStartSec=20 -p TimeoutStopSec=20 "$PROGRAM" -c "$CONFIG" run
}
rows() { sed 1d "$CSV"; }
has_rows() { [ "$(rows | wc -l)" -ge "$1" ]; }
committed() { [ "$(sed -n 's/^rows //p' "$STATE/state.offset")" = "$1" ]; }
# A failed login.
bad() { # SOURCE USER [SMTP-ARGUMENT...]
	smtp_login 587 "$1" PLAIN "$2" wrong "${@:3}"
	[[ $smtp_reply == 535* ]] || tap_note "login of $2 from $1 got '$smtp_reply'"
}
through() { # ADDRESS USER: as a proxy hands it over
	smtp_login 25 127.0.0.1 LOGIN "$2" wrong "XCLIENT NAME=[UNAVAILABLE] ADDR=$1" 'EHLO x'
	[[ $smtp_reply == 535* ]] || tap_note "login of $2 from $1 got '$smtp_reply'"
}
# Sends: $status, and what it says in $said.
send() { # [ARG...]
	status=0
	said=$($PROGRAM -c $CONFIG report --send "$@" 2>&1 >"$WORK/out") || status=$?
}
mail_count() { cat $MAILS 2>/dev/null | grep -c '^From '; }
has_mails() { [ "$(mail_count)" -ge "$1" ]; }
# Waits for mail number N and takes it apart: its parts are in $M then.
take_mail() { # N
	wait_until 20 has_mails "$1" || { tap_fail "mail $1 comes"; tail -n 5 $MAILLOG | tap_note; }
	rm -rf "$WORK/mails"
	python3 $READ --mbox $MAILS "$WORK/mails"
	M=$WORK/mails/$1
}
head_of() { sed -n "s/^$1: //p" "$M/head"; }
mail_rows() { cat "$WORK"/mails/*/rows | grep -v '^server,'; }

tap_true "the mail server starts" mail_up || { journalctl --no-pager -n 50 | tap_note; tap_done; }
postconf -M local/unix='local unix - n n - - local'
postconf -e "local_transport=local:\$myhostname" "local_recipient_maps=proxy:unix:passwd.byname \$alias_maps"
# as Debian's Postfix comes, with a certificate that nobody has signed
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2 -keyout /etc/postfix/key.pem -out /etc/postfix/cert.pem 2>/dev/null
postconf -e smtpd_tls_security_level=may smtpd_tls_cert_file=/etc/postfix/cert.pem smtpd_tls_key_file=/etc/postfix/key.pem
postfix reload 2>/dev/null
rm -f $MAILS
configure 'email = "root@box.example";'
tap_true "check-config is content" $PROGRAM -c $CONFIG check-config
tap_true "the daemon starts" daemon_start

# ---- logins -----------------------------------------------------------------------------------

for n in 1 2 3 4 5 6 7 8 9 10; do
	for ((i = 0; i < 14 - n; i++)); do
		case $n in
		1) bad 203.0.113.20 "alice@example.com" ;;
		2) through 81.30.107.24 contribute ;;
		3) bad 203.0.113.7 admin ;;
		4) through 205.177.40.1 user@example.com ;;
		5) bad 127.0.0.5 root ;;
		6) bad 2001:db8::7 $'jos\xc3\xa9' ;;
		7) bad ::1 test ;;
		8) bad 203.0.113.20 info ;;
		9) bad 203.0.113.7 info ;;
		10) bad 127.0.0.1 postmaster ;;
		esac
	done
done
hostile=(
	'<script>alert(1)</script>' '"><img src=http://198.51.100.9/x onerror=alert(1)>' 'From nobody' . .. '&amp;lt;' "it's"
	$'\xe2\x80\xae\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d' $'a\xe2\x80\x8bb' $'\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e' '=cmd|x' '%0d%0aBcc: eve@example.com' '=?utf-8?q?x?='
	"$(printf 'n%.0s' {1..100})" 'http://example.com/' '</td></table>' '\x1b[31m'
)
for name in "${hostile[@]}"; do bad 203.0.113.20 "$name"; done
for n in 1 2 3; do smtp_login 587 127.0.0.1 PLAIN bob good -- 'MAIL FROM:<bob@box.example>' 'RCPT TO:<root@box.example>' RSET; done
for n in 1 2; do smtp_login 587 203.0.113.7 LOGIN bob good 'AUTH LOGIN' '*'; done

# ---- counted from the log ---------------------------------------------------------------------

# The lines of failed logins, and of each address and user, without the program.
failure='^[^ ]* [^ ]* postfix[^ ]*/smtpd\[[0-9]*\]: warning: [^ ]*\[[^] ]*\]: SASL [A-Z0-9-]* authentication failed: '
failures() { grep -E "$failure" $MAILLOG | grep -v 'failed: Connection lost to authentication server'; }
address_of() { sed -E 's/^[^ ]* [^ ]* [^ ]* warning: [^ ]*\[([^] ]*)\]: SASL .*/\1/'; }
count_lines() { sort | uniq -c | sort -k1,1nr -k2 | awk '{ count = $1; sub(/^ *[0-9]+ /, ""); print count, $0 }'; }
logged() { [ "$(failures | wc -l)" -ge 102 ]; }
tap_true "the failed logins are logged" wait_until 10 logged
wait_until 20 has_rows "$(failures | wc -l)"
tap_true "and are rows" wait_until 20 committed "$(failures | wc -l)"

send
tap_is "$status $said" "0 " "the report is sent"
take_mail 1
tap_is "$(mail_count)" 1 "one mail"

tap_true "over TLS, which the server offers" grep -q 'disconnect from .* starttls=1 .* data=1' $MAILLOG

# ---- the mail ---------------------------------------------------------------------------------

tap_is "$(head_of defects)" "" "it is a sound mail"
tap_is "$(head_of From | grep -o '[^ <]*@[^ >]*')" "maillogsentinel@box.example" "from the service's user at this host"
tap_is "$(head_of To | tr -d '<>')" "root@box.example" "to root"
tap_is "$(head_of Auto-Submitted)" "auto-generated" "nobody's vacation answers it"
tap_true "the subject has its prefix" grep -q '^Subject: \[MailLogSentinel\] ' "$M/head" || tap_note <"$M/head"
age=$(($(date +%s) - $(date -d "$(head_of Date)" +%s)))
tap_true "of now ($age s)" [ $age -ge 0 -a $age -lt 60 ]
tap_is "$(head_of structure)" "multipart/mixed(multipart/alternative(text/plain text/html) text/csv)" "text, page, rows"
tap_true "the rows are the CSV's" diff "$M/rows" $CSV
tap_is "$(python3 -c 'import sys, unicodedata
for line in open(sys.argv[1], encoding="utf-8"):
    width = sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line.rstrip("\n"))
    if width > 78: print(width, line)' "$M/text")" "" "no line of the text is wider than 78 columns"

# ---- each number ------------------------------------------------------------------------------

failures >"$WORK/failures"
address_of <"$WORK/failures" >"$WORK/addresses"
sed -n 's/.*, sasl_username=//p' "$WORK/failures" >"$WORK/users"
paste -d ' ' "$WORK/users" "$WORK/addresses" >"$WORK/targets"
total=$(grep -c . "$WORK/failures")
number() { sed -nE "s/^ *$1 +([0-9]+)( .*)?\$/\1/p" "$M/text"; } # LABEL
# The entries of a list, "COUNT KEY".
list() { # TITLE
	awk -v title="Top 10 $1:" '$0 == title { inside = 1; next } inside && /^ *[0-9]+\. / { print; seen = 1 } inside && seen && /^$/ { exit }' "$M/text" |
		sed -E 's/^ *[0-9]+\. (.*[^ ]) +([0-9]+) +[<0-9. ]+%$/\2 \1/'
}
of_addresses() { grep -cxE "$1" "$WORK/addresses"; } # PATTERN
tap_is "$(sed -n 's/^Total attempts .*: //p' "$M/text")" "$total" "total: $total"
tap_true "the page has it, too" grep -qw "$total" "$M/page"
tap_is "$(number Addresses)" "$(sort -u "$WORK/addresses" | wc -l)" "distinct addresses"
tap_is "$(number 'User names')" "$(sort -u "$WORK/users" | wc -l)" "distinct user names"
tap_is "$(number 'Successful logins')" "$(grep -cE '^[^ ]* [^ ]* postfix[^ ]*/smtpd\[[0-9]*\]: [0-9A-Za-z]*: client=.*, sasl_username=' $MAILLOG)" "successful logins"
tap_is "$(number 'Login server outages')" "$(grep -c 'failed: Connection lost to authentication server' $MAILLOG)" "outages"
tap_is "$(number 'Aborted by the client')" "$(grep -cE 'smtpd\[[0-9]*\]: warning: [^ ]*: SASL [A-Z]* authentication aborted$' $MAILLOG)" "aborted logins"
tap_is "$(list 'user names' | head -n 9)" "$(count_lines <"$WORK/users" | head -n 9)" "top users"
tap_is "$(awk '/^Top 10 \(/ { inside = 1; next } inside && /^ *[0-9]+\. / { print $NF, $2, $3 }' "$M/text" | head -n 10)" \
	"$(count_lines <"$WORK/targets" | head -n 10)" "top users and addresses"
china=$(of_addresses '81\.30\..*') states=$(of_addresses '205\.177\..*')
tap_is "$(list countries | sed 's/  .*//')" "$(printf '%d N/A\n%d CN\n%d US' $((total - china - states)) "$china" "$states")" "countries" || tap_note <"$M/text"
tap_is "$(list ASNs | sed 's/  .*//')" "$(printf '%d N/A\n%d 9808\n%d 5650' $((total - china - states)) "$china" "$states")" "networks"
tap_is "$(list organisations)" "$(printf '%d N/A\n%d China Mobile <b>\n%d Frontier, "Inc."' $((total - china - states)) "$china" "$states")" "organisations"
errno1=$(of_addresses '203\.0\.113\.7|205\.177\.40\.1') errno2=$(of_addresses '::1') errno4=$(of_addresses '127\.0\.0\.5')
tap_is "$(sed -n 's/^Reverse DNS failures: //p' "$M/text") $(for n in 1 2 4; do sed -nE "s/^ *Errno $n +([0-9]+).*/\1/p" "$M/text"; done | tr '\n' ' ')" \
	"$((errno1 + errno2 + errno4)) $errno1 $errno2 $errno4 " "failures of reverse DNS"
hour=$(cut -c1-13 "$WORK/failures" | sort | uniq -c | sort -k1,1nr | awk 'NR == 1 { print substr($2, 12) ":00 (" $1 ")" }')
tap_is "$(sed -n 's/^By hour, the most at \(.*\):$/\1/p' "$M/text")" "$hour" "the busiest hour"
tap_is "$(sed -nE 's/^CSV size: ([0-9]+) .*/\1/p' "$M/text") $(sed -n 's/^CSV rows: //p' "$M/text")" "$(stat -c %s $CSV) $total" "size and rows of the CSV"

# ---- hostile names are text -------------------------------------------------------------------

tap_none "the page holds nothing of theirs" "$(grep -E '^(script|img|iframe|object|link|form|svg|base|input|button|meta http)|http|onerror|on[a-z]+=' "$M/tags")"
tap_is "$(sed -n 's/.*\(Bcc\|Cc\): .*/\1/p' "$M/head")" "" "no header is"
control() { LC_ALL=C grep -cP '[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa6-\xa9]' "$1"; }
tap_is "$(control "$M/text") $(control "$M/html")" "0 0" "no control character or mark of direction reaches who reads it"
tap_is "$(mail_count)" "$(grep -c '^Message-ID: ' $MAILS)" "no line makes a mail of its own"

# ---- nothing twice; the server is away, refuses, finds it too large ----------------------------

send
take_mail 2
tap_is "$status $said $(sed -n 's/^Total attempts .*: //p' "$M/text") $(head_of attachment)" "0  0 " "the next has no row"
logged_more=$total
again() { # USER
	bad 203.0.113.20 "$1"
	logged_more=$((logged_more + 1))
	wait_until 20 committed $logged_more || tap_fail "the row of $1"
}
spooled() { (cd $STATE/spool && find . -name "*.$1") | wc -l; }
again before-the-stop
systemctl stop postfix postfix@-
wait_until 10 eval '! smtp_answers'
send
tap_is "$status $(grep -c . <<<"$said") $(spooled eml) $(spooled failed)" "1 1 1 0" "no server: it is kept" || tap_note "$said"
systemctl start postfix postfix@-
wait_until 20 smtp_answers
send --spooled
take_mail 3
tap_is "$status $said $(sed 1d "$M/rows" | cut -d, -f4) $(spooled eml)" "0  before-the-stop 0" "then sent"
again too-large
postconf -e message_size_limit=1000
postfix reload 2>/dev/null
small() { printf 'EHLO x\r\nQUIT\r\n' | socat -t 5 - TCP4:127.0.0.1:25 2>/dev/null | grep -qa 'SIZE 1000'; }
wait_until 10 small
send
tap_is "$status $(grep -c . <<<"$said") $(spooled eml) $(spooled failed)" "1 1 0 1" "too large: it has failed" || tap_note "$said"
postconf -e message_size_limit=10240000
postfix reload 2>/dev/null
large() { ! small; }
wait_until 10 large
failed=$(cd $STATE/spool && echo *.failed)
failed_is_said() { "$PROGRAM" -c "$CONFIG" status | grep '^warning:' | grep -qF "${failed%.failed}"; }
tap_true "status names it" wait_until 45 failed_is_said
again next-one
send
take_mail 4
tap_is "$status $said $(sed 1d "$M/rows" | cut -d, -f4)" "0  next-one" "the next one goes"
tap_true "and names it" grep -qF "${failed%.failed}" "$M/text"
mv "$STATE/spool/$failed" "$STATE/spool/${failed%.failed}.eml"
send --spooled
take_mail 5
tap_is "$status $said $(sed 1d "$M/rows" | cut -d, -f4)" "0  too-large" "renamed, it is sent"
configure 'email = [ "nobody-such@box.example", "root@box.example" ];'
again two-recipients
send
take_mail 6
tap_is "$status $(sed 1d "$M/rows" | cut -d, -f4) $(spooled eml) $(spooled failed)" "1 two-recipients 0 1" "one recipient is not known here: the other has it" || tap_note "$said"
rm $STATE/spool/*.failed

# ---- by the schedule, and through sendmail ----------------------------------------------------

tap_true "stop" systemctl stop $UNIT
schedule='*:*:0/5'
configure 'email = "root@box.example"; when_empty = "skip"; subject_prefix = "[Ünïcode – 日本]";'
tap_true "start with a schedule" daemon_start
again by-the-clock
take_mail 7
tap_is "$(sed 1d "$M/rows" | cut -d, -f4)" "by-the-clock" "a report comes by itself"
tap_is "$(head_of Subject | grep -o '^\[Ünïcode – 日本\] ') $(head_of defects)" "[Ünïcode – 日本]  " "with the subject's prefix"
sleep 6
tap_is "$(mail_count)" 7 "and none of nothing"
systemctl stop $UNIT
tap_none "the journal of the unit has no errors" "$(journalctl -q --no-pager -u $UNIT -p err)"
schedule=
configure 'email = "root"; transport = "sendmail"; attach = "whole"; sender_override = "sentinel@box.example";'
tap_true "start again" daemon_start
again by-sendmail
send
take_mail 8
tap_is "$status $said $(head_of From | grep -o '[^ <]*@[^ >]*') $(head_of defects)" "0  sentinel@box.example " "through sendmail" || tap_note <"$M/head"
tap_true "with the whole CSV" diff "$M/rows" $CSV
systemctl stop $UNIT
tail -n 1 $CSV >"$M/rows" # what was new in it
tap_is "$(mail_rows | sort)" "$(rows | sort)" "each row came in one mail"
tap_is "$(ls $STATE/spool)" "" "nothing is left"
tap_is "$(find $STATE -not -user maillogsentinel -not -path '*/db/*')" "" "all is the service's"
tap_done
