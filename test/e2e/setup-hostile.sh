#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=420 packages=python3
# Answers that are made to break setup, in a box of their own: inside/setup-hostile.sh is the test.
# shellcheck source=test/e2e/outside.sh
. "$(dirname "$0")/outside.sh"
