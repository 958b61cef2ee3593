#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the box: what the service tells journald is found there by its fields, which no name that a client chooses can forge; the message
# catalogue explains it; every example of the manual works.
# shellcheck disable=SC2317  # functions are called through tap_true and wait_until
# shellcheck source=test/tap.sh
. /in/test/tap.sh
# shellcheck source=test/e2e/inside/mail.sh
. /in/test/e2e/inside/mail.sh
# shellcheck source=test/e2e/inside/installed.sh
. /in/test/e2e/inside/installed.sh
FAILED=cc79f0c8770b45819d44b89e4885b893

# The messages of the service with these matches, as lines of JSON whose bytes are ISO 8859-1.
python3 - <<'P' >"$WORK/read.py"
print('''import json, subprocess, sys
def value(field):
    # what is not UTF-8 or can't be printed comes as a list of bytes, a field that is there twice as a list of values
    if isinstance(field, list) and field and isinstance(field[0], int):
        return bytes(field).decode("latin-1")
    if isinstance(field, list):
        return [value(one) for one in field]
    return field.encode().decode("latin-1")
out = subprocess.run(["journalctl", "-q", "--all", "-o", "json", "_SYSTEMD_UNIT=maillogsentinel.service"] + sys.argv[2:],
    stdout=subprocess.PIPE, check=True).stdout
for line in out.splitlines():
    entry = {name: value(field) for name, field in json.loads(line).items()}
    print(eval(sys.argv[1]))''')
P
entries() { python3 "$WORK/read.py" "$@"; } # EXPRESSION [MATCH...]
count() { journalctl -q -o json _SYSTEMD_UNIT=maillogsentinel.service "$@" | wc -l; } # MATCH...
has() { [ "$(count "${@:2}")" -ge "$1" ]; } # COUNT MATCH...
kind() { # NAME: its id, from the manual
	sed -n "/^\.Ss Kinds of messages/,/^\.El/p" /in/daemon/maillogsentinel-messages.7 | grep -B1 -x "$1" | sed -n 's/^\.It Li //p'
}
# A line of the log, stamped SECONDS ago.
line() { # SECONDS ADDRESS USER-AS-PRINTF-HAS-IT
	# shellcheck disable=SC2059  # for its escapes
	printf "%s box postfix/smtpd[9]: warning: unknown[%s]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=$3\n" \
		"$(date -d "$1 seconds ago" +%FT%T.%6N%:z)" "$2" >>$MAILLOG
}

