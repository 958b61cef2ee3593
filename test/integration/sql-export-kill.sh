#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=240 alone
# kill -9 of sql-export at random moments, while `run` writes the CSV, which is rotated and compressed, and is killed, too: each line of the log is
# one row in one file, in order, and the files' numbers go on one by one. MLS_KILLS makes it longer.
# shellcheck disable=SC2317  # functions are called by wait_until and tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$ROOT/test/integration/service.sh"
# shellcheck source=test/integration/sql-rig.sh
. "$ROOT/test/integration/sql-rig.sh"
KILLS=${MLS_KILLS:-50}
RANDOM=$((MLS_SEED % 32768))
LOG=$WORK/mail.log SQL=$WORK/state/sql writer=''
mkdir "$WORK/csv" "$WORK/state"
cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = "$LOG"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
dns: { enabled = false; };
X2
# the plain build: the sanitizers have something to say when they are killed
export_rows() { "$MLS_PROGRAM_RELEASE" -c "$WORK/conf" sql-export >>"$WORK/out" 2>>"$WORK/said"; }
# shellcheck disable=SC2086  # it may be none
end_writer() { kill -9 $writer 2>/dev/null; }
tap_defer end_writer

# Numbered failures until told to stop.
write_lines() {
	local n=0

	while [ ! -e "$WORK/enough" ]; do
		awk -v n=$n 'BEGIN { for (i = n; i < n + 100; i++)
			printf "2026-11-22T13:01:48.060269+00:00 mx1 postfix/smtpd[9]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: x, sasl_username=%d\n", i }' >>"$LOG"
		n=$((n + 100))
		sleep 0.01
	done
	echo $n >"$WORK/lines"
}
committed() { grep -q "^rows $1\$" "$WORK/state/state.offset"; }
begun() { [ -s "$CSV" ] && grep -q '^rows [1-9]' "$WORK/state/state.offset" 2>/dev/null; }

: >"$LOG"
start
write_lines &
writer=$!
wait_until 30 begun
begin=$(date +%s%N)
export_rows
took_us=$((($(date +%s%N) - begin) / 1000))
kills=0 runs=0 rotated=0 failed=0 left=0 named=0
while [ $kills -lt "$KILLS" ]; do
	runs=$((runs + 1))
	"$MLS_PROGRAM_RELEASE" -c "$WORK/conf" sql-export >>"$WORK/out" 2>>"$WORK/said" &
	export=$!
	at_us=$((took_us * (RANDOM * 32768 + RANDOM) / 1073741824))
	sleep "$(printf '%d.%06d' $((at_us / 1000000)) $((at_us % 1000000)))"
	kill -9 $export 2>/dev/null
	wait $export 2>/dev/null
	case $? in
	# as many in time as too late
	137) kills=$((kills + 1)) took_us=$((took_us * 5 / 4)) ;;
	0) took_us=$((took_us * 4 / 5 + 1000)) ;;
	*) failed=$((failed + 1)) ;;
	esac
	find "$SQL" -name '.*.tmp' | grep -q . && left=$((left + 1))
	# more files than the bookmark knows of
	[ "$(find "$SQL" -name '*.sql' | wc -l)" -lt "$(sed -n 's/^next //p' "$WORK/state/sql-export.offset")" ] || named=$((named + 1))
	if [ $((runs % 7)) = 0 ]; then
		wait_until 30 begun
		rotated=$((rotated + 1))
		mv "$CSV" "$CSV.$rotated"
		[ ! -e "$CSV.$((rotated - 2))" ] || gzip "$CSV.$((rotated - 2))"
	fi
	if [ $((runs % 19)) = 0 ]; then
		kill -9 $pid
		wait $pid 2>/dev/null
		start
	fi
done
touch "$WORK/enough"
wait $writer
lines=$(<"$WORK/lines")
tap_true "all rows are committed" wait_until 60 committed "$lines"
kill $pid && wait $pid
tap_is $? 0 "SIGTERM ends the service"
tap_true "a last run" export_rows
tap_note "$lines rows, $kills kills in $runs runs, of which $left left a file without a name and $named one that the bookmark was not behind; $rotated rotations, $(find "$SQL" -type f | wc -l) files"
sql_rows "$SQL" >"$WORK/rows"
cut -d' ' -f4 "$WORK/rows" >"$WORK/users"
seq 0 $((lines - 1)) >"$WORK/expected"
tap_true "each line is one row in one file, in order" cmp "$WORK/users" "$WORK/expected"
tap_true "under a key of its own, in the order of the keys" sort -c -u -k1,1 -k2,2n -k3,3n "$WORK/rows"
tap_none "the files are as they should be" "$(sql_defects "$SQL")"
tap_is "$failed" 0 "no run failed"
tap_none "nothing was said" "$(cat "$WORK/said")"
tap_done
