#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The packages have the version of the source, and the RPM's description is the Debian package's. Checks the tree that the first argument
# names, or this one.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
cd "$(realpath "${1:-$ROOT}")" || exit 1

version=$(sed -n "s/^  version: '\(.*\)',/\1/p" meson.build)
tap_true "the source has a version" [ -n "$version" ]
tap_is "$(sed -nE '1s/^maillogsentinel \((.*)\) .*/\1/p' packaging/debian/changelog)" "$version" "so has the Debian package"
tap_is "$(sed -n 's/^Version: //p' packaging/maillogsentinel.spec)" "$version" "and the RPM"
tap_is "$(sed -nE 's/^([0-9][0-9.]*)( .*)?$/\1/p' packaging/NEWS | head -n 1)" "$version" "NEWS begins with it"
tap_is "$(sed -n '/^%description/,/^%prep/p' packaging/maillogsentinel.spec | sed '1d;$d' | xargs)" \
	"$(sed -n '/^Description:/,$p' packaging/debian/control | sed '1d; s/^ \.$//' | xargs)" "both say the same of it"
tap_done
