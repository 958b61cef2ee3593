#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A real mail server for the box (box.sh): Postfix with SASL through Dovecot, logged by rsyslog, addresses named by nsd.
# Sourced by what runs in the box, which also finds the program's own places here, $PROGRAM, $CSV, $CONFIG and $UNIT.
#
#   mail_up        starts it all: Postfix on ports 25 and 587; rsyslog writes /var/log/mail.log with Debian's own stamps
#                  (RFC 3339) and /var/log/mail-traditional.log with traditional ones; with the argument "journal" there is
#                  no rsyslog, and the journal alone has it
#   smtp_login     one session with one login, from an address of the box
#
# Every user exists and has the password "good". The box's addresses and what their names are:
#   127.0.0.1     localhost              203.0.113.20  client.example.net     2001:db8::7  v6.example.net
#   127.0.0.5     has a TXT, no PTR      203.0.113.7   no such name           ::1          the name server refuses
# and, for sessions that say XCLIENT: 81.30.107.24 is mail.example.com, 205.177.40.1 has no name.

# shellcheck disable=SC2034  # for who sources it
{
	PROGRAM=/usr/sbin/maillogsentinel
	CSV=/var/log/maillogsentinel/maillogsentinel.csv
	CONFIG=/etc/maillogsentinel.conf
	UNIT=maillogsentinel.service
	mail_packages="systemd dbus iproute2 util-linux procps postfix dovecot-core rsyslog logrotate nsd socat expect"
}

mail_names() {
	local zone

	mkdir -p /etc/nsd/box
	zone() { # ZONE RECORD...
		local name=$1

		shift
		printf 'zone:\n  name: "%s"\n  zonefile: "/etc/nsd/box/%s"\n' "$name" "$name" >>/etc/nsd/nsd.conf
		{
			# shellcheck disable=SC2016  # the zone file's
			printf '$ORIGIN %s.\n$TTL 60\n@ SOA ns.example.net. root.example.net. 1 3600 600 86400 60\n@ NS ns.example.net.\n' "$name"
			printf '%s\n' "$@"
		} >"/etc/nsd/box/$name"
	}
	printf 'server:\n  ip-address: 127.0.0.1\n  ip-address: ::1\n  zonesdir: "/etc/nsd/box"\n  hide-version: yes\n' >/etc/nsd/nsd.conf
	printf 'remote-control:\n  control-enable: no\n' >>/etc/nsd/nsd.conf
	zone example.net 'client A 203.0.113.20' 'v6 AAAA 2001:db8::7' 'ns A 127.0.0.1'
	zone 127.in-addr.arpa '1.0.0 PTR localhost.' '5.0.0 TXT "no name here"'
	zone 113.0.203.in-addr.arpa '20 PTR client.example.net.'
	zone 107.30.81.in-addr.arpa '24 PTR mail.example.com.'
	zone 40.177.205.in-addr.arpa
	zone 8.b.d.0.1.0.0.2.ip6.arpa '7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR v6.example.net.'
	echo 'nameserver 127.0.0.1' >/etc/resolv.conf
	# Debian's unit locks it into directories that a box has no need of
	systemctl start nsd
}

