#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=480
# kill -9 at random moments of an extract over 200,000 lines: after the last start the CSV is byte for
# byte that of an undisturbed run. The sanitizers' build and a resolver that refuses (so every name is asked for and
# fails at once) make it slow enough to be hit between commits.
# shellcheck disable=SC2317  # functions are called by wait_until and tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
KILLS=${MLS_KILLS:-50}
RANDOM=$((MLS_SEED % 32768))
GENERATE=$(dirname "$MLS_PROGRAM")/../test/generate-log

config() { # DIR
	mkdir -p "$1/log" "$1/state"
	printf 'paths: { working_dir = "%s/log"; state_dir = "%s/state"; mail_log = "%s"; };\nschedule: { ip_update_schedule = ""; report_schedule = ""; };\ndns: { servers = "127.0.0.1:1"; };\n' \
		"$1" "$1" "$WORK/mail.log" >"$1/conf"
}

extract() { # DIR
	"$MLS_PROGRAM" -c "$1/conf" extract 2>"$1/err"
}

"$GENERATE" --lines 200000 --failures 700 --seed "$MLS_SEED" --addresses 60000 --numbered >"$WORK/all.log"
failures=$(grep -c ' authentication failed: ' "$WORK/all.log")
# the older two thirds are rotated siblings, one of them compressed
split -n l/3 "$WORK/all.log" "$WORK/part."
gzip -c "$WORK/part.aa" >"$WORK/mail.log.2.gz"
mv "$WORK/part.ab" "$WORK/mail.log.1"
mv "$WORK/part.ac" "$WORK/mail.log"

config "$WORK/calm"
begin=$(date +%s%N)
tap_true "an undisturbed run" extract "$WORK/calm"
took_us=$((($(date +%s%N) - begin) / 1000))
tap_is "$(wc -l <"$WORK/calm/log/maillogsentinel.csv")" "$((failures + 1))" "has a row for each failure"
tap_note "$failures failures, $((took_us / 1000)) ms, $KILLS kills"

kills=0 runs=0 resumed=0 wrong=0
while [ $kills -lt "$KILLS" ]; do
	runs=$((runs + 1)) dir=$WORK/run$runs done=
	config "$dir"
	while [ -z "$done" ]; do
		"$MLS_PROGRAM" -c "$dir/conf" extract 2>"$dir/err" &
		pid=$!
		if [ $kills -lt "$KILLS" ]; then
			# a moment of this run, sometimes its very first ones
			at_us=$((took_us * (RANDOM * 32768 + RANDOM) / 1073741824 / (RANDOM % 4 ? 1 : 10)))
			sleep "$(printf '%d.%06d' $((at_us / 1000000)) $((at_us % 1000000)))"
			kill -9 $pid 2>/dev/null
		fi
		wait $pid 2>/dev/null
		case $? in
		137) kills=$((kills + 1)) ;;
		0) done=yes ;;
		*) wrong=$((wrong + 1)) done=yes; tail -n 3 "$dir/err" | tap_note ;;
		esac
		grep -q '^position offset=[1-9]' "$dir/state/state.offset" 2>/dev/null && resumed=$((resumed + 1))
	done
	if cmp -s "$dir/log/maillogsentinel.csv" "$WORK/calm/log/maillogsentinel.csv"; then
		rm -rf "$dir"
	else
		wrong=$((wrong + 1))
		diff "$dir/log/maillogsentinel.csv" "$WORK/calm/log/maillogsentinel.csv" | head -n 5 | tap_note
	fi
done
tap_note "$runs runs were killed $kills times, $resumed starts found progress"
tap_is "$wrong" 0 "after every series of kills the CSV is the undisturbed one"
tap_true "some kills hit after a commit" test $resumed -gt $runs
tap_is "$(sed -n 's/^counters lines=\([0-9]*\) failures=\([0-9]*\) .*/\1 \2/p' "$WORK/calm/state/state.offset")" \
	"200000 $failures" "the counters are those of the log"
tap_done
