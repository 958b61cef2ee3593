#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What `meson install` puts where, with which mode, and that the installed program works.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
BUILD=$(dirname "$(dirname "$MLS_PROGRAM_RELEASE")")
[ -e "$BUILD/build.ninja" ] || tap_skip_all "no build in $BUILD"
cd "$ROOT" || exit 1

umask 027 # the modes are the project's, not those of who installs
tap_true "it installs" meson install -C "$BUILD" --no-rebuild --destdir "$WORK/root"
PREFIX=$(find "$WORK/root" -path '*/sbin/maillogsentinel')
PREFIX=${PREFIX%/sbin/*}
expected() {
	cat <<-'X'
		644 share/bash-completion/completions/maillogsentinel
		644 share/doc/maillogsentinel/NEWS
		644 share/doc/maillogsentinel/maillogsentinel.conf
		644 share/fish/vendor_completions.d/maillogsentinel.fish
		644 share/man/man5/maillogsentinel-rules.5
		644 share/man/man5/maillogsentinel.conf.5
		644 share/man/man7/maillogsentinel-anonymize.7
		644 share/man/man7/maillogsentinel-messages.7
		644 share/man/man7/maillogsentinel-monitoring.7
		644 share/man/man7/maillogsentinel-sql.7
		644 share/man/man8/maillogsentinel-migrate.8
		644 share/man/man8/maillogsentinel.8
		644 share/zsh/site-functions/_maillogsentinel
		755 sbin/maillogsentinel
		755 sbin/maillogsentinel-migrate
	X
	# the units tell systemd how they are, or are not there
	ldd "$PREFIX/sbin/maillogsentinel" | grep -q libsystemd || return
	printf '644 lib/%s\n' systemd/system/maillogsentinel.service sysusers.d/maillogsentinel.conf tmpfiles.d/maillogsentinel.conf \
		systemd/catalog/maillogsentinel.catalog systemd/system/maillogsentinel-{extract,report,sql-export,sql-import,update-db}.{service,timer}
	if pkg-config --atleast-version=253 systemd 2>/dev/null; then
		echo "644 lib/systemd/system/maillogsentinel.service.d/notify-reload.conf"
	fi
}
tap_is "$(cd "$WORK/root" && find . -type f -printf '%m %p\n' | sed "s,\.${PREFIX#"$WORK/root"}/,," | sort)" \
	"$(expected | sort)" "these files, and no others"
tap_is "$(find "$WORK/root" ! -type f ! -type d)" "" "and no links"
tap_true "what is no program is installed as it is" cmp daemon/maillogsentinel.8 "$PREFIX/share/man/man8/maillogsentinel.8"
tap_is "$("$PREFIX/sbin/maillogsentinel" --version)" "maillogsentinel $(sed -n "s/^  version: '\(.*\)',/\1/p" meson.build)" \
	"the program says the version of the source"
tap_is "$("$PREFIX/sbin/maillogsentinel" -c "$PREFIX/share/doc/maillogsentinel/maillogsentinel.conf" lookup 10.1.2.3 2>/dev/null)" \
	"10.1.2.3  N/A  N/A  private (RFC 1918)" "and reads the configuration that came with it"

# ---- elsewhere ----------------------------------------------------------------------------------
tap_true "a build with other places" meson setup "$WORK/build" --prefix=/opt/sentinel -Dtests=false \
	-Dsystemdsystemunitdir=/units -Dsysusersdir=/users -Dtmpfilesdir=/files -Dcatalogdir=/texts \
	-Dbash_completion_dir=/bash -Dzsh_completion_dir=/zsh -Dfish_completion_dir=/fish
tap_is "$(sed -n 's/^Exec[A-Za-z]*=.*\(\/opt[^ ]*\).*/\1/p' "$WORK"/build/packaging/systemd/*.service | sort | uniq -c | tr -s ' ')" \
	" 12 /opt/sentinel/sbin/maillogsentinel" "whose units start its own program"
meson introspect --installed "$WORK/build" | tr ',' '\n' | sed -n 's/.*: "\(.*\)".*/\1/p' >"$WORK/installed"
tap_is "$(grep -cE '^/(units/maillogsentinel[-a-z]*[.](service|timer)|users/maillogsentinel.conf|files/maillogsentinel.conf|texts/maillogsentinel.catalog)$' "$WORK/installed")" \
	14 "and go where they are wanted"
tap_is "$(grep -E '^/(bash|zsh|fish)/' "$WORK/installed" | sort | paste -sd' ')" \
	"/bash/maillogsentinel /fish/maillogsentinel.fish /zsh/_maillogsentinel" "as the completions do"
tap_true "a build without libsystemd" meson setup "$WORK/without" -Dsystemd=disabled -Dtests=false
tap_none "has no units" "$(meson introspect --installed "$WORK/without" | grep -E '/(systemd|sysusers[.]d|tmpfiles[.]d)/')"
tap_done
