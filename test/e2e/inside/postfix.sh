#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the box: the daemon follows a real mail server's log while people and attackers log in. What must be in the CSV
# is written down here for each attempt; nothing of the program's own is used to say what is right.
# shellcheck disable=SC2317  # functions are called through tap_true and wait_until
# shellcheck source=test/tap.sh
. /in/test/tap.sh
# shellcheck source=test/e2e/inside/mail.sh
. /in/test/e2e/inside/mail.sh

# meant is a second; a busy machine gets another one
LATENCY_MAX_MS=2000
HEADER='server,date,ip,user,hostname,reverse_dns_status,country_code,asn,aso'

install -m 755 /in/bin/maillogsentinel $PROGRAM
useradd --system --no-create-home --groups adm maillogsentinel
install -d -o maillogsentinel -g maillogsentinel /var/log/maillogsentinel /var/lib/maillogsentinel /var/lib/maillogsentinel/db
printf '%s\n' 81.30.104.0,81.30.111.255,US 205.177.0.0,205.177.255.255,US >/var/lib/maillogsentinel/db/country.csv
printf '%s\n' '81.30.104.0,81.30.111.255,9808,"China Mobile"' '205.177.0.0,205.177.255.255,5650,"Frontier Communications"' \
	>/var/lib/maillogsentinel/db/asn.csv