install -d -o maillogsentinel -g maillogsentinel $STATE/db
printf '%s\n' 81.30.104.0,81.30.111.255,DE >$STATE/db/country.csv
printf '%s\n' '81.30.104.0,81.30.111.255,64500,"Example ""Inc."""' >$STATE/db/asn.csv
databases="geolocation: { country_db_path = \"$STATE/db/country.csv\"; country_db_url = \"file:///nowhere\"; };
	ASN_ASO: { asn_db_path = \"$STATE/db/asn.csv\"; asn_db_url = \"\"; };"
configure 'general: { journal_events = true; };' "$databases"
tap_true "the catalogue is taken" journalctl --update-catalog
tap_is "$(journalctl --list-catalog 2>/dev/null | grep -c ' MailLogSentinel: ')" "$(grep -c '^-- ' /in/root"$(find /usr -name maillogsentinel.catalog)")" \
	"with all its entries"
tap_true "the mail server starts" mail_up || { journalctl --no-pager -n 50 | tap_note; tap_done; }
smtp_login 25 127.0.0.1 PLAIN anna wrong "XCLIENT NAME=[UNAVAILABLE] ADDR=81.30.107.24" 'EHLO x'
tap_true "the service starts" systemctl start $UNIT || { journalctl --no-pager -n 30 | tap_note; tap_done; }

# ---- a failed login ---------------------------------------------------------------------------

tap_true "a failed login is there, by its address" wait_until 10 has 1 MLS_IP=81.30.107.24
has_rows() { [ "$(rows | wc -l)" -ge "$1" ]; }
tap_is "$(entries '" ".join(sorted(name + "=" + entry[name] for name in entry if name.startswith("MLS_") and "TIME" not in name and "DATE" not in name))' MLS_USER=anna)" \
	"MLS_ASN=64500 MLS_ASO=Example \"Inc.\" MLS_COUNT=1 MLS_COUNTRY=DE MLS_HOSTNAME=mail.example.com MLS_IP=81.30.107.24 MLS_LATE=no MLS_LOG=$MAILLOG MLS_METHOD=PLAIN MLS_REVERSE_DNS_STATUS=OK MLS_SERVER=box MLS_SERVICE=postfix/smtpd MLS_USER=anna" \
	"with its fields"
tap_is "$(entries 'entry["MLS_DATE"]' MLS_USER=anna)" "$(rows | sed -n 's/^box,"\([^"]*\)".*,anna,.*/\1/p')" "the date is the row's"
tap_is "$(entries '" ".join(entry[name] for name in ("MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "MESSAGE_ID", "_UID"))' MLS_USER=anna)" \
	"failed login from 81.30.107.24 (mail.example.com, DE, AS64500 Example \"Inc.\") at box, postfix/smtpd, PLAIN: anna 6 maillogsentinel $FAILED $(id -u maillogsentinel)" \
	"and its text"
tap_true "journalctl -x explains it" grep -qF 'Subject: A login failed, from 81.30.107.24' <<<"$(journalctl -q -x MLS_USER=anna)"

# ---- names that would be more -----------------------------------------------------------------

smtp_login 587 203.0.113.20 PLAIN $'x\nMLS_IP=198.51.100.1\nfailed login from 198.51.100.1 (Off)' wrong
smtp_login 587 203.0.113.20 LOGIN 'failed login from 198.51.100.1 (Off): MLS_IP=198.51.100.1' wrong
line 0 203.0.113.7 'MESSAGE_ID=0 \033[2J\r\xe2\x80\xaegnp.exe\xff\\x41'
line 0 203.0.113.7 "$(printf '%05000d' 0)\\n$(date +%FT%T) box maillogsentinel[1]: failed login from 198.51.100.1 (Off)"
line 0 2001:db8::7 ''
line 3600 203.0.113.7 late
tap_true "each has its row" wait_until 20 has_rows 7
wait_until 10 has 7 MESSAGE_ID=$FAILED
tap_is "$(count MESSAGE_ID=$FAILED)" 7 "and is one message"
tap_is "$(count MLS_IP=198.51.100.1)" 0 "none is of an address that is only in a name"
tap_is "$(entries '" ".join(name for name in entry if isinstance(entry[name], list))')" "$(printf "%$(count)s" | tr " " "\n")" "no field is there twice"
tap_is "$(entries 'entry["MESSAGE"].split(" (")[0]' MESSAGE_ID=$FAILED | sort | uniq -c | tr -s ' ')" \
	" 1 failed login from 2001:db8::7
 2 failed login from 203.0.113.20
 2 failed login from 203.0.113.7
 1 failed login from 81.30.107.24
 1 failed login of $(rows | sed -n 's/^box,"\([^"]*\)".*,late,.*/\1/p') from 203.0.113.7" "the text begins with the client's address"
tap_is "$(entries '"-" in entry["MLS_USER"]' MLS_LATE=yes)" False "one of an hour ago is marked"
tap_is "$(entries 'entry["MLS_USER"]' MLS_IP=203.0.113.7 MLS_LATE=no | head -n 1 | od -An -c | tr -d ' \n')" \
	"$(printf 'MESSAGE_ID=0 \033[2J\r\303\242\302\200\302\256gnp.exe\303\277\\x41\n' | od -An -c | tr -d ' \n')" "a field has the bytes of the name"
tap_is "$(entries 'entry["MESSAGE"].split(": ", 1)[1]' MLS_IP=203.0.113.7 MLS_LATE=no | head -n 1)" \
	'MESSAGE_ID=0 \x1b[2J\x0d\xe2\x80\xaegnp.exe\xff\x5cx41' "the text shows what can't be seen"
tap_is "$(entries 'len(entry["MESSAGE"]), entry["MESSAGE"][-3:], len(entry["MLS_USER"])' MLS_IP=203.0.113.7 MLS_LATE=no | tail -n 1)" \
	"(4000, '...', 5000)" "and is cut where the field is not"
tap_none "no line of it says anything else" "$(journalctl -q -o cat _SYSTEMD_UNIT=$UNIT MESSAGE_ID=$FAILED | grep -v '^failed login \(from\|of [-0-9]* [0-9:]* from\) [2-8]')"

# ---- other kinds ------------------------------------------------------------------------------

tap_is "$(entries 'entry["MLS_VERSION"]' "MESSAGE_ID=$(kind 'the service has started')")" "$($PROGRAM --version | sed 's/.* //')" "the start"
systemctl stop -q rsyslog syslog.socket
systemctl stop $UNIT
mv $MAILLOG $MAILLOG.away
# it looks at its logs as often as it feeds the watchdog
drop_in $UNIT WatchdogSec=4
systemctl start $UNIT
tap_true "a warning begins" wait_until 10 has 1 "MLS_WARNING=missing:$MAILLOG"
mv $MAILLOG.away $MAILLOG
tap_true "and ends" wait_until 10 has 1 "MESSAGE_ID=$(kind 'a warning has ended')"
tap_is "$(entries 'entry["MESSAGE_ID"], entry["PRIORITY"]' "MLS_WARNING=missing:$MAILLOG")" \
	"('$(kind 'a log is not there')', '4')
('$(kind 'a warning has ended')', '6')" "each of its kind"
install -m 644 /in/contrib/logrotate/maillogsentinel /etc/logrotate.d/
rows_before=$(rows | wc -l)
tap_none "logrotate takes the rule for the CSV" "$(logrotate -f /etc/logrotate.d/maillogsentinel 2>&1)"
tap_true "and moves the CSV away" [ -s $CSV.1 -a ! -e $CSV ]
line 0 203.0.113.7 behind
behind() { rows 2>/dev/null | grep -q ',behind,'; }
tap_true "the service goes on in a new one" wait_until 10 behind
tap_is "$(rows | wc -l) $(sed 1d $CSV.1 | wc -l)" "1 $rows_before" "where all that comes is"
tap_is "$(entries 'entry["MLS_CSV"]' "MESSAGE_ID=$(kind 'the CSV was rotated')")" $CSV "and says so"
configure 'general: { log_level = "DEBUG"; };' "$databases"
sed -i 's/ip_update_schedule = ""/ip_update_schedule = "*:*:*"; ip_update_random_delay = 0/' $CONFIG
systemctl restart $UNIT
tap_true "a job" wait_until 20 has 1 "MESSAGE_ID=$(kind 'a job was started (DEBUG)')" MLS_JOB=update-db
tap_true "fails" wait_until 20 has 1 MLS_WARNING=job:update-db "MESSAGE_ID=$(kind 'a job has failed, or will never run')"
tap_true "and what it said has its name" grep -q '^update-db: .*nowhere' <<<"$(journalctl -q -o cat MLS_JOB=update-db)"
line 0 203.0.113.7 debug
tap_true "at the level DEBUG failed logins are told, too" wait_until 10 has 1 MLS_USER=debug PRIORITY=7
configure "$databases"
systemctl reload $UNIT
line 0 203.0.113.7 silent
silent() { rows | grep -q ',silent,'; }
tap_true "without all this there are rows" wait_until 10 silent
tap_is "$(count MLS_USER=silent)" 0 "and no messages"
systemctl kill -s KILL $UNIT
started() { [ "$(count "MESSAGE_ID=$(kind 'the service has started')")" -ge 4 ]; }
tap_true "after a kill it starts again" wait_until 20 started
tap_is "$(entries 'entry["PRIORITY"]' "MESSAGE_ID=$(kind 'the configuration was read again and is in force')")" 6 "the reload was told, too"
printf 'nonsense\n' >>$CONFIG
kill -HUP "$(unit_is MainPID)"
tap_true "one that is refused" wait_until 10 has 1 MLS_WARNING=reload "MESSAGE_ID=$(kind 'it was read again and refused (also a warning)')" PRIORITY=3
systemctl stop $UNIT
systemctl start $UNIT 2>/dev/null
tap_true "a mistake in the configuration" has 1 "MESSAGE_ID=$(kind 'a mistake in the configuration')" PRIORITY=3

# ---- the manual's examples --------------------------------------------------------------------

sed -n '/^\.Ss Examples/,/^\.S[hs] /p' /in/daemon/maillogsentinel-messages.7 | sed -nE 's/\\e$/\\/; s/^\.Dl \$ //; /^(journalctl|    )/p' >"$WORK/examples"
tap_is "$(grep -c '^journalctl' "$WORK/examples")" 6 "the manual has examples"
while IFS= read -r example; do
	status=0
	timeout 1 bash -c "$example" >"$WORK/out" 2>&1 || status=$?
	[[ $example != *' -f '* || $status -ne 124 ]] || status=0
	tap_true "$example" [ $status -eq 0 -a "$(grep -ac 'failed login\|81\.30\|203\|is not there\|update-db\|MLS_LATE' "$WORK/out")" -gt 0 ] || tap_note "$status $(head -n 5 "$WORK/out")"
done < <(sed -e ':a;/\\$/{N;s/\\\n *//;ba}' -e ':b;/|$/{N;s/|\n */| /;bb}' "$WORK/examples" | sed "s/today/'1 hour ago'/; s/anna@example.com/anna/; s/MLS_JOB=report/MLS_JOB=update-db/; s/=CN/=DE/")
tap_done
