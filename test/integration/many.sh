#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=240 alone
# 200 logs that a pattern names, all written at once and each rotated many times in all ways, some of them late, some away for a
# while, while the service is killed again and again: each line of each log is one row, in order within each log. Then the same
# with more logs than files may be open.
# MLS_MANY_LOGS, MLS_MANY_LINES (of each) and MLS_KILLS make it longer.
# shellcheck disable=SC2317  # functions are called by wait_until and tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
RANDOM=$((MLS_SEED % 32768))
CSV=$WORK/csv/maillogsentinel.csv
WRITE=$(dirname "$MLS_PROGRAM")/../test/many-write
cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = "$WORK/r/*/mail.log*"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
dns: { enabled = false; };
X2

start() {
	(ulimit -n "$files"; exec "$MLS_PROGRAM" -c "$WORK/conf" run) 2>>"$WORK/err" &
	pid=$!
}
end_all() { kill -9 "${pid:-x}" "${writer:-x}" 2>/dev/null; }
tap_defer end_all

writing() { kill -0 "$writer" 2>/dev/null; }
rows() {
	if [ -e "$CSV" ]; then echo $(($(wc -l <"$CSV") - 1)); else echo 0; fi
}
all_there() { grep -qx "rows $(wc -l <"$WORK/expected")" "$WORK/state/state.offset"; }

play() { # LOGS LINES-OF-EACH KILLS FILES
	local logs=$1 lines=$2 wanted=$3 files=$4 kills=0 goal

	rm -rf "$WORK/csv" "$WORK/state" "$WORK/r" "$WORK/r.aside" "$WORK/err"
	mkdir "$WORK/csv" "$WORK/state" "$WORK/r" "$WORK/r.aside"
	start
	"$WRITE" "$WORK/r" "$logs" "$lines" "$MLS_SEED" >"$WORK/ledger" &
	writer=$!
	reached() { [ "$(rows)" -ge "$goal" ] || ! writing; }
	while writing && [ $kills -lt "$wanted" ]; do
		# a moment of the work: some rows later, or at once
		goal=$(($(rows) + RANDOM % (2 * logs * lines / wanted)))
		wait_until 60 reached
		kill -9 $pid
		wait $pid 2>/dev/null
		kills=$((kills + 1))
		start
	done
	wait "$writer"
	tap_is $? 0 "$logs logs, $files files: the writer has written all"
	awk '{ for (i = 1; i <= $2; i++) print $1, "u" i }' "$WORK/ledger" >"$WORK/expected"
	tap_true "all of it is committed" wait_until 60 all_there
	tap_note "resident: $(awk '/^VmRSS/ { print $2, $3 }' "/proc/$pid/status"), open files: $(find "/proc/$pid/fd" -mindepth 1 | wc -l)"
	kill $pid
	wait $pid
	tap_is $? 0 "the service stops"
	tap_note "$(wc -l <"$WORK/expected") lines, $(awk '{ n += $3 } END { print n }' "$WORK/ledger") rotations, $kills kills"
	# the order between the logs is nobody's affair
	tap_true "each log's rows are its lines, in order" \
		diff <(sed 1d "$CSV" | awk -F, '{ print $1, $4 }' | sort -s -k 1,1) "$WORK/expected"
	tap_is "$(grep -c '^log ' "$WORK/state/state.offset")" "$logs" "each log has its place in the checkpoint"
	tap_none "nothing was lost or damaged" \
		"$(grep -E 'is gone; what|damaged|shorter|lost|is the same file|open files' "$WORK/err" | sed "s,$WORK/,,g" | head)"
}

play "${MLS_MANY_LOGS:-200}" "${MLS_MANY_LINES:-150}" "${MLS_KILLS:-15}" "$(ulimit -Hn)"
play 100 100 5 64
tap_done
