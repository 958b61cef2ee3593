#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the box: a stock Debian has no mail.log, so source.type = "auto" takes the journal. Every failed login at the real Postfix, and
# 3,000 that are played, are one row each, while the real journald rotates, vacuums and restarts and the daemon is killed.
# shellcheck disable=SC2317  # functions are called through tap_true and wait_until
# shellcheck source=test/tap.sh
. /in/test/tap.sh
# shellcheck source=test/e2e/inside/mail.sh
. /in/test/e2e/inside/mail.sh

CHECKPOINT=/var/lib/maillogsentinel/state.offset
COUNT=3000

install -m 755 /in/bin/maillogsentinel $PROGRAM
useradd --system --no-create-home maillogsentinel
useradd --uid 4711 --no-create-home mallory
install -d -o maillogsentinel -g maillogsentinel /var/log/maillogsentinel /var/lib/maillogsentinel
echo 'schedule: { ip_update_schedule = ""; report_schedule = ""; };' >$CONFIG
mkdir -p /var/log/journal
systemd-tmpfiles --create --prefix /var/log/journal 2>/dev/null
journalctl --flush
# no faster than it can be written, but nothing of it is dropped
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=persistent\nRateLimitIntervalSec=0\nSystemMaxFileSize=16M\n' >/etc/systemd/journald.conf.d/box.conf
systemctl restart systemd-journald
journalctl --flush

daemon_start() { # GROUP
	systemd-run -q --unit="$UNIT" -p Type=notify -p User=maillogsentinel -p SupplementaryGroups="$1" \
		"$PROGRAM" -c "$CONFIG" run
}
rows() { sed 1d "$CSV" 2>/dev/null; }
users() { rows | cut -d, -f4 | grep "^$1" | tr '\n' ' '; } # PREFIX
row_count() { rows | wc -l; }
has_rows() { [ "$(row_count)" -ge "$1" ]; } # COUNT
played() { rows | grep -c ',flood-'; }
has_played() { [ "$(played)" -ge "$1" ]; } # COUNT
has_committed() { [ "$(sed -n 's/^rows //p' "$CHECKPOINT")" -ge "$1" ]; } # COUNT
says() { journalctl -q --no-pager -u "$UNIT" -o cat | grep -q "$1"; } # PATTERN
# The number of the last one that is in the journal.
last_played() { journalctl -q --no-pager -t postfix/smtpd -o cat | sed -n 's/.*=flood-//p' | tail -n 1; }
failures() { journalctl -q --no-pager -t postfix/smtpd -t postfix/submission/smtpd | grep -c 'authentication failed: '; }

# Up to which one it plays; what has been read is never far behind.
allow() { echo "$1" >/run/allowed.new && mv /run/allowed.new /run/allowed; } # COUNT
play() { # FROM TO
	local n allowed

	for ((n = $1; n <= $2; n++)); do
		while read -r allowed </run/allowed && [ "$n" -gt "$allowed" ]; do sleep 0.01; done
		printf 'warning: unknown[203.0.113.%d]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=flood-%d\n' \
			$((1 + n % 250)) $n
		[ $((n % 10)) -ne 0 ] || sleep 0.01
	done | logger -p mail.warning -t 'postfix/smtpd[4711]'
}

tap_true "the mail server starts, without rsyslog" mail_up journal || { journalctl --no-pager -n 50 | tap_note; tap_done; }
tap_true "the journal is on disk" wait_until 10 eval 'ls /var/log/journal/*/system.journal'
tap_true "there is no mail.log" test ! -e /var/log/mail.log
smtp_login 587 203.0.113.20 PLAIN before-1 wrong
smtp_login 587 2001:db8::7 LOGIN before-2 wrong

tap_true "a user who may not read the journal" daemon_start nogroup
tap_true "waits" wait_until 10 says 'mail.log: is not there, waiting for it'
systemctl stop $UNIT
tap_true "one of systemd-journal" daemon_start systemd-journal
tap_true "follows it" says 'mail.log: is not there, following the journal'
tap_true "the first start reads what is there" wait_until 20 has_rows 2
tap_is "$(rows | cut -d, -f1,3-6)" "box,203.0.113.20,before-1,client.example.net,OK
box,2001:db8::7,before-2,v6.example.net,OK" "failed logins at the real Postfix are rows"
for n in 1 2 3 4 5; do smtp_login 587 203.0.113.20 PLAIN "person-$n" wrong; done
smtp_login 587 203.0.113.20 PLAIN person-6 good
tap_true "those that come are, too" wait_until 10 has_rows 7
tap_is "$(users person-)" "person-1 person-2 person-3 person-4 person-5 " "a success is none"
tap_true "the checkpoint has the journal's place" wait_until 5 grep -q '^cursor s=' $CHECKPOINT

