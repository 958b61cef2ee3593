#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the box: setup is given answers, and files of answers, that are made to break it. setup-hostile.py sits at the terminal.
# shellcheck source=test/tap.sh
. /in/test/tap.sh
# shellcheck source=test/e2e/inside/mail.sh
. /in/test/e2e/inside/mail.sh

install -m 755 /in/bin/maillogsentinel $PROGRAM
printf '%s mx postfix/smtpd[7]: warning: unknown[192.0.2.9]: SASL LOGIN authentication failed: x, sasl_username=u\n' \
	"$(date '+%b %e %T')" >/var/log/mail.log
status=0
python3 /in/test/e2e/inside/setup-hostile.py $PROGRAM >"$WORK/out" 2>&1 || status=$?
tap_is $status 0 "$(head -n 1 "$WORK/out")" || tap_note <"$WORK/out"

# ---- from a file ------------------------------------------------------------------------------

tree() { find /etc /srv /var/lib /home -xdev -printf '%p %y %m %u %g %s %C@ %l\n' | sort; }
refused() { # TEXT: by setup --automated, of what is in $WORK/file
	local status=0

	timeout 20 $PROGRAM setup --automated "$WORK/file" </dev/null >"$WORK/said" 2>&1 || status=$?
	tap_true "$1: is refused" [ $status -ge 1 -a $status -lt 124 ]
	tap_none "$1: shows nothing that a terminal obeys" "$(grep -nP '[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80[\xaa-\xae]' "$WORK/said" | head -3)"
	tap_true "$1: says something" [ -s "$WORK/said" ]
}
tree >"$WORK/before"
printf 'paths: { working_dir = "/srv/a\\nExecStartPre=/bin/touch /owned"; };\n' >"$WORK/file"
refused "a path that would be a line of the unit"
printf 'report: { email = "root@box.example\\nBcc: eve@box.example"; };\n' >"$WORK/file"
refused "an address that would be a head of the mail"
printf 'paths: { working_dir = "\x1b]0;x\x07\xe2\x80\xae/srv"; };\n' >"$WORK/file"
refused "escapes"
head -c 100000 /dev/zero >"$WORK/file"
refused "zeros"
head -c 2000000 /dev/urandom >"$WORK/file"
refused "noise"
printf 'metrics: { textfile = "/srv/a b\\n[Install]\\nAlias=x.service/m.prom"; };\n' >"$WORK/file"
refused "metrics that would be a section of the unit"
rm "$WORK/file"
ln -s file "$WORK/file"
refused "a link to itself"
rm "$WORK/file"
mkdir "$WORK/file"
refused "a directory"
tree >"$WORK/after"
tap_none "nothing has changed" "$(diff "$WORK/before" "$WORK/after")"

# ---- odd, and right ---------------------------------------------------------------------------

odd="/srv/o'dd %n \"x\" \\y \$z \\x41 ünï"
rmdir "$WORK/file"
{
	escaped=${odd//\\/\\\\}
	printf 'paths: { working_dir = "%s"; };\n' "${escaped//\"/\\\"}"
	printf 'dns: { enabled = false; };\nschedule: { ip_update_schedule = ""; report_schedule = ""; };\n'
} >"$WORK/file"
tap_true "a directory with an odd name" timeout 60 $PROGRAM setup --automated "$WORK/file"
tap_true "is the service's to write to" wait_until 10 grep -q 192.0.2.9 "$odd/maillogsentinel.csv"
tap_is "$(timeout 60 $PROGRAM setup --automated "$WORK/file" 2>&1 | head -n 1)" "All is as it should be already. Nothing was changed." "also the second time"
tap_none "no answer was run" "$(ls /owned 2>/dev/null)"
tap_done
