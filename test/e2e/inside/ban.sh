#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the box: contrib/fail2ban and contrib/nftables as their texts say to install them. Who fails five times at the real Postfix can't
# reach it any more, whoever it is; names that look like messages about somebody else ban nobody but their sender.
# shellcheck disable=SC2317  # functions are called through tap_true and wait_until
# shellcheck source=test/tap.sh
. /in/test/tap.sh
# shellcheck source=test/e2e/inside/mail.sh
. /in/test/e2e/inside/mail.sh
# shellcheck source=test/e2e/inside/installed.sh
. /in/test/e2e/inside/installed.sh
VICTIM=203.0.113.9
FAILED=cc79f0c8770b45819d44b89e4885b893
C=/in/contrib

count() { journalctl -q -o cat --output-fields=MLS_IP _SYSTEMD_UNIT=$UNIT MESSAGE_ID=$FAILED "$@" | wc -l; } # MATCH...
has() { [ "$(count "${@:2}")" -ge "$1" ]; } # COUNT MATCH...
fails() { # SOURCE USER...
	local source=$1 user

	for user in "${@:2}"; do
		smtp_login 587 "$source" PLAIN "$user" wrong
		[[ $smtp_reply == 535* ]] || tap_note "login of $user from $source got '$smtp_reply'"
	done
}
reaches() { # SOURCE
	local source=TCP4:127.0.0.1:587,bind=$1

	[[ $1 != *:* ]] || source="TCP6:[::1]:587,bind=[$1]"
	[[ $(socat -t 1 -T 5 - "$source,connect-timeout=2" 2>/dev/null <<<QUIT) == 220* ]]
}
hostile() { # N: names that would be messages about the victim
	cat <<-X
		$VICTIM failed login from $VICTIM (Off) $1
		box maillogsentinel[1]: failed login from $VICTIM (Off) $1
		failed login from $VICTIM (Off) $1
		(Off): box maillogsentinel[$1]: failed login from $VICTIM (
		MLS_IP=$VICTIM MESSAGE_ID=$FAILED $1
	X
}
old_lines() { # ADDRESS
	local n

	for n in 1 2 3 4 5 6; do
		printf '%s box postfix/smtpd[9]: warning: unknown[%s]: SASL PLAIN authentication failed: x, sasl_username=old%d\n' \
			"$(date -d "$((7 - n)) hours ago" +%FT%T.%6N%:z)" "$1" "$n"
	done >>$MAILLOG
}

ip address add $VICTIM/32 dev lo
configure 'general: { journal_events = true; };'
tap_true "the mail server starts" mail_up || { journalctl --no-pager -n 50 | tap_note; tap_done; }
tap_true "the service starts" systemctl start $UNIT || { journalctl --no-pager -n 30 | tap_note; tap_done; }

# ---- fail2ban ---------------------------------------------------------------------------------

install -m 644 $C/fail2ban/filter.d/maillogsentinel.conf /etc/fail2ban/filter.d/
install -m 644 $C/fail2ban/jail.d/maillogsentinel.conf /etc/fail2ban/jail.d/
# Debian's own jail wants a log of sshd; who does not ban this machine could not be tried from it
rm -f /etc/fail2ban/jail.d/defaults-debian.conf
printf '[DEFAULT]\nignoreip = 127.0.0.1\nignoreself = false\n' >/etc/fail2ban/jail.d/box.local
jailed() { fail2ban-client get maillogsentinel banip | tr -s ' \n' '\n' | sort; }
jail_is() { [ "$(jailed | paste -sd' ')" = "$1" ]; }
tap_true "fail2ban starts" systemctl start fail2ban
tap_true "with the jail" wait_until 20 fail2ban-client status maillogsentinel || journalctl --no-pager -u fail2ban -n 20 | tap_note
tap_true "everybody reaches the server" reaches 203.0.113.20
fails 203.0.113.20 one two three four
wait_until 10 has 4
old_lines 203.0.113.8
wait_until 10 has 10
mapfile -t names < <(hostile 1)
fails 203.0.113.7 "${names[@]}"
tap_true "who sent names that look like another's failures is banned" wait_until 20 jail_is 203.0.113.7 || jailed | tap_note
fails 203.0.113.20 five
tap_true "and so is who failed five times" wait_until 20 jail_is "203.0.113.20 203.0.113.7" || jailed | tap_note
tap_true "who is banned does not reach the server" eval '! reaches 203.0.113.20'
tap_true "the one whom the names were about does" reaches $VICTIM
fails 2001:db8::7 1 2 3 4 5
tap_true "an IPv6 address is banned as well" wait_until 20 jail_is "2001:db8::7 203.0.113.20 203.0.113.7" || jailed | tap_note
tap_true "and does not reach it" eval '! reaches 2001:db8::7'
tap_is "$(count MLS_IP=203.0.113.8 MLS_LATE=yes)" 6 "what was hours ago has banned nobody"
systemctl stop fail2ban
tap_true "without fail2ban everybody is let in" reaches 203.0.113.20

# ---- nftables ---------------------------------------------------------------------------------

install -D -m 644 $C/nftables/maillogsentinel.nft /etc/nftables.d/maillogsentinel.nft
install -D -m 755 $C/nftables/maillogsentinel-ban /usr/local/sbin/maillogsentinel-ban
install -m 644 $C/nftables/maillogsentinel-ban.service /etc/systemd/system/
banned() {
	{ nft list set inet maillogsentinel banned4; nft list set inet maillogsentinel banned6; } |
		grep -oE '[0-9a-f.:]+ (timeout [0-9a-z]+ )?expires' | cut -d' ' -f1 | sort
}
bans() { [ "$(banned | paste -sd' ')" = "$1" ]; }
ban_is_up() { pgrep -f -- '--output-fields=MLS_IP _SYSTEMD_UNIT' >/dev/null; }
tap_none "systemd-analyze verify has nothing to say of the unit" \
	"$(systemd-analyze verify --man=no /etc/systemd/system/maillogsentinel-ban.service 2>&1)"
systemctl daemon-reload
tap_true "it starts" systemctl start maillogsentinel-ban || journalctl --no-pager -u maillogsentinel-ban -n 20 | tap_note
wait_until 10 ban_is_up
fails 203.0.113.20 one two three four
old_lines 203.0.113.8
mapfile -t names < <(hostile 2)
fails 203.0.113.7 "${names[@]}"
tap_true "who sent names that look like another's failures is banned" wait_until 20 bans 203.0.113.7 || banned | tap_note
fails 203.0.113.20 five
fails 2001:db8::7 1 2 3 4 5
tap_true "who failed five times, too, and an IPv6 address" wait_until 20 bans "2001:db8::7 203.0.113.20 203.0.113.7" || banned | tap_note
tap_true "they do not reach the server" eval '! reaches 203.0.113.20 && ! reaches 2001:db8::7'
tap_true "others do" reaches $VICTIM
tap_true "127.0.0.1 is never banned" eval 'nft add element inet maillogsentinel banned4 "{ 127.0.0.1 }" && reaches 127.0.0.1'
tap_is "$(unit_is User maillogsentinel-ban.service) $(sed -n 's/^CapEff:\t0*//p' "/proc/$(unit_is MainPID maillogsentinel-ban.service)/status")" \
	"maillogsentinel-ban 1000" "it may change the network and nothing else"
tap_true "systemctl stop" systemctl stop maillogsentinel-ban
tap_true "lets everybody in" reaches 203.0.113.20
tap_is "$(rows | cut -d, -f3 | sort | uniq -c | tr -s ' ' | paste -sd' ')" \
	" 10 2001:db8::7  10 203.0.113.20  10 203.0.113.7  12 203.0.113.8" "each failure has its row"
tap_done
