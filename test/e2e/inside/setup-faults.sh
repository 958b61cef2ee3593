#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the box: setup is interrupted at each call that changes something, or starts a program that does, and each of these
# calls fails once. Until the service starts, all is as it was then.
# shellcheck source=test/tap.sh
. /in/test/tap.sh
# shellcheck source=test/e2e/inside/mail.sh
. /in/test/e2e/inside/mail.sh

STATE=/srv/mls/state LOGS=/srv/mls/logs PASSWORD=/etc/mls.password ROUNDS_MAX=40
install -m 755 /in/bin/maillogsentinel $PROGRAM
cp /in/contrib/sample-{country,asn}.csv /srv/
install -m 600 /dev/null $PASSWORD
cat >"$WORK/conf" <<X2
paths: { working_dir = "$LOGS"; state_dir = "$STATE"; };
report: { smtp_user = "me"; smtp_password_file = "$PASSWORD"; };
geolocation: { country_db_url = "file:///srv/sample-country.csv"; };
ASN_ASO: { asn_db_url = "file:///srv/sample-asn.csv"; };
schedule: { report_schedule = ""; };
X2
echo '# the one before' >$CONFIG

tree() {
	find /etc /srv /var/log/maillogsentinel /var/lib/maillogsentinel -printf '%p %y %m %u %g %l\n' 2>/dev/null |
		grep -vE '^/etc/((passwd|group|g?shadow|sub.id)-|\.pwd\.lock)' | sort
	find /etc /srv -type f ! -name '*-' -print0 | sort -z | xargs -0 sha1sum
	systemctl is-enabled $UNIT 2>&1
	systemctl is-active $UNIT 2>&1
	systemctl cat $UNIT 2>&1
}
purge() {
	systemctl disable -q --now $UNIT
	rm -rf /srv/mls /var/{lib,log}/maillogsentinel $CONFIG.* /etc/systemd/system/maillogsentinel.service{,.d}
	echo '# the one before' >$CONFIG
	userdel maillogsentinel
	chown root:root $PASSWORD
	chmod 600 $PASSWORD
	systemctl daemon-reload
	systemctl reset-failed 2>/dev/null
}
# Injects WHAT at each CALL of setup in turn, until all of them have been, which are more than LEAST; setup is to end with STATUS each time.
inject() { # CALL WHAT STATUS LEAST
	local n status output faults=''

	for ((n = 1; n <= ROUNDS_MAX; n++)); do
		output=$(strace -qq -o "$WORK/trace" -e trace="$1" -e signal=none -e inject="$1:$2:when=$n" \
			"$PROGRAM" setup --automated "$WORK/conf" 2>&1 </dev/null)
		status=$?
		# it got past the point of no return
		! grep -q '^Done: ' <<<"$output" || break
		if ! grep -q '^ *[0-9]*\. start ' <<<"$output"; then
			tree | diff "$WORK/before" - >"$WORK/diff" || faults+="$1 $n: $(head -n 5 "$WORK/diff")"$'\n'
		fi
		[ "$status" -eq "$3" ] || faults+="$1 $n: exit status $status: $output"$'\n'
		grep -q '^Nothing was changed' <<<"$output" || faults+="$1 $n: $output"$'\n'
	done
	[ $n -gt "$4" ] || faults+="only $((n - 1)) of these calls"$'\n'
	tap_none "$1: $2: $((n - 1)) times all is as it was" "$faults"
	purge
	tree | diff "$WORK/before" - | tap_note
}

tree >"$WORK/before"
inject mkdirat signal=SIGINT 130 3
inject fchown signal=SIGTERM 143 3
inject fchmod signal=SIGHUP 129 3
inject rename signal=SIGINT 130 3
inject link signal=SIGINT 130 1
inject clone3 signal=SIGINT 130 5
inject mkdirat error=ENOSPC 1 3
inject fchown error=EPERM 1 3
inject rename error=EIO 1 3
inject fsync error=EIO 1 3
inject link error=EPERM 1 1
"$PROGRAM" setup --automated "$WORK/conf" 2>/dev/null </dev/null | true
tap_is "${PIPESTATUS[0]} $(systemctl is-active $UNIT)" "1 active" "who reads its output goes away: all is done"
tap_done
