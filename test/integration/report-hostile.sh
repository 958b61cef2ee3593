#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=python3
# Failed logins under hostile names - of 10 kB, markup, marks of direction, what ends a mail or begins a header - are text and nothing else
# in the report that is printed, in its page, and in the mail as Python's parser reads it; and rows that are none are left out and
# counted.
# shellcheck disable=SC2317,SC2034,SC2154  # functions are called by wait_until and tap_true; service.sh and report-rig.sh share variables
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
BEGIN=$EPOCHSECONDS
# shellcheck source=test/integration/service.sh
. "$(dirname "$0")/service.sh"
# shellcheck source=test/integration/report-rig.sh
. "$(dirname "$0")/report-rig.sh"
smtp_start 0
cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$STATE"; mail_log = "$LOG"; };
source: { quiet_warning = "0"; };
report: { email = "root@box.example"; smtp_url = "smtp://127.0.0.1:$smtp_port"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
dns: { enabled = false; };
X2
run() { "$MLS_PROGRAM" -c "$WORK/conf" "$@"; }
control() { LC_ALL=C grep -cP '[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa6-\xa9]|[\xc0\xc1\xf5-\xff]' "$1"; } # FILE

hostile=(
	"$(printf 'n%.0s' {1..10000})"
	'<script>alert(1)</script>' '"><img src=http://198.51.100.9/x onerror=alert(1)>' '</style><style>*{display:none}' '<!--' ']]>' '{{7*7}}'
	"' onmouseover='alert(1)" '&amp;lt;' '&#0;' 'javascript:alert(1)' 'http://example.com/' 'eve@example.com'
	'From nobody' '.' '..' '--' 'Subject: x' '=?utf-8?q?x?=' '%0d%0aBcc: eve@example.com' '=20=0D=0ABcc: eve@example.com' '-- '
	$'\xe2\x80\xae\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d\xe2\x80\xac' $'a\xe2\x80\x8bb\xef\xbb\xbfc' $'\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e' $'e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81'
	$'\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa9' $'bad\xff\xfe\xc3(' $'\x1b[31m\x1b]0;x\x07' $'a\x7fb' '=cmd|x' '+1' 'a,"b' $'tab\there'
)
# Three names at a time stand in the lists often enough to be shown.
number=0
for ((i = 0; i < ${#hostile[@]}; i++)); do
	fail "${hostile[i]}" "${hostile[i]}"
	number=$((number + 2))
	[ $((i % 8)) = 7 ] || [ $i = $((${#hostile[@]} - 1)) ] || continue
	tap_true "lot $((i / 8 + 1)) is read" run extract
	status=0
	run report --html "$WORK/page.html" >"$WORK/text" 2>"$WORK/stderr" || status=$?
	tap_is "$status $(cat "$WORK/stderr")" "0 " "report --html"
	run report >"$WORK/text" 2>"$WORK/stderr" || status=$?
	tap_is "$status $(cat "$WORK/stderr")" "0 " "report"
	status=0
	said=$(run report --send 2>&1 >"$WORK/out") || status=$?
	tap_is "$status $said" "0 " "report --send"
	read_mails
	M=$WORK/read/$(printf %04d "$(mails)")
	tap_is "$(sed -n 's/^defects: //p' "$M/head")" "" "the mail is sound"
	tap_is "$(sed -n 's/^structure: //p' "$M/head")" "multipart/mixed(multipart/alternative(text/plain text/html) text/csv)" "and has the parts that it should"
	tap_none "its head is its own" "$(grep -i 'eve@\|^Bcc' "$M/head")"
	tap_is "$(sed -n 's/^Total attempts .*: //p' "$M/text")" $number "the rows are counted"
	tap_is "$(control "$M/text") $(control "$M/html") $(control "$WORK/text") $(control "$WORK/page.html")" "0 0 0 0" "no control characters, no marks of direction"
	tap_none "no line is too wide" "$(python3 -c 'import sys, unicodedata
for line in open(sys.argv[1], encoding="utf-8"):
    width = sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line.rstrip("\n"))
    if width > 78: print(width, line)' "$M/text")"
	tap_none "the page holds nothing of theirs" \
		"$(grep -E '^(script|img|iframe|object|link|form|svg|base|input|button)|http|onerror|on[a-z]+=' "$M/tags")"
	tap_is "$(grep -c '^td$\|^table$' "$M/tags") $(sort -u "$M/tags" | grep -c '^style$\|^body$')" "2 2" "nor ends it early"
	tap_is "$(tail -c 8 "$M/html")" "</html>" "it is whole"
	number=0
done
tap_is "$(mail_rows | wc -l)" "$(sed 1d "$CSV" | wc -l)" "all rows were sent"
for name in '<script>alert(1)</script>' '&amp;lt;' 'From nobody' 'http://example.com/'; do
	tap_true "'$name' is to be read as it is" grep -qF -- "$name" "$WORK"/read/*/page
	tap_true "and in the text" grep -qF -- "$name" "$WORK"/read/*/text
done

# ---- rows that are none -----------------------------------------------------------------------
mapfile -t users < <(seq -f 'row%.0f' 1000 3999)
fail "${users[@]}"
run extract 2>>"$WORK/err"
# two rows in the middle become something else, of the same length
at=$(grep -b -m 1 ',row2500,' "$CSV" | cut -d: -f1)
printf 'no row at all' | dd of="$CSV" bs=1 seek="$at" conv=notrunc status=none
at=$(grep -b -m 1 ',row2600,' "$CSV" | cut -d: -f1)
printf '\0\0\0\0\377' | dd of="$CSV" bs=1 seek="$at" conv=notrunc status=none
status=0
said=$(run report --send 2>&1 >"$WORK/out") || status=$?
tap_is "$status" 0 "with foreign rows it is sent"
tap_true "and it says how many there were" grep -q '2' <<<"$said" || tap_note "$said"
read_mails
M=$WORK/read/$(printf %04d "$(mails)")
tap_is "$(sed -n 's/^Total attempts .*: //p' "$M/text") $(sed -nE 's/^Left out: ([0-9]+) .*/\1/p' "$M/text")" "2998 2" "the others count"
# another file in the place of the CSV
{ head -n 1 "$CSV"; echo 'elsewhere,"2026-01-01 00:00",192.0.2.1,stranger,null,Off,N/A,N/A,"N/A"'; } >"$WORK/other"
fail before-1 before-2
run extract 2>>"$WORK/err"
cp "$WORK/other" "$CSV.new"
mv "$CSV.new" "$CSV"
fail after
run extract 2>>"$WORK/err"
status=0
said=$(run report --send 2>&1 >"$WORK/out") || status=$?
read_mails
M=$WORK/read/$(printf %04d "$(mails)")
tap_is "$status $(grep -c ',after,' "$M/rows")" "0 1" "a CSV that was replaced: what is new is sent"
tap_true "with a warning in the mail" grep -q '^[0-9]* WARNING' "$M/text" || head -n 20 "$M/text" | tap_note
tap_true "and on stderr" [ -n "$said" ]
tap_none "each mail says how many rows it has" "$(wrong_totals | grep -v "^$(printf %04d $(($(mails) - 1))):\|^$(printf %04d "$(mails)"):")"
tap_done
