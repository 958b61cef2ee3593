#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the box: 3,000 failed logins go through journald and rsyslog, with real ones of Postfix among them, while logrotate
# rotates the log again and again as Debian has it configured; once the daemon is killed meanwhile. What rsyslog wrote
# besides into a file that nobody rotates says what must be in the CSV, and in which order.
# shellcheck disable=SC2317  # functions are called through tap_true and wait_until
# shellcheck source=test/tap.sh
. /in/test/tap.sh
# shellcheck source=test/e2e/inside/mail.sh
. /in/test/e2e/inside/mail.sh

ALL=/var/log/mail-traditional.log
COUNT=3000
ROTATIONS=8

install -m 755 /in/bin/maillogsentinel $PROGRAM
useradd --system --no-create-home --groups adm maillogsentinel
install -d -o maillogsentinel -g maillogsentinel /var/log/maillogsentinel /var/lib/maillogsentinel
cat >$CONFIG <<'X2'
paths: { working_dir = "/var/log/maillogsentinel"; state_dir = "/var/lib/maillogsentinel"; mail_log = "/var/log/mail.log"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
X2

daemon_start() {
	systemd-run -q --unit="$UNIT" -p Type=notify -p User=maillogsentinel -p SupplementaryGroups=adm "$PROGRAM" -c "$CONFIG" run
}
rows() { sed 1d "$CSV" 2>/dev/null; }
row_count() { rows | wc -l; }
has_rows() { [ "$(row_count)" -ge "$1" ]; } # COUNT
flood_logged() { grep -o 'sasl_username=flood-.*' "$ALL" | wc -l; }
has_logged() { [ "$(flood_logged)" -ge "$1" ]; } # COUNT

# As fast as they come in a real flood, no faster than journald hands on to rsyslog without loss.
flood() {
	local n

	for ((n = 1; n <= COUNT; n++)); do
		printf 'warning: unknown[203.0.113.%d]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=flood-%d\n' \
			$((1 + n % 250)) $n
		printf 'lost connection after AUTH from unknown[203.0.113.%d]\n' $((1 + n % 250))
		[ $((n % 10)) -ne 0 ] || sleep 0.02
	done | logger -p mail.warning -t 'postfix/smtpd[4711]'
}

people() {
	local n

	for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
		smtp_login 587 203.0.113.20 PLAIN "person-$n" wrong
	done
}

tap_true "the mail server starts" mail_up || { journalctl --no-pager -n 50 | tap_note; tap_done; }
tap_true "the daemon starts and says READY" daemon_start
inode() { stat -c %i /var/log/mail.log; }
flood &
flood=$!
people &
people=$!
failed=''
for ((i = 1; i <= ROTATIONS; i++)); do
	wait_until 60 has_logged $((COUNT * i / (ROTATIONS + 1)))
	if [ $i -eq 4 ]; then
		systemctl kill -s KILL $UNIT
		wait_until 10 systemctl is-failed -q $UNIT
		systemctl reset-failed $UNIT
	fi
	logrotate -f /etc/logrotate.d/rsyslog || failed+="$i "
	if [ $i -eq 4 ]; then
		# two rotations while nobody looks; the second after some more lines
		wait_until 60 has_logged $((COUNT * 9 / 20))
	elif [ $i -eq 5 ]; then
		daemon_start || failed+="start "
	fi
done
tap_is "$failed" "" "logrotate -f, $ROTATIONS times during the flood, once with the daemon killed before"
wait $flood $people
tap_true "all of it is logged" wait_until 60 has_logged $COUNT
tap_is "$(flood_logged)" $COUNT "$COUNT of $COUNT came through rsyslog"
wanted=$(grep -c 'sasl_username=' $ALL)
tap_true "rsyslog has rotated files of it" test -s /var/log/mail.log.1 -a -s /var/log/mail.log.2.gz
tap_true "the rows come" wait_until 20 has_rows "$wanted"
rows | cut -d, -f4 >"$WORK/got"
sed -n 's/.*sasl_username=//p' $ALL >"$WORK/wanted"
tap_is "$(grep -c '^flood-' "$WORK/got") $(wc -l <"$WORK/got")" "$COUNT $wanted" "$COUNT of $COUNT rows, and those of people"
tap_true "in the order of the log" diff "$WORK/wanted" "$WORK/got"
tap_is "$(grep '^flood-' "$WORK/got" | md5sum)" "$(seq -f 'flood-%g' $COUNT | md5sum)" "which is the one of the flood"
tap_true "systemctl stop" systemctl stop $UNIT
tap_is "$(row_count)" "$wanted" "adds nothing"
tap_none "no warning but that of the databases" \
	"$(journalctl -q --no-pager -u $UNIT -p warning -o cat | grep -v -e 'no such file; .* N/A until' -e "^$UNIT: ")"
tap_note "$(journalctl -q --no-pager -u $UNIT -o cat | tail -n 30)"
tap_done
