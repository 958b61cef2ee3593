#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# `check-config`: exit status, where its words go, a dump that reads back, and that it touches nothing.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
mkdir "$WORK/csv" "$WORK/state"
: >"$WORK/mail.log"
: >"$WORK/c.mmdb"
: >"$WORK/a.mmdb"

config() { # TEXT
	cat >"$WORK/conf" <<X
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = "$WORK/mail.log"; };
geolocation: { country_db_path = "$WORK/c.mmdb"; }; ASN_ASO: { asn_db_path = "$WORK/a.mmdb"; };
$1
X
}

# $status, $out and $err of the check, with $WORK/ left out
check() { # ARG...
	status=0
	"$MLS_PROGRAM" -c "$WORK/conf" check-config "$@" >"$WORK/out" 2>"$WORK/err" || status=$?
	out=$(sed "s,$WORK/,,g" "$WORK/out")
	err=$(sed "s,$WORK/,,g" "$WORK/err")
}

config 'general: { log_file = "'"$WORK"'/state/log"; };'
check
tap_is "$status|$out|$err" '0|conf: no mistakes|' "a good configuration"
tap_is "$(ls "$WORK/csv" "$WORK/state")" "$(printf '%s\n' "$WORK/csv:" '' "$WORK/state:")" "nothing is created"

check --dump
tap_is "$status|$err" '0|' "dump"
cp "$WORK/out" "$WORK/first"
cp "$WORK/out" "$WORK/conf"
check --dump
tap_true "the dump reads back to the same" cmp "$WORK/first" "$WORK/out"

config 'dns: { tries = 99; };
foo: { };'
check
tap_is "$status|$out|$err" '78||conf:3: dns.tries: wants a number from 1 to 8
conf:4: foo: unknown group' "mistakes go to stderr"
check --dump
tap_is "$status|$out" '78|' "with mistakes there is nothing to dump"

config 'dns: { servers = "127.0.0.1:70000"; };'
check
tap_is "$status|${err%\'*}" "78|conf:3: dns.servers: '127.0.0.1:70000" "name servers are checked"

# what a report needs to be sent
while IFS='|' read -r options status_expected err_expected; do
	rm -f "$WORK/password" "$WORK/sendmail"
	(umask 077 && echo secret >"$WORK/password" && echo >"$WORK/sendmail")
	[[ $options != *open* ]] || chmod 644 "$WORK/password"
	[[ $options != *runs* ]] || chmod 700 "$WORK/sendmail"
	options=${options#* }
	config "report: { ${options//WORK/$WORK} };"
	check
	tap_is "$status|$err" "$status_expected|$err_expected" "report: $options"
done <<'X'
- smtp_user = "u"; smtp_password_file = "WORK/password";|0|
open smtp_user = "u"; smtp_password_file = "WORK/password";|78|conf:3: report.smtp_password_file: password: can be read by everybody on this host (chmod o= would change that)
- smtp_user = "u"; smtp_password_file = "WORK/none";|78|conf:3: report.smtp_password_file: none: No such file or directory
- transport = "sendmail"; sendmail_path = "WORK/none";|78|conf:3: report.sendmail_path: none: No such file or directory
- transport = "sendmail"; sendmail_path = "WORK/sendmail";|78|conf:3: report.sendmail_path: sendmail: Permission denied
runs transport = "sendmail"; sendmail_path = "WORK/sendmail";|0|
- sendmail_path = "WORK/none";|0|
X

# update-db would put what it fetches in the place of another file
printf '1.0.0.0,1.0.0.255,AU\n' >"$WORK/new.csv"
echo rows >"$WORK/csv/maillogsentinel.csv"
mkdir "$WORK/state/db"
echo image >"$WORK/state/db/ip.image"
while read -r country why; do
	cat >"$WORK/conf" <<X
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = "$WORK/mail.log"; };
geolocation: { country_db_path = "$WORK/$country"; country_db_url = "file://$WORK/new.csv"; };
ASN_ASO: { asn_db_path = "$WORK/a.mmdb"; asn_db_url = ""; };
X
	before=$(cd "$WORK" && find csv state mail.log a.mmdb -type f ! -name update-db.lock -exec md5sum {} + | sort)
	check
	said="conf:2: geolocation.country_db_path: $country: $why"
	[ "$why" = "is the asn" ] && said="conf:3: ASN_ASO.asn_db_path: $country: is geolocation.country_db_path too"
	tap_is "$status|$err" "78|$said" "a database in the place of $country"
	status=0
	"$MLS_PROGRAM" -c "$WORK/conf" update-db >"$WORK/out" 2>"$WORK/err" || status=$?
	tap_is "$status|$(sed "s,$WORK/,,g" "$WORK/out" "$WORK/err")" "78|maillogsentinel: $said" "update-db refuses it"
	tap_is "$(cd "$WORK" && find csv state mail.log a.mmdb -type f ! -name update-db.lock -exec md5sum {} + | sort)" "$before" "and touches nothing"
done <<'X'
csv/maillogsentinel.csv is paths.csv_filename too
mail.log is a paths.mail_log too
state/db/ip.image is a file that this program keeps in paths.state_dir
a.mmdb is the asn
X
rm -r "$WORK/state/db" "$WORK/csv/maillogsentinel.csv"

config ''
rm "$WORK/mail.log" "$WORK/c.mmdb"
rmdir "$WORK/state"
check
tap_is "$status|$out|$err" '78||conf:1: paths.state_dir: state: No such file or directory
conf:1: note: paths.mail_log: mail.log: is not there yet; it is waited for
conf:2: note: geolocation.country_db_path: c.mmdb: is not there; countries stay unknown' "paths that can't be used"
check --dump
tap_is "$status $(grep -c 'state_dir = ' "$WORK/out")" '78 1' "and a dump to find out why"

rm "$WORK/conf"
check
tap_is "$status|$out|$err" '78||conf: No such file or directory' "no such file"
tap_done
