#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Bad input of every kind: one clear line with the path and the reason, the right exit status, nothing overwritten.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
LINE='2026-11-22T13:01:48Z mx1 postfix/smtpd[9]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: x, sasl_username='
HEADER=server,date,ip,user,hostname,reverse_dns_status,country_code,asn,aso
D=$WORK/d CSV=$WORK/d/csv/maillogsentinel.csv

# A fresh place with one line in the log.
fresh() {
	rm -rf "$D"
	mkdir -p "$D/csv" "$D/state"
	printf '%sone\n' "$LINE" >"$D/mail.log"
	cat >"$D/conf" <<X2
paths: { working_dir = "$D/csv"; state_dir = "$D/state"; mail_log = "$D/mail.log"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
dns: { enabled = false; };
$*
X2
}

# The program's last run: $status, and its stderr without what the missing databases say in $said.
run() { # ARG...
	status=0
	"$MLS_PROGRAM" -c "$D/conf" "$@" >"$WORK/out" 2>"$WORK/err" || status=$?
	said=$(grep -v 'no such file; .* N/A until' "$WORK/err" | sed "s,$D/,,g")
}

# What a run says and how it ends; the files named stay as they are.
refuses() { # TEXT STATUS SAID FILES... -- ARG...
	local text=$1 wanted=$2 words=$3 before after
	local -a files=()

	shift 3
	while [ "$1" != -- ]; do files+=("$1"); shift; done
	shift
	before=$(cat "${files[@]}" 2>/dev/null | cksum)
	run "$@"
	after=$(cat "${files[@]}" 2>/dev/null | cksum)
	tap_is "$status: $said" "$wanted: maillogsentinel: $words" "$text"
	[ "$before" = "$after" ] || tap_fail "$text: and nothing has changed"
}

users() { cut -d, -f4 "$CSV" | sed 1d | tr '\n' ' '; }

# ---- places ------------------------------------------------------------------------------------
fresh; rm -rf "$D/csv"
refuses "missing working_dir" 1 "csv: No such file or directory" "$D/mail.log" -- extract
fresh; rm -rf "$D/state"
refuses "missing state_dir" 1 "state: No such file or directory" "$D/mail.log" -- extract
fresh; rmdir "$D/state"; : >"$D/state"
refuses "state_dir is a file" 1 "state: not a directory" "$D/mail.log" -- extract
fresh; mkdir "$CSV"
refuses "the CSV is a directory" 1 "csv/maillogsentinel.csv: Is a directory" "$D/mail.log" -- extract
fresh; rm "$D/mail.log"
refuses "a log that is not there" 1 "mail.log: No such file or directory" -- extract
fresh; rm "$D/mail.log"; mkdir "$D/mail.log"
refuses "a directory in its place is no log" 1 "mail.log: Is a directory" -- extract
fresh; mv "$D/mail.log" "$D/mail.log.1"
run extract
tap_is "$status: $said: $(users)" "0: : one " "but a rotated sibling is"

# ---- configuration -----------------------------------------------------------------------------
fresh 'pahts: { };'
run extract
tap_is "$status" 78 "an unknown group is a mistake"
tap_true "that names file, line and the nearest one" grep -q '^conf:[0-9]*: .*pahts.*paths' <<<"${said#maillogsentinel: }"
fresh "$(printf 'general: { log_level\377 = "INFO"; };')"
run extract
tap_is "$status" 78 "a byte that is no text in a key"
tap_true "is shown as such, escaped once" grep -qF '\xff' "$WORK/err"
tap_none "and not twice" "$(grep -F '\x5cx' "$WORK/err")"
fresh
refuses "a configuration that is not there" 78 "$D.none: No such file or directory" "$D/mail.log" -- -c "$D.none" extract
for arguments in "" "nonsense" "extract --nonsense" "extract --year" "extract --year 12" "extract surplus" "lookup --nonsense" "explain a b"; do
	# shellcheck disable=SC2086
	run $arguments
	tap_is "$status" 2 "wrong usage: '$arguments'"
done

# ---- checkpoint and CSV ------------------------------------------------------------------------
fresh; run extract; echo more >>"$D/state/state.offset"
refuses "a checkpoint that was changed" 78 \
	"state/state.offset: torn or changed: its checksum is wrong; 'maillogsentinel reset' archives it with the CSV, and all logs are read again" \
	"$D/state/state.offset" "$CSV" -- extract
fresh; run extract; sed -i '1s/1$/9/' "$D/state/state.offset"
refuses "a checkpoint of a newer version" 78 \
	"state/state.offset: written by a newer version of this program (format 9, known is 1); 'maillogsentinel reset' archives it with the CSV, and all logs are read again" \
	"$D/state/state.offset" "$CSV" -- extract
fresh; echo 12345 >"$D/state/state.offset"
refuses "a foreign checkpoint" 78 \
	"state/state.offset: not a checkpoint of this program; 'maillogsentinel reset' archives it with the CSV, and all logs are read again" \
	"$D/state/state.offset" "$CSV" -- extract
fresh; printf '%s\n%s\n' "$HEADER" 'mx1,"2026-11-22 13:01",192.0.2.1,x,null,Off,N/A,N/A,"N/A"' >"$CSV"
refuses "rows without a checkpoint" 78 \
	"csv/maillogsentinel.csv: holds rows already, but nothing says how far the logs were read; to keep it, move it away and start again, or put back the state/state.offset that belongs to it" \
	"$CSV" -- extract
fresh; echo 'server;date;ip' >"$CSV"
refuses "a CSV of something else" 78 \
	"csv/maillogsentinel.csv: does not start with the header of this program's CSV; move it away, or name another one in paths.csv_filename" \
	"$CSV" -- extract
fresh; for _ in {1..100}; do cat "$D/mail.log"; done >"$D/many"; mv "$D/many" "$D/mail.log"; run extract; cp "$CSV" "$WORK/copy"
head -c 5000 "$WORK/copy" >"$CSV"; printf '%stwo\n' "$LINE" >>"$D/mail.log"
run extract
tap_is "$status: $said" "0: maillogsentinel: warning: csv/maillogsentinel.csv: is shorter than what was committed ($(stat -c %s "$WORK/copy") bytes); rows are missing, going on at its end" \
	"a CSV that was shortened is appended to"
tap_is "$(tail -n 1 "$CSV" | cut -d, -f4)" two "and not cut"
fresh; run extract; printf '%s\n%s\n' "$HEADER" 'mx9,"2026-11-22 13:01",192.0.2.1,other,null,Off,N/A,N/A,"N/A"' >"$WORK/other"
rm "$CSV"; cp "$WORK/other" "$CSV"; printf '%stwo\n' "$LINE" >>"$D/mail.log"
run extract
tap_is "$status: $said: $(users)" "0: maillogsentinel: warning: csv/maillogsentinel.csv: is not the file that was written last; going on at its end: other two " \
	"another file under the CSV's name is appended to, never cut"
fresh; run extract; printf 'mx1,"2026-11-22 13:0' >>"$CSV"; printf '%stwo\n' "$LINE" >>"$D/mail.log"
run extract
tap_is "$status: $(users)" "0: one two " "a torn row behind the committed ones is cut"

# ---- databases ---------------------------------------------------------------------------------
fresh "geolocation: { country_db_path = \"$D/country\"; };"
echo '<html>not found</html>' >"$D/country"
run extract
tap_is "$status: $(ls "$D/csv")" "1: maillogsentinel.csv" "a damaged database is an error"
tap_true "that names it" grep -q '^maillogsentinel: country: ' <<<"$said"
tap_is "$(users)" "" "and no row is written without what it would say"

# ---- lines -------------------------------------------------------------------------------------
fresh
{
	printf '%stwo\r\n' "$LINE"
	printf '\0\0\0%sthree\n' "$LINE"
	printf '%sfo\0ur\n' "$LINE"
	printf '%sfi\377ve\n' "$LINE"
	head -c 10000000 /dev/zero | tr '\0' x
	printf '\n%ssix' "$LINE"
	head -c 10000000 /dev/zero | tr '\0' y
	printf '\n\n\n%sseven' "$LINE"
} >>"$D/mail.log"
run extract
cut -d, -f4 "$CSV" | cut -c 1-8 | sed 1d | tr '\n' ' ' >"$WORK/users"
tap_is "$status: $said: $(cat "$WORK/users")" '0: : one two three fo\x00ur fi\xffve sixyyyyy ' \
	"CRLF, NUL, invalid UTF-8, 10 MB lines; the last line, without its end, waits"
tap_is "$(grep -o 'lines=.*' "$D/state/state.offset")" "lines=9 failures=6 successes=0 outages=0 aborted=0 skipped=2" "all lines are counted, two were cut"
echo >>"$D/mail.log"
run extract
tap_is "$status: $(tail -n 1 "$CSV" | cut -d, -f4)" "0: seven" "and comes when its end does"
fresh
printf '2026-11-22T13:01:48Z mx1 postfix/smtpd[9]: message repeated 99999 times: [ warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: x, sasl_username=many]\n' >"$D/mail.log"
run extract
tap_is "$status: $(grep -c ,many, "$CSV"): $said" \
	"0: 10000: maillogsentinel: warning: mail.log: a line says that it was repeated more than 10000 times; 10000 are taken" "a folded line is capped"

# ---- output ------------------------------------------------------------------------------------
fresh
status=0
"$MLS_PROGRAM" -c "$D/conf" extract --stdout >/dev/full 2>"$WORK/err" || status=$?
tap_is "$status: $(tail -n 1 "$WORK/err")" "1: maillogsentinel: stdout: No space left on device" "stdout is full"
tap_is "$(find "$D/csv" "$D/state" -type f)" "" "and --stdout leaves nothing behind"

# ---- permissions -------------------------------------------------------------------------------
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	fresh
	chmod 755 "$WORK"; chown -R nobody "$D"; chown root "$D/mail.log"; chmod 600 "$D/mail.log"
	as_nobody() { status=0; setpriv --reuid nobody --clear-groups --inh-caps=-all "$MLS_PROGRAM" -c "$D/conf" "$@" 2>"$WORK/err" || status=$?
		said=$(grep -v 'no such file; .* N/A until' "$WORK/err" | sed "s,$D/,,g"); }
	as_nobody extract
	tap_is "$status: $said" "1: maillogsentinel: mail.log: Permission denied" "a log that may not be read"
	chmod 644 "$D/mail.log"; chown -R root "$D/csv"; chmod 755 "$D/csv"; rm -f "$CSV"
	as_nobody extract
	tap_is "$status: $said" "1: maillogsentinel: csv/maillogsentinel.csv: Permission denied" "a CSV that may not be written"
else
	tap_skip "files that may not be read or written" "needs root and setpriv"
fi
tap_done
