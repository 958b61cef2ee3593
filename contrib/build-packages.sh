#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What a build of this project needs, by package manager, and how missing packages get installed.
# Sourced by contrib/quickstart and test/run; changes nothing until packages_install is called.

# shellcheck disable=SC2034  # each list is read by name, in packages_list
build_packages_apt=(
	meson ninja-build pkg-config gcc libc6-dev
	libev-dev libc-ares-dev libmaxminddb-dev libconfig-dev libsystemd-dev
	zlib1g-dev liblzma-dev libzstd-dev libmd-dev libcurl4-openssl-dev libxxhash-dev libpcre2-dev
	libsqlite3-dev libpq-dev libmariadb-dev
)
# shellcheck disable=SC2034
build_packages_dnf=(
	meson ninja-build pkgconf-pkg-config gcc glibc-devel
	libev-devel c-ares-devel libmaxminddb-devel libconfig-devel systemd-devel
	zlib-devel xz-devel libzstd-devel libmd-devel libcurl-devel xxhash-devel pcre2-devel
	sqlite-devel libpq-devel mariadb-connector-c-devel
)
# shellcheck disable=SC2034
build_packages_pacman=(
	meson ninja pkgconf gcc
	libev c-ares libmaxminddb libconfig systemd-libs
	zlib xz zstd libmd curl xxhash pcre2
	sqlite postgresql-libs mariadb-libs
)

# Prints apt, dnf or pacman; fails where none of them is.
packages_manager() {
	local manager program

	for manager in apt dnf pacman; do
		program=$manager
		[ "$manager" = apt ] && program=apt-get
		command -v "$program" >/dev/null && { echo "$manager"; return 0; }
	done
	return 1
}

# Prints the build's packages for MANAGER, one a line.
packages_list() { # MANAGER
	local -n list="build_packages_$1"

	printf '%s\n' "${list[@]}" | if [ "$1" = apt ] && [ -z "$(packages_missing apt libcurl4-gnutls-dev)" ]; then
		# either libcurl will do, and each drives the other out
		sed s/^libcurl4-openssl-dev/libcurl4-gnutls-dev/
	else
		cat
	fi
}

# Prints those of the packages that are not installed, one a line.
packages_missing() { # MANAGER PACKAGE...
	local manager=$1 package

	shift
	[ $# -gt 0 ] || return 0
	case $manager in
	apt)
		comm -23 <(printf '%s\n' "$@" | sort -u) \
			<(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
				sed -n 's/ installed$//p' | sort -u)
		;;
	dnf)
		for package; do
			rpm -q --quiet --whatprovides "$package" || echo "$package"
		done
		;;
	pacman) pacman -T "$@" ;;
	esac
}

# Installs the packages, asking nothing; as an ordinary user through sudo. Says on stderr why it can't.
packages_install() { # MANAGER PACKAGE...
	local manager=$1 try
	local -a as_root=()

	shift
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || { echo "neither root nor sudo" >&2; return 1; }
		# where sudo has to ask for a password and no one is there to type it, it must not wait for one
		as_root=(sudo)
		[ -t 2 ] && [ -r /dev/tty ] || as_root=(sudo -n)
		"${as_root[@]}" true || { echo "sudo does not let us" >&2; return 1; }
	fi
	case $manager in
	apt)
		# the lists may be old or missing; without the network the packages may still be at hand
		for try in 1 2 3; do
			"${as_root[@]}" apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update && break
			echo "apt-get update failed (try $try of 3)" >&2
			[ "$try" -lt 3 ] && sleep $((try * 3))
		done
		for try in 1 2; do
			"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300 \
				-o Acquire::Retries=3 install --no-install-recommends "$@" && return 0
		done
		return 1
		;;
	dnf) "${as_root[@]}" dnf -y -q install "$@" ;;
	pacman) "${as_root[@]}" pacman -S --noconfirm --needed "$@" ;;
	esac
}
