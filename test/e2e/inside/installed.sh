#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: no
# Sourced, after tap.sh and mail.sh, by what runs in the box with installed=yes (outside.sh): puts what `meson install` made in
# place, as a person would, and has what the tests of the units share.
# shellcheck disable=SC2034,SC2317
STATE=/var/lib/maillogsentinel MAILLOG=/var/log/mail.log
cp -a /in/root/. /
PROGRAM=$(find /usr -path '*/sbin/maillogsentinel')
UNITS=$(dirname "$(find /usr/lib /usr/local/lib -path '*/systemd/system/maillogsentinel.service')")
systemd-sysusers 2>/dev/null
systemd-tmpfiles --create maillogsentinel.conf
systemctl daemon-reload

configure() { # OPTION...
	local schedules="ip_update_schedule = \"${update-}\"; report_schedule = \"${schedule-}\";"

	printf '%s\n' "schedule: { $schedules sql_export_schedule = \"${sql-}\"; sql_import_schedule = \"${sql-}\"; };" "$@" >"$CONFIG"
}
# Adds lines to the section [Service] (or [Timer]) of UNIT, or makes it what it was. A service that is denied a system call is
# killed and not just told, in any case.
drop_in() { # UNIT [LINE...]
	local unit=$1 section=Service

	shift
	[[ $unit != *.timer ]] || section=Timer
	[ "$section" = Timer ] || set -- SystemCallErrorNumber= "$@"
	rm -rf "/etc/systemd/system/$unit.d"
	mkdir -p "/etc/systemd/system/$unit.d"
	printf '%s\n' "[$section]" "$@" >"/etc/systemd/system/$unit.d/test.conf"
	systemctl daemon-reload
}
unit_is() { systemctl show -P "$1" "${2:-$UNIT}"; } # PROPERTY [UNIT]
state_is() { [ "$(unit_is ActiveState "${2:-$UNIT}")" = "$1" ]; } # STATE [UNIT]
rows() { sed 1d "$CSV"; }
users() { rows | cut -d, -f4; }
# Signals of system calls that were denied.
denied_calls() { journalctl -q --no-pager -u 'maillogsentinel*' | grep -E 'SYS|signal 31'; }
# Lines of failed logins by users PREFIX1, PREFIX2 and so on, at the end of the log.
write_lines() { # PREFIX COUNT
	local n

	for ((n = 1; n <= $2; n++)); do
		printf '2026-11-22T13:01:48.060269+00:00 box postfix/smtpd[9]: warning: unknown[203.0.113.20]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=%s\n' "$1$n"
	done >>$MAILLOG
	total=$((${total-0} + $2))
}
# All that were written have their rows, on disk for certain.
all_committed() { [ "$(sed -n 's/^rows //p' $STATE/state.offset 2>/dev/null)" = "$total" ]; }
drop_in "$UNIT"
drop_in maillogsentinel-.service
