#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Name servers of every kind: each gives the right status, the order stays, and none holds the rows up beyond the deadline.
# shellcheck disable=SC2317  # functions are called by wait_until and tap_defer
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
PLAY=$(dirname "$MLS_PROGRAM")/../test/dns-play
CSV=$WORK/csv/maillogsentinel.csv

line() { # NUMBER: each has an address of its own, every tenth the one before
	local n=$(($1 - ($1 % 10 == 9)))
	printf '2026-11-22T13:01:48Z mx1 postfix/smtpd[9]: warning: unknown[198.18.%d.%d]: SASL PLAIN authentication failed: x, sasl_username=%d\n' \
		$((n / 256)) $((n % 256)) "$1"
}

stop_server() {
	[ -z "${server-}" ] || { kill "$server"; wait "$server"; } 2>/dev/null
}

# Starts the name server KIND and makes a fresh place that asks it, with LINES lines.
play() { # KIND LINES
	local i

	stop_server
	rm -rf "$WORK/csv" "$WORK/state" "$WORK/address"
	mkdir "$WORK/csv" "$WORK/state"
	"$PLAY" "$1" >"$WORK/address" &
	server=$!
	wait_until 10 test -s "$WORK/address"
	printf 'paths: { working_dir = "%s"; state_dir = "%s"; mail_log = "%s"; };\nschedule: { ip_update_schedule = ""; report_schedule = ""; };\ndns: { servers = "%s"; timeout_ms = 300; tries = 2; };\n' \
		"$WORK/csv" "$WORK/state" "$WORK/mail.log" "$(cat "$WORK/address")" >"$WORK/conf"
	for ((i = 0; i < $2; i++)); do line $i; done >"$WORK/mail.log"
}
tap_defer stop_server

# KIND's rows: all there, in order, with the status; and how long that took.
gives() { # KIND STATUS SECONDS [LINES]
	local begin took lines=${4:-300}

	play "$1" "$lines"
	begin=$(date +%s%N)
	"$MLS_PROGRAM" -c "$WORK/conf" extract 2>"$WORK/err" || tap_note <"$WORK/err"
	took=$((($(date +%s%N) - begin) / 1000000))
	tap_is "$(sed 1d "$CSV" | cut -d, -f5,6 | sort | uniq -c | tr -s ' ')" " $lines $2" "$1: all $lines rows are $2"
	tap_is "$(sed 1d "$CSV" | cut -d, -f4 | md5sum)" "$(seq 0 $((lines - 1)) | md5sum)" "$1: in the log's order"
	tap_true "$1: within $3 s ($took ms)" test $took -lt $(($3 * 1000))
}

# the deadline of one lookup is 300 ms + 600 ms; 128 are in flight
gives answer host.example,OK 3
gives slow host.example,OK 5
gives hostile 'null,Errno 4' 3
gives servfail 'null,Errno 2' 3
gives refused 'null,Errno 2' 3
gives nxdomain 'null,Errno 1' 3
gives nodata 'null,Errno 4' 3
gives garbage null,Timeout 6
gives wrong-id null,Timeout 6
gives wrong-question null,Timeout 6
gives late null,Timeout 6
# after 64 timeouts in a row nobody waits any more: a backlog does not take hours
gives drop null,Timeout 8 20000

# live: a dead resolver delays a row by the deadline, not more, and the next ones not at all
play drop 0
"$MLS_PROGRAM" -c "$WORK/conf" run 2>"$WORK/err" &
pid=$!
stop_daemon() { kill -9 "$pid" 2>/dev/null; }
tap_defer stop_daemon
rows_are() { [ "$(sed 1d "$CSV" 2>/dev/null | wc -l)" = "$1" ]; }
wait_until 10 test -s "$CSV"
line 1 >>"$WORK/mail.log"
tap_true "live, the resolver dead: the row comes after its deadline" wait_until 5 rows_are 1
for ((i = 2; i < 400; i++)); do line $i; done >>"$WORK/mail.log"
tap_true "and 398 more" wait_until 10 rows_are 399
for ((i = 1000; i < 1100; i++)); do line $i; done >>"$WORK/mail.log"
kill $pid
wait $pid
tap_is $? 0 "SIGTERM ends it while names are pending"
"$MLS_PROGRAM" -c "$WORK/conf" extract 2>"$WORK/err"
tap_is "$(sed 1d "$CSV" | cut -d, -f4 | md5sum)" "$({ seq 1 399; seq 1000 1099; } | md5sum)" "and nothing is lost or doubled"
tap_done
