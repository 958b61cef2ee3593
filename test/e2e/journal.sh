#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=420
# A system without rsyslog, whose journal is read: inside/journal.sh is the test.
# shellcheck source=test/e2e/outside.sh
. "$(dirname "$0")/outside.sh"
