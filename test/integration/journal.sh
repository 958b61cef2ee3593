#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=240 packages=systemd-journal-remote
# The journal as a source, of files that systemd-journal-remote makes: exact rows through rotation, removal and damage of its files,
# kills at any moment, and the choice between log and journal.
# shellcheck disable=SC2317  # functions are called by wait_until and tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
REMOTE=/usr/lib/systemd/systemd-journal-remote
[ -x $REMOTE ] || REMOTE=/lib/systemd/systemd-journal-remote
[ -x $REMOTE ] || tap_skip_all "no systemd-journal-remote"
RANDOM=$((MLS_SEED % 32768))
START=1795000000 # the second that the numbers below count from
export TZ=UTC

# Prints entries FROM to TO as Postfix's, a hundredth of a second apart; every second entry between them is another program's.
entries() { # FROM TO [BOOT] [OFFSET_S]
	awk -v from="$1" -v to="$2" -v boot="${3:-1}" -v start=$((START + ${4:-0})) 'BEGIN {
		for (i = from; i <= to; i++) {
			us = start * 1000000 + i * 10000
			for (k = 0; k < 2; k++) {
				printf "__REALTIME_TIMESTAMP=%.0f\n__MONOTONIC_TIMESTAMP=%.0f\n_BOOT_ID=%032x\n", us + k, i * 10000 + k + 1, boot
				printf "_MACHINE_ID=000000000000000000000000000000aa\n_HOSTNAME=mx1\nSYSLOG_FACILITY=2\n_UID=101\n"
				if (k) printf "SYSLOG_IDENTIFIER=postfix/qmgr\nMESSAGE=%d: removed\n\n", i
				else printf "SYSLOG_IDENTIFIER=postfix/smtpd\nMESSAGE=warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=u%d\n\n", i
			}
		}
	}'
}

# Appends the entries on stdin to a journal file.
to_journal() { # FILE
	SYSTEMD_LOG_LEVEL=err $REMOTE -o "$1" -
}

config() { # DIR [LINES]
	mkdir -p "$1/log" "$1/state" "$1/journal"
	printf 'paths: { working_dir = "%s/log"; state_dir = "%s/state"; mail_log = "%s/mail.log"; };\n' "$1" "$1" "$1" >"$1/conf"
	printf 'dns: { enabled = false; };\n%s\n' "${2:-source: { journal_directory = \"$1/journal\"; \};}" >>"$1/conf"
}

sentinel() { # DIR COMMAND [ARG...]
	local dir=$1

	shift
	"$MLS_PROGRAM" -c "$dir/conf" "$@" 2>"$dir/err"
}

# The users of the rows, on one line.
users() { # DIR
	tail -n +2 "$1/log/maillogsentinel.csv" | cut -d, -f4 | tr '\n' ' '
}

numbers() { # FROM TO
	seq -f 'u%g' "$1" "$2" | tr '\n' ' '
}

# ---- rows -------------------------------------------------------------------------------------

d=$WORK/rows
config "$d"
{
	entries 1 2
	# folded, of an instance, with commas and quotes, as IPv6
	printf '__REALTIME_TIMESTAMP=%d\n_BOOT_ID=%032x\n_HOSTNAME=mx2\nSYSLOG_IDENTIFIER=%s\nSYSLOG_FACILITY=2\nMESSAGE=%s\n\n' \
		$((START + 61))000000 1 postfix/smtpd 'message repeated 3 times: [ warning: a[192.0.2.8]: SASL PLAIN authentication failed: x, sasl_username=three]' \
		$((START + 62))000000 1 postfix-out/smtps/smtpd 'warning: b.example[2001:db8::7]: SASL PLAIN authentication failed: x, sasl_username=a "b", c' \
		$((START + 63))000000 1 postfix/submission/smtpd 'ABCDEF: client=c[192.0.2.9], sasl_method=PLAIN, sasl_username=good' \
		$((START + 64))000000 1 postfix/smtp 'warning: d[192.0.2.9]: SASL PLAIN authentication failed: x, sasl_username=ours'
	# a newline in the message is one of its bytes
	printf '__REALTIME_TIMESTAMP=%d\n_BOOT_ID=%032x\nSYSLOG_IDENTIFIER=postfix/smtpd\nMESSAGE\n' $((START + 65))000000 1
	message=$'warning: e[192.0.2.10]: SASL LOGIN authentication failed: x, sasl_username=two\nlines'
	# shellcheck disable=SC2059  # bytes of a little-endian number
	printf "$(printf '\\x%02x\\0\\0\\0\\0\\0\\0\\0' ${#message})%s\n\n" "$message"
} | to_journal "$d/journal/a.journal"
tap_true "extract reads the journal where there is no log" sentinel "$d" extract
tap_true "and says so" grep -q 'mail.log: is not there, following the journal in ' "$d/err"
tap_is "$(cat "$d/log/maillogsentinel.csv")" "$(
	cat <<'X'
server,date,ip,user,hostname,reverse_dns_status,country_code,asn,aso
mx1,"2026-11-18 11:06",192.0.2.7,u1,null,Off,N/A,N/A,"N/A"
mx1,"2026-11-18 11:06",192.0.2.7,u2,null,Off,N/A,N/A,"N/A"
mx2,"2026-11-18 11:07",192.0.2.8,three,null,Off,N/A,N/A,"N/A"
mx2,"2026-11-18 11:07",192.0.2.8,three,null,Off,N/A,N/A,"N/A"
mx2,"2026-11-18 11:07",192.0.2.8,three,null,Off,N/A,N/A,"N/A"
mx2,"2026-11-18 11:07",2001:db8::7,"a ""b"", c",null,Off,N/A,N/A,"N/A"
,"2026-11-18 11:07",192.0.2.10,two\x0alines,null,Off,N/A,N/A,"N/A"
X
)" "rows are those of the entries"
tap_is "$(grep -c '^source journal$\|^log journal$\|^cursor s=' "$d/state/state.offset")" 3 "the checkpoint has the place"
tap_is "$(sed -n 's/^counters //p' "$d/state/state.offset")" \
	"lines=9 failures=7 successes=1 outages=0 aborted=0 skipped=0" "and the counters"
tap_true "a second extract" sentinel "$d" extract
tap_is "$(wc -l <"$d/log/maillogsentinel.csv")" 8 "finds nothing new"
touch "$d/mail.log"
entries 7 7 | to_journal "$d/journal/a.journal"
tap_true "a log that appears later" sentinel "$d" extract
tap_is "$(users "$d" | grep -o 'u7 $')" "u7 " "changes nothing"
for from in "$d/journal" "$d/journal/a.journal"; do
	tap_is "$(sentinel "$d" extract --stdout --from "$from" | wc -l)" 9 "extract --from ${from##*/}"
done
tap_done
