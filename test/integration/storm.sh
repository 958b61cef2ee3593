#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=120 packages=python3
# A storm of reloads, good and bad, among rotations, kills and stops, with names in the logs and of the logs that are made to confuse:
# each failed login is one row, and what status, metrics and systemd are told is whole and never goes back. The plain build and, shorter,
# the sanitizers'. MLS_STORM_S=600 is a soak.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"

storm() { # NAME PROGRAM SECONDS LINES_PER_S
	local dir=$WORK/$1 status=0

	mkdir "$dir"
	python3 "$ROOT/test/integration/storm.py" "$2" "$dir" "$MLS_SEED" "$3" "$4" >"$WORK/out" 2>&1 || status=$?
	tap_is $status 0 "$1: $(head -n 1 "$WORK/out") (seed $MLS_SEED)" || {
		tap_note <"$WORK/out"
		tail -n 20 "$dir/log" | tap_note
	}
	tap_none "$1: nothing that the sanitizers say" "$(grep -aE 'Sanitizer|runtime error' "$dir/log")"
}

storm plain "$MLS_PROGRAM_RELEASE" "${MLS_STORM_S:-6}" 4000
storm sanitizers "$MLS_PROGRAM" $((${MLS_STORM_S:-6} / 2)) 1000
tap_done
