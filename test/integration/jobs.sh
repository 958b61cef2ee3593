#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=240 packages=perl
# The jobs of the service, with update-db: it is run when its schedule says so and shows in status and in the log; it fails, is tried
# again and works again; the service is stopped and killed while it runs; nothing of it stays behind.
# shellcheck disable=SC2317,SC2053  # functions are called by wait_until and tap_true; patterns
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$(dirname "$0")/service.sh"
LOG=$WORK/mail.log STATE=$WORK/state SOURCE=$WORK/source.csv LOGFILE=$WORK/program.log
mkdir -p "$WORK/csv" "$STATE"
: >"$LOG"

configure() { # SCHEDULE [URL]
	cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$STATE"; mail_log = "$LOG"; };
schedule: { ip_update_schedule = "$1"; ip_update_random_delay = 0; report_schedule = ""; };
geolocation: { country_db_path = "$STATE/db/country.csv"; country_db_url = "${2-file://$SOURCE}"; country_db_checksum_url = ""; };
ASN_ASO: { asn_db_url = ""; asn_db_checksum_url = ""; };
general: { log_file = "$LOGFILE"; };
dns: { enabled = false; };
X2
}
country() { printf '203.0.112.0,203.0.112.255,%s\n198.18.0.0,198.20.0.0,FR\n' "$1"; } # CODE

# Its line of status in $job, and the warning about it in $warning.
ask() {
	said=$("$MLS_PROGRAM" -c "$WORK/conf" status 2>&1 | sed -E "s,$WORK/,,g; s/[-0-9]{10} [0-9:]{5}( \([^)]*\))?/WHEN/g")
	job=$(sed -n 's/^job:      update-db: //p' <<<"$said")
	warning=$(sed -n 's/^warning:  since WHEN: update-db: //p' <<<"$said")
}
job_is() { ask; [[ $job == $1 ]]; }         # PATTERN
warning_is() { ask; [[ $warning == $1 ]]; } # PATTERN
job_becomes() {                             # PATTERN WHAT
	wait_until 30 job_is "$1"
	tap_true "$2" job_is "$1" || tap_note "$said"
}
# The keys that status --json has of it.
keys() { "$MLS_PROGRAM" -c "$WORK/conf" status --json | grep -o '"jobs":\[[^]]*\]' | sed -E 's/"[-0-9]{10}T[^"]*"/WHEN/g; s/_age":[0-9]+/_age":AGE/'; }
children() { cat "/proc/$1/task/$1/children" 2>/dev/null; }                 # PID
has_child() { child=$(children "$pid" | sed 's/ *$//'); [ -n "$child" ]; }
has_none() { ! has_child; }
descriptors() { find "/proc/$pid/fd" -mindepth 1 | wc -l; }
# How often the program's log says it.
times() { grep -cF "$1" "$WORK/err"; }
runs_are_more_than() { [ "$(grep -c 'country.csv' "$LOGFILE")" -gt "$1" ]; }
# Prints the country that the next row has.
place() {
	local user

	user=u$(date +%s%N)
	line "$user" | sed 's/203\.0\.113\.7/203.0.112.7/' >>"$LOG"
	wait_until 20 grep -q ",$user," "$CSV"
	grep ",$user," "$CSV" | cut -d, -f7
}
placed_in() { [ "$(place)" = "$1" ]; }

