#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=strace timeout=300
# Moving over from the Python version is broken off at each call that changes something: one that fails, or a signal, leaves all as it was; after
# kill -9 it is brought to its end the next time, with the same result. On one file system, and with the files put aside on another.
# shellcheck disable=SC2317
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
command -v strace >/dev/null || tap_skip_all "needs strace"
MLS_PROGRAM=$MLS_PROGRAM_RELEASE
# shellcheck source=test/integration/migrate-rig.sh
. "$(dirname "$0")/migrate-rig.sh"
strace -qq -o "$WORK/trace" true 2>/dev/null || tap_skip_all "needs the right to trace"
# of each call, spread over a run; all of them are MLS_MIGRATE_ROUNDS=1000
ROUNDS=${MLS_MIGRATE_ROUNDS-1}
RANDOM=$((MLS_SEED % 32768))
tap_note "seed $MLS_SEED"

# The system as it is before it, every time the same.
old_system
getent passwd maillogsentinel >/dev/null || useradd --system --no-create-home maillogsentinel
tar -cf "$WORK/system.tar" -C / etc/maillogsentinel.conf etc/systemd/system var usr/local/bin srv
fresh() {
	rm -rf "$UNITS"/maillogsentinel* $CONFIG* /usr/local/bin/*.py /var/{backups,lib,log} /srv/*
	tar -xf "$WORK/system.tar" -C /
	mkdir /srv/aside
	[ -z "${elsewhere-}" ] || mount -t tmpfs aside /srv/aside
}
clear_aside() {
	umount /srv/aside 2>/dev/null
	rm -rf /srv/*
}
# All but what is different every time.
result() {
	tree | grep -vE '/(lock|state[.]offset|report[.]offset)( |$)' | sed -E 's/ [0-9.]+$//'
	sed -nE 's/^(csv|log|position) /\1 /p' $STATE/state.offset | sed -E 's/(series|inode|device|written|number|file)=[0-9a-f:]+//g'
}
# Runs it with what strace is told; leaves $output and $status.
traced() { # OPTION...
	output=$(strace -f -qq -o "$WORK/trace" -e signal=none "$@" "$MIGRATE" --yes --to /srv/aside/python 2>&1 </dev/null)
	status=$?
}
# Injects WHAT at some of the calls of a run.
inject() { # CALL WHAT
	local n count step faults='' times=0

	fresh
	traced -e trace="$1"
	count=$(wc -l <"$WORK/trace")
	clear_aside
	[ "$count" -gt 0 ] || return
	step=$((count / ROUNDS + 1))
	for ((n = RANDOM % step + 1; n <= count; n += step)); do
		fresh
		# the lock is never removed
		tree | grep -v '/lock' >"$WORK/before"
		traced -e trace="$1" -e inject="$1:$2:when=$n"
		tree | grep -v '/lock' >"$WORK/after"
		times=$((times + 1))
		if [[ $2 == *KILL* ]]; then
			# its end, or that of the child that writes the record, which is a failure like others
			[ $status -eq 137 ] || [ $status -eq 0 ] || diff "$WORK/before" "$WORK/after" >"$WORK/diff" || faults+="$1 $n: $status: $(head -n 5 "$WORK/diff")"$'\n'
			output=$("$MIGRATE" --yes --to /srv/aside/python 2>&1 </dev/null)
			status=$?
		fi
		if [ $status -eq 0 ]; then
			result >"$WORK/result"
			diff "$WORK/wanted" "$WORK/result" >"$WORK/diff" || faults+="$1 $n: ended well, but $(head -n 5 "$WORK/diff")"$'\n'
		else
			[[ $2 != *KILL* ]] || faults+="$1 $n: exit status $status: $output"$'\n'
			diff "$WORK/before" "$WORK/after" >"$WORK/diff" || faults+="$1 $n: $(head -n 20 "$WORK/diff") after: $(tail -n 4 <<<"$output")"$'\n'
		fi
		clear_aside
	done
	tap_none "$where: $1: $2: at $times of $count" "$faults"
}

for where in "one file system" "another file system"; do
	elsewhere=${where#one*}
	fresh
	"$MIGRATE" --yes --to /srv/aside/python >"$WORK/out" 2>&1 </dev/null
	tap_is $? 0 "$where: undisturbed" || tap_note <"$WORK/out"
	result >"$WORK/wanted"
	clear_aside
	for call in rename link unlink mkdir symlink fsync; do
		inject $call error=EIO
		inject $call signal=KILL
	done
	inject rename signal=TERM
	inject fchown error=EPERM
done
tap_done
