#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Debian systems for shell tests, which source this behind tap.sh. Each system is made once by debootstrap and kept in the test
# cache; a test gets a throw-away overlay of it. Package sources and network are this machine's own.
# shellcheck disable=SC2034 # what debian_inside sets is for those who call it

# Runs the test anew where it may mount: what it mounts ends with it. Skips it where that is impossible.
debian_begin() {
	[ "$(id -u)" -eq 0 ] || tap_skip_all "needs root"
	[ -z "${MLS_DEBIAN_INSIDE-}" ] || return 0
	unshare --mount true 2>/dev/null || tap_skip_all "needs the right to make namespaces"
	command -v debootstrap >/dev/null || tap_skip_all "needs debootstrap"
	grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || tap_skip_all "needs overlayfs"
	rm -rf "$WORK"
	MLS_DEBIAN_INSIDE=1 exec unshare --mount --propagation private bash "$0"
}

# Makes the base system of a suite, once; $base is its directory. PREPARE is a command that completes it, run with
# the directory as its last argument; another NAME is another system.
debian_base() { # SUITE NAME PACKAGES [PREPARE...]
	local suite=$1 packages=$3 mirror

	base=$MLS_TEST_CACHE/debian-$2
	shift 3
	exec 8>"$base.lock"
	flock 8
	if [ ! -e "$base.complete" ]; then
		mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
			grep -oE '[a-z+]+://[^ ]+/debian/?( |$)' | head -n 1)
		rm -rf "$base"
		# shellcheck disable=SC2086  # no mirror found: debootstrap's own
		debootstrap --variant=minbase --include="$packages" "$suite" "$base" ${mirror% } &&
			{ [ $# -eq 0 ] || "$@" "$base"; } && : >"$base.complete"
	fi
	exec 8>&-
	[ -e "$base.complete" ]
}

# Gives a new system upon $base at $WORK/root, with this source tree at /src, which belongs to USER ("dev" or "root").
debian_new() { # USER
	debian_drop
	mkdir -p "$WORK/upper" "$WORK/root"
	mount -t tmpfs -o size=6g,mode=755 fresh "$WORK/upper" || return 1
	mkdir "$WORK/upper/files" "$WORK/upper/work"
	mount -t overlay overlay -o "lowerdir=$base,upperdir=$WORK/upper/files,workdir=$WORK/upper/work" "$WORK/root" || return 1
	mount --rbind /dev "$WORK/root/dev"
	mount -t sysfs -o ro sysfs "$WORK/root/sys"
	cp -a /etc/apt/apt.conf.d/. "$WORK/root/etc/apt/apt.conf.d/" 2>/dev/null
	cp /etc/resolv.conf "$WORK/root/etc/resolv.conf"
	# packages must not start services in a chroot
	printf '#!/bin/sh\nexit 101\n' >"$WORK/root/usr/sbin/policy-rc.d"
	chmod 755 "$WORK/root/usr/sbin/policy-rc.d"
	chroot "$WORK/root" useradd -m dev
	mkdir "$WORK/root/src"
	(cd "$ROOT" && project_files . | tar -cT -) | tar -x -C "$WORK/root/src"
	# the data that tests read was fetched, or could not be, before this test
	mkdir "$WORK/root/cache"
	[ ! -d "$MLS_TEST_CACHE/data" ] || cp -a "$MLS_TEST_CACHE/data" "$WORK/root/cache/"
	chroot "$WORK/root" chown -R "$1:" /src /cache
}
debian_drop() {
	umount -R -l "$WORK/root" 2>/dev/null
	umount -l "$WORK/upper" 2>/dev/null
}
tap_defer debian_drop

# Runs the command in /src of the system, in a process namespace of its own; its output goes to $WORK/stdout and
# $WORK/stderr. Takes $seconds for it; $left are the processes that it left behind.
debian_inside() { # USER COMMAND [ARG...]
	local user=$1 start=$EPOCHREALTIME status

	shift
	# shellcheck disable=SC2016  # the inner shell's
	env -i HOME="$([ "$user" = root ] && echo /root || echo "/home/$user")" TERM=dumb LC_ALL=C.UTF-8 CI="${CI_INSIDE-}" MLS_SEED="$MLS_SEED" MLS_TEST_CACHE=/cache \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
		unshare --pid --fork --kill-child bash -c '
			user=$1 root=$2
			shift 2
			mount -t proc proc "$root/proc"
			chroot --userspec="$user" --groups="$user" "$root" bash -c "cd /src && exec \"\$@\"" -- "$@"
			status=$?
			for process in "$root"/proc/[0-9]*; do
				[ "${process##*/}" = $$ ] || tr "\0" " " <"$process/cmdline" 2>/dev/null
			done >"$root/left"
			umount "$root/proc"
			exit $status' -- "$user" "$WORK/root" "$@" </dev/null >"$WORK/stdout" 2>"$WORK/stderr"
	status=$?
	seconds=$(((${EPOCHREALTIME/[.,]/} - ${start/[.,]/}) / 1000000))
	left=$(cat "$WORK/root/left")
	return $status
}
