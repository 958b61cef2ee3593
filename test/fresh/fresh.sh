#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: alone timeout=2400
# What a newcomer's machine sees: quickstart and the tests on Debian systems on which nothing is installed but apt, sudo and
# git. Each system is made once by debootstrap and kept in the test cache; each run gets a throw-away overlay of it. Package
# sources, network and fetched test data are this machine's own; nothing is asserted of what the network answers.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"

COLD_MAX_S=180
WARM_MAX_S=25
FOR_S=12

[ "$(id -u)" -eq 0 ] || tap_skip_all "needs root"
if [ -z "${MLS_FRESH_INSIDE-}" ]; then
	unshare --mount true 2>/dev/null || tap_skip_all "needs the right to make namespaces"
	command -v debootstrap >/dev/null || tap_skip_all "needs debootstrap"
	grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || tap_skip_all "needs overlayfs"
	rm -rf "$WORK"
	# the mounts made here end with this process
	MLS_FRESH_INSIDE=1 exec unshare --mount --propagation private bash "$0"
fi

# Makes the base system of a suite, once.
make_base() { # SUITE
	local base=$MLS_TEST_CACHE/debian-$1 mirror

	[ ! -e "$base.complete" ] || return 0
	mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
		grep -oE '[a-z+]+://[^ ]+/debian/?( |$)' | head -n 1)
	rm -rf "$base"
	# shellcheck disable=SC2086  # no mirror found: debootstrap's own
	debootstrap --variant=minbase --include=git,ca-certificates,sudo "$1" "$base" ${mirror% } &&
		: >"$base.complete"
}

# Gives a new system of the suite at $WORK/root, with this source tree at /src.
new_system() { # SUITE
	drop_system
	mkdir -p "$WORK/upper" "$WORK/root"
	mount -t tmpfs -o size=6g,mode=755 fresh "$WORK/upper" || return 1
	mkdir "$WORK/upper/files" "$WORK/upper/work"
	mount -t overlay overlay -o "lowerdir=$MLS_TEST_CACHE/debian-$1,upperdir=$WORK/upper/files,workdir=$WORK/upper/work" \
		"$WORK/root" || return 1
	mount --rbind /dev "$WORK/root/dev"
	mount -t sysfs -o ro sysfs "$WORK/root/sys"
	cp -a /etc/apt/apt.conf.d/. "$WORK/root/etc/apt/apt.conf.d/" 2>/dev/null
	cp /etc/resolv.conf "$WORK/root/etc/resolv.conf"
	# packages must not start services in a chroot
	printf '#!/bin/sh\nexit 101\n' >"$WORK/root/usr/sbin/policy-rc.d"
	chmod 755 "$WORK/root/usr/sbin/policy-rc.d"
	chroot "$WORK/root" useradd -m dev
	echo 'dev ALL=(ALL) NOPASSWD: ALL' >"$WORK/root/etc/sudoers.d/dev"
	mkdir "$WORK/root/src"
	(cd "$ROOT" && project_files . | tar -cT -) | tar -x -C "$WORK/root/src"
	# the data that tests read was fetched, or could not be, before this test
	mkdir "$WORK/root/cache"
	[ ! -d "$MLS_TEST_CACHE/data" ] || cp -a "$MLS_TEST_CACHE/data" "$WORK/root/cache/"
	chroot "$WORK/root" chown -R "$2:" /src /cache
}
drop_system() {
	umount -R -l "$WORK/root" 2>/dev/null
	umount -l "$WORK/upper" 2>/dev/null
}
tap_defer drop_system

# Runs the command in /src of the system, in a process namespace of its own. Takes $seconds for it; $left are the processes
# that it left behind.
inside() { # USER COMMAND [ARG...]
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

for suite in bookworm trixie; do
	if ! make_base $suite >"$WORK/debootstrap.log" 2>&1; then
		tap_fail "debootstrap makes a $suite"
		tail -n 5 "$WORK/debootstrap.log" | tap_note
		continue
	fi
	for user in root dev; do
		what="$suite as $user"
		new_system $suite $user || { tap_fail "$what: a system"; continue; }
		if inside $user contrib/quickstart --for $FOR_S; then
			tap_pass "$what: quickstart"
		else
			tap_fail "$what: quickstart"
			tail -n 30 "$WORK/stderr" | tap_note
			continue
		fi
		tap_true "$what: cold it takes $seconds s, less than $COLD_MAX_S" [ "$seconds" -lt $COLD_MAX_S ]
		tap_true "$what: it shows rows" grep -qE '^mx1,"[0-9]{4}-[0-9-]+ [0-9:]+",8\.8\.8\.8,' "$WORK/stdout"
		tap_is "$(head -n 1 "$WORK/stdout")" 'server,date,ip,user,hostname,reverse_dns_status,country_code,asn,aso' \
			"$what: under the CSV's header"
		tap_is "$left" "" "$what: no process is left behind"
		tap_none "$what: outside its tree it left nothing" \
			"$(find "$WORK/upper/files" -path "$WORK/upper/files/src" -prune -o -name '*maillogsentinel*' -print)"
		if inside $user contrib/quickstart --for $FOR_S; then
			tap_true "$what: the second time it takes $seconds s" [ "$seconds" -lt $WARM_MAX_S ]
		else
			tap_fail "$what: the second time"
			tail -n 30 "$WORK/stderr" | tap_note
		fi
		case $what in
		'bookworm as root') CI_INSIDE=true ;;
		'trixie as dev') CI_INSIDE='' ;;
		*) continue ;;
		esac
		inside $user test/run check unit
		status=$?
		if [ $status -eq 0 ] && [[ $(tail -n 1 "$WORK/stdout") =~ ^[1-9][0-9]*\ passed,\ 0\ failed,\ [0-9]+\ skipped$ ]]; then
			tap_pass "$what: test/run check unit: $(tail -n 1 "$WORK/stdout") in $seconds s"
		else
			tap_fail "$what: test/run check unit"
			tail -n 60 "$WORK/stdout" | tap_note
		fi
		tap_is "$left" "" "$what: and leaves no process behind"
	done
done
tap_done
