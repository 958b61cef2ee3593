#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=240
# Power losses: every state of log, CSV and checkpoint that fsync allows, put back (power-play.c); and then the CSV is exact.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# where fsync costs nothing, if there is such a place
if [ -w /dev/shm ]; then
	fast=$(mktemp -d /dev/shm/mls.XXXXXX) && tap_defer rm -rf "$fast"
fi
TMPDIR=${fast:-$WORK} "$(dirname "$MLS_PROGRAM_RELEASE")/../test/power-play" "$MLS_PROGRAM_RELEASE"