allow 300
play 1 $COUNT &
player=$!
failed=''
for ((i = 1; i <= 8; i++)); do
	allow $((COUNT * (i + 1) / 10))
	wait_until 60 has_played $((COUNT * i / 10))
	case $i in
	1 | 5) journalctl -q --rotate || failed+="rotate " ;;
	2 | 6)
		# a file that is removed before anybody has read it is lost to all
		journalctl -q --rotate || failed+="rotate "
		last=$(last_played)
		allow $((COUNT * (i + 2) / 10))
		wait_until 60 has_played $((last + 1)) || failed+="read "
		journalctl -q --vacuum-size=1K || failed+="vacuum "
		# what is neither committed nor in the journal any more would be gone with a kill
		wait_until 10 has_committed "$(row_count)" || failed+="commit "
		;;
	3) systemctl restart systemd-journald || failed+="restart " ;;
	4 | 7)
		systemctl kill -s KILL $UNIT
		wait_until 10 systemctl is-failed -q $UNIT
		systemctl reset-failed $UNIT
		[ $i -eq 7 ] || journalctl -q --rotate
		daemon_start systemd-journal || failed+="start "
		;;
	esac
done
tap_is "$failed" "" "journald rotates, vacuums and restarts meanwhile, and the daemon is killed"
allow $COUNT
wait $player
tap_true "the rows come" wait_until 30 has_played $COUNT
tap_is "$(users flood- | md5sum)" "$(seq -f 'flood-%g' $COUNT | tr '\n' ' ' | md5sum)" "$COUNT of $COUNT, in order"
tap_is "$(row_count)" $((COUNT + 7)) "and no other"
tap_none "nothing was missed" "$(journalctl -q --no-pager -u $UNIT -o cat | grep -e 'is gone' -e damaged -e 'in memory')"

runuser -u mallory -- logger -p mail.warning -t 'postfix/smtpd[1]' \
	'warning: unknown[203.0.113.66]: SASL LOGIN authentication failed: x, sasl_username=forged'
smtp_login 587 203.0.113.20 PLAIN after-1 wrong
tap_true "the next login" wait_until 10 has_rows $((COUNT + 8))
tap_is "$(users forged)" "" "what a person writes in Postfix's name is no row"
tap_true "and is said" wait_until 10 says "entries in Postfix's name that user 4711 wrote are passed over"

tap_true "systemctl stop" systemctl stop $UNIT
smtp_login 587 203.0.113.20 PLAIN lost-1 wrong
journalctl -q --sync --rotate
journalctl -q --vacuum-size=1K
smtp_login 587 203.0.113.20 PLAIN after-2 wrong
tap_true "starts after a vacuum" daemon_start systemd-journal
tap_true "goes on with what is left" wait_until 10 has_rows $((COUNT + 9))
tap_is "$(users after-) $(users lost-)" "after-1 after-2  " "which does not hold what was removed"
tap_true "and says so" wait_until 10 says 'journal: the entry that was read last is gone; entries from between .* may have been removed'

printf '[Journal]\nStorage=persistent\nRateLimitIntervalSec=5s\nRateLimitBurst=1\n' >/etc/systemd/journald.conf.d/box.conf
systemctl restart systemd-journald
# what journald drops it says with the first message after the interval
logins_until_dropped() {
	smtp_login 587 203.0.113.20 PLAIN quick wrong
	says 'journal: [0-9]* messages were dropped by the system'
}
tap_true "what journald drops" wait_until 30 logins_until_dropped
tap_true "is counted" wait_until 40 grep -q '^lost [1-9]' $CHECKPOINT
systemctl stop $UNIT
tap_note "$(journalctl -q --no-pager -u $UNIT -o cat | tail -n 30)"
tap_done
