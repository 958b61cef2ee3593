#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=300 packages=logrotate
# The CSV is rotated while `run` writes it under load and is killed: renamed in several ways, by logrotate with the rule in contrib,
# and compressed later. A reader reads beside it, and is killed too. Each line of the log is in the CSVs once and was read once,
# in order. Then another program copies and cuts the CSV: what that loses is said, and nothing is doubled.
# MLS_ROTATIONS and MLS_KILLS make it longer.
# shellcheck disable=SC2317,SC2010,SC2012  # functions are called by wait_until and tap_true; names here are plain
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$ROOT/test/integration/service.sh"
ROTATIONS=${MLS_ROTATIONS:-24} KILLS=${MLS_KILLS:-6}
RANDOM=$((MLS_SEED % 32768))
READ=$(dirname "$MLS_PROGRAM")/../test/read-rows
command -v logrotate >/dev/null || tap_skip_all "no logrotate"
DIR=$WORK/csv LOG=$WORK/mail.log writer='' reader=''
mkdir "$DIR" "$WORK/state" "$WORK/batches"
chmod 755 "$WORK"
cat >"$WORK/conf" <<X2
paths: { working_dir = "$DIR"; state_dir = "$WORK/state"; mail_log = "$LOG"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
dns: { enabled = false; };
X2
sed "s,^/var/log/maillogsentinel/,$DIR/," "$ROOT/contrib/logrotate/maillogsentinel" >"$WORK/rule"
sed -e '/^\t#/d' -e 's/nocopytruncate/copytruncate/; s/nocreate//' "$WORK/rule" >"$WORK/foreign-rule"

start_reader() {
	"$READ" "$WORK/state" "$WORK/batches" 0 2>>"$WORK/read-err" &
	reader=$!
}
# shellcheck disable=SC2086  # some are not there yet
end_all() { kill -9 $reader $writer 2>/dev/null; }
tap_defer end_all

# Numbered failures from FROM on, in steps that leave room for what else is to happen, until told to stop.
write_lines() { # FROM
	local n=$1

	while [ ! -e "$WORK/enough" ]; do
		awk -v n="$n" 'BEGIN { for (i = n; i < n + 100; i++)
			printf "2026-11-22T13:01:48.060269+00:00 mx1 postfix/smtpd[9]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: x, sasl_username=%d\n", i }' >>"$LOG"
		n=$((n + 100))
		sleep 0.01
	done
	echo "$n" >"$WORK/lines"
}
start_writing() { # FROM
	rm -f "$WORK/enough" "$WORK/lines"
	write_lines "$1" &
	writer=$!
}