cat >$CONFIG <<'X'
paths: { working_dir = "/var/log/maillogsentinel"; state_dir = "/var/lib/maillogsentinel"; mail_log = "/var/log/mail.log"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
geolocation: { country_db_path = "/var/lib/maillogsentinel/db/country.csv"; };
ASN_ASO: { asn_db_path = "/var/lib/maillogsentinel/db/asn.csv"; };
X

# ---- tools ------------------------------------------------------------------------------------

daemon_start() {
	systemd-run -q --unit="$UNIT" -p Type=notify -p User=maillogsentinel -p SupplementaryGroups=adm -p NoNewPrivileges=yes \
		-p ProtectSystem=strict -p ReadWritePaths='/var/log/maillogsentinel /var/lib/maillogsentinel' \
		-p WatchdogSec=30 -p TimeoutStartSec=20 -p TimeoutStopSec=20 "$PROGRAM" -c "$CONFIG" run
}
csv_rows() { # how many rows there are
	local lines

	lines=$(wc -l <$CSV 2>/dev/null) || lines=1
	echo $((lines - 1))
}
has_rows() { [ "$(csv_rows)" -ge "$1" ]; } # COUNT
milliseconds() { echo $((${1/[.,]/} / 1000)); } # EPOCHREALTIME

# What every failure must leave, in order: two alternatives for the minute, since it may turn during the attempt.
wanted_first=() wanted_second=() wanted_text=() wanted_since=()
want() { # TEXT BEFORE IP USER REST
	local after

	printf -v after '%(%Y-%m-%d %H:%M)T' -1
	wanted_text+=("$1")
	wanted_first+=("box,\"$2\",$3,$4,$5")
	wanted_second+=("box,\"$after\",$3,$4,$5")
}

# What the server's names and the databases make of an address.
declare -A rest_of=(
	[127.0.0.1]='localhost,OK,N/A,N/A,"N/A"'
	[127.0.0.5]='null,Errno 4,N/A,N/A,"N/A"'
	[203.0.113.20]='client.example.net,OK,N/A,N/A,"N/A"'
	[203.0.113.7]='null,Errno 1,N/A,N/A,"N/A"'
	[::1]='null,Errno 2,N/A,N/A,"N/A"'
	[2001:db8::7]='v6.example.net,OK,N/A,N/A,"N/A"'
	[81.30.107.24]='mail.example.com,OK,US,9808,"China Mobile"'
	[205.177.40.1]='null,Errno 1,US,5650,"Frontier Communications"'
)

# A login that must fail, and what its row's user must be.
bad() { # PORT SOURCE MECHANISM USER ROW-USER [SMTP-ARGUMENT...]
	local port=$1 source=$2 mechanism=$3 user=$4 field=$5 ip=$2 before

	shift 5
	case ${1-} in XCLIENT*) ip=${1#*ADDR=} ip=${ip%% *} ;; esac
	printf -v before '%(%Y-%m-%d %H:%M)T' -1
	smtp_login "$port" "$source" "$mechanism" "$user" wrong "$@" || tap_note "no session: $* ($smtp_reply)"
	# the line is logged just before the answer
	wanted_since+=("$(milliseconds "$smtp_at")")
	[[ $smtp_reply == 535* ]] || tap_note "$mechanism as $user from $source got '$smtp_reply'"
	want "$(printf '%s at %s from %s as %q' "${mechanism:0:20}" "$port" "$ip" "$user" | cut -c1-110)" "$before" "$ip" "$field" "${rest_of[$ip]}"
}

good_answers=''
good() { # SOURCE MECHANISM USER [-- SMTP-LINE...]
	smtp_login 587 "$1" "$2" "$3" good "${@:4}"
	good_answers+="${smtp_reply%% *} "
}
deliver=(-- 'MAIL FROM:<bob@box.example>' 'RCPT TO:<sink@elsewhere.example>' RSET)

# ---- start ------------------------------------------------------------------------------------

if ! dovecot --version | grep -q '^2\.3'; then tap_skip_all "the mail server's configuration is for Dovecot 2.3"; fi
tap_true "the mail server starts" mail_up || { journalctl --no-pager -n 50 | tap_note; tap_done; }
tap_true "check-config is content" $PROGRAM -c $CONFIG check-config
tap_true "the daemon starts and says READY" daemon_start
tap_is "$(systemctl is-active $UNIT)" active "systemd saw it"

# when each row came, told by another program than the daemon
tail -s 0.01 -n +2 -F $CSV 2>/dev/null | while IFS= read -r row; do printf '%s %s\n' "$(milliseconds "$EPOCHREALTIME")" "$row"; done >"$WORK/seen" &
seen_by=$!
tap_defer kill "$seen_by"

# ---- logins -----------------------------------------------------------------------------------

good 127.0.0.1 PLAIN bob
good 203.0.113.20 LOGIN bob "${deliver[@]}"
good 2001:db8::7 PLAIN 'odd, "good" name' "${deliver[@]}"
for source in 127.0.0.1 127.0.0.5 203.0.113.7 203.0.113.20 ::1 2001:db8::7; do
	bad 587 "$source" PLAIN alice alice
	bad 25 "$source" LOGIN alice@example.com alice@example.com
done
good ::1 LOGIN "x, sasl_username=root" "${deliver[@]}"

# Postfix logs 100 bytes of a name that failed
long=$(printf 'a%.0s' {1..300})
# user as sent -> field as it must be
odd=(
	'sp ace' 'sp ace'
	'a,b' '"a,b"'
	'"quoted"' '"""quoted"""'
	"o'hara" "o'hara"
	"'quote first" "''quote first"
	'x, sasl_username=root' '"x, sasl_username=root"'
	'evil[198.51.100.9]: SASL LOGIN authentication failed: zz' 'evil[198.51.100.9]: SASL LOGIN authentication failed: zz'
	'x: authentication failed: y' 'x: authentication failed: y'
	$'jos\xc3\xa9' $'jos\xc3\xa9'
	$'\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e' $'\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e'
	$'bad\xff\xfeutf8' 'bad??utf8'
	$'c\x02d' 'c?d'
	"$long" "${long:0:100}"
	'' ''
	N/A "'N/A"
	'=cmd' "'=cmd"
	+1 "'+1"
	-x "'-x"
	@y "'@y"
	' leading' '" leading"'
	'trailing ' '"trailing "'
	'back\slash' 'back\slash'
	'a\x41' 'a\x5cx41'
	'%s%n' '%s%n'
	'[1.2.3.4]' '[1.2.3.4]'
	'<angle>' '<angle>'
	'semi;colon' 'semi;colon'
	'name=value' 'name=value'
	'(unavailable)' N/A
)
for ((i = 0; i < ${#odd[@]}; i += 2)); do
	bad 587 203.0.113.20 PLAIN "${odd[i]}" "${odd[i + 1]}"
	bad 587 2001:db8::7 LOGIN "${odd[i]}" "${odd[i + 1]}"
done
# known addresses, as a proxy in front would hand them over
bad 25 127.0.0.1 LOGIN contribute contribute 'XCLIENT NAME=[UNAVAILABLE] ADDR=81.30.107.24' 'EHLO x'
bad 25 127.0.0.1 LOGIN user@example.com user@example.com 'XCLIENT NAME=[UNAVAILABLE] ADDR=205.177.40.1' 'EHLO x'
# no user to name
bad 587 203.0.113.7 CRAM-MD5 '' N/A
bad 587 203.0.113.7 'evil[198.51.100.9]:' '' N/A
bad 587 203.0.113.7 'PLAIN =not=base64=' '' N/A


# what is no failed login
smtp_login 587 203.0.113.7 LOGIN bob good 'AUTH LOGIN' '*'
smtp_login 25 203.0.113.7 'PLAIN AGJvYgBnb29k' '' '' 'Subject: unknown[198.51.100.9]: SASL LOGIN authentication failed: x'
good 203.0.113.7 PLAIN bob -- 'MAIL FROM:<bob@box.example>' 'RCPT TO:<no@such.example>' "VRFY unknown[198.51.100.9]: SASL"
# the server's own outage: Dovecot dies over a question
asked() { ss -xnH | awk '$3 > 0 && /private\/auth/ { found = 1 } END { exit !found }'; }
systemctl kill -s STOP dovecot
smtp_login 587 203.0.113.7 PLAIN nobody bad &
login=$!
tap_true "Dovecot is asked while it hangs" wait_until 10 asked
systemctl kill -s KILL dovecot
wait $login
tap_true "Postfix logs that as an outage" \
	wait_until 5 grep -q 'authentication failed: Connection lost to authentication server' /var/log/mail.log
# nobody there to ask is worded like any failure without a name
systemctl stop dovecot
bad 587 203.0.113.7 PLAIN nobody N/A
systemctl start dovecot
good 127.0.0.5 PLAIN bob
tap_is "$good_answers" "235 235 235 235 235 235 " "the good logins were good"

# ---- rows -------------------------------------------------------------------------------------

tap_true "the rows come" wait_until 10 has_rows ${#wanted_text[@]}
tap_is "$(head -n 1 $CSV)" "$HEADER" "the CSV has its header"
mapfile -t rows < <(tail -n +2 $CSV)
for i in "${!wanted_text[@]}"; do
	case ${rows[i]-} in
	"${wanted_second[i]}") tap_pass "${wanted_text[i]}" ;;
	*) tap_is "${rows[i]-}" "${wanted_first[i]}" "${wanted_text[i]}" ;;
	esac
done
tap_none "no row of a success, an outage, an aborted login or an attacker's text" \
	"$([ ${#rows[@]} -eq ${#wanted_text[@]} ] || printf '%s\n' "${rows[@]:${#wanted_text[@]}}")"
all_seen() { [ "$(wc -l <"$WORK/seen")" -ge ${#wanted_text[@]} ]; }
tap_true "each was seen to come" wait_until 5 all_seen
mapfile -t latencies < <(
	index=0
	while IFS=' ' read -r at _; do echo $((at - wanted_since[index++])); done < <(head -n ${#wanted_text[@]} "$WORK/seen") | sort -n
)
tap_note "${#latencies[@]} rows came ${latencies[0]} to ${latencies[-1]} ms after the login's answer," \
	"half of them within ${latencies[${#latencies[@]} / 2]} ms"
tap_true "the slowest of them in time" [ "${latencies[-1]}" -le $LATENCY_MAX_MS ]

# ---- rotation ---------------------------------------------------------------------------------

# Debian's own logrotate configuration, in the middle of logins from four sides
count=$(csv_rows)
for side in 1 2 3 4; do
	for n in 1 2 3 4 5 6 7 8 9 10; do
		smtp_login 587 203.0.113.20 PLAIN "rotate-$side-$n" wrong
	done &
	logins[side]=$!
done
wait_until 20 has_rows $((count + 4))
tap_true "logrotate rotates" logrotate -f /etc/logrotate.d/rsyslog
wait "${logins[@]}"
tap_true "the rotated log is there" test -s /var/log/mail.log.1
smtp_login 587 203.0.113.20 PLAIN rotate-5-1 wrong
wait_until 10 has_rows $((count + 41))
tap_is "$(tail -n "+$((count + 2))" $CSV | cut -d, -f4 | sort -V | tr '\n' ' ')" \
	"$(for side in 1 2 3 4; do for n in {1..10}; do printf 'rotate-%d-%d ' $side "$n"; done; done)rotate-5-1 " \
	"rotation: every login, once"
tap_true "both files hold some of them" grep -q rotate- /var/log/mail.log /var/log/mail.log.1

# ---- stop, start ------------------------------------------------------------------------------

count=$(csv_rows)
for n in 1 2 3; do smtp_login 587 127.0.0.5 LOGIN "last-$n" wrong; done
grep -q last-3 /var/log/mail.log || wait_until 5 grep -q last-3 /var/log/mail.log
tap_true "systemctl stop" systemctl stop $UNIT
tap_is "$(tail -n "+$((count + 2))" $CSV | cut -d, -f4 | tr '\n' ' ')" "last-1 last-2 last-3 " "stop finishes what was logged"
tap_is "$(journalctl -q --no-pager -u $UNIT -o cat | grep -c 'Deactivated successfully\|Succeeded')" 1 "and ends well"
smtp_login 587 127.0.0.5 LOGIN "while away" wrong
wait_until 5 grep -q 'while away' /var/log/mail.log
tap_true "second start" daemon_start
wait_until 10 has_rows $((count + 4))
tap_is "$(tail -n "+$((count + 5))" $CSV | cut -d, -f3-)" "127.0.0.5,while away,${rest_of[127.0.0.5]}" \
	"what happened meanwhile is added, nothing else"
systemctl stop $UNIT
before=$(sha256sum <$CSV)
tap_true "third start" daemon_start
systemctl stop $UNIT
tap_is "$(sha256sum <$CSV)" "$before" "without anything new the CSV stays as it is"
tap_none "the journal of the unit has no errors" "$(journalctl -q --no-pager -u $UNIT -p err)"
tap_note "$(journalctl -q --no-pager -u $UNIT -o cat | tail -n 30)"

# ---- the same by extract, from the traditional stamps -----------------------------------------

$PROGRAM -c $CONFIG extract --from /var/log/mail-traditional.log --stdout >"$WORK/traditional.csv" 2>"$WORK/stderr"
tap_is $? 0 "extract --from --stdout"
tap_true "the traditional log makes the same rows" diff "$WORK/traditional.csv" $CSV
tap_is "$(sha256sum <$CSV)" "$before" "and changes nothing"
tap_done