mail_up() { # [journal]
	ip address add 203.0.113.7/32 dev lo
	ip address add 203.0.113.20/32 dev lo
	ip address add 2001:db8::7/128 dev lo nodad
	mail_names || return 1
	cat >/etc/rsyslog.d/traditional.conf <<-'X'
		mail.* action(type="omfile" file="/var/log/mail-traditional.log" template="RSYSLOG_TraditionalFileFormat")
	X
	cat >/etc/dovecot/dovecot.conf <<-'X'
		protocols =
		ssl = no
		auth_mechanisms = plain login
		auth_username_chars =
		auth_username_format = %u
		auth_failure_delay = 0
		disable_plaintext_auth = no
		passdb {
		  driver = static
		  args = password=good
		}
		userdb {
		  driver = static
		  args = uid=nobody gid=nogroup home=/tmp/%n
		}
		service auth {
		  unix_listener /var/spool/postfix/private/auth {
		    mode = 0660
		    user = postfix
		    group = postfix
		  }
		}
		service anvil {
		  unix_listener anvil-auth-penalty {
		    mode = 0
		  }
		}
	X
	# shellcheck disable=SC2016  # Postfix's variables
	postconf -e myhostname=box.example 'mydestination=$myhostname, box.example, localhost' \
		inet_interfaces=all inet_protocols=all 'mynetworks=127.0.0.1/32 [::1]/128' \
		smtpd_sasl_type=dovecot smtpd_sasl_path=private/auth smtpd_sasl_auth_enable=yes \
		smtpd_sasl_security_options=noanonymous smtpd_authorized_xclient_hosts=127.0.0.1 \
		'default_transport=error:no outside world' 'local_transport=error:nobody reads here'
	postconf -M submission/inet='submission inet n - n - - smtpd' smtp/inet='smtp inet n - n - - smtpd'
	postconf -P submission/inet/syslog_name=postfix/submission \
		'submission/inet/smtpd_relay_restrictions=permit_sasl_authenticated,reject'
	newaliases
	if [ "${1-}" = journal ]; then
		systemctl mask -q --now rsyslog syslog.socket 2>/dev/null
		rm -f /var/log/mail.log*
	else
		systemctl start rsyslog || return 1
	fi
	systemctl start dovecot postfix || return 1
	wait_until 20 smtp_answers
}

smtp_answers() {
	local line

	{ read -rt 5 line <&3 && [[ $line == 220* ]]; } 3<>/dev/tcp/127.0.0.1/587
} 2>/dev/null

# Says to the server what the arguments are, line by line, and waits for the reply to each.
smtp_say() { # LINE...
	local line reply

	for line; do
		printf '%s\r\n' "$line" >&"$smtp_out" || return 1
		while :; do
			IFS= read -rt 20 reply <&"$smtp_in" || return 1
			smtp_reply=${reply%$'\r'}
			[[ $reply == [0-9][0-9][0-9]-* ]] || break
		done
	done
}

# One session at PORT from SOURCE: what it says before the login, the login, what it says after it. The reply to the login
# is then in $smtp_reply, the moment when it came in $smtp_at.
smtp_login() { # PORT SOURCE MECHANISM USER PASSWORD [BEFORE...] [-- AFTER...]
	local port=$1 source=$2 mechanism=$3 user=$4 password=$5 server smtp_in smtp_out login_reply pid
	local -a before=()

	shift 5
	while [ $# -gt 0 ] && [ "$1" != -- ]; do before+=("$1"); shift; done
	[ $# -eq 0 ] || shift
	case $source in
	*:*) server="TCP6:[::1]:$port,bind=[$source]" ;;
	*) server="TCP4:127.0.0.1:$port,bind=$source" ;;
	esac
	coproc SMTP { exec socat -t 10 - "$server" 2>/dev/null; }
	pid=$SMTP_PID smtp_in=${SMTP[0]} smtp_out=${SMTP[1]} smtp_reply=
	IFS= read -rt 20 smtp_reply <&"$smtp_in" || return 1
	smtp_say "EHLO client.example.net" "${before[@]}" || return 1
	case $mechanism in
	PLAIN) smtp_say "AUTH PLAIN $(printf '\0%s\0%s' "$user" "$password" | base64 -w 0)" ;;
	LOGIN)
		smtp_say "AUTH LOGIN" "$(printf %s "$user" | base64 -w 0)" || return 1
		# an empty user is refused before the password
		[[ $smtp_reply != 334* ]] || smtp_say "$(printf %s "$password" | base64 -w 0)"
		;;
	*) smtp_say "AUTH $mechanism" ;;
	esac || return 1
	login_reply=$smtp_reply smtp_at=$EPOCHREALTIME
	smtp_say "$@" QUIT || return 1
	eval "exec $smtp_out>&-"
	wait "$pid" 2>/dev/null
	smtp_reply=$login_reply
}
