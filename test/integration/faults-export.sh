#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=120
# Makes every single call of a `sql-export` fail, and kills the process there (fault-shim.c): the first one, one after a rotation of the CSV, and one
# that goes on after a crash between a file and the bookmark. Whatever it was, each row is in one file, in order, the files' numbers go on one by
# one, the exit status is honest, and nothing is left.
# shellcheck disable=SC2317  # functions are called by name
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/faults-rig.sh
. "$(dirname "$0")/faults-rig.sh"
# shellcheck source=test/integration/sql-rig.sh
. "$(dirname "$0")/sql-rig.sh"
KILL=-9

errors_of() { # KIND
	case $1 in
	write) printf 'ENOSPC 28\nEIO 5\nhalf 0\nkill %s\n' $KILL ;;
	fsync | rename | unlink) printf 'EIO 5\nkill %s\n' $KILL ;;
	ftruncate) printf 'EIO 5\n' ;;
	open) printf 'EMFILE 24\n' ;;
	read) printf 'EIO 5\nhalf 0\n' ;;
	malloc) printf 'ENOMEM 12\n' ;;
	esac
}

log() { # DIR USER...
	local dir=$1 user

	shift
	for user in "$@"; do
		printf '2026-11-22T13:01:48.060269+00:00 mx1 postfix/smtpd[9]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=%s\n' "$user"
	done >>"$dir/mail.log"
	"$PROGRAM" -c "$dir/conf" extract 2>/dev/null || echo "extract failed" >>"$dir/wrong"
}
configure() { # DIR
	cat >"$1/conf" <<X2
paths: { working_dir = "$1/log"; state_dir = "$1/state"; mail_log = "$1/mail.log"; };
dns: { enabled = false; };
X2
}
export_rows() { # DIR, with the environment's fault
	: "$(exec 7>&1; faulty "$1/record" "$PROGRAM" -c "$1/conf" sql-export >"$1/out" 2>"$1/err"; echo $? >"$1/status")"
	return "$(<"$1/status")"
}
calm_export() { "$PROGRAM" -c "$1/conf" sql-export >>"$1/out" 2>>"$1/err2"; } # DIR

# ---- where the runs begin -------------------------------------------------------------------------

seed() { # NAME
	SEED=$WORK/seed-$1
	mkdir -p "$SEED/log" "$SEED/state"
	configure "$SEED"
}
seed first
log "$SEED" u1 u2 u3
seed next
log "$SEED" u1
calm_export "$SEED"
log "$SEED" u2
mv "$SEED/log/maillogsentinel.csv" "$SEED/log/maillogsentinel.csv.1"
log "$SEED" u3
seed adopt
log "$SEED" u1 u2
FAULT_KIND=rename FAULT_ERRNO=$KILL FAULT_NTH=2 export_rows "$SEED" 2>/dev/null
tap_is "$(sql_users "$SEED/state/sql") $(find "$SEED/state" -name sql-export.offset)" "u1 u2  " \
	"a crash leaves a file, and the bookmark where it was"
rm -f "$SEED/record"
log "$SEED" u3

prepare() { # DIR MODE
	rm -rf "$1"
	cp -a "$WORK/seed-$2" "$1" && configure "$1"
}

# ---- one fault ------------------------------------------------------------------------------------

# Prints what is wrong, if anything is.
one_fault() { # DIR MODE KIND ERRNO NTH
	local rc wrong='' left

	prepare "$1" "$2"
	export FAULT_KIND=$3 FAULT_ERRNO=$4 FAULT_NTH=$5 FAULT_TIMES=1
	[ "$3:$4" != write:28 ] || FAULT_TIMES=0 # a disk that is full stays full
	export_rows "$1" 2>/dev/null
	rc=$?
	unset FAULT_KIND FAULT_ERRNO FAULT_NTH FAULT_TIMES
	case $4:$rc in
	*:0)
		! grep -q . "$1/err" || wrong+=' status 0, but it complains;'
		[ "$(sql_users "$1/state/sql")" = "u1 u2 u3 " ] || wrong+=" status 0, but there is $(sql_users "$1/state/sql");"
		;;
	*:1 | *:78) grep -qE '^maillogsentinel: [^ ].*: .' "$1/err" || wrong+=' says nothing;' ;;
	"$KILL:137") ;;
	*) wrong+=" exit status $rc;" ;;
	esac
	calm_export "$1" || wrong+=" exit status $? of the next one;"
	left=$(sql_users "$1/state/sql")
	[ "$left" = "u1 u2 u3 " ] || wrong+=" in the files: $left;"
	left=$(sql_defects "$1/state/sql")
	[ -z "$left" ] || wrong+=" $left;"
	[ "$(sed -n 's/^next //p' "$1/state/sql-export.offset")" = $(($(find "$1/state/sql" -type f | wc -l) + 1)) ] || wrong+=" the next number is another;"
	grep -q " offset=$(stat -c %s "$1/log/maillogsentinel.csv") " "$1/state/sql-export.offset" || wrong+=" the bookmark is elsewhere;"
	left=$(find "$1/state" -name '*.tmp')
	[ -z "$left" ] || wrong+=" left: $left;"
	[ ! -e "$1/wrong" ] || wrong+=" $(cat "$1/wrong");"
	[ -n "$wrong" ] || return
	printf '%s %s errno %s of call %s:%s\n' "$2" "$3" "$4" "$5" "$wrong"
	cat "$1/err"
	[ ! -s "$1/record" ] || grep ^fault "$1/record"
}

# ---- all of them ----------------------------------------------------------------------------------

for mode in first next adopt; do
	prepare "$WORK/$mode" $mode
	export_rows "$WORK/$mode"
	tap_is $? 0 "an undisturbed run under the shim: $mode" || tap_note <"$WORK/$mode/err"
	faults_of $mode "$WORK/$mode/record"
done
tap_none "a file is durable before it has its name, and the name before the bookmark moves" "$(for mode in first next adopt; do awk -v mode=$mode '
	/^write .*\.sql\.tmp / { torn = 1 }
	/^fsync .*\.sql\.tmp 0$/ { torn = 0 }
	/^rename .*\.sql 0$/ { if (torn) print mode ":" FNR ": " $0; unsynced = 1; named++ }
	/^fsync .*\/sql 0$/ { unsynced = 0 }
	/^rename .*sql-export\.offset 0$/ { if (unsynced) print mode ":" FNR ": " $0; moved++ }
	END { if (!named || moved < named) print mode ": " named + 0 " files, the bookmark moved " moved + 0 " times" }' "$WORK/$mode/record"; done)"
# all that changes what is on disk; of what reads and takes memory some, which differ from run to run
awk -v seed="$MLS_SEED" '$2 != "malloc" && $2 != "read" && $2 != "open" || (NR + seed) % ($2 == "malloc" ? 19 : 3) == 0' "$WORK/points" >"$WORK/some" && mv "$WORK/some" "$WORK/points"
faults_run "goes on exactly"
tap_done
