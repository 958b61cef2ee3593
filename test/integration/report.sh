#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# `report`: its numbers are those that grep and awk count in the log; it changes nothing, works beside the service and while the CSV is
# rotated; the page is there whole or not at all; wrong usage and what can't be read are said.
# shellcheck disable=SC2317  # functions are called by tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$ROOT/test/integration/service.sh"
# a zone where it is noon: no day ends meanwhile
export TZ
TZ=NOON$(printf '%+d' $((10#$(date -u +%H) - 12)))
LOG=$WORK/mail.log
mkdir "$WORK/csv" "$WORK/state"
cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = "$LOG"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
dns: { enabled = false; };
X2

# Sets $said to what report prints, without what changes, and $code.
ask() { # [ARG...]
	code=0
	"$MLS_PROGRAM" -c "$WORK/conf" report "$@" >"$WORK/out" 2>"$WORK/errors" || code=$?
	said=$(cat "$WORK/out" "$WORK/errors")
}
# Prints the number behind the words that begin a line of it.
number() { grep -oE "^ *$1:? *[0-9]+" <<<"$said" | grep -oE '[0-9]+$'; }
# What there is in the directories, with all that would show a change.
fingerprint() { find "$WORK/csv" "$WORK/state" -type f -printf '%p %i %s %m %T@ %C@\n' | sort; }

# ---- nothing ------------------------------------------------------------------------------------
ask
tap_is "$code: $said" "1: maillogsentinel: $WORK/state: holds no state.offset: nothing has been recorded yet" "before anything was recorded"
for date in 2025-02-29 2025-5-17 yesterday '' $'2025-05-17\n'; do
	ask --date "$date"
	tap_is "$code $(grep -c 'is no date such as' <<<"$said")" "2 1" "no date: ${date@Q}"
done
ask more
tap_is "$code" 2 "an argument"

# ---- numbers ------------------------------------------------------------------------------------
day=$(date +%F) zone=$(date +%:z)
{
	for i in $(seq 400); do
		printf '%sT%02d:%02d:07%s mx1 postfix/smtpd[9]: warning: unknown[203.0.%d.%d]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=user%d\n' \
			"$day" 0 $((i * 60 / 401)) "$zone" $((i % 7)) $((i % 31)) $((i * i % 23))
	done
	printf '%sT00:59:59%s mx1 postfix/smtpd[9]: warning: unknown[198.51.100.1]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=%s\n' \
		"$day" "$zone" $'<b>\xe2\x80\xaeevil</b>\x1b[31m\xff'
	printf '%sT00:59:59%s mx1 postfix/smtpd[9]: 4Yc1: client=unknown[192.0.2.1], sasl_method=PLAIN, sasl_username=alice\n' "$day" "$zone"
	printf '%sT00:59:59%s mx1 postfix/smtpd[9]: warning: unknown[198.51.100.1]: SASL PLAIN authentication failed: Connection lost to authentication server\n' "$day" "$zone"
} >"$LOG"
"$MLS_PROGRAM" -c "$WORK/conf" extract 2>"$WORK/err" || tap_note <"$WORK/err"
before=$(fingerprint)
ask
tap_is "$code" 0 "report"
failures='SASL PLAIN authentication failed: \(reason'
tap_is "$(number 'Total attempts today')" "$(grep -acE "$failures" "$LOG")" "the total"
tap_is "$(number Addresses)" "$(grep -aE "$failures" "$LOG" | grep -oE 'unknown\[[^]]*' | sort -u | wc -l)" "the addresses"
tap_is "$(number 'User names')" "$(grep -aE "$failures" "$LOG" | grep -aoE 'sasl_username=.*' | sort -u | wc -l)" "the users"
tap_is "$(number 'Successful logins')" "$(grep -c 'sasl_method=' "$LOG")" "the successes"
tap_is "$(number 'Login server outages')" 1 "the outages"
tap_is "$(number 'CSV rows')" "$(($(wc -l <"$CSV") - 1))" "the CSV's rows"
tap_is "$(number 'CSV size')" "$(wc -c <"$CSV")" "and its size"
top=$(grep -aE "$failures" "$LOG" | grep -aoE 'sasl_username=.*' | cut -d= -f2 | sort | uniq -c | awk '{ print $1, $2 }' |
	LC_ALL=C sort -k1,1nr -k2,2 | head -n 10 | awk '{ print $2, $1 }')
tap_is "$(awk '/^Top/ { here = /user names/ } here && /^ *[0-9]+\. / { print $2, $3 }' <<<"$said")" "$top" "the top 10 of the users" ||
	sed -n '/^Top 10 user names/,/^Top/p' <<<"$said" | tap_note
tap_none "no control character" "$(LC_ALL=C grep -an $'[\001-\011\013-\037\177]' "$WORK/out")"
# columns, not bytes as mawk would count them
tap_true "no line of more than 78 columns" [ "$(wc -L <"$WORK/out")" -le 78 ]
tap_is "$(grep -cP '\x{202e}|\x1b' "$WORK/out")" 0 "no bidirectional control"
tap_is "$(fingerprint)" "$before" "nothing has changed"

# ---- the host -----------------------------------------------------------------------------------
# Prints the server that a host of this name, with these lines in its hosts file, gives.
server_of() { # NAME HOSTS
	printf '%b' "$2" >"$WORK/hosts"
	# shellcheck disable=SC2016 # the shell in there expands it
	unshare -mu sh -c 'hostname "$1" && mount --bind "$2" /etc/hosts && exec "$3" -c "$4" report' - \
		"$1" "$WORK/hosts" "$MLS_PROGRAM" "$WORK/conf" | sed -nE 's/^### Server: ([^ ]*) *###$/\1/p'
}
if unshare -mu true 2>/dev/null; then
	while read -r name hosts expected; do
		tap_is "$(server_of "$name" "${hosts//_/ }")" "$expected" "the host $name with $hosts is $expected"
	done <<'X2'
mx1.example.org 127.0.0.1_mx1.example.net\n mx1.example.org
mx1 127.0.0.1_localhost\n mx1
mx1 127.0.0.1_localhost\n127.0.1.1_mx1.example.org_mx1\n mx1.example.org
mx1 192.0.2.1_other.example.org_MX1.example.com\n MX1.example.com
mx1 127.0.0.1_mx10.example.org_mx1.\n mx1
mx1 \xff\n\n#x mx1
X2
else
	tap_skip "names of hosts" "needs root"
fi

# ---- a day --------------------------------------------------------------------------------------
ask --date "$day"
tap_is "$code: $(number "Total attempts (on $day|today)")" "0: 401" "--date, this day"
ask --date 2001-02-03
tap_is "$code: $(number 'Total attempts on 2001-02-03')" "0: 0" "--date, a day without any"

# ---- the page -----------------------------------------------------------------------------------
umask 027
ask --html "$WORK/page.html"
tap_is "$code: $said $(stat -c %a "$WORK/page.html")" "0:  640" "--html writes the page and prints nothing"
tap_is "$(head -c 15 "$WORK/page.html") $(tail -n 1 "$WORK/page.html")" '<!DOCTYPE html> </html>' "which is whole"
tap_is "$(grep -cP '<b>|<script|\x{202e}|\x1b' "$WORK/page.html")" 0 "and has nothing of a user in it as it is"
echo old >"$WORK/target"
chmod 604 "$WORK/target"
ln -s target "$WORK/link.html"
ask --html "$WORK/link.html"
tap_is "$code: $(readlink "$WORK/link.html") $(stat -c %a "$WORK/target") $(head -c 15 "$WORK/target")" \
	"0: target 604 <!DOCTYPE html>" "behind a symbolic link the file is replaced, and keeps its mode"
if [ "$(id -u)" -eq 0 ]; then
	mkdir -m 1777 "$WORK/tmp"
	echo old >"$WORK/victim"
	ln -s ../victim "$WORK/tmp/planted"
	chown -h nobody "$WORK/tmp/planted"
	ask --html "$WORK/tmp/planted"
	tap_is "$code: $said $(cat "$WORK/victim")" "1: maillogsentinel: $WORK/tmp/planted: Permission denied old" \
		"no link is followed that somebody else left in a directory like /tmp"
	chmod 755 "$WORK/tmp"
	ask --html "$WORK/tmp/planted"
	tap_is "$code: $(head -c 15 "$WORK/victim")" "0: <!DOCTYPE html>" "elsewhere it is"
else
	tap_skip "links of somebody else" "needs root"
fi
ask --html /dev/stdout
tap_is "$code: $(head -c 15 "$WORK/out")" "0: <!DOCTYPE html>" "to a file that is open"
for name in /dev/stdout /dev/fd/1 /proc/self/fd/1; do
	echo first >"$WORK/shared"
	{ "$MLS_PROGRAM" -c "$WORK/conf" report --html $name; code=$?; echo last; } >>"$WORK/shared"
	tap_is "$code $(head -n 1 "$WORK/shared") $(grep -c '<!DOCTYPE html>' "$WORK/shared") $(tail -n 1 "$WORK/shared")" "0 first 1 last" \
		"which others write to as well ($name)"
done
"$MLS_PROGRAM" -c "$WORK/conf" report --html /dev/fd/77 2>"$WORK/errors"
tap_is "$? $(cat "$WORK/errors")" "1 maillogsentinel: /dev/fd/77: Bad file descriptor" "to one that is not"
"$MLS_PROGRAM" -c "$WORK/conf" report --html /dev/stdout | cat >"$WORK/piped"
tap_true "to a pipe" cmp -s <(sed -E 's/[0-9]{2}:[0-9]{2}//' "$WORK/piped") <(sed -E 's/[0-9]{2}:[0-9]{2}//' "$WORK/out")
ask --html /dev/full
tap_is "$code: $said" "1: maillogsentinel: /dev/full: No space left on device" "to a full disk"
ask --html "$WORK/none/page.html"
tap_is "$code: $said" "1: maillogsentinel: $WORK/none/page.html: No such file or directory" "to no directory"
ask --html "$WORK/csv"
tap_is "$code: $said" "1: maillogsentinel: $WORK/csv: Is a directory" "to a directory"
echo old >"$WORK/page.html"
(ulimit -f 2 && exec "$MLS_PROGRAM" -c "$WORK/conf" report --html "$WORK/page.html" 2>"$WORK/errors")
tap_is "$? $(cat "$WORK/page.html") $(cd "$WORK" && echo page.html*)" "1 old page.html" "where it can't be written whole, the old one stays"
"$MLS_PROGRAM" -c "$WORK/conf" report >/dev/full 2>"$WORK/errors"
tap_is "$? $(cat "$WORK/errors")" "1 maillogsentinel: stdout: No space left on device" "stdout that is full"

# ---- what is wrong ------------------------------------------------------------------------------
cp -a "$CSV" "$WORK/saved"
rm "$CSV"
ask
tap_is "$code $(number 'Total attempts today') $(grep -c 'bytes of rows are missing' "$WORK/errors")" "0 0 1" "a CSV that is gone: a report, and a warning on stderr"
tap_true "which stands in it, too" grep -q '^1 WARNING' "$WORK/out"
cp -a "$WORK/saved" "$CSV"
echo x >>"$WORK/state/state.offset"
ask
tap_is "$code: $said" "1: maillogsentinel: $WORK/state/state.offset: torn or changed: its checksum is wrong" "a torn checkpoint"

# ---- databases that are old, without a service that says so -------------------------------------
rm -rf "$WORK/csv" "$WORK/state"
mkdir -p "$WORK/csv" "$WORK/state/db"
printf '203.0.0.0,203.0.255.255,DE\n' >"$WORK/country.csv"
printf '203.0.0.0,203.0.255.255,64500,Example\n' >"$WORK/asn.csv"
touch -d '60 days ago' "$WORK/country.csv"
{
	cat "$WORK/conf"
	echo "geolocation: { country_db_path = \"$WORK/country.csv\"; }; ASN_ASO: { asn_db_path = \"$WORK/asn.csv\"; };"
} >"$WORK/conf.db"
"$MLS_PROGRAM" -c "$WORK/conf.db" extract 2>"$WORK/err" || tap_note <"$WORK/err"
"$MLS_PROGRAM" -c "$WORK/conf.db" report >"$WORK/out" 2>"$WORK/errors"
tap_is "$? $(grep -c '^1 WARNING' "$WORK/out") $(tr -d '\n' <"$WORK/out" | grep -cE 'country.csv: what it says of  *countries is of ')" "0 1 1" \
	"the old one is the one warning" || tap_note <"$WORK/out"
tap_is "$(grep -cE '^ 1\. (DE +Germany|64500 +Example) +400 ' "$WORK/out")" 2 "their countries and networks are in the report" || tap_note <"$WORK/out"

# ---- beside a service that writes, and is rotated ------------------------------------------------
rm -rf "$WORK/csv" "$WORK/state" "$LOG"
mkdir "$WORK/csv" "$WORK/state"
: >"$LOG"
start
for i in $(seq 300); do
	line "w$i"
	[ $((i % 100)) != 0 ] || { wait_until 10 [ -s "$CSV" ] && mv "$CSV" "$CSV.$i"; }
	[ $((i % 25)) != 0 ] || sleep 0.05
done >>"$LOG" &
writer=$!
seen=0 wrong=''
while kill -0 "$writer" 2>/dev/null || [ "$seen" -lt 300 ]; do
	ask
	# Before the first commit there is none.
	[ "$code" = 0 ] || { grep -q 'nothing has been recorded' <<<"$said" && continue; }
	now=$(number 'Total attempts (today|since the first start)')
	if [ "$code" != 0 ] || [ "${now:-0}" -lt "$seen" ] || [ -s "$WORK/errors" ]; then
		wrong="$code: after $seen: $said"
		break
	fi
	seen=$now
	[ $SECONDS -lt 60 ] || { wrong="only $seen rows after a minute"; break; }
done
wait "$writer"
tap_is "$wrong" "" "beside a service that writes and a CSV that is rotated, no row is missed or counted twice"
tap_is "$seen" 300 "up to the last"
stop
ask
tap_is "$(grep -c 'the service is not running' <<<"$said")" 1 "a service that was stopped is the first warning"
tap_done
