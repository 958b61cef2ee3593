#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# `status`: what it says of a daemon that runs, is in trouble, was stopped or killed; and that each condition is told once when it
# begins and once when it ends.
# shellcheck disable=SC2317  # functions are called by wait_until and tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$ROOT/test/integration/service.sh"
PLAY=$(dirname "$MLS_PROGRAM")/../test/dns-play
LOG=$WORK/mail.log STATUS=$WORK/state/status
chmod 755 "$WORK"

# as young as files of today
printf '203.0.112.0,203.0.112.255,DE\n' >"$WORK/country.csv"
printf '203.0.112.0,203.0.112.255,4711,Net\n' >"$WORK/asn.csv"

configure() { # [MAIL_LOG [OPTION]]
	cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = ${1-"\"$LOG\""}; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
geolocation: { country_db_path = "$WORK/country.csv"; };
ASN_ASO: { asn_db_path = "$WORK/asn.csv"; };
${2-dns: { enabled = false; \};}
X2
}

fresh() {
	rm -rf "$WORK/csv" "$WORK/state" "$LOG" "$WORK/err"
	mkdir "$WORK/csv" "$WORK/state"
	configure "$@"
}

# Its tick, at which it looks, is half of that.
export WATCHDOG_USEC=500000

# Sets $said to what status prints, without what changes, and $code.
ask() { # [ARG...]
	code=0
	said=$("$MLS_PROGRAM" -c "$WORK/conf" status "$@" 2>&1) || code=$?
	said=$(sed -E "s,$WORK/,,g; s,^maillogsentinel: ,,; s/(since|stopped|heard of|data of) [-0-9]+ [0-9:]+ \([^)]*\)/\1 WHEN/; s/process [0-9]+/process PID/
		s/last lines [^,]* ago/last lines AGO/; s/ 2\.[0-9.]+ is running/ VERSION is running/" <<<"$said")
}
asked_is() { ask; [ "$code" = "$1" ] && grep -qF "$2" <<<"$said"; }
expect() { # CODE TEXT WHAT
	wait_until 20 asked_is "$1" "$2" || true
	tap_true "$3" asked_is "$1" "$2" || tap_note "$code: $said"
}
# How often the program's log says it.
times() { grep -cF "$1" "$WORK/err"; }

# ---- none --------------------------------------------------------------------------------------
fresh
ask
tap_is "$code: $said" "3: not running; there is no state/status" "it never ran"
echo nonsense >"$STATUS"
ask
tap_is "$code: $said" "4: state/status: not a status of this program" "a foreign file"
rm "$STATUS"

# ---- all is well -------------------------------------------------------------------------------
line one >"$LOG"
start
expect 0 "1 lines: 1 failed logins" "it runs"
expect 0 "written:  1 rows" "and has written a row"
tap_is "$code: $said" "0: maillogsentinel VERSION is running since WHEN, process PID
read:     1 lines: 1 failed logins, 0 successful, 0 outages, 0 aborted
written:  1 rows; 0 failed logins wait for their names
log:      mail.log: read up to byte 160, 0 to go, last lines AGO
names:    not looked up
country:  country.csv: data of WHEN, 1 ranges
asn:      asn.csv: data of WHEN, 1 ranges" "what people are told"
ask --json
tap_is "$code: $(sed -E 's/"(started|written|committed|last_read|since|date|loaded)":"[-0-9T:+]+"/"\1":"WHEN"/g; s/"pid":[0-9]+/"pid":PID/; s/age":[0-9]+/age":AGE/g; s/"version":"[0-9.]+"/"version":VERSION/' <<<"$said")" \
	'0: {"running":true,"version":VERSION,"pid":PID,"started":"WHEN","stopped":null,"written":"WHEN","committed":"WHEN","generation":1,"reloaded":null,"reload_error":null,"lines":1,"failures":1,"successes":0,"outages":0,"aborted":0,"skipped":0,"lost":0,"rows":1,"waiting":0,"paused":null,"source":"file","logs":[{"path":"mail.log","open":true,"offset":160,"cursor":null,"lag":0,"lag_entries":null,"last_read":"WHEN","last_read_age":AGE,"lines":1,"failures":1,"successes":0,"outages":0,"aborted":0,"skipped":0,"lost":0}],"dns":{"enabled":false,"dead":false,"since":"WHEN","lookups":0,"cache_hits":0,"shared":0,"queries":0,"ok":0,"no_name":0,"failed":0,"no_ptr":0,"timeout":0,"off":0,"in_flight":0,"queued":0,"cached":0,"lookups_per_minute":0.000,"cache_hit_ratio":null},"databases":[{"kind":"country","path":"country.csv","there":true,"used":true,"date":"WHEN","age":AGE,"ranges_v4":1,"ranges_v6":0,"loaded":"WHEN"},{"kind":"asn","path":"asn.csv","there":true,"used":true,"date":"WHEN","age":AGE,"ranges_v4":1,"ranges_v6":0,"loaded":"WHEN"}],"jobs":[],"sql":null,"warnings":[],"more_warnings":0}' \
	"what programs are told"
tap_is "$(stat -c '%a' "$STATUS")" 644 "everybody may read it"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	code=0
	setpriv --reuid nobody --clear-groups --inh-caps=-all "$MLS_PROGRAM" -c "$WORK/conf" status >"$WORK/out" 2>&1 || code=$?
	tap_is "$code: $(head -n 1 "$WORK/out" | cut -d' ' -f 3-5)" "0: is running since" "anybody may ask"
else
	tap_skip "anybody may ask" "needs root and setpriv"
fi
sed "s/enabled = false/enable = false/" "$WORK/conf" >"$WORK/conf.wrong"
mv "$WORK/conf" "$WORK/conf.right"
mv "$WORK/conf.wrong" "$WORK/conf"
ask
tap_is "$code: $(head -n 2 <<<"$said")" "1: conf:5: dns.enable: unknown key; did you mean dns.enabled?
maillogsentinel VERSION is running since WHEN, process PID" "a mistake in the configuration: it is told what the daemon does all the same"
mv "$WORK/conf.right" "$WORK/conf"
code=0
"$MLS_PROGRAM" -c "$WORK/conf.none" status 2>/dev/null || code=$?
tap_is "$code" 78 "one that is not there"
printf half >>"$LOG"
expect 0 "read up to byte 160, 4 to go" "a line without its end is still to go"
echo >>"$LOG"
expect 0 "2 lines: 1 failed logins" "and then it is not"
# over several ticks nothing happens; the last commit may be the one of the lines that gave no row, half a minute later
keeps_it() {
	local before

	before=$(stat -c %i "$STATUS")
	sleep 1.5
	[ "$(stat -c %i "$STATUS")" = "$before" ]
}
tap_true "an idle daemon writes nothing" wait_until 40 keeps_it
kill -9 $pid
wait $pid 2>/dev/null
ask
tap_is "$code: $(head -n 1 <<<"$said")" "3: maillogsentinel is not running; it ended unexpectedly, and was last heard of WHEN" "killed"
start
expect 0 "2 lines: 1 failed logins" "started again: the counters go on"
stop
ask
tap_is "$code: $(head -n 1 <<<"$said")" "3: maillogsentinel is not running; it was stopped WHEN" "stopped"
ask --json
tap_true "which programs are told, too" grep -q '^{"running":false,.*"stopped":"2' <<<"$said"

# ---- what is counted ---------------------------------------------------------------------------
"$PLAY" answer >"$WORK/address" &
names=$!
stop_names() { kill "$names"; wait "$names"; } 2>/dev/null
wait_until 10 test -s "$WORK/address"
fresh "\"$LOG\"" "dns: { servers = \"$(cat "$WORK/address")\"; };"
for n in 1 2 1 3; do line one | sed "s/203.0.113.7/198.18.0.$n/"; done >"$LOG"
start
dns_is() { ask --json; grep -oE '"(lookups|cache_hits|shared|queries|ok|cached)":[0-9]+' <<<"$said" | cut -d: -f2 | tr '\n' ' ' | grep -qx "$1"; }
# lookups, from the cache, with another one's query, queries, answers, kept
tap_true "names" wait_until 20 dns_is "4 0 1 3 3 3 " || tap_note "$said"
line one | sed "s/203.0.113.7/198.18.0.2/" >>"$LOG"
tap_true "one from the cache" wait_until 20 dns_is "5 1 1 3 3 3 " || tap_note "$said"
ask
tap_is "$(grep ^names <<<"$said" | sed -E 's/start [0-9.]+ a minute/start RATE a minute/')" \
	"names:    5 lookups (since the start RATE a minute, 20 % from the cache), 3 queries: 3 OK, 0 no name, 0 server failed, 0 no PTR, 0 timeouts" \
	"people are told"
kill -9 $pid
wait $pid 2>/dev/null
start
expect 0 "names:    5 lookups, 3 queries" "started again after it was killed: it goes on"
line one | sed "s/203.0.113.7/198.18.0.2/" >>"$LOG"
tap_true "from there" wait_until 20 dns_is "6 1 1 4 4 1 " || tap_note "$said"
ask --json
tap_true "with the ratio of the process that runs" grep -q '"cache_hit_ratio":0.000' <<<"$said"
stop
stop_names
mv "$LOG" "$LOG.other"
configure "\"$LOG.other\""
start
expect 0 "read:     12 lines: 12 failed logins" "another log: what was read of the one before counts on"
stop

# ---- conditions --------------------------------------------------------------------------------
fresh
start
expect 1 "warning:  since WHEN: mail.log: is not there, waiting for it" "a log that is not there"
line one >"$LOG"
expect 0 "1 rows" "it comes: all is well"
mv "$LOG" "$LOG.aside"
expect 1 "mail.log: is not there, waiting for it" "it is gone"
mv "$LOG.aside" "$LOG"
expect 0 "1 rows" "and back"
tap_is "$(times 'is not there, waiting') $(times 'is there now')" "2 2" "each is said once"
stop

fresh "" 'dns: { enabled = false; };
source: { quiet_warning = "2 s"; };'
configure "\"$LOG\"" 'dns: { enabled = false; };
source: { quiet_warning = "2 s"; };'
line one >"$LOG"
start
expect 1 "mail.log: no new line since" "no new line for a while"
other() { printf '2026-11-22T13:01:48Z mx1 postfix/qmgr[9]: removed\n'; }
lines_but_none_of_smtpd() {
	other >>"$LOG"
	asked_is 1 "mail.log: lines, but none of Postfix's smtpd since" && ! grep -q 'no new line' <<<"$said"
}
wait_until 20 lines_but_none_of_smtpd
tap_true "lines, but none of smtpd: then it is not silent" grep -q "none of Postfix's smtpd since" <<<"$said"
all_is_well() { line two >>"$LOG"; ask; [ "$code" = 0 ]; }
tap_true "they come again" wait_until 20 all_is_well
tap_is "$(times "none of Postfix's smtpd") $(times 'lines of smtpd come again')" "1 1" "each is said once"
tap_is "$(times 'no new line since')" "$(times 'lines come again')" "and has an end"
stop
fresh
line one >"$LOG"
touch -d '3 days ago' "$LOG"
start
expect 0 "1 rows" "an old log that was just read is not silent"
stop
start
expect 1 "mail.log: no new line since $(date -d '3 days ago' +%F)" "at the next start it is, since it was written"
stop

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	fresh
	line one >"$LOG"
	chmod 600 "$LOG"
	chown -R nobody "$WORK/csv" "$WORK/state"
	start_through setpriv --reuid nobody --clear-groups --inh-caps=-all
	expect 1 "mail.log: Permission denied; waiting until it can be read" "a log that may not be read"
	chmod 644 "$LOG"
	expect 0 "1 rows" "until it may"
	tap_is "$(times 'Permission denied') $(times 'can be read again')" "1 1" "each is said once"
	stop
else
	tap_skip "a log that may not be read" "needs root and setpriv"
fi

fresh
for n in 1 2 3; do line $n; done >"$LOG"
start
expect 0 "3 rows" "a log"
line 4 >>"$LOG"
kill -STOP $pid
line 5 >>"$LOG"
rm "$LOG"
line 6 >"$LOG"
kill -CONT $pid
expect 0 "rows" "one that is deleted while it is open is read to its end"
stop
tap_is "$(cut -d, -f4 "$CSV" | sed 1d | tr '\n' ' ')" "1 2 3 4 5 6 " "and so is the next one"
rm "$LOG"
line 8 >"$LOG"
start
expect 1 "mail.log: the file that was read up to byte" "one that was deleted meanwhile may have held more"
stop

fresh "\"$LOG\"" 'dns: { enabled = false; };'
sed -i "s,^geolocation.*,geolocation: { country_db_path = \"$WORK/none\"; };," "$WORK/conf"
start
expect 1 "none: no such file; countries are N/A until" "a database that is missing"
stop
echo '<html>' >"$WORK/none"
start
expect 1 "none: this is an HTML or XML page, not a database; countries are N/A until that is mended" "a database that is broken"
stop

# a user namespace has limits of its own
# shellcheck disable=SC2016  # the inner shell's
limited=(unshare --user --map-root-user bash -c 'echo "$2" >"/proc/sys/user/$1" && shift 2 && exec "$@"' limited)
for limit in "max_inotify_instances 0 Too many open files" "max_inotify_watches 2 No space left on device"; do
	read -r name number text <<<"$limit"
	if ! "${limited[@]}" "$name" "$number" true 2>/dev/null; then
		tap_skip "inotify without room" "needs user namespaces"
		continue
	fi
	fresh
	line one >"$LOG"
	start_through "${limited[@]}" "$name" "$number"
	expect 1 "inotify: $text; looking every" "inotify without room ($name)"
	line two >>"$LOG"
	expect 1 "2 rows" "the poll sees what is written"
	stop
	tap_is "$(times 'inotify:')" 1 "it is said once"
done

"$PLAY" drop >"$WORK/address" &
server=$!
stop_server() { kill "$server"; wait "$server"; } 2>/dev/null
tap_defer stop_server
wait_until 10 test -s "$WORK/address"
fresh "\"$LOG\"" "dns: { servers = \"$(cat "$WORK/address")\"; timeout_ms = 50; tries = 1; };"
for ((i = 0; i < 200; i++)); do line $i | sed "s/203.0.113.7/198.18.0.$i/"; done >"$LOG"
start
expect 1 "no name server answers; addresses are given Timeout at once until one does" "name servers that do not answer"
stop

# ---- a full disk -------------------------------------------------------------------------------
if [ "$(id -u)" = 0 ] && mkdir "$WORK/full" && mount -t tmpfs -o size=256k tmpfs "$WORK/full" 2>/dev/null; then
	tap_defer umount -l "$WORK/full"
	rm -rf "$WORK/csv" "$WORK/state" "$LOG"
	mkdir "$WORK/full/csv" "$WORK/full/state"
	ln -s full/csv "$WORK/csv"
	ln -s full/state "$WORK/state"
	configure
	line one >"$LOG"
	start
	expect 0 "1 rows" "room"
	cat /dev/zero >"$WORK/full/rest" 2>/dev/null
	for ((i = 0; i < 100; i++)); do line $i; done >>"$LOG"
	expect 1 "paused:   csv/maillogsentinel.csv: No space left on device" "no room: the status is written all the same"
	rm "$WORK/full/rest"
	expect 0 "101 rows" "room again"
	tap_is "$(times 'reading pauses') $(times 'writing works again')" "1 1" "each is said once"
	stop
	rm "$WORK/csv" "$WORK/state"
else
	tap_skip "a full disk" "needs root"
fi

# ---- bytes from outside ------------------------------------------------------------------------
fresh "\"$WORK/r/*/mail.log\""
hostile=$WORK/r/$(printf 'x\n\033[31m"\\\377')
mkdir -p "$hostile"
line one >"$hostile/mail.log"
start
expect 0 'log:      r/x\x0a\x1b[31m"\\xff/mail.log: read up to byte 160' "a path with hostile bytes, for a terminal"
ask --json
tap_true "and in JSON" grep -qF '"path":"r/x\u000a\u001b[31m\"\\\\xff/mail.log"' <<<"$said" || tap_note "$said"
stop
tap_done
