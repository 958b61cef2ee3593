#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=300
# Makes every single call of a `reset` and of a `purge` fail, and kills the process there (fault-shim.c). Whatever it was: either all is as before,
# and no folder is left that has a name; or the archive is whole, nothing is recorded meanwhile, and another run brings it to its end. In the end
# the archive has every byte, mode and time, and the logs are read again, each line once. MLS_FAULTS_ALL=1: all of
# the calls, not only every few of some kinds.
# shellcheck disable=SC2317  # functions are called by name
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/faults-rig.sh
. "$(dirname "$0")/faults-rig.sh"
KILL=-9

errors_of() { # KIND
	case $1 in
	write) printf 'ENOSPC 28\nhalf 0\nkill %s\n' $KILL ;;
	fsync | rename | unlink | mkdir) printf 'EIO 5\nkill %s\n' $KILL ;;
	symlink) printf 'ENOSPC 28\nkill %s\n' $KILL ;;
	attribute) printf 'EPERM 1\n' ;;
	open) printf 'EMFILE 24\nkill %s\n' $KILL ;;
	read) printf 'EIO 5\nhalf 0\n' ;;
	malloc) printf 'ENOMEM 12\n' ;;
	esac
}

configure() { # DIR
	cat >"$1/conf" <<X2
paths: { working_dir = "$1/log"; state_dir = "$1/state"; mail_log = "$1/mail.log"; };
general: { log_file = "$1/log/own.log"; };
dns: { enabled = false; };
X2
}
log() { # DIR USER...
	local dir=$1 user

	shift
	for user in "$@"; do
		printf '2026-11-22T13:01:48.060269+00:00 mx1 postfix/smtpd[9]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=%s\n' "$user"
	done >>"$dir/mail.log"
	"$PROGRAM" -c "$dir/conf" extract 2>/dev/null || echo "extract failed" >>"$dir/wrong"
}

# The directory of a worker, with all that there is to archive. The checkpoint has the CSV's path, so each has one of its own.
prepare() { # DIR
	rm -rf "$1"
	if [ ! -e "$1.seed" ]; then
		mkdir -p "$1/log" "$1/state/spool" "$1/state/db" "$1/home"
		configure "$1"
		log "$1" u1 u2
		"$PROGRAM" -c "$1/conf" sql-export >/dev/null 2>&1
		mv "$1/log/maillogsentinel.csv" "$1/log/maillogsentinel.csv.1"
		log "$1" u3
		echo letter >"$1/state/spool/1-0.0-1.5.failed"
		echo data >"$1/state/db/origin-asn.mmdb.prev"
		touch -d 2020-02-02 "$1/state/db/origin-asn.mmdb.prev" "$1/log/maillogsentinel.csv.1"
		chmod 604 "$1/log/maillogsentinel.csv.1"
		cp -a "$1" "$1.seed"
	fi
	cp -a "$1.seed" "$1"
}

# What is on disk: mode, time, size, hash of each file.
picture() { # DIR
	(cd "$1" && find . -type f ! -name '*lock' ! -name '*.tmp' \( -printf '%P %m %T@ %s\n' , -exec md5sum {} + \)) |
		sed -E 's,^([0-9a-f]{32})  ./(.*),\2 \1,' | sort
}
archives() { find "$1/home" -mindepth 1 -maxdepth 1 -name '*Z' -o -mindepth 1 -maxdepth 1 -name '*Z-[0-9]*' | sort; } # DIR
# Files of the seed as they must be in the archive.
expected() { # DIR COMMAND
	{
		picture "$1.seed/log" | sed -E 's,^own,log/&,; s,^maill,csv/&,'
		picture "$1.seed/state" | sed -E 's,^[^/ ]* ,state/&,' | grep -E '^(state|spool|db|sql)/' |
			if [ "$2" = reset ]; then grep -vE '^(db|sql)/'; else cat; fi
	} | sort
}
start_over() { # DIR COMMAND, with the environment's fault
	: "$(exec 7>&1; HOME=$1/home faulty "$1/record" "$PROGRAM" -c "$1/conf" "$2" --yes >"$1/out" 2>"$1/err"; echo $? >"$1/status")"
	return "$(<"$1/status")"
}
calm() { HOME=$1/home "$PROGRAM" -c "$1/conf" "$2" --yes >>"$1/out2" 2>>"$1/err2"; } # DIR COMMAND

