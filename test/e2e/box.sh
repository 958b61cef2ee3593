#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: no
# box.sh [-r DIR] [-i DIR]... [-p PACKAGES] [-o DIR] [-t SECONDS] SCRIPT [ARG...]
#
# Boots a real systemd as PID 1 of a throw-away box and runs SCRIPT in it as a unit. The box's root is this machine's
# own / (or another's) under an overlay: every program installed there is there, and nothing that happens inside reaches the
# machine. It has its own mounts, processes, host name (box, box.example) and network (lo alone).
#
#   -r DIR      the root below is DIR, another Debian system, and not this machine's
#   -i DIR      copy DIR to /in/BASENAME inside
#   -p PACKAGES what apt-get has to install inside first, blank-separated; the result is kept in the test cache for as
#               long as this machine's own packages stay the same
#   -o DIR      what SCRIPT leaves in /out goes there
#   -t SECONDS  end the box after that long (default 280)
#
# SCRIPT runs as root under bash, with journald and dbus up. Its output is ours as it comes, its exit status too.
# Needs root, systemd, overlayfs and cgroup2; exit status 77 and the reason on stderr where one is missing.

set -u
export LC_ALL=C.UTF-8
absent() {
	printf 'box: needs %s\n' "$1" >&2
	exit 77
}
fail() {
	printf 'box: %s\n' "$1" >&2
	exit 1
}

if [ -z "${MLS_BOX_INSIDE-}" ]; then
	[ "$(id -u)" -eq 0 ] || absent "root"
	[ -n "$(awk '$3 == "cgroup2"' /proc/mounts)" ] || absent "a mounted cgroup2"
	command -v apt-get >/dev/null || absent "Debian's packages (apt-get)"
	grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || absent "overlayfs"
	unshare --mount true 2>/dev/null || absent "the right to make namespaces"
	# the mounts made here end with this process
	MLS_BOX_INSIDE=1 exec unshare --mount --propagation private bash "$0" "$@"
fi

copies=() packages='' out='' limit=280 lower=/
while getopts r:i:p:o:t: option; do
	case $option in
	r) lower=$OPTARG ;;
	i) copies+=("$OPTARG") ;;
	p) packages=$OPTARG ;;
	o) out=$OPTARG ;;
	t) limit=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || { sed -n '4,19s/^# \{0,1\}//p' "$0" >&2; exit 2; }
script=$1
shift

CACHE=${MLS_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/maillogsentinel-test}
mkdir -p "$CACHE" || exit 1
BOX=$(mktemp -d "$CACHE/box.XXXXXX") || exit 1
export ROOT=$BOX/root SHARED=$BOX/shared
mkdir "$ROOT" "$BOX/upper" "$SHARED"
CGROUP_TOP=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
CGROUP=$CGROUP_TOP/maillogsentinel-box-$$
boot='' output=''

