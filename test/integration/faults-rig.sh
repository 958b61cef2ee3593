#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: no
# Sourced, after tap.sh, by tests that make every single call of a short run fail (fault-shim.c). They define one_fault, and errors_of for what can
# go wrong, list the calls of undisturbed runs with faults_of, and go through them all with faults_run.
PROGRAM=$MLS_PROGRAM_RELEASE
SHIM=$(dirname "$PROGRAM")/../test/fault-shim.so
WORKERS=${MLS_FAULT_WORKERS:-8}

# Runs a command whose calls are counted and recorded, one of which fails as the environment says.
faulty() { # RECORD COMMAND [ARG...]
	LD_PRELOAD=$SHIM FAULT_RECORD=$1 "${@:2}"
}

# Adds each fault of each call that the record counts, as a line "MODE KIND ERRNO NTH NAME".
faults_of() { # MODE RECORD
	local count name number n counts

	counts=$(sed -n 's/^counts //p' "$2")
	tap_note "$1 calls: $counts"
	for count in $counts; do
		# errors_of KIND prints name and number of each error that such a call can return; 0 does half of the work
		while read -r name number; do
			for ((n = 1; n <= ${count#*=}; n++)); do
				printf '%s %s %s %s %s\n' "$1" "${count%=*}" "$number" $n "$name"
			done
		done < <(errors_of "${count%=*}")
	done >>"$WORK/points"
}

faults_worker() { # NUMBER
	local mode kind number n name i=0

	while read -r mode kind number n name; do
		# one_fault DIR MODE KIND ERRNO NTH prints what is wrong, if anything is
		[ $((i++ % WORKERS)) -ne "$1" ] || one_fault "$WORK/w$1" "$mode" "$kind" "$number" "$n" >"$WORK/w$1.out"
		[ ! -s "$WORK/w$1.out" ] || { printf '%s\n' "$mode $kind $name"; cat "$WORK/w$1.out"; } >>"$WORK/wrong.$1"
		: >"$WORK/w$1.out"
	done <"$WORK/points"
}

# Goes through them, and makes a point for each mode, kind and error.
faults_run() { # TEXT
	local begin=$EPOCHSECONDS mode kind name count w pids=()

	for ((w = 0; w < WORKERS; w++)); do
		faults_worker $w &
		pids+=($!)
	done
	wait "${pids[@]}"
	cat "$WORK"/wrong.* >"$WORK/wrong" 2>/dev/null
	tap_note "$(wc -l <"$WORK/points") faults in $((EPOCHSECONDS - begin)) s"
	while read -r mode kind name count; do
		tap_none "$mode: $1, each of $count $kind calls: $name" \
			"$(sed -n "/^$mode $kind $name\$/,/^[a-z]* [a-z]* [A-Za-z]*\$/p" "$WORK/wrong")"
	done < <(awk '{ count[$1 " " $2 " " $5]++ } END { for (k in count) print k, count[k] }' "$WORK/points" | sort)
}
