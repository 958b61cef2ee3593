#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=280
# Makes every single call fail that a short `extract` and a short `run` make, the latter also with its CSV renamed (fault-shim.c): whatever it was, the exit status is
# honest, stderr says what and why, and afterwards an undisturbed start yields the exact CSV and the exact counters. The record of
# an undisturbed run shows that rows are durable before the checkpoint names them.
# shellcheck disable=SC2317  # functions are called by name
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/faults-rig.sh
. "$(dirname "$0")/faults-rig.sh"
WORKERS=${MLS_FAULT_WORKERS:-12}

line() { # USER [REPEATED]
	local text="warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=$1"

	[ $# -eq 1 ] || text="message repeated $2 times: [ $text]"
	printf '2026-11-22T13:01:48.060269+00:00 mx1 postfix/smtpd[9]: %s\n' "$text"
}

noise() {
	printf '2026-11-22T13:01:49.060269+00:00 mx1 postfix/smtpd[9]: disconnect from unknown[203.0.113.7]\n'
}

errors_of() { # KIND
	case $1 in
	write) printf 'ENOSPC 28\nEDQUOT 122\nEIO 5\nshort 0\n' ;;
	fsync | fdatasync | rename) printf 'EIO 5\nENOSPC 28\n' ;;
	ftruncate) printf 'EIO 5\n' ;;
	open) printf 'EMFILE 24\nEIO 5\n' ;;
	read) printf 'EIO 5\nshort 0\n' ;;
	malloc) printf 'ENOMEM 12\n' ;;
	esac
}

FIRST=$(line 1; noise; line 2 3)
SECOND=$(noise; line 3; line 4 2; noise)
THIRD=$(line 5; noise; line 6 2)

# An empty place to work in, with what is to be read at first.
prepare() { # DIR
	rm -rf "$1"
	mkdir "$1" "$1/log" "$1/state" || exit 1
	printf '%s\n' "$FIRST" >"$1/mail.log.1"
	printf '%s\n' "$SECOND" >"$1/mail.log"
	printf 'paths: { working_dir = "%s/log"; state_dir = "%s/state"; mail_log = "%s/mail.log"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
general: { log_file = "%s/own.log"; };\ndns: { enabled = false; };\n' "$1" "$1" "$1" "$1" >"$1/conf"
}

# The checkpoint's counters: rows, and all that follows "counters".
counters() { # DIR
	local key rest

	while read -r key rest; do
		case $key in rows | counters) printf '%s %s;' "$key" "$rest" ;; esac
	done 2>/dev/null <"$1/state/state.offset"
}

# All rows, over the CSV that was renamed and the one after it.
csv() { # DIR
	if [ -e "$1/log/moved.csv" ]; then
		cat "$1/log/moved.csv"
		sed 1d "$1/log/maillogsentinel.csv"
	else
		cat "$1/log/maillogsentinel.csv"
	fi
} 2>/dev/null

# Waits without a process; true until it took too long. There is no other descriptor 9.
tick() { # DEADLINE-US
	[ "${EPOCHREALTIME/[.,]/}" -lt "$1" ] && { read -r -t 0.02 -u 9 || true; }
}

deadline() { # MS
	printf '%s' $((${EPOCHREALTIME/[.,]/} + $1 * 1000))
}

holds() { # FILE TEXT
	[[ "$(<"$1")" == *"$2"* ]]
} 2>/dev/null

# Whether the CSV holds two rows of the user.
has_user() { # DIR USER
	[[ "$(<"$1/log/maillogsentinel.csv")$(<"$1/log/moved.csv")" == *",$2,null,"*",$2,null,"* ]]
} 2>/dev/null

# ---- the two short runs: $1 is the place, the environment says what fails -----------------------

short_extract() {
	LD_PRELOAD=$SHIM FAULT_RECORD=$1/record "$PROGRAM" -c "$1/conf" extract 2>"$1/err"
}

# Starts, lets it read, writes more, and stops. What a fault of the disk delays must come by itself.
short_run() { # DIR [MOVED]
	local pid until wait_for=csv

	LD_PRELOAD=$SHIM FAULT_RECORD=$1/record "$PROGRAM" -c "$1/conf" run 2>"$1/err" &
	pid=$!
	until=$(deadline 1500)
	until has_user "$1" 4 || ! kill -0 "$pid" 2>/dev/null; do
		tick "$until" || break
	done
	[ -z "${2-}" ] || ! has_user "$1" 4 || mv "$1/log/maillogsentinel.csv" "$1/log/moved.csv"
	printf '%s\n' "$THIRD" >>"$1/mail.log"
	until=$(deadline 1500)
	case ${FAULT_KIND-} in
	write | fsync | fdatasync | rename | ftruncate) until=$(deadline 8000) wait_for=commit ;;
	esac
	until [ "$wait_for" = commit ] && holds "$1/state/state.offset" 'rows 10' ||
		[ "$wait_for" = csv ] && has_user "$1" 6 || ! kill -0 "$pid" 2>/dev/null; do
		tick "$until" || break
	done
	kill -TERM "$pid" 2>/dev/null
	wait "$pid"
}

