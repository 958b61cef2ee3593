#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=600 packages=rpm
# The RPM, as far as Debian's rpm can tell: it builds, and installs into a directory.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
command -v rpmbuild >/dev/null || tap_skip_all "needs rpmbuild"
cd "$ROOT" || exit 1

rpm=$(packaging/build-rpm -o "$WORK/made" -- --nodeps --without tests 2>"$WORK/log") || {
	tap_fail "it builds"
	grep -vE '^\+' "$WORK/log" | tail -n 30 | tap_note
	tap_done
}
tap_pass "it builds"
tap_none "without a warning" "$(grep -E '\b[Ww]arning:' "$WORK/log" | sort -u)"
expected() {
	cat <<-'X2'
		/etc/maillogsentinel.conf
		/usr/lib/systemd/catalog/maillogsentinel.catalog
		/usr/lib/systemd/system/maillogsentinel-extract.service
		/usr/lib/systemd/system/maillogsentinel-extract.timer
		/usr/lib/systemd/system/maillogsentinel-report.service
		/usr/lib/systemd/system/maillogsentinel-report.timer
		/usr/lib/systemd/system/maillogsentinel-sql-export.service
		/usr/lib/systemd/system/maillogsentinel-sql-export.timer
		/usr/lib/systemd/system/maillogsentinel-sql-import.service
		/usr/lib/systemd/system/maillogsentinel-sql-import.timer
		/usr/lib/systemd/system/maillogsentinel-update-db.service
		/usr/lib/systemd/system/maillogsentinel-update-db.timer
		/usr/lib/systemd/system/maillogsentinel.service
		/usr/lib/sysusers.d/maillogsentinel.conf
		/usr/lib/tmpfiles.d/maillogsentinel.conf
		/usr/sbin/maillogsentinel
		/usr/sbin/maillogsentinel-migrate
		/usr/share/bash-completion/completions/maillogsentinel
		/usr/share/doc/maillogsentinel/NEWS
		/usr/share/doc/maillogsentinel/README.md
		/usr/share/doc/maillogsentinel/maillogsentinel.conf
		/usr/share/fish/vendor_completions.d/maillogsentinel.fish
		/usr/share/licenses/maillogsentinel-2.0.0/COPYING
		/usr/share/man/man5/maillogsentinel-rules.5
		/usr/share/man/man5/maillogsentinel.conf.5
		/usr/share/man/man7/maillogsentinel-anonymize.7
		/usr/share/man/man7/maillogsentinel-messages.7
		/usr/share/man/man7/maillogsentinel-monitoring.7
		/usr/share/man/man7/maillogsentinel-sql.7
		/usr/share/man/man8/maillogsentinel-migrate.8
		/usr/share/man/man8/maillogsentinel.8
		/usr/share/zsh/site-functions/_maillogsentinel
	X2
	if pkg-config --atleast-version=253 systemd 2>/dev/null; then
		echo /usr/lib/systemd/system/maillogsentinel.service.d/notify-reload.conf
	fi
	xargs -a packaging/debian/maillogsentinel.examples -I{} find {} -type f | sed 's,^contrib,/usr/share/doc/maillogsentinel/examples,'
}
# directories end with it; manuals are compressed where the system compresses them
tap_is "$(rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$rpm" 2>"$WORK/err" | sed -n 's/^-[-rwx]* //p' | sed -E 's/(\.[58])\.gz$/\1/' | sort)" \
	"$(expected | sort)" "it holds these files and no others"
tap_is "$(rpm -qcp "$rpm")" /etc/maillogsentinel.conf "the configuration is one that is kept"
root=$WORK/root
mkdir "$root"
tap_true "it installs" rpm --root "$root" --nodeps --noscripts -i "$rpm"
tap_is "$("$root/usr/sbin/maillogsentinel" --version)" "maillogsentinel $(sed -n "s/^  version: '\(.*\)',/\1/p" meson.build)" \
	"the program says the version of the source"
echo '# mine' >>"$root/etc/maillogsentinel.conf"
tap_true "again" rpm --root "$root" --nodeps --noscripts -U --force "$rpm"
tap_is "$(tail -n 1 "$root/etc/maillogsentinel.conf")" "# mine" "which keeps the configuration"
tap_true "it can be removed" rpm --root "$root" --nodeps --noscripts -e maillogsentinel
tap_is "$(find "$root" -name '*maillogsentinel*' ! -path '*/rpm/*' -type f)" "$root/etc/maillogsentinel.conf.rpmsave" \
	"and leaves a changed configuration alone"
tap_done
