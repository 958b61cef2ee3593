#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=420
# The databases are replaced 100 times (MLS_SWAPS says otherwise) while the service has more to read than it can: no row is placed by anything but the one before or
# the new one, no step of it holds the loop up for 1 ms, nothing leaks, and afterwards every border of every range is right. Then a few
# times under AddressSanitizer.
# shellcheck disable=SC2317  # functions are called by wait_until
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$(dirname "$0")/service.sh"
TOOLS=$(dirname "$MLS_PROGRAM_RELEASE")/../test
export TZ=UTC
LOG=$WORK/mail.log
SWAPS=${MLS_SWAPS:-100}

configure() { # STATE_DIR
	cat <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$1"; mail_log = "$LOG"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
geolocation: { country_db_path = "$1/db/country.csv"; };
ASN_ASO: { asn_db_path = "$1/db/asn.csv"; };
dns: { enabled = false; };
X2
}

# Two sets of databases with their images, and the first of them in place.
prepare() { # RANGES
	local side

	rm -rf "$WORK/sets" "$WORK/state" "$WORK/csv" "$LOG" "$LOG.1" "$WORK/err"
	mkdir -p "$WORK/state/db" "$WORK/csv"
	for side in 0 1; do
		mkdir -p "$WORK/sets/$side/db"
		configure "$WORK/sets/$side" >"$WORK/conf"
		"$TOOLS/swap-drive" make "$WORK/sets/$side/db" $side "$1"
		# who looks up saves the image
		"$MLS_PROGRAM_RELEASE" -c "$WORK/conf" lookup 11.0.0.1 >/dev/null 2>&1
	done
	ln "$WORK/sets/0/db"/* "$WORK/state/db/"
	configure "$WORK/state" >"$WORK/conf"
	: >"$LOG"
}
# The CSV is there before the databases are read.
begun() { grep -q '^database-data ' "$WORK/state/status" 2>/dev/null; }

# Swaps so many times. Sets $took to what the driver prints.
drive() { # RANGES SWAPS
	local begin=$EPOCHREALTIME code=0

	prepare "$1"
	tap_note "$1 ranges a database, image $(stat -c %s "$WORK/state/db/ip.image") bytes"
	start
	wait_until 20 begun
	took=$("$TOOLS/swap-drive" run $pid "$LOG" "$CSV" "$WORK/state/db" "$WORK/sets" "$2" "$1" 2>&1) || code=$?
	tap_is $code 0 "$2 swaps: every row in its order, by one database or the next, and every border right" || tap_note "$took"
	stop
	tap_is $? 0 "it ends when it is told to"
	tap_note "$((($(date +%s%N) / 1000 - ${begin/./}) / 1000)) ms; $(grep -o '^rows .*' <<<"$took"), $(grep '^borders' <<<"$took")"
	tap_none "it warns of nothing" "$(grep 'warning: ' "$WORK/err")"
}
# For each swap: its steps, the microseconds that they took, and the longest of them, of processor time and by the clock.
swaps() {
	sed -n 's/.*taken into use in \([0-9]*\) steps of \([0-9]*\) us .* took \([0-9]*\) us of it, and one \([0-9]*\) us .*/\1 \2 \3 \4/p' "$WORK/err"
}
column() { # NUMBER: its figures, sorted
	swaps | awk -v n="$1" '{ print $n }' | sort -n
}

asan=$MLS_PROGRAM
MLS_PROGRAM=$MLS_PROGRAM_RELEASE
drive 130000 "$SWAPS"
tap_is "$(swaps | wc -l)" "$SWAPS" "each swap is told once"
mapfile -t longest < <(column 3)
tap_note "longest step of a swap: median ${longest[SWAPS / 2]} us, worst ${longest[-1]} us of processor time; by the clock, with all else that runs here, worst $(column 4 | tail -n 1) us"
# What bounds a step is how much it reads, 256 KiB; how long that takes depends on the machine and on what interrupts it, so the
# steps are held against each other: were one of them to do the work of many, it would take most of the time.
least=$(($(stat -c %s "$WORK/state/db/ip.image") / 262144))
tap_true "a swap is done in $least steps and more, as the image is read in pieces" [ "$(column 1 | head -n 1)" -ge $least ]
tap_true "none of them does the work of many: the longest takes less than a quarter of what all take (the median, in thousandths)" \
	[ "$(swaps | awk '{ print int(1000 * $3 / $2) }' | sort -n | sed -n "$((SWAPS / 2))p")" -lt 250 ]
tap_true "and that is far below 1 ms" [ "${longest[SWAPS / 2]}" -lt 1000 ]
tap_none "no image was made meanwhile" "$(grep 'update-db --compile' "$WORK/err")"
tap_note "$(grep '^memory' <<<"$took")"
read -r _ early size_before anonymous_before mappings_before fds_before <<<"$(grep '^memory 10 ' <<<"$took")"
read -r _ late size_after anonymous_after mappings_after fds_after <<<"$(grep "^memory $SWAPS " <<<"$took")"
tap_is "$early $late $mappings_after $fds_after" "10 $SWAPS $mappings_before $fds_before" "as many mappings and descriptors after $SWAPS swaps as after 10"
tap_true "and as much memory" [ $((size_after - size_before)) -le 1024 -a $((anonymous_after - anonymous_before)) -le 1024 ]

MLS_PROGRAM=$asan
drive 3000 12
tap_done
