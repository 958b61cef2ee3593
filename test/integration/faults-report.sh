#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=280
# Makes every single call of a `report --send` fail, and kills or ends the process there (fault-shim.c): the first report, one after a report that waits, one that
# goes on after a crash between spooling and moving the bookmark, one that is refused, and one of two recipients. Whatever it was, each row is in
# one report, no report arrives twice unless the process was killed after the mail was taken, the exit status is honest, and nothing is left.
# shellcheck disable=SC2317  # functions are called by name
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/faults-rig.sh
. "$(dirname "$0")/faults-rig.sh"
KILL=-9
TERM=-15

errors_of() { # KIND
	case $1 in
	write) printf 'ENOSPC 28\nEIO 5\nkill %s\n' $KILL ;;
	fsync | rename | unlink) printf 'EIO 5\nkill %s\n' $KILL ;;
	ftruncate) printf 'EIO 5\n' ;;
	open) printf 'EMFILE 24\n' ;;
	read) printf 'EIO 5\nterm %s\n' $TERM ;;
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
	# without a sender getpwuid(3) is asked for the user, which crashes when its memory fails
	cat >"$1/conf" <<X2
paths: { working_dir = "$1/log"; state_dir = "$1/state"; mail_log = "$1/mail.log"; };
report: { email = [ "root", "staff@example.org" ]; transport = "sendmail"; sendmail_path = "$1/sendmail"; sender_override = "root@host.example"; };
dns: { enabled = false; };
X2
}

# Takes a mail, under the name of its Message-ID and how often that came, or exits as told.
cat >"$WORK/sendmail" <<'X2'
#!/bin/bash
dir=${0%/*}
cat >"$dir/taking.$$"
IFS= read -r status 2>/dev/null <"$dir/answer" && { rm "$dir/taking.$$"; echo "not today" >&2; exit "$status"; }
id=$(sed -n 's/^Message-ID: <\([^>]*\)>.*/\1/p' "$dir/taking.$$")
n=1
while [ -e "$dir/mail/$id.$n" ]; do n=$((n + 1)); done
mv "$dir/taking.$$" "$dir/mail/$id.$n"
printf '%s\n' "$*" >>"$dir/calls"
X2
chmod +x "$WORK/sendmail"

send() { # DIR, with the environment's fault
	: "$(exec 7>&1; faulty "$1/record" "$PROGRAM" -c "$1/conf" report --send >"$1/out" 2>"$1/err"; echo $? >"$1/status")"
	return "$(<"$1/status")"
}

calm_send() { # DIR
	"$PROGRAM" -c "$1/conf" report --send >>"$1/out" 2>>"$1/err2"
}

# The rows of all reports that came, each report once, in the order of their first rows.
reported() { # DIR
	local mail

	for mail in "$1"/mail/*.1; do
		sed -n '/^Content-Disposition: attachment/,/^--/p' "$mail" | tr -d '\r' | sed '1,/^$/d; /^--/d' | base64 -d | sed 1d
	done | sort
}

files() { (cd "$1" && find . -type f | sort | tr '\n' ' '); } # DIR
spooled() { files "$1/state/spool"; }

# ---- where the runs begin ------------------------------------------------------------------------

seed() { # NAME
	SEED=$WORK/seed-$1
	mkdir -p "$SEED/log" "$SEED/state" "$SEED/mail"
	cp "$WORK/sendmail" "$SEED/sendmail"
	configure "$SEED"
}

seed first
log "$SEED" u1 u2 u3
seed next
log "$SEED" u1 u2
echo 75 >"$SEED/answer"
tap_is "$(calm_send "$SEED"; echo $?)" 1 "a report that can't be sent stays"
tap_is "$(spooled "$SEED")" "./000001-0.0-1.$(stat -c %s "$SEED/log/maillogsentinel.csv").eml ./000001-0.0-1.$(stat -c %s "$SEED/log/maillogsentinel.csv").state " \
	"in the spool, with what is known of it"
rm "$SEED/answer"
log "$SEED" u3
seed adopt
log "$SEED" u1 u2
FAULT_KIND=rename FAULT_ERRNO=$KILL FAULT_NTH=2 send "$SEED" 2>/dev/null
tap_is "$(spooled "$SEED" | wc -w) $(files "$SEED/state" | grep -c 'report\.offset ')" "1 0" "a crash leaves a report in the spool and the bookmark where it was"
rm -f "$SEED/record"
log "$SEED" u3
seed refuse
log "$SEED" u1 u2 u3
echo 67 >"$SEED/answer"

prepare() { # DIR MODE
	rm -rf "$1"
	cp -a "$WORK/seed-$2" "$1" && configure "$1"
}

# ---- one fault ------------------------------------------------------------------------------------

# Prints what is wrong, if anything is.
one_fault() { # DIR MODE KIND ERRNO NTH
	local rc wrong='' twice left expected interrupted=no

	prepare "$1" "$2"
	export FAULT_KIND=$3 FAULT_ERRNO=$4 FAULT_NTH=$5 FAULT_TIMES=1
	[ "$3:$4" != write:28 ] || FAULT_TIMES=0 # a disk that is full stays full
	send "$1" 2>/dev/null
	rc=$?
	unset FAULT_KIND FAULT_ERRNO FAULT_NTH FAULT_TIMES
	case $4:$rc in
	*:0)
		[ "$2" != refuse ] || wrong+=' status 0, but it was refused;'
		! grep -qv '^maillogsentinel: warning: ' "$1/err" || wrong+=' status 0, but it complains;'
		[[ $(spooled "$1") != *.eml* ]] || wrong+=" status 0, but $(spooled "$1")waits;"
		;;
	*:1 | *:78) grep -qE '^maillogsentinel: [^ ].*: .' "$1/err" || wrong+=' says nothing;' ;;
	"$KILL:137" | "$TERM:143") ;;
	*) wrong+=" exit status $rc;" ;;
	esac
	if [ "$2" = refuse ]; then
		calm_send "$1"
		left=$(spooled "$1")
		[[ $left == ./*.failed\ * && $left != *.eml* ]] || wrong+=" not failed: $left;"
		rm "$1/answer"
		for left in "$1"/state/spool/*.failed; do mv "$left" "${left%.failed}.eml"; done
	fi
	calm_send "$1" || wrong+=" exit status $? of the next one;"
	left=$(spooled "$1")
	[ -z "$left" ] || wrong+=" left: $left;"
	[ "$(reported "$1")" = "$(sed 1d "$1/log/maillogsentinel.csv" | sort)" ] || wrong+=" the reports have $(reported "$1" | cut -d, -f4 | tr '\n' ' ');"
	twice=$(find "$1/mail" -name '*.[2-9]' | wc -l)
	# A stop while sendmail has it: whether it was taken is not known then.
	[ "$4" = "$TERM" ] && grep -q 'sendmail: interrupted; it is tried again later$' "$1/err" && interrupted=yes
	if [ "$twice" -gt 0 ]; then
		[ "$4:$twice" = "$KILL:1" ] || [ "$interrupted:$twice" = yes:1 ] || wrong+=" $twice came twice;"
		echo "$2 $3 $5" >>"$WORK/twice.${1##*/}"
	fi
	expected=$(grep -c . "$1/calls")
	{ [ $interrupted = yes ] || [ "$expected" = "$(find "$1/mail" -type f | wc -l)" ]; } && ! grep -qvx -- '-i -f root@host.example -- root staff@example.org' "$1/calls" || wrong+=" sendmail was asked otherwise;"
	grep -q " offset=$(stat -c %s "$1/log/maillogsentinel.csv") " "$1/state/report.offset" || wrong+=" the bookmark is elsewhere;"
	[ ! -e "$1/wrong" ] || wrong+=" $(cat "$1/wrong");"
	[ -n "$wrong" ] || return
	printf '%s %s errno %s of call %s:%s\n' "$2" "$3" "$4" "$5" "$wrong"
	cat "$1/err"
	[ ! -s "$1/record" ] || grep ^fault "$1/record"
}

