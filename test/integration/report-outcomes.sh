#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=240 packages=python3
# What becomes of a report when the mail server is not there, refuses, hangs, or goes away at each step of the way (smtp-play.py): whether
# it is sent, kept for later, or kept as failed; what is said; the exit status; and that each row is in one mail in the end. Then the
# service: a server that is down for 26 hours, and a mail that is refused for five days.
# shellcheck disable=SC2317,SC2034,SC2154  # functions are called by wait_until and tap_true; service.sh and report-rig.sh share variables
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
BEGIN=$EPOCHSECONDS
# shellcheck source=test/integration/service.sh
. "$(dirname "$0")/service.sh"
# shellcheck source=test/integration/report-rig.sh
. "$(dirname "$0")/report-rig.sh"

configure() { # EMAIL [OPTION-OF-REPORT...]
	cat >"$WORK/conf" <<-X2
		paths: { working_dir = "$WORK/csv"; state_dir = "$STATE"; mail_log = "$LOG"; };
		source: { quiet_warning = "0"; };
		report: { $1 smtp_url = "smtp://127.0.0.1:$smtp_port"; ${*:2} };
		schedule: { ip_update_schedule = ""; report_schedule = ${schedule-\"\"}; };
		dns: { enabled = false; };
	X2
}
one='email = "root@box.example";'
both='email = [ "root@box.example", "ann@box.example" ];'
runs=("$MLS_PROGRAM" -c "$WORK/conf")

# One more failed login, and its row.
user=0
more() {
	user=$((user + 1))
	fail "u$user"
	"${runs[@]}" extract >"$WORK/extract" 2>&1 || tap_note <"$WORK/extract"
}
# Runs it: $status, and what it says in $said.
send() { # [ARG...]
	status=0
	said=$("${runs[@]}" report --send "$@" 2>&1 >"$WORK/out") || status=$?
}
lines_of() { grep -c . <<<"$1"; }
# What is to be seen: exit status, lines said when it is not 0, waiting, failed, mails that came.
seen() { echo "$status $([ $status = 0 ] || lines_of "$said") $(spool eml) $(spool failed) $(($(mails) - before))"; }
# The parts of the mail that came last.
last() { read_mails; printf '%s/read/%04d/%s' "$WORK" "$(mails)" "$1"; } # PART
last_users() { cut -d, -f4 "$(last rows)" 2>/dev/null | sed 1d | tr '\n' ' '; }

# The mail is kept, and sent when the server does.
later() { # TEXT MODE...
	local text=$1 before

	before=$(mails)
	shift
	more
	smtp_mode "$@"
	send
	first_said=$said
	tap_is "$(seen)" "1 1 1 0 0" "$text: it is kept" || tap_note "$said"
	smtp_mode
	send --spooled
	tap_is "$(seen) $(last_users)" "0  0 0 1 u$user " "$text: then sent" || tap_note "$said"
}
# The mail is kept as failed, the next one says so, and it is sent when somebody renames it.
refused() { # TEXT MODE...
	local text=$1 before name first

	before=$(mails)
	shift
	more
	smtp_mode "$@"
	send
	tap_is "$(seen)" "1 1 0 1 0" "$text: it has failed" || tap_note "$said"
	name=$(cd "$STATE/spool" && ls -- *.failed)
	smtp_mode
	send --spooled
	tap_is "$(seen)" "0  0 1 0" "$text: which is the end of it"
	more
	first=u$((user - 1))
	send
	tap_is "$(seen) $(last_users)" "0  0 1 1 u$user " "$text: no other is held up" || tap_note "$said"
	tap_true "$text: the next report says so" grep -qF "${name%.failed}" "$(last text)"
	mv "$STATE/spool/$name" "$STATE/spool/${name%.failed}.eml"
	send --spooled
	tap_is "$(seen) $(last_users)" "0  0 0 2 $first " "$text: renamed, it is sent" || tap_note "$said"
}

# ---- no address, no server --------------------------------------------------------------------
smtp_start 0
configure ''
more
send
tap_is "$status $(lines_of "$said") $(ls "$STATE/spool" "$STATE/report.offset" 2>/dev/null)" "1 1 " "no address: nothing happens" || tap_note "$said"
tap_true "and it says what is missing" grep -q 'report\.email' <<<"$said"
tap_true "report still prints" grep -q '^Total attempts.*: 1$' <<<"$("${runs[@]}" report 2>&1)"
configure "$one"
before=$(mails)
send
tap_is "$(seen) $(last_users)" "0  0 0 1 u1 " "a server that takes it" || tap_note "$said"
tap_is "$(stat -c %a "$STATE/spool" "$STATE/report.offset" | tr '\n' ' ')" "700 600 " "what is kept is for the service alone"

# ---- each step of the way ---------------------------------------------------------------------
smtp_log >/dev/null
for answer in '421 4.3.2 not now' close; do
	for stage in banner ehlo mail rcpt data end; do later "$stage: $answer" "$stage $answer"; done
done
for stage in mail rcpt data end; do
	later "$stage: temporary" "$stage 451 4.3.0 try again"
	tap_true "$stage: temporary: the answer was said" grep -q 'try again' <<<"$first_said" || tap_note "$first_said"
done
for stage in mail rcpt data end; do refused "$stage: permanent" "$stage 550 5.7.1 not you"; done
refused "a limit of size that is told" 'size 500' 'mail 552 5.3.4 too big' 'end 552 5.3.4 too big'
refused "a limit of size that is not" 'end over=500 552 5.3.4 too big'
later "a server that wants nobody" 'banner 554 5.3.2 no service here'
smtp_stop
before=$(mails)
more
send
tap_is "$(seen)" "1 1 1 0 0" "nobody listens: it is kept" || tap_note "$said"
more
send
tap_is "$(seen)" "1 1 2 0 0" "a second one"
more
send
tap_is "$(seen)" "1 1 3 0 0" "a third"
smtp_start "$smtp_port"
smtp_mode 'data once 451 4.3.0 busy'
send --spooled
tap_is "$(seen)" "1 1 1 0 2" "one that is put off holds up no other" || tap_note "$said"
send --spooled
tap_is "$(seen)" "0  0 0 3" "and follows"
# the server took it, but nobody heard
before=$(mails)
more
smtp_mode 'end once lost'
send
tap_is "$(seen)" "1 1 1 0 1" "an answer that is lost: it is kept" || tap_note "$said"
send --spooled
tap_is "$(seen)" "0  0 0 2" "and sent again"
tap_is "$(sed -n 's/^Message-ID: //p' "$(last head)" "$WORK/read/$(printf %04d $(($(mails) - 1)))/head" | uniq | wc -l)" 1 "by the same name"

# ---- two recipients ---------------------------------------------------------------------------
configure "$both"
# Who got the mails since then, each of them.
who_got() {
	local mail

	for mail in "$MAIL"/????.to; do [ "$(basename "$mail" .to)" -le "$before" ] || cat "$mail"; done | tr ' ' '\n' | sort | uniq -c | awk '{ printf "%s %d ", $2, $1 }'
}
before=$(mails)
more
smtp_mode
send
tap_is "$status $(spool eml) $(who_got)" "0 0 ann@box.example 1 root@box.example 1 " "two recipients: both" || tap_note "$said"
before=$(mails)
more
smtp_mode 'rcpt to=ann@box.example 450 4.2.0 not now'
send
tap_is "$status $(spool eml) $(spool failed) $(who_got)" "1 1 0 root@box.example 1 " "one of them later" || tap_note "$said"
smtp_mode
send --spooled
tap_is "$status $(spool eml) $(spool failed) $(who_got)" "0 0 0 ann@box.example 1 root@box.example 1 " "then she too, he not again" || tap_note "$said"
before=$(mails)
more
smtp_mode 'rcpt to=root@box.example 550 5.1.1 who'
send
tap_is "$status $(spool eml) $(spool failed) $(who_got)" "1 0 1 ann@box.example 1 " "one of them never" || tap_note "$said"
smtp_mode
for name in "$STATE"/spool/*.failed; do mv "$name" "${name%.failed}.eml"; done
send --spooled
tap_is "$status $(spool eml) $(spool failed) $(who_got)" "0 0 0 ann@box.example 1 root@box.example 1 " "until it is renamed" || tap_note "$said"

# ---- what moves nothing, and what is skipped --------------------------------------------------
configure "$one"
more
moved() { [ "$(sha256sum <"$STATE/report.offset")" = "$place" ] || echo moved; }
before=$(mails) place=$(sha256sum <"$STATE/report.offset") today=$(date +%F)
send --date "$today"
tap_is "$(seen) $(moved)" "0  0 0 1 " "--date with --send moves nothing" || tap_note "$said"
tap_is "$(grep -cE "^Total attempts (on $today|today): $user\$" "$(last text)")" 1 "it is the day's" || tap_note "$(grep Total "$(last text)")"
day_mail=$(mails)
smtp_mode 'mail 550 5.7.1 not you'
send --date "$today"
tap_is "$(seen) $(moved)" "1 1 0 0 1 " "nor when it is refused" || tap_note "$said"
smtp_mode
"${runs[@]}" report >"$WORK/out" 2>&1
tap_is "$? $(moved)" "0 " "nor does report" || tap_note <"$WORK/out"
send
tap_is "$(seen) $(last_users)" "0  0 0 2 u$user " "the row is in the next report" || tap_note "$said"
send
tap_is "$(seen) $(last_users)" "0  0 0 3 " "a report of nothing is sent, too" || tap_note "$said"
configure "$one" 'when_empty = "skip";'
place=$(sha256sum <"$STATE/report.offset")
send
tap_is "$(seen) $(moved)" "0  0 0 3 " "unless it is to be skipped" || tap_note "$said"
more
send
tap_is "$(seen) $(last_users)" "0  0 0 4 u$user " "one of something is not" || tap_note "$said"

# ---- a server that hangs; time goes by --------------------------------------------------------
configure "$one"
runs=(program)
hangs() { grep -q "^hang $1\$" <(tail -n +$((smtp_seen + 1)) "$SMTP/log"); }
for stage in banner ehlo mail rcpt data end; do
	before=$(mails)
	more
	smtp_mode "$stage hang"
	smtp_log >/dev/null
	program report --send >"$WORK/out" 2>&1 &
	sender=$!
	tap_true "$stage: the server hangs" wait_until 20 hangs "$stage"
	# minutes, not hours: in steps, as time passes
	for ((minute = 0; minute < 16 && $(kill -0 "$sender" 2>/dev/null; echo $?) == 0; minute++)); do
		pass 60
		sleep 0.05
	done
	status=0
	tap_true "$stage: it is left within a quarter of an hour" [ $minute -lt 16 ] || kill $sender
	wait $sender || status=$?
	said=$(cat "$WORK/out")
	tap_is "$(seen)" "1 1 1 0 0" "$stage hangs: it is kept" || tap_note "$said"
	smtp_mode
	send --spooled
	tap_is "$(seen) $(last_users)" "0  0 0 1 u$user " "$stage hangs: then sent" || tap_note "$said"
done
# told to end, it ends at once
more
before=$(mails)
smtp_mode 'end hang'
smtp_log >/dev/null
"$MLS_PROGRAM" -c "$WORK/conf" report --send >"$WORK/out" 2>&1 &
sender=$!
wait_until 20 hangs end
kill $sender
ended() { ! kill -0 "$sender" 2>/dev/null; }
tap_true "SIGTERM ends it while it waits" wait_until 5 ended || kill -9 $sender
status=0
wait $sender || status=$?
tap_true "and it does not say that all is well ($status)" [ $status -ne 0 ]
tap_is "$(spool eml) $(spool failed)" "1 0" "the mail is kept"
smtp_mode
send --spooled
tap_is "$(seen) $(last_users)" "0  0 0 1 u$user " "and sent"

# ---- the service ------------------------------------------------------------------------------
"${runs[@]}" extract >/dev/null 2>&1
schedule='"23:59"'
configure "$one"
tap_note "seed $MLS_SEED"
RANDOM=$((MLS_SEED % 32768))
smtp_stop
start_timed
due() { due=$(job_field due) && [ "${due:-0}" -gt 0 ]; }
wait_until 10 due
before=$(mails)
tries=0
# A step of the clock; what comes up is waited for.
step() { # SECONDS
	pass "$1"
	sleep 0.03
	wait_until 20 no_child
}
to_slot() {
	local next

	wait_until 10 due
	next=$((due / 1000000))
	user=$((user + 1))
	fail "u$user"
	wait_until 10 users_end_with "u$user"
	pass 2
	wait_until 10 committed $user
	pass_until $((next + 1))
	wait_until 20 job_ended_since $next || tap_fail "the slot at $next is served"
}
users_end_with() { [ "$(tail -n 1 "$CSV" | cut -d, -f4)" = "$1" ]; }
to_slot
tap_is "$(spool eml) $(($(mails) - before))" "1 0" "the service: no server, it is kept"
for ((hour = 0; hour < 24; hour++)); do step 3600; done
wait_until 10 job_ended_since $((due / 1000000))
user=$((user + 0))
tap_true "after a day, status says so" wait_until 10 status_says '^warning:.* report: failed, and is tried again: '
tap_is "$(spool eml) $(($(mails) - before))" "2 0" "the next day's is kept, too"
tap_true "it was tried again, not all the time ($(job_field failures) failures)" [ "$(job_field failures)" -ge 4 -a "$(job_field failures)" -le 30 ]
step 7200
smtp_start "$smtp_port"
for ((hour = 0; hour < 13 && $(spool eml) > 0; hour++)); do step 1800; done
tap_is "$(spool eml) $(spool failed) $(($(mails) - before))" "0 0 2" "after 26 hours the server is back: all is sent, within half a dozen hours"
tap_true "and the warning goes" wait_until 10 eval '! status_says "^warning:.* report: "'

# a mail that is put off for days, while others go
before=$(mails)
smtp_mode 'mail 450 4.2.0 not today'
to_slot
slot=$((due / 1000000))
held=$(cd "$STATE/spool" && ls -- *.eml)
for ((hour = 0; hour < 5 * 24 - 2; hour += 2)); do step 7200; done
tap_is "$(spool failed) $(spool eml) $(($(mails) - before))" "0 5 0" "for five days it is put off, as those after it"
for ((hour = 0; hour < 10; hour += 2)); do step 7200; done
tap_is "$(spool failed)" "1" "then it has failed" || tap_note "$(ls "$STATE/spool")"
tap_is "$(cd "$STATE/spool" && ls -- *.failed)" "${held%.eml}.failed" "it, no other"
tap_true "status names it" status_says "^warning:.*${held%.eml}"
smtp_mode
for ((hour = 0; hour < 13 && $(spool eml) > 0; hour++)); do step 1800; done
tap_is "$(spool failed) $(spool eml)" "1 0" "the others are sent"
to_slot
tap_true "the next report names it" grep -qF "${held%.eml}" "$(last text)"
mv "$STATE/spool/${held%.eml}.failed" "$STATE/spool/$held"
to_slot
tap_is "$(spool failed) $(spool eml)" "0 0" "renamed, it is tried again, and sent"
tap_true "and the warning goes" wait_until 10 eval '! status_says "^warning:.*spool"'
stop
tap_is $? 0 "the service ends"

# ---- all together -----------------------------------------------------------------------------
day_mail=$(printf %04d "$day_mail")
rm -r "$WORK/read/$day_mail" "${MAIL:?}/$day_mail"
tap_is "$(mail_users | tr ' ' '\n' | grep . | sort -V)" "$(seq -f 'u%.0f' 1 $user)" "each row was in one mail"
tap_none "each mail says how many rows it has" "$(wrong_totals)"
tap_none "the mails are sound" "$(mail_defects)"
tap_none "nothing was found by the sanitizers" "$(grep -E 'ERROR: |runtime error' "$WORK/err")"
tap_done
