#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=420 packages=python3,debhelper,dpkg-dev
# The Debian package of this tree, installed beside a real Postfix, Dovecot and rsyslog in a box of their own, and everything that
# an administrator does with it up to the purge: inside/deb.sh is the test.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/e2e/inside/mail.sh
. "$ROOT/test/e2e/inside/mail.sh"
mkdir "$WORK/deb"
DEB_BUILD_OPTIONS=nocheck bash "$ROOT/packaging/build-deb" -o "$ROOT/build/packages" >"$WORK/path" 2>"$WORK/stderr" || {
	tail -n 20 "$WORK/stderr" >&2
	tap_fail "the package is built"
	tap_done
}
cp "$(cat "$WORK/path")" "$WORK/deb/"
bash "$ROOT/test/e2e/box.sh" -t 300 -p "$mail_packages" -i "$ROOT/test" -i "$WORK/deb" "$ROOT/test/e2e/inside/deb.sh" 2>"$WORK/stderr"
status=$?
cat "$WORK/stderr" >&2
[ $status -ne 77 ] || tap_skip_all "$(tail -n 1 "$WORK/stderr")"
exit $status
