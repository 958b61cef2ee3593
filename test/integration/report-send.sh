#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=120
# `report --send` with a sendmail that does as it is told: what is sent, what stays and for how long, what has failed, what is said of it, and
# two of them at a time; and the job of the service.
# shellcheck disable=SC2317,SC2053  # functions are called by wait_until and tap_true; patterns
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$(dirname "$0")/service.sh"
STATE=$WORK/state SPOOL=$WORK/state/spool MAIL=$WORK/mail
mkdir -p "$WORK/csv" "$STATE" "$MAIL"
: >"$WORK/mail.log"

configure() { # LINE-OF-REPORT [SCHEDULE]
	cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$STATE"; mail_log = "$WORK/mail.log"; };
report: { transport = "sendmail"; sendmail_path = "$WORK/sendmail"; $1 };
schedule: { ip_update_schedule = ""; report_schedule = "${2-}"; };
geolocation: { country_db_url = ""; };
ASN_ASO: { asn_db_url = ""; };
dns: { enabled = false; };
X2
}

# Keeps what it got, in the order in which it came; exits with what "answer" says. While there is a "wait" it takes its time.
cat >"$WORK/sendmail" <<'X2'
#!/bin/bash
dir=${0%/*}
touch "$dir/called"
while [ -e "$dir/wait" ]; do sleep 0.05; done
n=$(find "$dir/mail" "$dir/refused" -type f 2>/dev/null | wc -l)
answer=$(cat "$dir/answer" 2>/dev/null || echo 0)
to=mail
[ "$answer" = 0 ] || to=refused
mkdir -p "$dir/refused"
cat >"$dir/$to/$(printf %03d "$n")"
[ "$answer" = 0 ] || echo "it is $answer" >&2
exit "$answer"
X2
chmod +x "$WORK/sendmail"
answer() { if [ "$1" = 0 ]; then rm -f "$WORK/answer"; else echo "$1" >"$WORK/answer"; fi; } # STATUS

rows() { # USER...
	local user

	for user in "$@"; do line "$user"; done >>"$WORK/mail.log"
	"$MLS_PROGRAM" -c "$WORK/conf" extract 2>/dev/null
}
# Its exit status is in $status, what it says in $said, with $WORK taken out.
report() { # [OPTION...]
	said=$("$MLS_PROGRAM" -c "$WORK/conf" report "$@" 2>&1)
	status=$?
	said=${said//$WORK\//}
}
send_is() { # STATUS PATTERN TEXT [OPTION...]
	local expected=$1 pattern=$2 text=$3

	shift 3
	report --send "$@"
	if [ "$status" = "$expected" ] && [[ $said == $pattern ]]; then tap_pass "$text"; else
		tap_fail "$text"
		tap_note "exit status $status, expected $expected"
		tap_note "said:     $said"
		tap_note "expected: $pattern"
	fi
}
# Prints the users of each mail's rows, mails in their order, "u1 u2; u3;"; "-" is one without rows.
mails() {
	local mail users

	for mail in "$MAIL"/*; do
		[ -e "$mail" ] || continue
		users=$(sed -n '/^Content-Disposition: attachment/,/^--/p' "$mail" | tr -d '\r' | sed '1,/^$/d; /^--/d' | base64 -d | sed 1d | cut -d, -f4 | paste -sd ' ')
		printf '%s;' "${users:--}"
	done
}
last_mail() { mails | grep -oE '[^;]*;$'; }
spool() { (cd "$SPOOL" 2>/dev/null && echo *); }
moved() { cksum "$STATE/report.offset" 2>/dev/null; }
start_over() {
	rm -rf "$STATE" "$MAIL" "$WORK/refused" "$WORK/csv" "$WORK/called"
	mkdir -p "$STATE" "$MAIL" "$WORK/csv"
	: >"$WORK/mail.log"
}

# ---- whom and what ------------------------------------------------------------------------------
configure ''
rows u1
send_is 1 'maillogsentinel: report.email is not set: nothing is sent' "without a recipient nothing is sent"
send_is 1 'maillogsentinel: report.email is not set: nothing is sent' "nor what is spooled" --spooled
tap_is "$(moved)$(spool)$(mails)" "" "and nothing is made or moved"
configure 'email = "root";'
start_over
send_is 1 'maillogsentinel: state: holds no state.offset: nothing has been recorded yet' "nothing was ever recorded"
rows u1 u2
size=$(stat -c %s "$CSV")
send_is 0 "000001-0.0-1.$size: sent to root" "a report is sent"
tap_is "$(mails)" "u1 u2;" "with its rows"
send_is 0 '' "nothing is spooled" --spooled
tap_is "$(mails)" "u1 u2;" "and nothing sent"
send_is 0 "000001-1.$size-1.$size: sent to root" "one without rows"
rows u3
send_is 0 '000001-*: sent to root' "the next has what is new"
tap_is "$(mails)" "u1 u2;-;u3;" "each row is in one"
tap_is "$(spool) $(stat -c '%a' "$SPOOL" "$STATE/report.offset" | tr '\n' ' ')" "* 700 600 " "and nothing stays"
tap_is "$(sed -n 's/^Message-ID: //p' "$MAIL"/* | sort -u | wc -l)" 3 "each has a Message-ID of its own"
configure 'email = "root"; when_empty = "skip";'
before=$(moved)
send_is 0 '' "one without rows can be skipped"
tap_is "$(mails) $(moved)" "u1 u2;-;u3; $before" "then nothing is sent or moved"
for mistake in '--send --html x' '--spooled' '--send --spooled --date 2026-11-22' '--send --date 2026-11-31'; do
	# shellcheck disable=SC2086  # words
	report $mistake
	tap_is "$status $(wc -l <<<"$said")" "2 1" "wrong: $mistake"
done

# ---- a day ---------------------------------------------------------------------------------------
configure 'email = "root"; subject_prefix = "[here]";'
rm -f "$MAIL"/*
send_is 0 'report: sent to root' "the report of a day" --date 2026-11-22
tap_is "$(mails) $(moved)" "u1 u2 u3; $before" "has all rows of the day, and moves nothing"
tap_true "and says so in its subject" grep -q '^Subject: \[here\] .*: 3 failed logins on 2026-11-22' "$MAIL"/*
answer 75
send_is 1 'maillogsentinel: report: 1 of 1 recipients have not accepted it: *' "one that is not accepted is not kept" --date 2026-11-22
tap_is "$(spool) $(moved)" "* $before" "nor is anything moved"

# ---- later ---------------------------------------------------------------------------------------
start_over
configure 'email = [ "root", "staff@example.org" ];'
rows u1
send_is 1 'maillogsentinel: state/spool/000001-0.0-1.*.eml: *; it is tried again later' "not now: it stays, and why is said"
tap_is "$(spool | sed 's/-[-0-9.]*\././g')" "000001.eml 000001.state" "with what is known of it"
rows u2
send_is 1 'maillogsentinel: 2 reports are tried again later, state/spool/000002-*.eml: *' "another one behind it"
rows u3
answer 0
send_is 0 '000001-*: sent to root, staff@example.org
000002-*: sent to root, staff@example.org
000003-*: sent to root, staff@example.org' "all are sent in order"
tap_is "$(mails)" "u1;u2;u3;" "each with its rows"
tap_is "$(md5sum <"$(find "$WORK/refused" -type f | sort | head -n 1)")" "$(md5sum <"$(find "$MAIL" -type f | sort | head -n 1)")" "the same message as the first time, to the byte"
tap_is "$(spool)" "*" "and nothing stays"

# ---- never ---------------------------------------------------------------------------------------
answer 67
rows u4
send_is 1 'maillogsentinel: state/spool/000001-*.failed: *; it has failed and is kept' "refused: it has failed"
answer 0
rows u5
send_is 0 '000002-*: sent to root, staff@example.org' "and holds up no other"
tap_true "which names it" grep -q 'could not be sent' <(tr -d '\r' <"$(find "$MAIL" -type f | sort | tail -n 1)" | sed -z 's/=\n//g')
send_is 0 '' "nor is it tried again" --spooled
failed=$(find "$SPOOL" -name '*.failed')
mv "$failed" "${failed%.failed}.eml"
send_is 0 '000001-*: sent to root, staff@example.org' "unless it gets its name back" --spooled
tap_is "$(mails)" "u1;u2;u3;u5;u4;" "and then has its rows"

# ---- what is damaged or full ----------------------------------------------------------------------
answer 75
rows u6
report --send
rows u7
report --send
answer 0
first=$(find "$SPOOL" -name '000001-*.eml')
printf x >>"$first"
send_is 1 'maillogsentinel: state/spool/000001-*.failed: torn or changed: its checksum is wrong; it has failed and is kept
000002-*: sent to root, staff@example.org' "a torn one has failed, the next is sent" --spooled
rm "$SPOOL"/*
answer 75
rows u8
report --send
answer 0
printf torn >"$(find "$SPOOL" -name '*.state')"
send_is 1 'maillogsentinel: state/spool/000001-*.failed: who has got it is not known: *; it has failed and is kept' "so has one of which is not known who has got it" --spooled
failed=$(find "$SPOOL" -name '*.failed')
mv "$failed" "${failed%.failed}.eml"
send_is 0 '000001-*: sent to root, staff@example.org' "which can be sent all the same" --spooled
truncate -s 1G "$SPOOL/000001-1.1-1.2.failed"
rows u9
before=$(moved)
send_is 1 'maillogsentinel: state/spool: is full of reports that could not be sent (*' "a full spool takes no more"
tap_is "$(moved)" "$before" "and the rows wait"
rm "$SPOOL"/*
# behind the bookmark by its name, and nothing that can be read
mkdir "$SPOOL/000001-1.1-1.2.eml.tmp"
truncate -s 100M "$SPOOL/000002-1.1-1.2.eml"
ln -s nowhere "$SPOOL/000003-1.1-1.2.eml"
send_is 1 'maillogsentinel: state/spool/000002-*.failed: File too large; it has failed and is kept
000003-*: sent to root, staff@example.org' "strangers in the spool hold nothing up"
tap_is "$(last_mail)" "u9;" "and the rows that waited are sent"
rm -r "${SPOOL:?}"/*
rows u9b
cp "$STATE/report.offset" "$WORK/kept"
printf torn >"$STATE/report.offset"
send_is 1 'maillogsentinel: state/report.offset: *; nothing is sent until it is put right (without it all rows are reported again)' "a torn bookmark"
cp "$WORK/kept" "$STATE/report.offset"
send_is 0 '000001-*: sent to root, staff@example.org' "put right, it goes on"
tap_is "$(last_mail)" "u9b;" "with the rows that waited"

# ---- two at a time ---------------------------------------------------------------------------------
rows u10
rm -f "$WORK/called"
touch "$WORK/wait"
"$MLS_PROGRAM" -c "$WORK/conf" report --send >"$WORK/out" 2>&1 &
sender=$!
wait_until 20 test -e "$WORK/called"
send_is 1 "maillogsentinel: state: another report is being sent (process $sender report)" "a second one says who is at work"
rows u11
rm "$WORK/wait"
wait "$sender"
tap_is "$? $(last_mail)" "0 u10;" "the first one sends what it had"
# its end is told from outside
rm -f "$WORK/called"
touch "$WORK/wait"
"$MLS_PROGRAM" -c "$WORK/conf" report --send >"$WORK/out" 2>&1 &
sender=$!
wait_until 20 test -e "$WORK/called"
kill "$sender"
has_ended() { ! kill -0 "$1" 2>/dev/null; } # PID
tap_true "one that is told to end does" wait_until 20 has_ended "$sender"
wait "$sender"
rm "$WORK/wait"
tap_is "$(spool | sed 's/-[-0-9.]*\././g')" "000001.eml 000001.state" "and leaves what it had not sent"
rm -f "$MAIL"/*
send_is 0 '000001-*: sent to root, staff@example.org' "to the next" --spooled
tap_is "$(mails)" "u11;" "which sends it"

# ---- the service -----------------------------------------------------------------------------------
status_lacks() { ! status_has "$1"; } # PATTERN
status_has() { "$MLS_PROGRAM" -c "$WORK/conf" status 2>&1 | sed "s,$WORK/,,g" | grep -qE "$1"; } # PATTERN
start_over
configure '' 23:59
start
tap_true "without a recipient status says why no report is sent" wait_until 20 status_has '^job:      report: does not run: report.email is not set: no report is sent$'
stop
configure 'email = "root";' '*:*:0/2'
start
line u1 >>"$WORK/mail.log"
has_mail_of() { [[ $(mails) == *"$1;"* ]]; } # USER
tap_true "the service sends it at its time" wait_until 30 has_mail_of u1
answer 67
line u2 >>"$WORK/mail.log"
tap_true "status says that one could not be sent, where it is, and why" wait_until 30 status_has '^warning:  since .*: a report could not be sent and is kept, the one of .* in state/spool/[-0-9.]*\.failed: .'
stop
answer 0
rm -f "$SPOOL"/*.failed
start
line u3 >>"$WORK/mail.log"
tap_true "goes on after a restart" wait_until 30 has_mail_of u3
tap_true "and says it no more once it is removed" wait_until 30 status_lacks 'could not be sent'
tap_true "all is well" wait_until 30 status_has '^job:      report: done '
stop
tap_done
