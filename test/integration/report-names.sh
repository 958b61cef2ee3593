#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# `report --send` where names are unusual: of the host, of the CSV, and what the subject begins with.
# shellcheck disable=SC2016 # the shells in there expand it
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$(dirname "$0")/service.sh"
mkdir -p "$WORK/state" "$WORK/csv"

configure() { # LINE-OF-REPORT [LINE-OF-PATHS]
	cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = "$WORK/mail.log"; ${2-} };
report: { email = "root"; transport = "sendmail"; sendmail_path = "$WORK/sendmail"; $1 };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
geolocation: { country_db_url = ""; };
ASN_ASO: { asn_db_url = ""; };
dns: { enabled = false; };
X2
}
cat >"$WORK/sendmail" <<'X2'
#!/bin/bash
cat >"${0%/*}/mail"
X2
chmod +x "$WORK/sendmail"
send() { # [COMMAND...]
	rm -f "$WORK/mail"
	said=$("$@" "$MLS_PROGRAM" -c "$WORK/conf" report --send 2>&1)
	status=$?
}
# Prints what a header's first ADDRESS has behind its @.
domain_of() { sed -n "/^$1:/,/>/p" "$WORK/mail" | sed -n 's/.*<[^@]*@\(.*\)>.*/\1/p' | head -n 1; } # HEADER

configure ''
line u1 >"$WORK/mail.log"
"$MLS_PROGRAM" -c "$WORK/conf" extract 2>/dev/null

# ---- the host -------------------------------------------------------------------------------------
send_as() { send unshare -u sh -c 'printf %b "$1" >/proc/sys/kernel/hostname && shift && exec "$@"' - "$1"; } # NAME
if unshare -u true 2>/dev/null; then
	while read -r name domain; do
		send_as "$name"
		tap_is "$status $(domain_of From) $(domain_of Message-ID)" "0 $domain $domain" "the host $name is $domain in addresses" ||
			tap_note "$said"
	done <<'X2'
mx1.example.org mx1.example.org
my_host my-host
my_host.example.org my-host.example.org
host. host
-host- host
a..b localhost
... localhost
a@b<c>\0040"(d) a-b-c----d
h\0303\0251 h
xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx localhost
X2
else
	tap_skip "names of hosts" "needs root"
fi

# ---- what is long ---------------------------------------------------------------------------------
long() { head -c "$1" /dev/zero | tr '\0' x; } # BYTES
configure "subject_prefix = \"$(long 500)\";"
send env
tap_is "$status $(sed -n '/^Subject:/,/^[^S ]/p' "$WORK/mail" | tr -d '\n' | grep -o x | wc -l)" "0 500" "a long prefix of the subject" || tap_note "$said"
configure "subject_prefix = \"$(long 501)\";"
send env
tap_is "$status ${said#"maillogsentinel: $WORK/"}" "78 conf:2: report.subject_prefix: is longer than 500 bytes" "a longer one is a mistake"
# Another one, as the service would begin it.
rm -rf "$WORK/state" "$WORK/csv"
mkdir -p "$WORK/state" "$WORK/csv"
configure '' "csv_filename = \"$(long 199)é$(long 54)\";"
"$MLS_PROGRAM" -c "$WORK/conf" extract 2>/dev/null
send env
name=$(python3 -c 'import email, sys; print([p.get_filename() for p in email.message_from_file(sys.stdin).walk() if p.get_filename()][0])' <"$WORK/mail")
tap_is "$status ${name%%-20*}${name##*[0-9]}" "0 $(long 199).csv" "a name of the CSV that is as long as one can be" ||
	tap_note "$said"
tap_done