# The same, and its CSV is renamed in between.
short_moved() {
	short_run "$1" yes
}

# ---- one fault ----------------------------------------------------------------------------------

# Prints what is wrong, if anything is.
one_fault() { # DIR MODE KIND ERRNO NTH
	local rc before wrong=''

	prepare "$1"
	export FAULT_KIND=$3 FAULT_ERRNO=$4 FAULT_NTH=$5
	"short_$2" "$1"
	rc=$?
	unset FAULT_KIND FAULT_ERRNO FAULT_NTH
	[ "$2:$rc" != extract:0 ] || [ "$(csv "$1")" = "$EXPECTED_FIRST" ] || wrong+=' status 0, but it is not all there;'
	[ "$2" != extract ] || printf '%s\n' "$THIRD" >>"$1/mail.log"
	case $rc in
	0) ;;
	1 | 78)
		grep -qE '^maillogsentinel: [^ ].*: .' "$1/err" || wrong+=' says nothing;'
		[ "$2" = extract ] && [ "$(grep -cvE ': (warning: .*|going on with .*|cut .*)$' "$1/err")" -gt 1 ] && wrong+=' says more than one line;'
		;;
	*) wrong+=" exit status $rc;" ;;
	esac
	"$PROGRAM" -c "$1/conf" extract 2>"$1/err2" || wrong+=" exit status $? of the next start;"
	[ "$(csv "$1")" = "$EXPECTED" ] || wrong+=" the CSV differs;"
	[ "$(counters "$1")" = "$EXPECTED_COUNTERS" ] || wrong+=" the counters differ: $(counters "$1");"
	before=$(sed -n 's/^before-mark offset=\([0-9]*\) .*/\1/p' "$1/state/state.offset")
	[ -z "$before" ] || [ "$before" = "$(stat -c %s "$1/log/moved.csv")" ] || wrong+=" readers miss rows of the renamed CSV;"
	[ -n "$wrong" ] || return
	printf '%s %s errno %s of call %s:%s\n' "$2" "$3" "$4" "$5" "$wrong"
	cat "$1/err" "$1/err2"
	[ ! -s "$1/record" ] || grep ^fault "$1/record"
}

# ---- all of them ---------------------------------------------------------------------------------

tap_true "there is a shim" test -r "$SHIM"
mkfifo "$WORK/fifo"
exec 9<>"$WORK/fifo"

prepare "$WORK/calm"
printf '%s\n' "$THIRD" >>"$WORK/calm/mail.log"
tap_true "an undisturbed extract" "$PROGRAM" -c "$WORK/calm/conf" extract
EXPECTED=$(csv "$WORK/calm") EXPECTED_COUNTERS=$(counters "$WORK/calm")
EXPECTED_FIRST=$(head -n 8 <<<"$EXPECTED")
tap_is "$(wc -l <<<"$EXPECTED")" 11 "has ten rows"

for mode in extract run moved; do
	prepare "$WORK/$mode"
	tap_true "an undisturbed $mode under the shim" "short_$mode" "$WORK/$mode"
	faults_of "$mode" "$WORK/$mode/record"
done
tap_none "rows are durable before a checkpoint names them" "$(awk '
	/^write .*csv / { dirty = 1 }
	/^fdatasync .*csv 0$/ { dirty = 0 }
	/^write .*offset.tmp / { torn = 1 }
	/^fsync .*offset.tmp 0$/ { torn = 0 }
	/^rename .*offset 0$/ && (dirty || torn) { print FILENAME ":" FNR ": " $0 }
	/^rename .*offset 0$/ { renamed++; unsynced = 1 }
	/^fsync .*\/state 0$/ { unsynced = 0 }
	/^write .*csv / && unsynced { print FILENAME ":" FNR ": the directory was not synced" }
	END { if (renamed < 4) print "only " renamed " checkpoints" }' "$WORK/extract/record" "$WORK/run/record" "$WORK/moved/record")"

faults_run "goes on exactly after it"
tap_done
