#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=120 packages=systemd-journal-remote,perl
# SIGHUP: every kind of option takes effect, a mistake or what turns out to be impossible changes nothing, and no row is lost or doubled,
# also while the service starts, pauses, is broken, runs a job or ends. What systemd is told meanwhile. Under load: reload-ledger.sh.
# shellcheck disable=SC2317,SC2030,SC2031  # functions are called by wait_until and tap_true; CSV is another one in subshells alone
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$ROOT/test/integration/service.sh"
TOOLS=$(dirname "$MLS_PROGRAM")/../test
LOG=$WORK/mail.log STATE=$WORK/state
mkdir "$WORK/csv" "$WORK/csv2" "$STATE" "$WORK/many" "$WORK/logs"

"$TOOLS/notify-listen" "$WORK/notify" >"$WORK/told" &
tap_defer kill $!
wait_until 10 test -S "$WORK/notify"
export NOTIFY_SOCKET=$WORK/notify
# What it was told since mark().
mark() { marked=$(stat -c %s "$WORK/told"); }
news() { tail -c +$((marked + 1)) "$WORK/told"; }
told() { news | grep -qE "$1"; }

# Name servers, with the addresses of each.
for kind in answer nxdomain drop; do
	"$TOOLS/dns-play" $kind >"$WORK/$kind" &
	tap_defer kill $!
done
for kind in answer nxdomain drop; do
	wait_until 10 test -s "$WORK/$kind"
done
answer=$(cat "$WORK/answer") nxdomain=$(cat "$WORK/nxdomain") drop=$(cat "$WORK/drop")

# What is not given is as in the line before "else".
configure() { # [PATHS [ELSE...]]
	{
		printf 'paths: { state_dir = "%s"; %s };\n' "$STATE" \
			"${1:-working_dir = \"$WORK/csv\"; mail_log = \"$LOG\";}"
		shift
		printf '%s\n' "$@"
		[[ $* == *schedule:* ]] || printf 'schedule: { ip_update_schedule = ""; report_schedule = ""; };\n'
		[[ $* == *dns:* ]] || printf 'dns: { enabled = false; };\n'
		[[ $* == *geolocation:* ]] || printf 'geolocation: { country_db_url = ""; country_db_checksum_url = ""; };\n'
		printf 'ASN_ASO: { asn_db_url = ""; asn_db_checksum_url = ""; };\n'
	} >"$WORK/conf.new"
	mv "$WORK/conf.new" "$WORK/conf"
}
printf 'paths: { state_dir = "%s"; };\n' "$STATE" >"$WORK/look"
status() { "$MLS_PROGRAM" -c "$WORK/look" status "$@" 2>&1; }
field() { sed -n "s/^$1 //p" "$STATE/status"; } # KEY of the status file
generation_is() { [ "$(field generation)" = "$1" ]; }
# Those that are over, good or bad; the last one in $said.
ends='(: reloaded, generation [0-9]+; changed: |: not reloaded, the configuration of before stays in force: )'
over() { [ "$(grep -cE "$ends" "$WORK/err")" -ge "$reloads" ]; }
reloads=0
reload() {
	reloads=$((reloads + 1))
	kill -HUP "$pid"
	wait_until 20 over
	said=$(grep -E "$ends" "$WORK/err" | tail -n 1 | sed "s,$WORK/,,g")
}
refused() { # TEXT WHAT
	reload
	tap_is "${said##*stays in force: }" "$1" "$2: refused"
}
works() { # WHAT
	reload
	tap_true "$1" grep -q ': reloaded, ' <<<"$said" || tap_note "$said"
}
# A failed login of USER, which must become the last row of FILE, as it is then: $row.
attempt() { # USER [LOG [CSV]]
	line "$1" >>"${2-$LOG}"
	wait_until 20 grep -qs ",$1," "${3-$CSV}"
	row=$(tail -n 1 "${3-$CSV}")
}

# ---- it is told, and nothing has to change ------------------------------------------------------
configure
: >"$LOG"
start
attempt 1
wait_until 10 test -e "$STATE/status"
mark
works "nothing has changed"
tap_is "$(news | grep -oE '^(RELOADING|MONOTONIC_USEC|READY)' | uniq | tr '\n' ' ')" \
	"RELOADING MONOTONIC_USEC RELOADING MONOTONIC_USEC READY " "systemd is told when it begins, at once and when it does, and ends"