# ---- it never ran, and the database is needed --------------------------------------------------
country DE >"$SOURCE"
configure weekly
start
job_becomes 'done WHEN, next WHEN: *db/country.csv: *' "a database that is not there is fetched at once"
tap_true "and used" wait_until 20 placed_in DE
tap_is "$(grep -c 'INFO update-db: .*db/country.csv: ' "$LOGFILE") $(times 'update-db: ')" "1 2" "the log and the log file say what it said, and that it is done"
tap_is "$(keys | sed -E 's/"result":"[^"]*"/"result":TEXT/')" \
	'"jobs":[{"name":"update-db","running_since":null,"next":WHEN,"last":WHEN,"last_age":AGE,"last_ok":WHEN,"failures":0,"result":TEXT}]' \
	"what programs are told"
tap_is "$(stat -c %a "$STATE/jobs")" 600 "its file is for the service alone"
tap_true "no process stays" has_none
stop
start
job_becomes 'done WHEN, next WHEN: *' "started again"
sleep 1
tap_is "$(times 'update-db: done in ')" 1 "it is not done again before its time"
stop

# ---- a time that was missed, and times that come ------------------------------------------------
country FR >"$SOURCE"
printf 'torn' >"$STATE/jobs"
configure '*:*:0/2'
start
tap_true "a torn file is said" wait_until 20 grep -q 'state/jobs: not a jobs of this program; as if no job had ever run' "$WORK/err"
tap_true "its time comes, and the new database is used" wait_until 20 placed_in FR
before=$(descriptors)
runs=$(grep -c country.csv "$LOGFILE")
tap_true "and comes again" wait_until 30 runs_are_more_than $((runs + 2))
wait_until 10 has_none
tap_true "descriptors do not grow ($before)" [ "$(descriptors)" -le $((before + 2)) ]

# ---- it fails, and works again -----------------------------------------------------------------
echo '<html><body>gone</body></html>' >"$SOURCE"
job_becomes 'failed WHEN*: *' "a source that is none"
tap_true "is a warning" warning_is 'failed, and is tried again: *'
tap_is "$(sed -n 's/.*"failures":\([0-9]*\),.*/\1/p' <<<"$(keys)" | grep -c '[1-9]')" 1 "which programs see"
tap_true "the database stays" placed_in FR
runs=$(times 'failed, and is tried again')
# over two more times
sleep 4.5
tap_is "$(times 'failed, and is tried again')" "$runs" "the same failure is told once"
stop
start
tap_true "a start knows that it failed" wait_until 10 warning_is 'failed, and is tried again: *'
country NL >"$SOURCE"
tap_true "it works: no warning" wait_until 30 warning_is ''
tap_true "and the new database is used" wait_until 20 placed_in NL
tap_true "which is said" grep -qF 'update-db: works again' "$WORK/err"
stop

# ---- it runs while the service ends ------------------------------------------------------------
# A server that takes connections and says nothing.
perl -MIO::Socket::INET -e '$| = 1; my $s = IO::Socket::INET->new(Listen => 9, LocalAddr => "127.0.0.1") or die;
	print $s->sockport, "\n"; my @all; while (my $c = $s->accept) { push @all, $c }' >"$WORK/port" &
server=$!
tap_defer kill "$server"
wait_until 20 test -s "$WORK/port"
configure '*:*:0/2' "http://127.0.0.1:$(cat "$WORK/port")/country.csv"
start
job_becomes 'running since WHEN*' "a job that takes its time"
wait_until 10 has_child
tap_is "$(wc -w <<<"$child")" 1 "is one process"
tap_is "$(readlink "/proc/$child/fd/0") $(find "/proc/$child/fd" -lname '*:inotify' -o -lname "$LOG" -o -lname "$LOGFILE" -o -lname "$CSV" \
	-o -lname '*/state/lock' -o -lname '*/state/status' | wc -l)" "/dev/null 0" "with nothing of the service's"
tap_true "it fails for a person meanwhile" grep -q 'another update-db is at work' <<<"$("$MLS_PROGRAM" -c "$WORK/conf" update-db 2>&1)"
began=$(date +%s%N)
status=0
stop || status=$?
tap_is "$status" 0 "the service is stopped"
tap_true "soon" [ $(($(date +%s%N) - began)) -lt 4000000000 ]
tap_true "and the job with it" [ ! -e "/proc/$child" ]
tap_is "$(sed -n '/^job update-db$/,/^job /s/^running //p' "$STATE/jobs")" 1 "it is known to be undone"
tap_true "that is no failure" [ -z "$(sed -n 's/^failures [1-9]/&/p' "$STATE/jobs")" ]

configure yearly "http://127.0.0.1:$(cat "$WORK/port")/country.csv"
rm "$STATE/jobs" "$STATE/db/country.csv"
start
job_becomes 'running since WHEN*' "a job runs"
wait_until 10 has_child
orphan=$child
kill -9 "$pid"
wait "$pid" 2>/dev/null
tap_true "it goes on when the service is killed" kill -0 "$orphan"
country SE >"$SOURCE"
configure yearly
start
job_becomes 'failed WHEN*: *another update-db is at work*' "the next service starts it anew, and waits for the other"
kill "$orphan"
wait_until 20 test ! -e "/proc/$orphan"
stop
# as if the five minutes were over
configure '*:*:0/2'
start
tap_true "then it is done" wait_until 20 placed_in SE
tap_true "no process stays" wait_until 10 has_none
stop
tap_is "$(ls "$STATE")" "$(printf '%s\n' db jobs lock state.offset status update-db.lock)" "nor a file"
tap_none "nothing was found by the sanitizers" "$(grep -E 'ERROR: |runtime error' "$WORK/err")"
tap_done
