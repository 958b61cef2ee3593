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
	awk -v from="$1" -v to="$2" -v boot="${3:-1}" -v start=$((START + ${4:-0})) -v many="${many_addresses-}" 'BEGIN {
		for (i = from; i <= to; i++) {
			address = many ? "198.18." int(i / 250) % 250 "." i % 250 : "192.0.2.7"
			us = start * 1000000 + i * 10000
			for (k = 0; k < 2; k++) {
				printf "__REALTIME_TIMESTAMP=%.0f\n__MONOTONIC_TIMESTAMP=%.0f\n_BOOT_ID=%032x\n", us + k, i * 10000 + k + 1, boot
				printf "_MACHINE_ID=000000000000000000000000000000aa\n_HOSTNAME=mx1\nSYSLOG_FACILITY=2\n_UID=101\n"
				if (k) printf "SYSLOG_IDENTIFIER=postfix/qmgr\nMESSAGE=%d: removed\n\n", i
				else printf "SYSLOG_IDENTIFIER=postfix/smtpd\nMESSAGE=warning: unknown[%s]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=u%d\n\n", address, i
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
	printf 'paths: { working_dir = "%s/log"; state_dir = "%s/state"; mail_log = "%s/mail.log"; };\nschedule: { ip_update_schedule = ""; report_schedule = ""; };\n' "$1" "$1" "$1" >"$1/conf"
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

# ---- log or journal ---------------------------------------------------------------------------

# A line of the log as rsyslog writes it, at a hundredth of a second like the entry with the number.
log_line() { # NUMBER
	printf '%s.%06d+00:00 mx1 postfix/smtpd[1]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x, sasl_username=u%d\n' \
		"$(date -ud "@$((START + $1 / 100))" +%Y-%m-%dT%H:%M:%S)" $(($1 % 100 * 10000)) "$1"
}
for number in $(seq 1 30); do log_line "$number"; done >"$WORK/lines"

typed() { # DIR TYPE
	config "$1" "source: { type = \"$2\"; journal_directory = \"$1/journal\"; };"
}

d=$WORK/change
typed "$d" auto
entries 1 20 | to_journal "$d/journal/a.journal"
head -n 10 "$WORK/lines" >"$d/mail.log"
tap_true "auto takes the log where it is there" sentinel "$d" extract
tap_is "$(users "$d")" "$(numbers 1 10)" "and not the journal"
typed "$d" journal
tap_true "the type is changed" sentinel "$d" extract
tap_is "$(users "$d")" "$(numbers 1 20)" "the journal goes on behind the last event"
tap_true "which is said" grep -q 'going on with the journal behind 2026-11-18T11:06:40+00:00, the last event' "$d/err"
cp "$WORK/lines" "$d/mail.log"
typed "$d" file
tap_true "and back" sentinel "$d" extract
tap_is "$(users "$d")" "$(numbers 1 30)" "the log goes on behind the journal's last event"
entries 21 40 | to_journal "$d/journal/a.journal"
typed "$d" journal
tap_true "and once more" sentinel "$d" extract
tap_is "$(users "$d")" "$(numbers 1 40)" "what the log had in between is not read again"
log_line 41 >>"$d/mail.log"
typed "$d" auto
tap_true "auto" sentinel "$d" extract
tap_is "$(users "$d")" "$(numbers 1 40)" "keeps to what was decided"

d=$WORK/forth
typed "$d" file
head -n 3 "$WORK/lines" >"$d/mail.log"
entries 1 5 | to_journal "$d/journal/a.journal"
tap_true "the log" sentinel "$d" extract
typed "$d" journal
tap_true "then the journal" sentinel "$d" extract
typed "$d" file
tap_true "then the log again, to which nothing was added" sentinel "$d" extract
entries 6 7 | to_journal "$d/journal/a.journal"
typed "$d" journal
tap_true "then the journal again" sentinel "$d" extract
tap_is "$(users "$d")" "$(numbers 1 7)" "goes on where it was left"

d=$WORK/rotated
typed "$d" auto
entries 1 3 | to_journal "$d/journal/a.journal"
head -n 2 "$WORK/lines" >"$d/mail.log.1"
tap_true "a rotated log is a log" sentinel "$d" extract || true
tap_is "$(users "$d")" "$(numbers 1 2)" "which is read"

d=$WORK/nothing
typed "$d" auto
tap_is "$(sentinel "$d" extract; echo $?)" 1 "neither log nor journal"
typed "$d" journal
tap_is "$(sentinel "$d" extract; echo $?; grep -c "/journal: there is none" "$d/err")" "1
1" "no journal"

# ---- following --------------------------------------------------------------------------------

pid=''
start() { # DIR
	"$MLS_PROGRAM" -c "$1/conf" run 2>>"$1/err" &
	pid=$!
}
finish() {
	kill "$pid" 2>/dev/null
	wait "$pid"
}
stop() {
	[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
}
tap_defer stop
has_rows() { # DIR COUNT
	[ -e "$1/log/maillogsentinel.csv" ] && [ "$(wc -l <"$1/log/maillogsentinel.csv")" -eq $(($2 + 1)) ]
}

d=$WORK/wait
config "$d" "source: { journal_directory = \"$d/journal\"; };"
start "$d"
tap_true "run waits for a log or a journal" wait_until 10 grep -q 'is not there, waiting' "$d/err"
entries 1 5 | to_journal "$d/journal/a.journal"
tap_true "which comes" wait_until 40 has_rows "$d" 5
entries 6 9 | to_journal "$d/journal/a.journal"
tap_true "and grows" wait_until 10 has_rows "$d" 9
mv "$d/journal/a.journal" "$d/journal/a@1.journal"
entries 10 12 | to_journal "$d/journal/a.journal"
tap_true "and is rotated" wait_until 10 has_rows "$d" 12
rm "$d/journal/a@1.journal"
entries 13 14 2 -3600 | to_journal "$d/journal/a.journal"
tap_true "its clock goes back at a boot" wait_until 10 has_rows "$d" 14
finish
tap_is "$?" 0 "it stops"
tap_is "$(users "$d")" "$(numbers 1 14)" "all of them in order"
rm "$d/journal"/*
entries 20 21 2 | to_journal "$d/journal/b.journal"
tap_true "what was read last is gone" sentinel "$d" extract
tap_true "which is a warning" grep -q 'the entry that was read last is gone; entries from between .* may have been removed' "$d/err"
tap_is "$(users "$d")" "$(numbers 1 14)$(numbers 20 21)" "and the rest is read"

d=$WORK/lag
config "$d" "source: { type = \"journal\"; journal_directory = \"$d/journal\"; };"
entries 1 5 | to_journal "$d/journal/a.journal"
start "$d"
wait_until 20 has_rows "$d" 5
lag_is() { [[ $("$MLS_PROGRAM" -c "$d/conf" status --json 2>/dev/null) == *"\"lag\":null,\"lag_entries\":$1,"* ]]; }
tap_true "status says that all is read" wait_until 20 lag_is 0
kill -STOP "$pid"
entries 6 9 | to_journal "$d/journal/a.journal"
tap_true "and how many entries are not" lag_is 8 || tap_note "$("$MLS_PROGRAM" -c "$d/conf" status --json)"
entries 10 5200 | to_journal "$d/journal/a.journal"
tap_true "of many, that there are many" lag_is 10000
tap_true "for people, too" grep -q "journal: open, 10000 or more entries to go" <("$MLS_PROGRAM" -c "$d/conf" status)
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$WORK" "$d" "$d/state"
	chmod 700 "$d/journal"
	tap_true "who may not read it is not told" grep -q '"lag_entries":null' \
		<(setpriv --reuid nobody --clear-groups --inh-caps=-all "$MLS_PROGRAM" -c "$d/conf" status --json)
else
	tap_skip "who may not read it is not told" "needs root and setpriv"
fi
kill -CONT "$pid"
tap_true "all is read again" wait_until 30 lag_is 0
finish

d=$WORK/damage
config "$d"
entries 1 3000 | to_journal "$d/journal/a.journal"
entries 3001 3010 | to_journal "$d/journal/b.journal"
size=$(stat -c %s "$d/journal/a.journal")
for _ in 1 2 3 4 5 6 7 8; do
	head -c 16 <(entries $RANDOM $RANDOM | sha256sum; echo $RANDOM) | dd of="$d/journal/a.journal" bs=1 conv=notrunc status=none \
		seek=$((size / 5 + (RANDOM * 32768 + RANDOM) % (size / 5)))
done
tap_true "a damaged journal" sentinel "$d" extract
tap_is "$(users "$d" | tr ' ' '\n' | grep -o '^u[0-9]*$' | sort -u -V | tr '\n' ' ')" "$(users "$d" | tr ' ' '\n' | grep -o '^u[0-9]*$' | tr '\n' ' ')" \
	"gives its rows in order, none twice"
tap_is "$(users "$d" | grep -o "$(numbers 3001 3010)")" "$(numbers 3001 3010)" "and what comes after it"

d=$WORK/forged
config "$d"
entries 1 2 | sed 's/^_UID=101$/_UID=1001/' | to_journal "$d/journal/a.journal"
entries 3 4 | to_journal "$d/journal/a.journal"
tap_true "a user's entries in Postfix's name" sentinel "$d" extract
tap_is "$(users "$d")" "$(numbers 3 4)" "make no rows"
tap_true "which is said" grep -q "entries in Postfix's name that user 1001 wrote" "$d/err"

# ---- what the logging has dropped -------------------------------------------------------------

d=$WORK/dropped
config "$d"
{
	entries 1 2
	for sender in '_TRANSPORT=driver\nSYSLOG_IDENTIFIER=systemd-journald' '_TRANSPORT=syslog\nSYSLOG_IDENTIFIER=systemd-journald'; do
		for unit in postfix@-.service cron.service; do
			printf "__REALTIME_TIMESTAMP=$((START + 1))000000\n_BOOT_ID=%032x\n$sender\n" 1
			printf 'MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e\nMESSAGE=Suppressed 88 messages from %s\n\n' $unit
		done
	done
} | to_journal "$d/journal/a.journal"
tap_true "journald has dropped messages" sentinel "$d" extract
tap_is "$(sed -n 's/.* warning: \(journal\|.*journal\): \([0-9]* messages .*\)/\2/p' "$d/err")" \
	"88 messages were dropped by the system's logging because there were too many (88 since the first start); failed logins may have been among them" \
	"which is a warning, for Postfix's service and from journald alone"
tap_is "$(grep -c '^lost 88$' "$d/state/state.offset")" 1 "and counted"

d=$WORK/rsyslog
typed "$d" file
{
	head -n 2 "$WORK/lines"
	echo "2026-11-18T11:06:41.000000+00:00 mx1 rsyslogd: imuxsock[pid 812]: 55 messages lost due to rate-limiting (200 allowed within 5 seconds)"
	echo "2026-11-18T11:06:41.000000+00:00 mx1 other: 55 messages lost due to rate-limiting, says rsyslogd: 1"
} >"$d/mail.log"
tap_true "rsyslog has, too" sentinel "$d" extract
tap_is "$(grep -c 'mail.log: 55 messages were dropped' "$d/err") $(grep -c '^lost 55$' "$d/state/state.offset")" "1 1" "likewise"

# ---- the ledger -------------------------------------------------------------------------------

# Numbered failures are written in pieces while the journal is rotated and the service killed: in the end each is one row, in order.
TOTAL=${MLS_JOURNAL_TOTAL:-20000} KILLS=${MLS_JOURNAL_KILLS:-50}
# A resolver that refuses: every name is asked for, so rows wait while the place of those before is saved.
d=$WORK/ledger many_addresses=yes
config "$d"
sed -i 's/^dns: .*/dns: { servers = "127.0.0.1:1"; };/' "$d/conf"
writer() {
	local number=1 piece file=1

	while [ $number -le "$TOTAL" ]; do
		piece=$((RANDOM % 400 + 1))
		[ $((number + piece)) -le $((TOTAL + 1)) ] || piece=$((TOTAL + 1 - number))
		entries $number $((number + piece - 1)) | to_journal "$d/journal/a.journal"
		number=$((number + piece))
		if [ $((RANDOM % 4)) -eq 0 ]; then
			mv "$d/journal/a.journal" "$d/journal/a@$file.journal"
			file=$((file + 1))
		fi
	done
	touch "$WORK/written"
}
writer &
writer_pid=$!
stop_writer() {
	kill "$writer_pid" 2>/dev/null
}
tap_defer stop_writer
kills=0 wrong=0
while [ $kills -lt "$KILLS" ] || [ ! -e "$WORK/written" ]; do
	start "$d"
	sleep "0.$(printf '%03d' $((RANDOM % 700)))"
	if [ $((RANDOM % 4)) -gt 0 ]; then
		kill -9 $pid 2>/dev/null
	else
		kill $pid 2>/dev/null
	fi
	wait $pid 2>/dev/null
	case $? in
	137) kills=$((kills + 1)) ;;
	0 | 143) ;; # stopped before it took the signals is an end, too
	*) wrong=$((wrong + 1)) ;;
	esac
done 2>/dev/null
wait $writer_pid
tap_true "after $kills kills" sentinel "$d" extract
tap_is "$wrong" 0 "no start failed"
tail -n +2 "$d/log/maillogsentinel.csv" | cut -d, -f4 >"$WORK/got"
seq -f 'u%g' 1 "$TOTAL" >"$WORK/expected"
tap_true "$TOTAL failures in $(find "$d/journal" -name '*.journal' | wc -l) files are $TOTAL rows, in order" cmp "$WORK/got" "$WORK/expected"
diff "$WORK/got" "$WORK/expected" | head -n 5 | tap_note
# a first start before there was a journal has waited for the log, too
tap_is "$(sed -n '/^log journal$/,$s/^counters lines=\([0-9]*\) failures=\([0-9]*\) .*/\1 \2/p' "$d/state/state.offset")" \
	"$((2 * TOTAL)) $TOTAL" "the counters count each once"
tap_done
