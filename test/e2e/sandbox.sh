#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=420 packages=openssl,nginx-light,sqlite3,postgresql,mariadb-server
# All that the service does, in its unit's sandbox, in a box of its own: inside/sandbox.sh is the test.
# shellcheck disable=SC2034  # outside.sh reads it
installed=yes
# shellcheck source=test/e2e/outside.sh
. "$(dirname "$0")/outside.sh"
