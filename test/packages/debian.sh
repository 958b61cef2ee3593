#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: no
# The Debian package as a release of Debian sees it: built by an ordinary user with the packages that it says it needs and its
# unit tests on the way, looked at by that release's lintian, installed, upgraded and purged.
# shellcheck source=test/debian.sh
. "$ROOT/test/debian.sh"

# Installs what the build needs by the package's own words, what looks at packages, and what the package runs with.
prepare_base() { # DIRECTORY
	mkdir "$1/needs" &&
		cp -r packaging/debian "$1/needs/" &&
		mount -t proc proc "$1/proc" &&
		cp -a /etc/apt/apt.conf.d/. "$1/etc/apt/apt.conf.d/" &&
		cp /etc/resolv.conf "$1/etc/resolv.conf" &&
		printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d" &&
		chmod 755 "$1/usr/sbin/policy-rc.d" &&
		chroot "$1" apt-get -q -o Acquire::Retries=3 update &&
		DEBIAN_FRONTEND=noninteractive chroot "$1" apt-get -y -q -o Acquire::Retries=3 -o Dpkg::Options::=--force-confold --no-install-recommends build-dep ./needs &&
		DEBIAN_FRONTEND=noninteractive chroot "$1" apt-get -y -q -o Acquire::Retries=3 -o Dpkg::Options::=--force-confold --no-install-recommends install \
			lintian systemd libcurl4 dbus iproute2 procps &&
		rm -rf "$1/needs" "$1"/var/cache/apt/archives/*.deb "$1/usr/sbin/policy-rc.d" &&
		umount "$1/proc"
}

# Prints what is in the system beside /src, and who may log in.
inventory() {
	(cd "$WORK/root" && find . -xdev \( -path ./src -o -path ./home -o -path ./cache -o -path ./tmp -o -path ./left -o -path ./run -o -path './var/lib/dpkg/*' \
		-o -path './var/cache/*' -o -path './var/log/*.log' -o -path './var/log/apt/*' -o -path './etc/*-' \) -prune -o -print | sort
	cat etc/passwd etc/group etc/shadow etc/gshadow)
}

expected_files() { # DIRECTORY OF THE UNITS
	cat <<-X
		/etc/maillogsentinel.conf
		$1/maillogsentinel-extract.service
		$1/maillogsentinel-extract.timer
		$1/maillogsentinel-report.service
		$1/maillogsentinel-report.timer
		$1/maillogsentinel-sql-export.service
		$1/maillogsentinel-sql-export.timer
		$1/maillogsentinel-sql-import.service
		$1/maillogsentinel-sql-import.timer
		$1/maillogsentinel-update-db.service
		$1/maillogsentinel-update-db.timer
		$1/maillogsentinel.service
		/usr/lib/systemd/catalog/maillogsentinel.catalog
		/usr/lib/sysusers.d/maillogsentinel.conf
		/usr/lib/tmpfiles.d/maillogsentinel.conf
		/usr/sbin/maillogsentinel
		/usr/sbin/maillogsentinel-migrate
		/usr/share/bash-completion/completions/maillogsentinel
		/usr/share/doc/maillogsentinel/NEWS.gz
		/usr/share/doc/maillogsentinel/README.Debian
		/usr/share/doc/maillogsentinel/README.md.gz
		/usr/share/doc/maillogsentinel/changelog.gz
		/usr/share/doc/maillogsentinel/copyright
		/usr/share/doc/maillogsentinel/maillogsentinel.conf.gz
		/usr/share/fish/vendor_completions.d/maillogsentinel.fish
		/usr/share/man/man5/maillogsentinel-rules.5.gz
		/usr/share/man/man5/maillogsentinel.conf.5.gz
		/usr/share/man/man7/maillogsentinel-anonymize.7.gz
		/usr/share/man/man7/maillogsentinel-messages.7.gz
		/usr/share/man/man7/maillogsentinel-monitoring.7.gz
		/usr/share/man/man7/maillogsentinel-sql.7.gz
		/usr/share/man/man8/maillogsentinel-migrate.8.gz
		/usr/share/man/man8/maillogsentinel.8.gz
		/usr/share/zsh/vendor-completions/_maillogsentinel
	X
	[ "$1" = /lib/systemd/system ] || echo "$1/maillogsentinel.service.d/notify-reload.conf"
	xargs -a packaging/debian/maillogsentinel.examples -I{} find {} -type f | sed 's,^contrib,/usr/share/doc/maillogsentinel/examples,'
}

# The command must succeed as root in the system.
as_root() { # TEXT COMMAND [ARG...]
	local text=$1

	shift
	if debian_inside root "$@"; then
		tap_pass "$text"
	else
		tap_fail "$text"
		tail -n 30 "$WORK/stdout" "$WORK/stderr" | tap_note
		return 1
	fi
}

package_test() { # SUITE
	local suite=$1 name deb before unit_dir=/usr/lib/systemd/system service_type=notify-reload

	debian_begin
	[ "$suite" != bookworm ] || unit_dir=/lib/systemd/system service_type=notify
	cd "$ROOT" || return 1
	# what is made of another list is another, and of no more use
	name=$suite-$({ declare -f prepare_base; sed -n '/^Build-Depends:/,/^[A-Z]/p' packaging/debian/control; } | sha256sum | cut -c1-12)
	[ -e "$MLS_TEST_CACHE/debian-$name.complete" ] || rm -rf "$MLS_TEST_CACHE/debian-$suite-"*
	if ! debian_base "$suite" "$name" build-essential,ca-certificates,git prepare_base >"$WORK/base.log" 2>&1; then
		tap_fail "a $suite with what the build needs"
		tail -n 15 "$WORK/base.log" | tap_note
		return 1
	fi
	debian_new dev || { tap_fail "a system"; return 1; }

	if debian_inside dev packaging/build-deb -- -us -uc; then
		tap_pass "it builds in $seconds s; $(grep -oE '^(Ok|Skipped): +[0-9]+' "$WORK/stderr" | tr -s ' \n' ' ')"
	else
		tap_fail "it builds"
		grep -E '^(not ok|Bail out)|\b([Ee]rror|FAILED|ERROR|TIMEOUT)\b' "$WORK/stderr" | grep -v '^\[' | tail -n 40 | tap_note
		grep -v '^\[' "$WORK/stderr" | tail -n 20 | tap_note
		return 1
	fi
	deb=$(cat "$WORK/stdout")
	tap_none "without a warning" "$(grep -E 'warning: .*\[-W|^(dh|dpkg)[a-z_-]*: warning|^WARNING' "$WORK/stderr" | sort -u)"
	tap_true "and all of the unit tests pass" grep -qE '^Fail: +0 *$' "$WORK/stderr"
	debian_inside dev lintian "${deb%.deb}.changes"
	tap_is "$(cat "$WORK/stdout" "$WORK/stderr")" "" "its lintian has nothing to say"

	before=$(inventory)
	as_root "it installs" dpkg -i "$deb" || return 1
	debian_inside root dpkg -L maillogsentinel
	tap_is "$(while read -r path; do [ -d "$WORK/root$path" ] || echo "$path"; done <"$WORK/stdout" | sort)" \
		"$(expected_files "$unit_dir" | sort)" "with these files and no others"
	tap_is "$(cd "$WORK/root/etc/systemd/system" && find . -name '*maillogsentinel*')" \
		./multi-user.target.wants/maillogsentinel.service "of its units the service alone is enabled"
	debian_inside root id maillogsentinel
	tap_is "$(sed 's/[0-9]*(\([a-z-]*\))/\1/g' "$WORK/stdout")" \
		"uid=maillogsentinel gid=maillogsentinel groups=maillogsentinel,adm,systemd-journal" "its user may read logs and the journal"
	as_root "its units are sound" systemd-analyze verify maillogsentinel.service maillogsentinel-{extract,report,update-db}.{service,timer}
	tap_is "$(cat "$WORK/stdout" "$WORK/stderr")" "" "to the last word"
	debian_inside root systemd-analyze security --offline=yes --threshold=15 maillogsentinel.service
	tap_is "$?" 0 "and its sandbox is tight: $(tail -n 1 "$WORK/stdout")"
	as_root "it is configured well" maillogsentinel check-config
	debian_inside root maillogsentinel extract --stdout --no-dns --from /src/contrib/sample-mail.log
	tap_is "$(sed 1d "$WORK/stdout" | wc -l)" "$(grep -c 'SASL .* authentication failed' contrib/sample-mail.log)" "it works"

	# ---- at work under this release's systemd -------------------------------------------------
	mkdir "$WORK/deb"
	cp "$WORK/root$deb" "$WORK/deb/maillogsentinel.deb"
	# shellcheck disable=SC2016 # the box's
	printf '%s\n' 'set -e' 'dpkg -i /in/deb/maillogsentinel.deb' 'systemctl is-active maillogsentinel' \
		'systemctl show -P Type maillogsentinel >/out/type' /in/tests/smoke >"$WORK/in-box"
	MLS_BOX_INSIDE='' bash test/e2e/box.sh -r "$base" -i "$WORK/deb" -i packaging/debian/tests -o "$WORK/out" -t 120 "$WORK/in-box" \
		>"$WORK/stdout" 2>"$WORK/stderr"
	case $? in
	0) tap_pass "it starts when it is installed, and follows a log through restart and reload: packaging/debian/tests/smoke" ;;
	77) tap_skip "it runs" "$(tail -n 1 "$WORK/stderr")" ;;
	*)
		tap_fail "it starts when it is installed, and follows a log through restart and reload: packaging/debian/tests/smoke"
		tail -n 40 "$WORK/stdout" "$WORK/stderr" | tap_note
		;;
	esac
	tap_is "$(cat "$WORK/out/type")" "$service_type" "its type is $service_type"

	# ---- upgrade, removal -----------------------------------------------------------------------
	printf '# mine\n' >>"$WORK/root/etc/maillogsentinel.conf"
	echo row >"$WORK/root/var/log/maillogsentinel/maillogsentinel.csv"
	echo state >"$WORK/root/var/lib/maillogsentinel/state.offset"
	as_root "the same again is an upgrade" dpkg -i "$deb"
	as_root "it can be removed" dpkg -r maillogsentinel
	tap_is "$(cat "$WORK/root/var/log/maillogsentinel/maillogsentinel.csv" "$WORK/root/var/lib/maillogsentinel/state.offset"
		tail -n 1 "$WORK/root/etc/maillogsentinel.conf")" $'row\nstate\n# mine' "both leave configuration, CSV and state"
	tap_none "and no program" "$(find "$WORK"/root/usr/sbin/maillogsentinel 2>/dev/null)"
	as_root "it can be purged" dpkg -P maillogsentinel
	tap_is "$(diff <(echo "$before") <(inventory))" "" "then nothing of it is left"

	# ---- beside the Python version ------------------------------------------------------------------
	printf '[Service]\nExecStart=/usr/local/bin/maillogsentinel.py\n' >"$WORK/root/etc/systemd/system/maillogsentinel.service"
	printf '[paths]\nworking_dir = /var/log/maillogsentinel\n' >"$WORK/root/etc/maillogsentinel.conf"
	as_root "it installs beside the Python version, whose configuration may stay" dpkg --force-confold -i "$deb"
	tap_true "and names its unit" grep -q '^note: /etc/systemd/system/maillogsentinel.service: is a unit of the Python version' "$WORK/stderr"
	tap_true "its configuration" grep -q '/etc/maillogsentinel.conf: is a configuration of the Python version' "$WORK/stderr"
	tap_true "and the way to move over" grep -q "'maillogsentinel-migrate' takes over" "$WORK/stderr"
	tap_is "$(head -n 1 "$WORK/root/etc/maillogsentinel.conf")" '[paths]' "which leaves all as it was"
}