# All rows in all files.
all_users() {
	local file

	for file in "$DIR"/*; do
		case $file in
		*.gz) zcat "$file" ;;
		*.xz) xzcat "$file" ;;
		*) cat "$file" ;;
		esac
	done | grep -v ^server, | cut -d, -f4
}
read_users() { cat "$WORK"/batches/*; }
committed() { grep -q "^rows $1\$" "$WORK/state/state.offset"; }
some_rows_later() {
	local before=$1

	[ "$(stat -c %s "$LOG")" -gt $((before + 20000)) ]
}
begun_anew() { [ -s "$CSV" ]; }

rotated=0
rotate() {
	rotated=$((rotated + 1))
	case $((RANDOM % 5)) in
	0) mv "$CSV" "$CSV.r$rotated" ;;
	1) mv "$CSV" "$CSV.r$rotated" && : >"$CSV" ;;
	2) mv "$CSV" "$DIR/archive$rotated" ;;
	*) logrotate -f -s "$WORK/logrotate.state" "$WORK/rule" 2>>"$WORK/logrotate.err" ;;
	esac
}

start
start_reader
start_writing 0
kills=0 squeezed=0
for ((i = 1; i <= ROTATIONS; i++)); do
	wait_until 30 begun_anew
	[ $((RANDOM % 2)) = 0 ] || wait_until 10 some_rows_later "$(stat -c %s "$LOG")"
	rotate
	if [ $((i * KILLS / ROTATIONS)) -gt $kills ]; then
		kills=$((kills + 1))
		[ $((RANDOM % 2)) = 0 ] || sleep "0.$((RANDOM % 9))"
		kill -9 $pid && wait $pid 2>/dev/null
		[ $((RANDOM % 3)) = 0 ] && rotate 2>/dev/null
		start
		kill -9 $reader && wait $reader 2>/dev/null
		start_reader
	fi
	if [ $((i % 7)) = 0 ] && wait_until 30 begun_anew; then
		# not the newest: what is not committed may still stand in it until the service has noticed
		file=$(ls -t "$DIR" | grep -v -e '\.[gx]z$' | sed -n 4p)
		[ -z "$file" ] || { "$([ $((RANDOM % 2)) = 0 ] && echo gzip || echo xz)" "$DIR/$file" && squeezed=$((squeezed + 1)); }
	fi
done
touch "$WORK/enough"
wait $writer
lines=$(cat "$WORK/lines")
tap_true "all rows are committed" wait_until 60 committed "$lines"
kill $pid && wait $pid
tap_is $? 0 "SIGTERM ends it"
kill -9 $reader && wait $reader 2>/dev/null
"$READ" "$WORK/state" "$WORK/batches" 2>>"$WORK/read-err"
tap_note "$lines rows, $rotated rotations, $(ls "$DIR" | wc -l) CSVs, $squeezed compressed, $kills kills, $(ls "$WORK/batches" | wc -l) batches"
all_users | sort -n >"$WORK/in-files"
read_users >"$WORK/in-batches"
seq 0 $((lines - 1)) >"$WORK/expected"
tap_true "each line is one row in one of the files" cmp "$WORK/in-files" "$WORK/expected"
tap_true "and was read once, in order" cmp "$WORK/in-batches" "$WORK/expected"
tap_none "nothing was missing" "$(cat "$WORK/read-err")"
tap_none "logrotate had nothing to say" "$(cat "$WORK/logrotate.err")"
tap_none "no warning" "$(grep -i -e warning -e error "$WORK/err" | grep -v 'no such file; .* N/A until')"

# Without a row nothing happens, and still the rotated file is let go.
start
wait_until 10 grep -q "written" "$WORK/state/state.offset"
holds_open() { ls -l "/proc/$pid/fd" 2>/dev/null | grep -q "$1\$"; }
wait_until 10 holds_open "$CSV"
mv "$CSV" "$CSV.quiet"
let_go() { ! holds_open "$CSV.quiet" && holds_open "$CSV"; }
tap_true "an idle service lets a rotated file go" wait_until 45 let_go
tap_is "$(stat -c %a "$CSV")" 640 "the new one has mode 640"

# ---- copy and cut: rows are lost by nature, which is said --------------------------------------------
rm -f "$DIR"/*.quiet "$DIR"/archive* "$CSV".*
: >"$WORK/err"
: >"$WORK/read-err"
rm -f "$WORK/batches"/*
start_reader
start_writing "$lines"
cuts=0
for ((i = 0; i < ROTATIONS / 5; i++)); do
	wait_until 30 some_rows_later "$(stat -c %s "$LOG")"
	size() { [ "$(stat -c %s "$CSV")" -gt 1000 ]; }
	wait_until 30 size
	logrotate -f -s "$WORK/logrotate.state" "$WORK/foreign-rule" && cuts=$((cuts + 1))
done
touch "$WORK/enough"
wait $writer
first=$lines lines=$(cat "$WORK/lines")
tap_true "copied and cut: it goes on, to the last line" wait_until 90 committed "$lines"
kill $pid && wait $pid
tap_is $? 0 "SIGTERM ends it"
kill -9 $reader && wait $reader 2>/dev/null
"$READ" "$WORK/state" "$WORK/batches" 2>>"$WORK/read-err"
read_users >"$WORK/in-batches"
tap_true "no row is read twice, and all are in order" sort -ncu "$WORK/in-batches"
lost=$((lines - first - $(wc -l <"$WORK/in-batches")))
tap_note "$((lines - first)) rows, $cuts cuts, $lost rows lost, $(grep -c 'another program' "$WORK/err") times seen"
said=$(sed -n 's/^missing: .* \([0-9]*\) bytes of rows are missing$/\1/p' "$WORK/read-err" | awk '{ s += $1 } END { print s + 0 }')
row=$(grep -m 1 -v ^server, "$CSV" | wc -c)
tap_true "what is lost is said: $lost rows, $said bytes" test $((lost * (row - 2))) -le "$said" -a "$said" -le $((lost * (row + 2)))
tap_true "the cuts are said" grep -q 'another program has cut it' "$WORK/err"
tap_is "$(tr -dc '\0' <"$CSV" | wc -c)" 0 "there is no hole in the CSV"
tap_none "and nothing but rows" "$(grep -v "^mx1,\"2026-11-22 [0-9:]*\",203.0.113.7,[0-9]*,null,Off,N/A,N/A,\"N/A\"\$" "$CSV" | grep -v ^server, | head -n 3)"
tap_done
