#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=240
# A disk that is really full, for the CSV, for the checkpoint, for the program's own log; a file that may not grow; a file system
# that is read-only: what can't be written waits, is said once, no torn row stays, and in the end the CSV is exact.
# shellcheck disable=SC2317  # functions are called by wait_until and tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# its own mounts, as root of a name space of its own
if [ -z "${MLS_IN_NAMESPACE-}" ]; then
	unshare -rm true 2>/dev/null || tap_skip_all "no user name spaces here"
	MLS_IN_NAMESPACE=1 unshare -rm bash "$0"
	exit
fi
LISTEN=$(dirname "$MLS_PROGRAM")/../test/notify-listen
"$LISTEN" "$WORK/notify" >"$WORK/told" &
tap_defer kill $!
wait_until 10 test -S "$WORK/notify"
export NOTIFY_SOCKET=$WORK/notify
stop_daemon() { kill -9 "$pid" 2>/dev/null; }
pid=
tap_defer stop_daemon

# COUNT lines from number FROM on; every tenth is folded into three rows.
lines() { # FROM COUNT
	local i text

	for ((i = $1; i < $1 + $2; i++)); do
		text="warning: unknown[203.0.113.$((i % 250))]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=user$i"
		[ $((i % 10)) -ne 0 ] || text="message repeated 3 times: [ $text]"
		printf '2026-11-22T13:01:48.060269+00:00 mx1 postfix/smtpd[9]: %s\n' "$text"
	done
}

# A place with a tmpfs of 256 KiB as its directory SMALL.
prepare() { # SMALL
	D=$WORK/$((++places)) CSV=$D/csv/maillogsentinel.csv
	mkdir "$D" "$D/csv" "$D/state" "$D/log" "$D/small"
	: >"$WORK/told"
	if [ -n "$1" ]; then
		mount -t tmpfs -o size=256k tmpfs "$D/$1"
		tap_defer umount "$D/$1"
	fi
	printf 'paths: { working_dir = "%s/csv"; state_dir = "%s/state"; mail_log = "%s/mail.log"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
general: { log_file = "%s/log/own.log"; };\ndns: { enabled = false; };\n' "$D" "$D" "$D" "$D" >"$D/conf"
	lines 1 50 >"$D/mail.log"
}
places=0

start() {
	"$MLS_PROGRAM" -c "$D/conf" run 2>>"$D/err" &
	pid=$!
}

committed() { grep -q "^rows $1\$" "$D/state/state.offset" 2>/dev/null; }
said() { grep -q "$1" "$D/err"; }
times_said() { grep -c "$1" "$D/err"; }
told() { grep -q "$1" "$WORK/told"; }
rows_of() { echo $(($1 + 2 * ($1 / 10))); } # LINES, from 1 on
fill() { dd if=/dev/zero of="$D/$1/filler" bs=1k count=1024 2>/dev/null; }
clear() { rm "$D/$1/filler"; }

# Whether the last byte of the CSV ends a row. A write that the disk cuts is cut back at once; what is seen twice stays.
ends_whole() { [ -z "$(tail -c 1 "$CSV" | tr -d '\n')" ] || { sleep 0.1 && [ -z "$(tail -c 1 "$CSV" | tr -d '\n')" ]; }; }

stays_whole() {
	local i

	for ((i = 0; i < 25; i++)); do
		ends_whole || return
		sleep 0.05
	done
}

# The CSV is what the whole log makes at once.
is_exact() {
	"$MLS_PROGRAM" -c "$WORK/calm.conf" extract --stdout --from "$D/mail.log" 2>/dev/null | cmp - "$CSV"
}

extract() {
	"$MLS_PROGRAM" -c "$D/conf" extract 2>"$D/err"
}

printf 'dns: { enabled = false; };\n' >"$WORK/calm.conf"

# ---- no room for rows, or for the checkpoint ------------------------------------------------------

