#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=420
# A real fail2ban and a real nftables that ban who fails to log in, by what the journal has of it: inside/ban.sh is the test.
# shellcheck disable=SC2034  # outside.sh reads them
installed=yes more_packages="fail2ban python3-systemd nftables"
# shellcheck source=test/e2e/outside.sh
. "$(dirname "$0")/outside.sh"
