#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: no
# Sourced, after tap.sh and service.sh, by tests of reports that are sent: a mail server that behaves as it is told (smtp-play.py), a
# clock that the test sets (clock-rig.sh), and what was in the mails, by Python's parser (read-mail.py).
# shellcheck disable=SC2034,SC2154,SC2317  # the tests use and set variables; functions are called by wait_until and tap_true
command -v python3 >/dev/null || tap_skip_all "needs python3"
# shellcheck source=test/integration/clock-rig.sh
. "$ROOT/test/integration/clock-rig.sh"
SMTP=$WORK/smtp MAIL=$WORK/smtp/mail
mkdir -p "$SMTP" "$WORK/read"

# ---- the mail server --------------------------------------------------------------------------

smtp_mode() { # [LINE...]
	printf '%s\n' "$@" >"$SMTP/mode.new"
	mv "$SMTP/mode.new" "$SMTP/mode"
}
smtp_start() { # [PORT]
	rm -f "$SMTP/port"
	python3 "$ROOT/test/integration/smtp-play.py" "$SMTP" "$@" &
	smtp_pid=$!
	wait_until 20 test -s "$SMTP/port" || tap_fail "the mail server of this test does not start"
	smtp_port=$(cat "$SMTP/port")
}
smtp_stop() {
	kill "$smtp_pid" 2>/dev/null
	wait "$smtp_pid" 2>/dev/null
}
tap_defer smtp_stop
smtp_pid=x
# What happened since the last time.
smtp_seen=0
smtp_log() {
	local lines

	lines=$(wc -l <"$SMTP/log")
	tail -n +$((smtp_seen + 1)) "$SMTP/log" | head -n $((lines - smtp_seen))
	smtp_seen=$lines
}

# ---- mails ------------------------------------------------------------------------------------

# Takes apart what has come: $WORK/read/NUMBER.
read_mails() {
	local mail

	for mail in "$MAIL"/????; do
		[ ! -f "$mail" ] || [ -d "$WORK/read/${mail##*/}" ] ||
			python3 "$ROOT/test/integration/read-mail.py" "$mail" "$WORK/read/${mail##*/}"
	done
}
mails() { find "$MAIL" -type f -name '????' | wc -l; }
# The mails' rows, in the order in which they came; a mail that came again (as its Message-ID says) once.
mail_rows() {
	local directory id
	local -A seen=()

	read_mails
	for directory in "$WORK"/read/????; do
		id=$(sed -n 's/^Message-ID: //p' "$directory/head")
		[ -n "${seen[${id:-none}]-}" ] || grep -hv '^server,date,' "$directory/rows" 2>/dev/null
		seen[${id:-none}]=yes
	done
}
mail_users() { mail_rows | cut -d, -f4 | tr '\n' ' '; }
# Which mails say another number than they have rows.
wrong_totals() {
	local directory rows said

	read_mails
	for directory in "$WORK"/read/????; do
		rows=$(grep -cv '^server,date,' "$directory/rows" 2>/dev/null)
		said=$(sed -n 's/^Total attempts .*: \([0-9]*\)$/\1/p' "$directory/text")
		[ "$said" = "${rows:-0}" ] || echo "${directory##*/}: $rows rows, but: $(grep '^Total attempts' "$directory/text")"
	done
}
mail_defects() { read_mails; grep -H '^defects: .' "$WORK"/read/*/head; }
spool() { (cd "$STATE/spool" 2>/dev/null && ls -- *."$1" 2>/dev/null) | wc -l; } # eml|failed