for small in csv state; do
	file=$([ $small = csv ] && echo maillogsentinel.csv || echo state.offset)
	prepare $small
	start
	tap_true "$small: fifty lines are committed" wait_until 10 committed "$(rows_of 50)"
	fill $small
	lines 51 400 >>"$D/mail.log"
	tap_true "$small is full: that is said" wait_until 10 said "$file: No space left on device; reading pauses"
	tap_true "$small is full: systemd is told" wait_until 10 told "^STATUS=Paused: .*$file: No space left"
	tap_true "$small is full: no torn row stays" stays_whole
	lines 451 50 >>"$D/mail.log"
	tap_is "$(times_said pauses)" 1 "$small is full: it is said once"
	clear $small
	tap_true "$small has room: it goes on by itself" wait_until 10 committed "$(rows_of 500)"
	tap_true "$small has room: the CSV is exact" is_exact
	tap_is "$(times_said 'works again, reading')" 1 "$small has room: that is said once"
	tap_true "$small has room: systemd is told" wait_until 10 told "^STATUS=Following .*: $(rows_of 500) failed logins"

	fill $small
	lines 501 400 >>"$D/mail.log"
	wait_until 10 test "$(times_said pauses)" -eq 2
	kill -9 "$pid"
	wait "$pid" 2>/dev/null
	tap_true "$small is full, kill -9: extract fails" eval '! extract'
	tap_true "and says why" said "$file: No space left on device"
	start
	tap_true "$small is full: a service that starts waits, too" wait_until 10 said 'reading pauses'
	clear $small
	tap_true "and goes on by itself" wait_until 10 committed "$(rows_of 900)"
	tap_true "the CSV is exact" is_exact

	# a stop
	fill $small
	lines 901 400 >>"$D/mail.log"
	wait_until 10 test "$(times_said pauses)" -eq 2
	began=$EPOCHSECONDS
	kill "$pid"
	if [ $small = csv ]; then
		wait "$pid"
		tap_is $? 1 "SIGTERM while $small is full: it ends, status 1"
		took=$((EPOCHSECONDS - began))
		tap_true "after its deadline, $took s" test $took -ge 9 -a $took -le 13
		clear $small
		tap_true "extract goes on" extract
	else
		sleep 1.5
		clear $small
		wait "$pid"
		tap_is $? 0 "SIGTERM while $small is full, then there is room: status 0"
		tap_true "all that was read is committed" committed "$(($(wc -l <"$CSV") - 1))"
		tap_true "extract reads the rest" extract
	fi
	tap_true "all of it" committed "$(rows_of 1300)"
	tap_true "the CSV is exact" is_exact
done

# ---- no room for the program's own log --------------------------------------------------------------

prepare log
start
wait_until 10 committed "$(rows_of 50)"
fill log
# the rest of its last page
"$MLS_PROGRAM" -c "$D/conf" extract 2>/dev/null
for ((i = 0; i < 60 && $(stat -c %s "$D/log/own.log") < 4096; i++)); do "$MLS_PROGRAM" -c "$D/conf" extract 2>/dev/null; done
lines 51 50 >>"$D/mail.log"
tap_true "log is full: rows go on" wait_until 10 committed "$(rows_of 100)"
kill "$pid"
wait "$pid"
tap_is $? 0 "log is full: SIGTERM, status 0"
tap_true "log is full: stderr says so" said 'own.log: No space left on device; each further message tries again'
clear log
lines 101 50 >>"$D/mail.log"
tap_true "log has room: extract" extract
tap_true "log has room: the CSV is exact" is_exact

# ---- a file that may not grow, and then may ---------------------------------------------------------

