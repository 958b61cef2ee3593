#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: no
# Sourced by a test of this directory, and all there is to it: runs the test of the same name in inside/ in a box (box.sh) beside a
# real mail server, with the release build in /in/bin and test/ in /in/test. With installed=yes, what `meson install` installs is
# there too, below /in/root, with contrib/ and the manuals in /in; the box has more_packages besides those of the mail server.
# shellcheck source=test/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"
# shellcheck source=test/e2e/inside/mail.sh
. "$ROOT/test/e2e/inside/mail.sh"
[ -x "$MLS_PROGRAM_RELEASE" ] || tap_skip_all "needs build/release (test/run e2e makes it)"
mkdir "$WORK/bin"
cp "$MLS_PROGRAM_RELEASE" "$WORK/bin/"
copies=(-i "$ROOT/test" -i "$WORK/bin")
if [ -n "${installed-}" ]; then
	meson install -C "$(dirname "$(dirname "$MLS_PROGRAM_RELEASE")")" --no-rebuild --destdir "$WORK/root" >"$WORK/install.log" ||
		{ tail -n 5 "$WORK/install.log" >&2; exit 1; }
	copies+=(-i "$WORK/root" -i "$ROOT/contrib" -i "$ROOT/daemon")
fi
bash "$ROOT/test/e2e/box.sh" -t 300 -p "$mail_packages${more_packages:+ $more_packages}" "${copies[@]}" \
	"$ROOT/test/e2e/inside/$(basename "$0")" 2>"$WORK/stderr"
status=$?
cat "$WORK/stderr" >&2
[ $status -ne 77 ] || tap_skip_all "$(tail -n 1 "$WORK/stderr")"
exit $status
