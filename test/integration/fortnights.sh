#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=240 packages=python3
# Two fortnights of the service in a simulated time (step-clock.c), one with each change of daylight-saving time, each with two
# schedules, one of them at a time that a change leaves out or brings twice. Failed logins come at all hours; the service is restarted and
# killed, the clock is set and set back, the CSV rotated, and the mail server is away or ill for a day and more. In the end the rows of
# all mails together are the CSV's, in order, and each time of the schedule had its mail.
# MLS_KEEP names a directory that keeps what each left. Arguments ("2026-03-22 23:59") are other fortnights.
# shellcheck disable=SC2317,SC2034,SC2154  # functions are called by wait_until and trap; service.sh and report-rig.sh share variables
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
export TZ=Europe/Berlin
[ "$(date -d @1774746000 +%H)" = 03 ] || tap_skip_all "needs the time zones (tzdata)"
tap_note "seed $MLS_SEED"

# ---- one fortnight ----------------------------------------------------------------------------

# What is found goes to the file points: a line TEXT, GOT and EXPECTED with tabs between.
found() { printf '%s\t%s\t%s\n' "$1" "${2//$'\n'/ | }" "$3" >>"$WORK/points"; }

logged=0
# Some failed logins over so many seconds, in one to three lots, and the slots on the way.
live() { # SECONDS
	local rest=$1 part count due

	while [ "$rest" -gt 0 ]; do
		part=$((RANDOM % rest + rest / 3 + 1))
		[ $part -le "$rest" ] || part=$rest
		count=$((RANDOM % 12))
		[ $count -lt 2 ] || { mapfile -t users < <(seq -f 'u%.0f' $((logged + 1)) $((logged + count - 1))) && fail "${users[@]}" && logged=$((logged + count - 1)); }
		look_at_clock
		due=$(job_field due)
		if [ -n "${pid:-}" ] && [ -n "$due" ] && [ $((due / 1000000)) -gt "$now" ] && [ $((due / 1000000)) -le $((now + part)) ]; then
			rest=$((rest - due / 1000000 + now))
			# the rows before the slot are to be in its mail
			wait_until 10 in_csv $logged || found "rows before a slot" "$(in_csv_count)" $logged
			pass 2
			wait_until 10 committed $logged
			pass_until $((due / 1000000 + 1))
			wait_until 20 job_ended_since $((due / 1000000)) ||
				found "the slot of $(date -d @$((due / 1000000)) '+%F %T %Z') is served" no yes
			wait_until 10 no_child
		else
			rest=$((rest - part))
			pass "$part"
			sleep 0.03
			[ -z "${pid:-}" ] || wait_until 10 no_child
		fi
	done
}
live_until() { # EPOCH
	look_at_clock
	[ "$1" -le "$now" ] || live $(($1 - now))
}
in_csv_count() { cat "$WORK"/csv/*.csv* | grep -cv '^server,'; }
in_csv() { [ "$(in_csv_count)" = "$1" ]; }
end_service() { # SIGNAL
	kill "-$1" "$pid"
	wait "$pid" 2>/dev/null
	pid=
}
rotate() { mv "$CSV" "$CSV.$1"; }
# The clock is set 26 hours ahead, over a slot: that is served as soon as the service looks at the clock.
jump() {
	local due
	due=$(($(job_field due) / 1000000))

	set_clock 93600
	pass 60
	wait_until 20 job_ended_since $due || found "the slot that was jumped over is served" no yes
	wait_until 10 no_child
}

# The day's own event, at noon or at night.
event() { # DAY
	case $1 in
	1) end_service TERM && live 7200 && start_timed ;;
	2) end_service KILL && live 600 && start_timed ;;
	3) smtp_stop ;; # for 26 hours
	4) live $((2 * 3600)) && smtp_start "$smtp_port" ;;
	5) set_clock 18000 && live 7200 && set_clock -18000 ;;
	6) smtp_mode 'rcpt 451 4.7.1 greylisted' ;;
	7) end_service TERM && rotate "$1" && start_timed ;;
	8) smtp_mode && rotate "$1" ;;
	9) set_clock -7200 && live 5000 && set_clock 7200 ;;
	10) smtp_mode 'end once lost' && end_service KILL && start_timed ;;
	11) jump && live 3600 && set_clock -93600 ;;
	12) end_service TERM && live $((20 * 3600)) && start_timed ;;
	13) smtp_mode 'banner once close' ;;
	esac
}

# Which mails up to that date say another number of rows of the day before than the CSV has, or "today" of what is not.
wrong_days() { # DATE
	local directory id date said rows earlier=0 today
	local -A seen=()

	for directory in "$WORK"/read/????; do
		id=$(sed -n 's/^Message-ID: //p' "$directory/head")
		[ -z "${seen[$id]-}" ] || continue
		seen[$id]=yes
		date=$(date -d "$(sed -n 's/^Date: //p' "$directory/head")" +%F)
		[[ ! $date > $1 ]] || break
		said=$(sed -nE 's/^  The day before +([0-9]+).*/\1/p' "$directory/text")
		rows=$(grep -c "^[^,]*,\"$(date -d "$date - 1 day" +%F) " "$WORK/rows.csv")
		[ "${said:-$rows}" = "$rows" ] || echo "$date: the day before had $rows rows, not $said"
		rows=$(grep -cv '^server,' "$directory/rows" 2>/dev/null)
		today=$(grep -c "^[^,]*,\"$date " "$directory/rows" 2>/dev/null)
		if [ "${rows:-0}" -gt 0 ]; then
			# all of them are of today, and no earlier mail had any
			said=$([ "$today" = "$rows" ] && [ "$(head -n "$earlier" "$WORK/rows.mail" | grep -c "^[^,]*,\"$date ")" = 0 ] && echo today)
			grep -q "^Total attempts ${said:-since .*}: " "$directory/text" ||
				echo "$date: ${said:-since another day}: $(grep '^Total attempts' "$directory/text")"
		fi
		earlier=$((earlier + ${rows:-0}))
	done
}

simulate() { # DATE HH:MM
	local day slot wanted='' had='' date

	cat >"$WORK/conf" <<-X2
		paths: { working_dir = "$WORK/csv"; state_dir = "$STATE"; mail_log = "$LOG"; };
		source: { quiet_warning = "0"; };
		report: { email = "root@box.example"; smtp_url = "smtp://127.0.0.1:$smtp_port"; };
		schedule: { ip_update_schedule = ""; report_schedule = "$2"; };
		dns: { enabled = false; };
	X2
	start_timed
	for ((day = 0; day < 14; day++)); do
		date=$(date -d "$1 + $day days" +%F)
		live_until "$(date -d "$date 13:00" +%s)"
		event $day
		live_until "$(date -d "$date + 1 day 00:05" +%s)"
		# on day 11 the clock had been there before; what was served then is not served again
		slot=$(date -d "$date $2" +%s 2>/dev/null) && [ "$slot" -ge "$BEGIN" ] && [ $day != 11 ] && wanted+="$date "
	done
	smtp_mode
	# retries come six hours later at most
	for _ in 1 2 3 4; do live 10000; done
	wait_until 10 in_csv $logged
	pass 2
	wait_until 10 committed $logged
	end_service TERM
	# by hand, without the service
	program report --send >/dev/null 2>"$WORK/send.err"
	found "the last report, by hand: exit status" $? 0
	found "it has nothing to complain of" "$(cat "$WORK/send.err")" ""
	read_mails
	cat "$CSV".* "$CSV" 2>/dev/null | grep -v '^server,' >"$WORK/rows.csv"
	mail_rows >"$WORK/rows.mail"
	found "rows" "$(wc -l <"$WORK/rows.csv")" $logged
	found "the mails' rows are the CSV's" "$(diff "$WORK/rows.mail" "$WORK/rows.csv" | head -n 6)" ""
	found "each mail says how many rows it has" "$(wrong_totals)" ""
	found "the mails are sound" "$(mail_defects)" ""
	found "nothing is left in the spool" "$(ls "$STATE/spool" 2>/dev/null)" ""
	# until the clock is set far ahead, and later than it was back
	found "its numbers of other days are right" "$(wrong_days "$(date -d "$1 + 10 days" +%F)")" ""
	for date in $wanted; do
		day=$(LC_ALL=C date -d "$date" '+%a, %d %b %Y')
		grep -q "^Date: $day" "$WORK"/read/*/head && had+="$date "
	done
	found "each time of the schedule had its mail" "$had" "$wanted"
	found "the service warned of nothing else" \
		"$(grep -iE 'warning|error' "$WORK/err" | grep -vE 'no such file; .* N/A until|warning: report: failed, and is tried again' | head -n 20)" ""
	cp "$WORK/points" "$WORK/../$name.points"
}

fortnight() { # DATE HH:MM
	tap_deferred=()
	RANDOM=$((MLS_SEED % 32768))
	WORK=$WORK/$name
	trap tap_cleanup EXIT
	mkdir "$WORK"
	: >"$WORK/points"
	BEGIN=$(date -d "$1 06:00" +%s)
	# shellcheck source=test/integration/service.sh
	. "$ROOT/test/integration/service.sh"
	# shellcheck source=test/integration/report-rig.sh
	. "$ROOT/test/integration/report-rig.sh"
	smtp_start 0
	simulate "$1" "$2"
	[ -z "${MLS_KEEP-}" ] || cp -r "$WORK" "$MLS_KEEP"
}

# ---- all of them ------------------------------------------------------------------------------

fortnights=("2026-03-22 23:59" "2026-03-22 02:30" "2026-10-18 23:59" "2026-10-18 02:30")
[ $# -eq 0 ] || fortnights=("$@")
for which in "${fortnights[@]}"; do
	read -r date schedule <<<"$which"
	name=$date-${schedule/:/}
	(fortnight "$date" "$schedule") &
	players+=($!)
done
wait "${players[@]}"
for which in "${fortnights[@]}"; do
	read -r date schedule <<<"$which"
	points=$WORK/$date-${schedule/:/}.points
	[ -s "$points" ] || tap_fail "$which: came to its end"
	while IFS=$'\t' read -r text got expected; do tap_is "$got" "$expected" "$which: $text"; done <"$points"
done
tap_done