tap_true "the log says it" grep -q "conf: reloaded, generation 2; changed: nothing" "$WORK/err"
attempt 2
wait_until 5 generation_is 2
tap_is "$(status --json | grep -oE '"generation":2,"reloaded":"[-0-9]{10}T[^"]*","reload_error":null' | wc -l)" 1 "programs see it"
tap_true "people do, too" grep -q '^config:   generation 2, reloaded ' <<<"$(status)"

# ---- mistakes -----------------------------------------------------------------------------------
mark
configure "" 'general: { log_level = "DEBUG"; log_file = "'"$WORK/own.log"'"; };' 'dns: { tries = 99; };'
refused "conf:3: dns.tries: wants a number from 1 to 8" "a value out of its range"
attempt 3
tap_true "nothing of it is in force" [ ! -e "$WORK/own.log" ]
tap_true "systemd is told of it" wait_until 5 told '^STATUS=Following .*: 3 failed logins in 3 lines; .*not reloaded, .*dns.tries'
warned() { status | grep -q '^warning: .*: not reloaded, the configuration of before stays in force: .*dns.tries'; }
tap_true "and status" wait_until 5 warned
tap_is "$(status >/dev/null; echo $?)" 1 "whose exit status says that all is not well"
printf 'paths {' >"$WORK/conf"
refused "conf:1: paths: wants a = before its value" "no configuration at all"
configure "working_dir = \"$WORK/none\"; mail_log = \"$LOG\";"
refused "conf:1: paths.working_dir: none: No such file or directory" "a directory that is not there"
mv "$WORK/conf" "$WORK/conf.away"
refused "conf: No such file or directory" "no file"
configure "" 'dns: { enabled = true; };'
sed -i "s,$STATE,$WORK/csv2," "$WORK/conf"
refused "conf:1: paths.state_dir: a reload can't change it from \"state\"; it needs a restart" "another state_dir"
# the log, name servers and databases are in force already when this turns out to be impossible
printf 'not ours\n' >"$WORK/csv2/maillogsentinel.csv"
configure "working_dir = \"$WORK/csv2\"; mail_log = \"$LOG\";" 'general: { log_level = "DEBUG"; log_file = "'"$WORK/own.log"'"; };' \
	"dns: { servers = \"$answer\"; };"
reload
tap_true "a CSV of somebody else: refused" grep -q "in force: csv2/maillogsentinel.csv: .*; move it away" <<<"$said"
size=$(stat -c %s "$WORK/own.log")
attempt 4
tap_is "$(cut -d, -f6 <<<"$row")" Off "name servers are as before"
tap_is "$(cat "$WORK/csv2/maillogsentinel.csv") $(stat -c %s "$WORK/own.log")" "not ours $size" "its file and the log file stay as they are"
configure
works "a good one"
refused_no_more() { ! status | grep -q 'not reloaded'; }
tap_true "ends the warning" wait_until 5 refused_no_more
rm "$WORK/csv2/maillogsentinel.csv"

# ---- what takes effect --------------------------------------------------------------------------
configure "" 'general: { log_level = "DEBUG"; log_file = "'"$WORK/own.log"'"; };'
works "another log"
tap_true "is written" grep -q 'INFO .*generation' "$WORK/own.log"
configure "working_dir = \"$WORK/csv2\"; csv_filename = \"other.csv\"; mail_log = \"$LOG\";"
works "another CSV"
tap_true "which is said" grep -q "csv2/other.csv: is the CSV from now on, in the place of $CSV" "$WORK/err"
attempt 5 "$LOG" "$WORK/csv2/other.csv"
configure
works "and back"
attempt 6
tap_is "$(users)$(CSV=$WORK/csv2/other.csv && users)" "1 2 3 4 6 5 " "each row is in one of them"

configure "working_dir = \"$WORK/csv\"; mail_log = [ \"$LOG\", \"$WORK/many/*.log\", \"$WORK/gone.log\" ];"
line 7 >"$WORK/many/a.log"
works "more logs"
wait_until 10 grep -q ',7,' "$CSV"
attempt 8 "$WORK/many/b.log"
attempt 9
configure "working_dir = \"$WORK/csv\"; mail_log = \"$WORK/many/a.log\";"
works "fewer"
line 10 >>"$LOG"
mv "$LOG" "$LOG.1"
line 11 >"$LOG"
attempt 12 "$WORK/many/a.log"
configure
works "and back"
users_become 20 "1 2 3 4 6 7 8 9 12 10 11 " "one that was left goes on where it was, also in its rotated file"
tap_none "no warning is left of logs that are not followed any more" "$(status | grep -e '^warning:.*gone.log' -e '^warning:.*many')"

configure "" "dns: { servers = \"$answer\"; };"
works "names are looked up"
attempt 13
tap_is "$(cut -d, -f5,6 <<<"$row")" "host.example,OK" "and found"
configure "" "dns: { servers = \"$nxdomain\"; };" "dns_cache: { enabled = false; };"
works "another name server, and no cache"
attempt 14
tap_is "$(cut -d, -f5,6 <<<"$row")" "null,Errno 1" "is asked"

printf '203.0.112.0,203.0.112.255,DE\n' >"$WORK/de.csv"
# of another size: files that are made at once may have the same time
printf '203.0.112.0,203.0.112.255,FR\n198.18.0.0,198.18.0.255,FR\n' >"$WORK/fr.csv"
places=0
placed_in() { # COUNTRY
	places=$((places + 1))
	line "p$places" | sed 's/203\.0\.113\.7/203.0.112.7/' >>"$LOG"
	wait_until 20 grep -q ",p$places," "$CSV"
	[ "$(grep ",p$places," "$CSV" | cut -d, -f7)" = "$1" ]
}
for country in de fr; do
	configure "" "geolocation: { country_db_path = \"$WORK/$country.csv\"; };"
	works "the database of $country"
	tap_true "is used" wait_until 20 placed_in ${country^^}
done

configure "" 'schedule: { ip_update_schedule = "2097-01-01"; report_schedule = "2098-01-01"; };' 'report: { email = "a@example.org"; };'
works "schedules"
jobs() { status | sed -n 's/^job: *//p' | sed -E 's/ [0-9]{2}:[0-9]{2}//' | tr '\n' '|'; }
jobs_are() { [ "$(jobs)" = "$1" ]; }
wait_until 5 jobs_are "update-db: has not run yet, next 2097-01-01|report: has not run yet, next 2098-01-01|"
tap_is "$(jobs)" "update-db: has not run yet, next 2097-01-01|report: has not run yet, next 2098-01-01|" "each has its time"
configure "" 'schedule: { ip_update_schedule = "2099-01-01"; ip_update_random_delay = 0; report_schedule = "off"; };'
works "others"
wait_until 5 jobs_are "update-db: has not run yet, next 2099-01-01|"
tap_is "$(jobs)" "update-db: has not run yet, next 2099-01-01|" "are in force"

# ---- at awkward moments -------------------------------------------------------------------------
configure
works "as at first"
kill -STOP "$pid"
kill -HUP "$pid"
kill -HUP "$pid"
kill -CONT "$pid"
reloads=$((reloads + 1))
wait_until 20 over
attempt a1
works "two signals at once are one reload"
tap_is "$(grep -cE "$ends" "$WORK/err")" $reloads "and no more"

# a log without a name, which its writer still has open
exec 3>>"$LOG"
rm "$LOG"
line b1 >&3
reload
line b2 >&3
wait_until 20 grep -q ',b2,' "$CSV"
mkdir "$WORK/old"
line b3 >"$LOG"
exec 3>>"$LOG"
wait_until 20 grep -q ',b3,' "$CSV"
mv "$LOG" "$WORK/old/gone.log"
line b4 >&3
reload
line b5 >&3
wait_until 20 grep -q ',b5,' "$CSV"
exec 3>&-
line b6 >"$LOG"
wait_until 20 grep -q ',b6,' "$CSV"
tap_is "$(users | grep -oE 'b[0-9] ' | tr -d '\n')" "b1 b2 b3 b4 b5 b6 " "a log that was removed, or moved away, is read to its end"
tap_none "which is no loss" "$(grep 'is gone;' "$WORK/err")"

# the same while a row of it waits for a name, and the next log is being read already
configure "" "dns: { servers = \"$drop\"; timeout_ms = 30000; };"
works "a name server that does not answer"
waiting_is() { [ "$(field waiting)" = "$1" ]; }
line c1 >>"$LOG"
wait_until 10 waiting_is 1
rm "$LOG"
line c2 >"$LOG"
wait_until 10 waiting_is 2
configure "" "dns: { enabled = false; };"
mark
kill -HUP $pid
tap_true "the reload waits for its name" wait_until 10 told '^RELOADING=1' && kill -HUP $pid
reloads=$((reloads + 2))
tap_true "but not for ever, and a signal meanwhile is another reload" wait_until 30 over
tap_true "which it says" grep -q 'the reload waits no longer for the names of 2 failed logins' "$WORK/err"
line c3 >>"$LOG"
wait_until 20 grep -q ',c3,' "$CSV"
tap_is "$(grep -oE ',c[0-9],.*' "$CSV" | cut -d, -f2,4 | tr '\n' ' ')" "c1,Timeout c2,Timeout c3,Off " \
	"what was read of a log that is gone comes to its row before the reload"

# what waits for a name is asked elsewhere after the reload
configure "" "dns: { servers = \"$drop\"; timeout_ms = 30000; };"
works "a name server that does not answer"
line a2 >>"$LOG"
tap_true "a failed login waits" wait_until 10 waiting_is 1
configure "" "dns: { enabled = false; };"
works "no name server"
tap_true "and it waits no more" wait_until 10 grep -q ',a2,null,Off,' "$CSV"

# a job runs on, and the next one is by the new schedule
perl -MIO::Socket::INET -e '$| = 1; my $s = IO::Socket::INET->new(Listen => 9, LocalAddr => "127.0.0.1") or die;
	print $s->sockport, "\n"; my @all; while (my $c = $s->accept) { push @all, $c }' >"$WORK/port" &
tap_defer kill $!
wait_until 10 test -s "$WORK/port"
url="geolocation: { country_db_path = \"$WORK/never.csv\"; country_db_url = \"http://127.0.0.1:$(cat "$WORK/port")/x\"; country_db_checksum_url = \"\"; };"
configure "" "$url" 'schedule: { ip_update_schedule = "*:*:0/2"; ip_update_random_delay = 0; report_schedule = ""; };'
works "a job every two seconds"
children() { tr -d ' ' <"/proc/$pid/task/$pid/children"; }
has_job() { [ -n "$(children)" ]; }
tap_true "runs" wait_until 10 has_job
job=$(children)
configure "" "$url" 'schedule: { ip_update_schedule = "2099-01-01"; report_schedule = ""; };'
works "another schedule meanwhile"
tap_is "$(children)" "$job" "it runs on"
jobs_are_running() { jobs | grep -q '^update-db: running since '; }
tap_true "which status says" wait_until 5 jobs_are_running
configure
works "no schedule"
kill "$job"
has_no_job() { ! has_job; }
tap_true "and it ends" wait_until 10 has_no_job

# a file that may not grow, and another that is short; other files are shorter than either
for ((i = 0; i < 300; i++)); do line pad; done >>"$LOG"
attempt padded
prlimit --pid "$pid" --fsize=$(($(stat -c %s "$CSV") + 100)):unlimited
for user in a3 a4 a5; do line $user >>"$LOG"; done
paused() { [ -n "$(field paused)" ]; }
tap_true "it pauses" wait_until 10 paused
reload
tap_true "a reload does not help" wait_until 10 paused
configure "working_dir = \"$WORK/csv2\"; mail_log = \"$LOG\";"
works "another CSV does"
tap_true "and the rows come" wait_until 10 grep -qs ',a5,' "$WORK/csv2/maillogsentinel.csv"
not_paused() { ! paused; }
tap_true "without the warning" wait_until 10 not_paused
tap_is "$( (users; CSV=$WORK/csv2/maillogsentinel.csv users) | grep -oE 'a[0-9] ' | tr -d '\n')" "a1 a2 a3 a4 a5 " "each once"
prlimit --pid "$pid" --fsize=unlimited:unlimited
configure
works "back"

# a broken session, and one that can't be opened
mv "$STATE" "$STATE.away"
line a6 >>"$LOG"
tap_true "state_dir is away" wait_until 20 grep -q 'state/state.offset: No such file' "$WORK/err"
refused "conf:1: paths.state_dir: state: No such file or directory" "a reload meanwhile"
mv "$STATE.away" "$STATE"
tap_true "it is back, and so are the rows" wait_until 20 grep -q ',a6,' "$CSV"
works "and a reload works"
attempt a7
stop
tap_is $? 0 "it ends well"

# before it is ready: the signal is there when it begins
env --block-signal=HUP sh -c 'kill -HUP $$ && exec "$@"' sh "$MLS_PROGRAM" -c "$WORK/conf" run 2>>"$WORK/err" &
pid=$!
tap_true "a signal that was there first is a reload" wait_until 20 generation_is 2
reloads=$((reloads + 1))
attempt a8
stop
tap_is $? 0 "and it ends well"

# while it ends
configure "" "dns: { servers = \"$drop\"; timeout_ms = 2000; tries = 1; };"
mark
start
wait_until 20 told '^READY'
line a9 >>"$LOG"
tap_true "it waits" wait_until 10 waiting_is 1
kill "$pid"
wait_until 10 told '^STOPPING'
kill -HUP "$pid"
wait "$pid"
tap_is $? 0 "while it ends it is not reloaded, and ends"
tap_true "which is said" grep -q 'Hangup: nothing is reloaded any more' "$WORK/err"
tap_true "systemd is told to have patience" told '^EXTEND_TIMEOUT_USEC=[0-9]{7,}'
tap_is "$( (users; CSV=$WORK/csv2/maillogsentinel.csv users) | grep -oE 'a[0-9] ' | sort | tr -d '\n')" \
	"a1 a2 a3 a4 a5 a6 a7 a8 a9 " "each row is there once"

# ---- the journal --------------------------------------------------------------------------------
remote=/usr/lib/systemd/systemd-journal-remote
[ -x $remote ] || remote=/lib/systemd/systemd-journal-remote
if [ -x $remote ]; then
	mark
	start
	wait_until 20 told '^READY'
	mkdir "$WORK/journal"
	entry() { # USER SECOND, of an hour after what the log holds
		printf '__REALTIME_TIMESTAMP=%d000000\n_BOOT_ID=%032x\n_HOSTNAME=mx1\nSYSLOG_IDENTIFIER=postfix/smtpd\nSYSLOG_FACILITY=2\nMESSAGE=warning: unknown[192.0.2.8]: SASL PLAIN authentication failed: x, sasl_username=%s\n\n' \
			$((1795356000 + $2)) 1 "$1" | SYSTEMD_LOG_LEVEL=err $remote -o "$WORK/journal/j$2.journal" -
	}
	entry j1 1
	configure "" "source: { type = \"journal\"; journal_directory = \"$WORK/journal\"; };"
	works "the journal in the place of the log"
	tap_true "its rows come" wait_until 20 grep -q ',j1,' "$CSV"
	configure "" "source: { type = \"file\"; };"
	works "the log in the place of the journal"
	line f1 | sed 's/T13:/T15:/' >>"$LOG"
	tap_true "its rows come, those later than the journal's" wait_until 20 grep -q ',f1,' "$CSV"
	configure "" "source: { type = \"journal\"; journal_directory = \"$WORK/journal\"; };"
	works "and once more"
	entry j2 7200
	wait_until 20 grep -q ',j2,' "$CSV"
	configure "" "source: { type = \"file\"; };"
	works "back"
	tap_is "$(users | grep -oE '(j|f)[0-9] ' | tr -d '\n')" "j1 f1 j2 " "each once"
	stop
	tap_is $? 0 "it ends well"
else
	tap_skip "the journal" "no systemd-journal-remote"
fi
tap_none "nothing was found by the sanitizers" "$(grep -E 'ERROR: |runtime error' "$WORK/err")"
tap_done
