#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=420 packages=strace
# The installed service while nothing happens, in a box of its own: inside/idle.sh is the test. It sleeps for nearly all of its minute.
# shellcheck disable=SC2034  # outside.sh reads it
installed=yes
# shellcheck source=test/e2e/outside.sh
. "$(dirname "$0")/outside.sh"