prepare ''
start
wait_until 10 committed "$(rows_of 50)"
prlimit --pid "$pid" --fsize=6000:unlimited
lines 51 400 >>"$D/mail.log"
tap_true "a limit for the size of files: reading pauses" wait_until 10 said 'maillogsentinel.csv: File too large; reading pauses'
tap_true "a limit for the size of files: no torn row stays" stays_whole
prlimit --pid "$pid" --fsize=unlimited
tap_true "without the limit it goes on by itself" wait_until 10 committed "$(rows_of 450)"
tap_true "the CSV is exact" is_exact
kill "$pid"
wait "$pid"
tap_is $? 0 "SIGTERM, status 0"
lines 451 400 >>"$D/mail.log"
tap_true "extract with a limit fails" eval '! (ulimit -f 20; extract)'
tap_true "and says why" said 'maillogsentinel.csv: File too large'
tap_true "extract without it goes on" extract
tap_true "the CSV is exact" is_exact

# ---- a file system that is read-only -------------------------------------------------------------------

for small in csv state; do
	prepare $small
	tap_true "$small: extract" extract
	lines 51 50 >>"$D/mail.log"
	tap_true "$small: remount" mount -o remount,ro "$D/$small"
	tap_true "$small is read-only: extract fails" eval '! extract'
	tap_true "and says why" said "/$small/.*: Read-only file system"
	tap_true "$small: remount" mount -o remount,rw "$D/$small"
	tap_true "$small is writable: extract" extract
	tap_true "$small is writable: the CSV is exact" is_exact
done

# ---- the disk fails under the CSV, and then opening it again does ---------------------------------------

SHIM=$(dirname "$MLS_PROGRAM_RELEASE")/../test/fault-shim.so
prepare ''
LD_PRELOAD=$SHIM FAULT_KIND=fdatasync FAULT_NTH=3 FAULT_ERRNO=5 "$MLS_PROGRAM_RELEASE" -c "$D/conf" run 2>"$D/err" &
pid=$!
wait_until 10 committed "$(rows_of 50)"
lines 51 50 >>"$D/mail.log"
tap_true "fdatasync fails: that is said" wait_until 10 said 'maillogsentinel.csv: Input/output error; going on from what is on disk'
mv "$D/state" "$D/gone"
tap_true "it can't be opened again: that is said" wait_until 10 said '/state: No such file or directory; going on from'
tap_true "systemd is told" wait_until 10 told '^STATUS=Paused: .*/state: No such file'
lines 101 50 >>"$D/mail.log"
mv "$D/gone" "$D/state"
tap_true "it is opened again by itself" wait_until 10 committed "$(rows_of 150)"
tap_true "the CSV is exact" is_exact
tap_true "that it works is said" said 'writing works again'
kill "$pid"
wait "$pid"
tap_is $? 0 "SIGTERM, status 0"

# ---- another program writes to the CSV, and no line comes ------------------------------------------------

prepare ''
export WATCHDOG_USEC=400000
start
tap_true "a quiet log" wait_until 10 committed "$(rows_of 50)"
echo x >>"$CSV"
tap_true "another program writes to the CSV: that is said" wait_until 10 said 'another program has cut it or written to it'
tap_true "it works again: that is said, though nothing is new" wait_until 10 said 'writing works again'
tap_true "the CSV is exact" is_exact
echo x >>"$CSV"
mv "$D/state" "$D/gone"
tap_true "it can't be opened again" wait_until 10 said '/state: No such file or directory; going on from'
kill -STOP "$pid"
kill -TERM "$pid"
kill -INT "$pid"
kill -CONT "$pid"
wait "$pid"
tap_is $? 1 "two signals at once then: status 1"
unset WATCHDOG_USEC

# ---- a log that can't be read -----------------------------------------------------------------------------

prepare ''
LD_PRELOAD=$SHIM FAULT_KIND=read FAULT_NTH=12 FAULT_TIMES=0 FAULT_ERRNO=5 "$MLS_PROGRAM_RELEASE" -c "$D/conf" extract 2>"$D/err"
tap_is $? 1 "a log that can't be read: extract fails"
tap_true "and says why" said 'Input/output error'
tap_true "the next one" extract
tap_true "is exact" is_exact

tap_done
