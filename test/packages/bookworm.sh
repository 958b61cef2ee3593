#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=900 packages=debootstrap
# The package on Debian 12.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/packages/debian.sh
. "$ROOT/test/packages/debian.sh"
package_test bookworm
tap_done
