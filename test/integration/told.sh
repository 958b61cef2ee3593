#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Failed logins in the program's log (general.journal_events): each once, in the CSV's order, and none before its row can be
# read there, also while the CSV can't grow; a reload begins and ends it, and where nothing is recorded nothing is told.
# shellcheck disable=SC2317  # functions are called by wait_until and tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
COUNT=300 CSV=$WORK/w/maillogsentinel.csv LOG=$WORK/mail.log
mkdir "$WORK/w" "$WORK/s"
configure() { # EVENTS [LEVEL]
	cat >"$WORK/conf" <<-X
		paths: { working_dir = "$WORK/w"; state_dir = "$WORK/s"; mail_log = "$LOG"; };
		schedule: { ip_update_schedule = ""; report_schedule = ""; };
		dns: { enabled = false; };
		general: { journal_events = $1; log_level = "${2-INFO}"; };
	X
}
# COUNT lines of now from number FROM on; every tenth is folded into three rows.
lines() { # FROM COUNT
	local i text

	for ((i = $1; i < $1 + $2; i++)); do
		text="warning: unknown[203.0.113.$((i % 250))]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=user$i"
		[ $((i % 10)) -ne 0 ] || text="message repeated 3 times: [ $text]"
		printf '%(%FT%T%z)T mx1 postfix/smtpd[9]: %s\n' -1 "$text"
	done | sed 's/^\(.\{22\}\)/\1:/' >>"$LOG"
}
told() { sed -n 's/^maillogsentinel: failed login from .*: //p' "$WORK/err"; }
recorded() { sed 1d "$CSV" | cut -d, -f4 | uniq; }
rows() { sed 1d "$CSV" 2>/dev/null | wc -l; }
has_rows() { [ "$(rows)" -ge "$1" ]; }
all_told() { [ "$(told | wc -l)" -ge "$COUNT" ]; }
generation_is() { [ "$(sed -n 's/^generation //p' "$WORK/s/status")" = "$1" ]; }
stop_daemon() { kill -9 "$pid" 2>/dev/null; }
tap_defer stop_daemon

configure true
lines 1 50
# Its files are limited; what it says goes through a pipe.
mkfifo "$WORK/pipe"
cat "$WORK/pipe" >"$WORK/err" &
(ulimit -S -f 8; exec "$MLS_PROGRAM" -c "$WORK/conf" run 2>"$WORK/pipe") &
pid=$!
wait_until 10 has_rows 60
lines 51 $((COUNT - 50))
tap_true "a CSV that may not grow" wait_until 10 grep -q 'File too large; reading pauses' "$WORK/err"
tap_is "$(told | wc -l)" "$(recorded | wc -l)" "nothing is told that has no row"
tap_true "and not all have one" [ "$(rows)" -lt $COUNT ]
tap_true "it can grow again" prlimit --pid $pid --fsize=unlimited
tap_true "all rows come" wait_until 20 has_rows $((COUNT * 12 / 10))
wait_until 10 all_told
tap_true "and each was told once, in their order" diff <(recorded) <(told)
tap_is "$(grep -c ', 3 times: user[0-9]*0$' "$WORK/err")" $((COUNT / 10)) "a line that stands for three is one message"
tap_is "$(grep -c '^maillogsentinel: failed login from 203.0.113.1 (Off) at mx1, postfix/smtpd, PLAIN: user1$' "$WORK/err")" 1 "of this form"

configure false
kill -HUP $pid
tap_true "a reload" wait_until 10 generation_is 2
rows=$(rows)
lines 1001 9
wait_until 10 has_rows $((rows + 9))
tap_is "$(told | wc -l) $(rows)" "$COUNT $((rows + 9))" "ends it"
configure false DEBUG
kill -HUP $pid
wait_until 10 generation_is 3
lines 2001 1
wait_until 10 has_rows $((rows + 10))
wait_until 10 grep -q 'debug: failed login from .*: user2001$' "$WORK/err"
tap_is "$(grep -c user2001 "$WORK/err")" 1 "at the level DEBUG it is told as such"
kill -TERM $pid
wait $pid
tap_is $? 0 "stopped"
tap_is "$("$MLS_PROGRAM" -c "$WORK/conf" extract --stdout --from "$LOG" 2>&1 >"$WORK/out" | grep -c 'failed login')" 0 \
	"what is only shown is not told"
tap_is "$(sed 1d "$WORK/out" | wc -l)" "$(rows)" "though it is shown"
tap_done