# shellcheck disable=SC2317  # the traps call it
cleanup() {
	trap - EXIT
	trap '' INT TERM
	[ -z "$boot" ] || kill -KILL "$boot" 2>/dev/null
	[ -z "$output" ] || kill "$output" 2>/dev/null
	if [ -d "$CGROUP" ]; then
		# every process of the box is in there, and nothing else
		echo 1 >"$CGROUP/cgroup.kill" 2>/dev/null
		for _ in {1..100}; do
			find "$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null
			[ -d "$CGROUP" ] || break
			sleep 0.05
		done
	fi
	umount -R -l "$ROOT" 2>/dev/null
	umount -l "$BOX/upper" 2>/dev/null
	rm -rf "$BOX"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- the box's file system --------------------------------------------------------------------

mount -t tmpfs -o size=4g,mode=755 box "$BOX/upper" || absent "the right to mount"
mkdir "$BOX/upper/files" "$BOX/upper/work"
mount_root() {
	mount -t overlay overlay -o "lowerdir=$lower,upperdir=$BOX/upper/files,workdir=$BOX/upper/work" "$ROOT"
}
make_devices() { # DIR
	local name major minor

	while read -r name major minor; do
		mknod -m 666 "$1/$name" c "$major" "$minor"
	done <<-X
		null 1 3
		zero 1 5
		full 1 7
		random 1 8
		urandom 1 9
		tty 5 0
	X
	ln -s /proc/self/fd "$1/fd"
	ln -s fd/0 "$1/stdin"
	ln -s fd/1 "$1/stdout"
	ln -s fd/2 "$1/stderr"
}
export -f make_devices

# A directory below / can't be a second lower layer beside /: what the packages bring is copied into the upper one.
if [ -n "$packages" ]; then
	layers=$CACHE/box-layer-$(sha256sum </var/lib/dpkg/status | cut -c1-12)
	layer=$layers-$(printf '%s\n' "$packages" | sha256sum | cut -c1-12)
	exec 9>"$CACHE/box-layer.lock"
	flock 9
	if [ ! -e "$layer.tar" ]; then
		# those that fit what was installed here before are of no more use
		find "$CACHE" -maxdepth 1 -name 'box-layer-*.tar' ! -name "${layers##*/}-*" -delete
		mount_root || absent "an overlay of /"
		mount -t proc proc "$ROOT/proc"
		mount -t tmpfs dev "$ROOT/dev"
		mount -t tmpfs tmp "$ROOT/tmp"
		mount -t tmpfs run "$ROOT/run"
		make_devices "$ROOT/dev"
		printf '#!/bin/sh\nexit 101\n' >"$ROOT/usr/sbin/policy-rc.d"
		chmod 755 "$ROOT/usr/sbin/policy-rc.d"
		printf '%s\n' 'postfix postfix/main_mailer_type select Local only' 'postfix postfix/mailname string box.example' |
			chroot "$ROOT" debconf-set-selections
		log=$CACHE/box-packages.log installed=
		for _ in 1 2 3; do
			# shellcheck disable=SC2086  # a list of words
			if chroot "$ROOT" apt-get -q -o Acquire::Retries=3 update >"$log" 2>&1 &&
				DEBIAN_FRONTEND=noninteractive chroot "$ROOT" apt-get install -y -q -o Acquire::Retries=3 \
					--no-install-recommends $packages >>"$log" 2>&1; then
				installed=yes
				break
			fi
		done
		[ -n "$installed" ] || { tail -n 5 "$log" >&2; absent "the packages $packages (see $log)"; }
		rm -rf "$ROOT"/var/cache/apt/archives/*.deb "$ROOT"/var/lib/apt/lists/* "$ROOT/usr/sbin/policy-rc.d"
		umount "$ROOT/proc" "$ROOT/dev" "$ROOT/tmp" "$ROOT/run" "$ROOT"
		tar -cf "$layer.part" --xattrs --xattrs-include='*' -C "$BOX/upper/files" . ||
			fail "can't keep $layer.tar"
		mv "$layer.part" "$layer.tar"
	else
		tar -xf "$layer.tar" --xattrs --xattrs-include='*' -C "$BOX/upper/files" || fail "can't unpack $layer.tar"
	fi
	exec 9>&-
fi
mount_root || absent "an overlay of /"
[ -x "$ROOT/lib/systemd/systemd" ] || absent "systemd"

# ---- the box's units --------------------------------------------------------------------------

units=$ROOT/etc/systemd/system
mkdir -p "$units/box.target.wants" "$ROOT/etc/systemd/journald.conf.d" "$ROOT/shared" "$ROOT/in" "$ROOT/out"
for directory in "${copies[@]}"; do cp -a "$directory" "$ROOT/in/"; done
rm -f "$ROOT/etc/fstab"
echo 00112233445566778899aabbccddeeff >"$ROOT/etc/machine-id"
echo box >"$ROOT/etc/hostname"
printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 box.example box\n' >"$ROOT/etc/hosts"
rm -f "$ROOT/etc/resolv.conf"
: >"$ROOT/etc/resolv.conf"
printf '[Journal]\nStorage=volatile\nAudit=no\nRateLimitBurst=0\n' >"$ROOT/etc/systemd/journald.conf.d/box.conf"
# what needs hardware, or would do something by itself in the middle of a test
for unit in systemd-journald-audit.socket systemd-udevd.service systemd-udev-trigger.service \
	systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-timesyncd.service systemd-resolved.service \
	systemd-networkd.service systemd-firstboot.service console-getty.service getty.target timers.target; do
	ln -sfn /dev/null "$units/$unit"
done
printf '[Unit]\nRequires=basic.target dbus.service\nAfter=basic.target dbus.service\n' >"$units/box.target"
cat >"$units/box-script.service" <<'X'
[Unit]
After=box.target
SuccessAction=exit
FailureAction=exit
[Service]
Type=exec
ExecStart=/bin/bash /shared/start
StandardOutput=append:/shared/output
StandardError=inherit
TimeoutStopSec=5
X
ln -sfn ../box-script.service "$units/box.target.wants/box-script.service"
cp "$script" "$SHARED/script"
mkdir "$SHARED/out"
: >"$SHARED/output"
: >"$SHARED/console"
{
	printf 'export LC_ALL=C.UTF-8 SYSTEMD_PAGER= SYSTEMD_COLORS=0 HOME=/root MLS_SEED=%q\n' "${MLS_SEED:-1}"
	printf 'ip link set lo up\nbash /shared/script'
	[ $# -eq 0 ] || printf ' %q' "$@"
	# shellcheck disable=SC2016  # the script's
	printf '\nstatus=$?\ncp -a /out/. /shared/out/\necho $status >/shared/status\nexit $status\n'
} >"$SHARED/start"

# ---- boot -------------------------------------------------------------------------------------

mkdir "$CGROUP" || absent "a cgroup of its own"
(
	# the subshell moves, then becomes the box: cgroup.kill must not reach this script
	echo "$BASHPID" >"$CGROUP/cgroup.procs" || exit 1
	# shellcheck disable=SC2016  # the inner shell's
	exec unshare --cgroup --pid --fork --kill-child --mount --uts --ipc --net --propagation private bash -euc '
		mount -t proc -o nosuid,nodev,noexec proc "$ROOT/proc"
		for part in sys irq bus fs; do
			if [ -d "$ROOT/proc/$part" ]; then
				mount --bind "$ROOT/proc/$part" "$ROOT/proc/$part"
				mount -o remount,bind,ro "$ROOT/proc/$part"
			fi
		done
		mount --bind "$ROOT/proc/sys/net" "$ROOT/proc/sys/net"
		mount -o remount,bind,rw "$ROOT/proc/sys/net"
		mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$ROOT/sys"
		mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$ROOT/sys/fs/cgroup"
		mount -t tmpfs -o mode=755,nosuid dev "$ROOT/dev"
		make_devices "$ROOT/dev"
		mkdir "$ROOT/dev/pts" "$ROOT/dev/shm"
		mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$ROOT/dev/pts"
		ln -s pts/ptmx "$ROOT/dev/ptmx"
		mount -t tmpfs -o mode=1777 shm "$ROOT/dev/shm"
		: >"$ROOT/dev/console"
		mount --bind "$SHARED/console" "$ROOT/dev/console"
		mount -t tmpfs -o mode=755,nosuid,nodev run "$ROOT/run"
		mount -t tmpfs -o mode=1777 tmp "$ROOT/tmp"
		mkdir -p "$ROOT/root"
		mount -t tmpfs -o mode=700 home "$ROOT/root"
		mount --bind "$SHARED" "$ROOT/shared"
		cd "$ROOT"
		mkdir run/old
		pivot_root . run/old
		umount -l /run/old
		rmdir /run/old
		drop=-sys_module,-sys_time,-sys_rawio,-sys_boot,-syslog,-audit_control,-audit_read,-audit_write
		exec env -i container=box PATH=/usr/sbin:/usr/bin:/sbin:/bin \
			setpriv --bounding-set="$drop,-wake_alarm,-block_suspend,-mac_admin,-mac_override" \
			/lib/systemd/systemd systemd.unit=box.target </dev/null >/dev/console 2>&1'
) </dev/null &
boot=$!
tail -n +1 -s 0.1 -f --pid=$boot "$SHARED/output" &
output=$!
deadline=$((SECONDS + limit))
while kill -0 $boot 2>/dev/null && [ ! -e "$SHARED/status" ]; do
	[ $SECONDS -lt $deadline ] || break
	sleep 0.1
done
# systemd now stops its units and exits; the script's result stands
for _ in {1..100}; do
	kill -0 $boot 2>/dev/null || break
	sleep 0.1
done
kill -KILL $boot 2>/dev/null
wait $boot 2>/dev/null
boot=
wait $output 2>/dev/null
output=
if [ -n "$out" ]; then
	mkdir -p "$out" && cp -a "$SHARED/out/." "$out/"
fi
status=$(cat "$SHARED/status" 2>/dev/null) || {
	tail -n 30 "$SHARED/console" >&2
	fail "the script did not finish within $limit s"
}
exit "$status"
