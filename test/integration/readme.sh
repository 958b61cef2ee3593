#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=python3,iproute2,sqlite3,jq
# README.md shows what the program prints: each of its examples is run here and compared, and its table of options is the program's.
# With --write it is README.md that follows.
#
# The examples run in name spaces of their own, as on a host with the default paths whose mail.log is contrib/sample-mail.log; it is 14 March
# 2026, after 11 in the evening.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
readme=$ROOT/README.md
for tool in python3 ip sqlite3 jq; do
	command -v $tool >/dev/null || tap_skip_all "needs $tool"
done

# ---- inside -------------------------------------------------------------------------------------
if [ "${1-}" = --inside ]; then
	box=$2 write=${3-}
	set -e
	ip link set lo up
	hostname mx1.example.com
	mount -t tmpfs none "$box"
	for directory in /etc /var/lib /var/log /root /srv; do
		mkdir -p "$box/$directory/upper" "$box/$directory/work"
		mount -t overlay none -o "lowerdir=$directory,upperdir=$box/$directory/upper,workdir=$box/$directory/work" $directory
	done
	# what this host has of its own
	rm -rf /var/log/maillogsentinel /var/lib/maillogsentinel /var/log/mail.log* /etc/maillogsentinel* /root/maillogsentinel*
	mount -t tmpfs none /run
	mkdir -p /run/lock
	printf '127.0.0.1 localhost\n127.0.1.1 mx1.example.com mx1\n' >/etc/hosts
	echo 'nameserver 127.0.0.1' >/etc/resolv.conf
	mkdir -p /run/bin /run/systemd/system /run/home
	sed -i '/^maillogsentinel:/d' /etc/passwd /etc/shadow /etc/group
	export STEP_CLOCK=/run/clock
	ahead=$(($(date -d '2026-03-14 23:00:00Z' +%s) - EPOCHSECONDS))
	printf '%012d %012d %012d %012d\n' $ahead 0 $ahead 0 >"$STEP_CLOCK"
	# where the service's user can read them
	cp "$MLS_PROGRAM_RELEASE" "$(dirname "$MLS_PROGRAM_RELEASE")/../test/step-clock.so" /run
	cat >/run/bin/maillogsentinel <<-'X'
		#!/bin/bash
		exec env LD_PRELOAD=/run/step-clock.so /run/maillogsentinel "$@"
	X
	cp "$(dirname "$MLS_PROGRAM_RELEASE")/../contrib/migrate/maillogsentinel-migrate" /run
	sed 's,/run/maillogsentinel,&-migrate,' /run/bin/maillogsentinel >/run/bin/maillogsentinel-migrate
	cat >/run/bin/prepare <<-X
		#!/bin/bash
		set -e
		useradd --system --user-group --groups adm --home-dir /var/lib/maillogsentinel --shell /usr/sbin/nologin maillogsentinel
		install -d -o maillogsentinel -g maillogsentinel /var/lib/maillogsentinel /var/lib/maillogsentinel/db
		install -d -o maillogsentinel -g maillogsentinel -m 2750 /var/log/maillogsentinel
		cp mine.conf /etc/maillogsentinel.conf
		echo 'schedule: { ip_update_schedule = ""; report_schedule = ""; };' >>/etc/maillogsentinel.conf
		install -m 644 "$ROOT/contrib/sample-country.csv" /var/lib/maillogsentinel/db/user-country.mmdb
		install -m 644 "$ROOT/contrib/sample-asn.csv" /var/lib/maillogsentinel/db/origin-asn.mmdb
		touch -d 2026-03-10 /var/lib/maillogsentinel/db/*
		chown -R maillogsentinel: /var/lib/maillogsentinel/db
		install -m 640 -g adm "$ROOT/contrib/sample-mail.log" /var/log/mail.log
		touch -d '2026-03-14 06:27Z' /var/log/mail.log
	X
	# what a Python version has left, and the end of it
	cat >/run/bin/past <<-'X'
		#!/bin/bash
		[ "$1" != is-over ] || exec rm -rf /etc/maillogsentinel.conf /var/lib/maillogsentinel /var/log/maillogsentinel
		mkdir /var/lib/maillogsentinel /var/log/maillogsentinel
		printf '%s\n' '[paths]' 'working_dir = /var/log/maillogsentinel' 'state_dir = /var/lib/maillogsentinel' 'mail_log = /var/log/mail.log' \
			'[report]' 'email = postmaster@example.com' '[dns_cache]' 'size = 512' >/etc/maillogsentinel.conf
		printf '%s\n' 'server;date;ip;user;hostname;reverse_dns_status;country_code;asn;aso' \
			'mx1;13/03/2026 22:05;81.30.107.24;contribute;null;Errno 1;US;9808;China Mobile' \
			'mx1;13/03/2026 22:07;8.8.8.8;admin@example.com;dns.google;OK;US;15169;Google LLC' >/var/log/maillogsentinel/maillogsentinel.csv
		echo 0 >/var/lib/maillogsentinel/state.offset
		cp /run/mail.log /var/log/mail.log
	X
	cp "$ROOT/contrib/sample-mail.log" /run/mail.log
	# databases that somebody has carried here
	cat >/run/bin/carry <<-X
		#!/bin/bash
		set -e
		sed 's/AU\$/US/' "$ROOT/contrib/sample-country.csv" >/srv/country.csv
		cp "$ROOT/contrib/sample-asn.csv" /srv/asn.csv
		touch -d '2026-03-14' /srv/*.csv
		echo 'geolocation: { country_db_url = "file:///srv/country.csv"; }; ASN_ASO: { asn_db_url = "file:///srv/asn.csv"; };' >>/etc/maillogsentinel.conf
	X
	# the service: service start|stop
	cat >/run/bin/service <<-'X'
		#!/bin/bash
		case $1 in
		start)
			setsid maillogsentinel run </dev/null >>/root/service.err 2>&1 &
			for ((i = 0; i < 200; i++)); do
				! maillogsentinel status --json 2>/dev/null | grep -q '"running":true.*"waiting":0.*"lag":0' || exit 0
				sleep 0.05
			done
			cat /root/service.err
			;;
		stop)
			pid=$(maillogsentinel status --json | jq .pid)
			kill "$pid"
			# nobody here takes its exit status
			until [ ! -d "/proc/$pid" ] || grep -q '^State:.Z' "/proc/$pid/status"; do sleep 0.05; done
			;;
		esac
	X
	chmod +x /run/bin/*
	echo 'report: { email = "postmaster@example.com"; };' >/run/home/mine.conf
	ln -s "$ROOT/contrib" /run/home/contrib
	export PATH=/run/bin:$PATH HOME=/root NO_COLOR=1 TERM=dumb TZ=UTC
	unset SUDO_USER
	cd /run/home
	exec python3 "$ROOT/test/integration/readme.py" "$readme" ${write:+"$write"}
fi

# ---- outside ------------------------------------------------------------------------------------
[ "$(id -u)" -eq 0 ] || tap_skip_all "needs root"
apart=(unshare --net --mount --uts --pid --fork --kill-child --mount-proc --propagation private)
"${apart[@]}" true 2>/dev/null || tap_skip_all "needs the right to make name spaces"
mkdir "$WORK/box"
"${apart[@]}" bash "$0" --inside "$WORK/box" ${1:+"$1"}
