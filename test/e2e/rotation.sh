#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=420
# Debian's logrotate configuration under load, with the real rsyslog: inside/rotation.sh is the test.
# shellcheck source=test/e2e/outside.sh
. "$(dirname "$0")/outside.sh"
