#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# From the Python version to this one under systemd, in a box of its own: inside/migrate.sh is the test.
# shellcheck disable=SC2034  # outside.sh reads it
installed=yes
# shellcheck source=test/e2e/outside.sh
. "$(dirname "$0")/outside.sh"
