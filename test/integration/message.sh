#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=python3
# What a report's mail is made of comes out of it again, read by Python's email package: random parts, seeded.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
command -v python3 >/dev/null || tap_skip_all "needs python3"
PLAY=$(dirname "$MLS_PROGRAM")/../test/mail-play
[ -x "$PLAY" ] || tap_skip_all "no program at $PLAY"
COUNT=200

mkdir "$WORK/parts"
tap_note "MLS_SEED=$MLS_SEED"
tap_none "$COUNT messages are read as they were written" \
	"$(timeout 120 python3 "$ROOT/test/integration/message.py" "$PLAY" "$WORK/parts" "$MLS_SEED" $COUNT 2>&1)"
tap_done
