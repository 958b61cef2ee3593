#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=420 packages=strace
# setup, interrupted and failing at each of its system calls, in a box of its own: inside/setup-faults.sh is the test.
# shellcheck disable=SC2034  # outside.sh reads it
installed=yes
# shellcheck source=test/e2e/outside.sh
. "$(dirname "$0")/outside.sh"