# Prints what is wrong, if anything is.
one_fault() { # DIR COMMAND KIND ERRNO NTH
	local rc second wrong='' archive

	prepare "$1"
	FAULT_KIND=$3 FAULT_ERRNO=$4 FAULT_NTH=$5 start_over "$1" "$2" 2>/dev/null
	rc=$?
	if [ "$(picture "$1/log"; picture "$1/state")" = "$(picture "$1.seed/log"; picture "$1.seed/state")" ] && [ ! -L "$1/state/archive.pending" ]; then
		[ $rc -ne 0 ] || wrong+="nothing is done, and the exit status is 0; "
		# a folder too many is left only by what could not go on
		[ $rc -eq 137 ] || [ -z "$(ls "$1/home")" ] || grep -q "can't be removed" "$1/err" || wrong+="left: $(ls "$1/home"); "
		[ $rc -eq 137 ] || grep -q 'Nothing was changed' "$1/out" || [[ $3 == @(write|malloc|open|read) ]] || wrong+="it does not say that nothing is changed: $(cat "$1/out"); "
		calm "$1" "$2" || wrong+="a further run fails; "
	elif [ -L "$1/state/archive.pending" ]; then
		[ $rc -ne 0 ] || wrong+="it is not at its end, and the exit status is 0; "
		"$PROGRAM" -c "$1/conf" extract 2>"$1/err3"
		second=$?
		[ $second -eq 78 ] && grep -q 'run it again' "$1/err3" || wrong+="extract ends with $second; "
		calm "$1" "$2" || wrong+="a further run fails; "
	elif [ $rc -ne 0 ] && [ $rc -ne 137 ]; then
		# all is done, but for its being durable, or said
		grep -qE 'Input/output|stdout|No space|Too many open' "$1/err" || wrong+="exit status $rc; "
	fi
	[ ! -L "$1/state/archive.pending" ] || wrong+="archive.pending is left; "
	[ -z "$(find "$1/home" -name '*.part')" ] || [ "$3" = unlink ] || wrong+="a folder is left without a name; "
	archive=$(archives "$1" | tail -n 1)
	[ "$(picture "$archive" | grep -v '^CONTENTS ')" = "$(expected "$1" "$2")" ] ||
		wrong+="the archive is not as it should be: $(diff <(picture "$archive" | grep -v '^CONTENTS ') <(expected "$1" "$2")); "
	left=$(find "$1/log" "$1/state" -type f ! -name '*lock' ! -name own.log -printf '%P ')
	case $2 in
	reset) [[ $left == *sql-export.offset* && $left != *state.offset* && $left != *csv* ]] ;;
	purge) [ -z "$left" ] ;;
	esac || wrong+="left: $left; "
	"$PROGRAM" -c "$1/conf" extract 2>/dev/null || wrong+="extract fails; "
	[ "$(cut -d, -f4 "$1/log/maillogsentinel.csv" | tr '\n' ' ')" = "user u1 u2 u3 " ] || wrong+="rows: $(cut -d, -f4 "$1/log/maillogsentinel.csv" | tr '\n' ' '); "
	[ -z "$wrong" ] || printf '%s %s %s call %s: %s\n' "$2" "$3" "$4" "$5" "$wrong"
}

for command in reset purge; do
	prepare "$WORK/x"
	start_over "$WORK/x" $command
	tap_is $? 0 "an undisturbed $command"
	faults_of $command "$WORK/x/record"
done
# most of the memory that can't be had is the configuration's, and most files that can't be opened are like another
[ -n "${MLS_FAULTS_ALL-}" ] || awk -v seed="$MLS_SEED" '$2 == "malloc" ? (NR + seed) % 16 == 0 : $2 ~ /open|read|attribute|mkdir/ ? (NR + seed) % ($1 == "purge" ? 4 : 2) == 0 : 1' \
	"$WORK/points" >"$WORK/some" && { [ ! -s "$WORK/some" ] || mv "$WORK/some" "$WORK/points"; }
faults_run "nothing is lost, doubled or left half done"
tap_done