# ---- while the rows are read ----------------------------------------------------------------------

# The number of the read that begins with the rows: the first of the CSV.
first_read() { # MODE
	local n

	for ((n = 1; n < 60; n++)); do
		prepare "$WORK/term" "$1"
		FAULT_KIND=read FAULT_ERRNO=5 FAULT_NTH=$n send "$WORK/term" 2>/dev/null
		! grep -q '^fault read .*\.csv$' "$WORK/term/record" || break
	done
	echo $n
}

for mode in first adopt; do
	n=$(first_read $mode)
	prepare "$WORK/term" $mode
	touch "$WORK/term/state/report.lock"
	before=$(files "$WORK/term/state")
	FAULT_KIND=read FAULT_ERRNO=$TERM FAULT_NTH=$n send "$WORK/term" 2>/dev/null
	tap_is "$? $(files "$WORK/term/mail")" "143 " "SIGTERM at read $n, of the first rows, ends it ($mode)"
	tap_is "$(files "$WORK/term/state")" "$before" "and nothing was done"
done

# ---- all of them ----------------------------------------------------------------------------------

for mode in first next adopt refuse; do
	prepare "$WORK/$mode" $mode
	send "$WORK/$mode"
	rc=$?
	if [ $mode = refuse ]; then expected=1; else expected=0; fi
	tap_is "$rc" $expected "an undisturbed run under the shim: $mode" || tap_note <"$WORK/$mode/err"
	faults_of $mode "$WORK/$mode/record"
done
tap_none "the message is durable before the bookmark, and that before the message is removed" "$(for mode in first next adopt; do awk -v mode=$mode '
	/^write .*\.eml\.tmp / { torn = 1 }
	/^fsync .*\.eml\.tmp 0$/ { torn = 0 }
	/^rename .*\.eml 0$/ { if (torn) print mode ":" FNR ": " $0; unsynced = 1 }
	/^fsync .*\/spool 0$/ { unsynced = 0 }
	/^rename .*report\.offset 0$/ { if (unsynced) print mode ":" FNR ": " $0; behind = 1 }
	/^fsync .*\/state 0$/ { if (behind) done = 1 }
	/^unlink .*\.eml 0$/ { removed++; if (!done) print mode ":" FNR ": " $0 }
	END { if (!removed) print mode ": nothing was removed" }' "$WORK/$mode/record"; done)"
# all that changes what is on disk; of what reads and takes memory some, which differ from run to run
awk -v seed="$MLS_SEED" '$2 != "malloc" && $2 != "read" && $2 != "open" || (NR + seed) % ($2 == "malloc" ? 29 : 7) == 0' "$WORK/points" >"$WORK/some" && mv "$WORK/some" "$WORK/points"
faults_run "goes on exactly"
tap_note "came twice after the process was killed: $(cat "$WORK"/twice.* 2>/dev/null | sort -V | tr '\n' ';')"
tap_done
