#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=prometheus,prometheus-node-exporter,jq,curl
# metrics.textfile: that promtool has nothing to say of it and a real node_exporter takes it, that no counter goes back when the service is
# killed, and that manual, dashboard and rules have the names that there are. The same for the keys of `status --json`.
# shellcheck disable=SC2317  # functions are called by wait_until and tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$ROOT/test/integration/service.sh"
PLAY=$(dirname "$MLS_PROGRAM")/../test/dns-play
MANUAL=$ROOT/daemon/maillogsentinel-monitoring.7
hostile=$WORK/r/$(printf 'x\n\033[31m"\\\377{}')
LOG=$WORK/r/one/mail.log FILE=$WORK/collector/maillogsentinel.prom
mkdir -p "$WORK/csv" "$WORK/state" "$WORK/collector" "$WORK/r/one" "$hostile"
"$PLAY" answer >"$WORK/address" &
names=$!
stop_names() { kill "$names"; wait "$names"; } 2>/dev/null
tap_defer stop_names
wait_until 10 test -s "$WORK/address"
printf '203.0.112.0,203.0.112.255,DE\n' >"$WORK/country.csv"

configure() { # TEXTFILE
	cat >"$WORK/conf" <<X
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = [ "$WORK/r/*/mail.log", "$WORK/none" ]; };
schedule: { ip_update_schedule = "2099-01-01"; report_schedule = "2099-01-02"; sql_export_schedule = "2099-01-03"; sql_import_schedule = "2099-01-03"; };
geolocation: { country_db_path = "$WORK/country.csv"; };
dns: { servers = "$(cat "$WORK/address")"; };
metrics: { textfile = "$1"; };
X
}
configure "$FILE"

# Prints the value of a sample, "none" where there is none.
value() { # NAME{LABELS}
	awk -v name="maillogsentinel_$1" '$1 == name { print $2; found = 1 } END { if (!found) print "none" }' "$FILE" 2>/dev/null
}
value_is() { [ "$(value "$1")" = "$2" ]; }
becomes() { # NAME{LABELS} VALUE TEXT
	wait_until 20 value_is "$1" "$2" || true
	tap_is "$(value "$1")" "$2" "$3"
}
samples() { grep -v '^#' "$FILE"; }
# Prints the counters in the file, their values whole numbers.
counters() { samples | grep -E '_total[{ ]' | sort; }
# Prints those of the second list that are less than in the first, or gone.
gone_back() { # BEFORE NOW
	join -a 1 -o 0,1.2,2.2 -e none <(sed -E 's/ ([0-9]+)$/\t\1/; s/ /_/g' <<<"$1" | sort) <(sed -E 's/ ([0-9]+)$/\t\1/; s/ /_/g' <<<"$2" | sort) |
		awk '$3 == "none" || $3 < $2'
}

# ---- a service ---------------------------------------------------------------------------------
umask 077
line one >"$LOG"
line two >"$hostile/mail.log"
start
becomes 'logins_total{result="failure"}' 2 "failures"
becomes rows_total 2 "rows"
tap_is "$(value up) $(value logs) $(value logs_open) $(value lag_bytes) $(value warnings) $(value 'warnings_by_kind{kind="missing"}')" "1 3 2 0 2 1" \
	"the service, its logs and its warnings" || tap_note "$("$MLS_PROGRAM" -c "$WORK/conf" status)"
tap_is "$(value 'dns_lookups_total{by="new"}') $(value 'dns_answers_total{status="ok"}')" "1 1" "names"
tap_is "$(value 'database_used{database="country"}') $(value 'job_running{name="report"}')" "1 0" "databases and jobs"
printf half >>"$LOG"
becomes "log_lag_bytes{log=\"$LOG\"}" 4 "a line without its end is still to go"
echo >>"$LOG"
tap_is "$(stat -c %a "$FILE")" 644 "everybody may read it"
tap_is "$(stat -c %s "$FILE.tmp" 2>&1 | grep -c .)$(find "$WORK/collector" | wc -l)" 12 "nothing is beside it"
tap_true "an older status of which nothing is known of DNS is read" bash -c \
	"sed '/^dns/d; /^gone/d; /^lost/d; /^source/d' '$WORK/state/status' >'$WORK/older' && mkdir -p '$WORK/s' && cp '$WORK/older' '$WORK/s/status' &&
	sed 's,state_dir = \"[^\"]*,state_dir = \"$WORK/s,' '$WORK/conf' >'$WORK/conf2' && $MLS_PROGRAM -c '$WORK/conf2' status; [ \$? = 3 ]"

# ---- others read it ----------------------------------------------------------------------------
if command -v promtool >/dev/null; then
	tap_none "promtool has nothing to say of it" "$(promtool check metrics <"$FILE" 2>&1)"
else
	tap_skip "promtool has nothing to say of it" "no prometheus"
fi
if command -v prometheus-node-exporter >/dev/null; then
	mkdir "$WORK/linked"
	ln -s "$FILE" "$WORK/linked/maillogsentinel.prom"
	printf '127.0.0.1:%d' $((20000 + RANDOM % 10000)) >"$WORK/exporter"
	prometheus-node-exporter --collector.disable-defaults --collector.textfile --collector.textfile.directory="$WORK/linked" \
		--web.listen-address="$(cat "$WORK/exporter")" 2>"$WORK/exporter.err" &
	exporter=$!
	stop_exporter() { kill "$exporter"; wait "$exporter"; } 2>/dev/null
	tap_defer stop_exporter
	scrape() { curl -s -m 5 "http://$(cat "$WORK/exporter")/metrics" >"$WORK/scraped" && grep -q '^node_textfile_scrape_error' "$WORK/scraped"; }
	wait_until 20 scrape
	scrape
	tap_is "$(grep '^node_textfile_scrape_error' "$WORK/scraped")" "node_textfile_scrape_error 0" "node_exporter reads it"
	# numbers are written in another way
	normal() { awk '{ value = $NF; sub(/ [^ ]*$/, ""); printf "%s %.6g\n", $0, value }' | sort; }
	tap_none "and gives every sample on, the path with hostile bytes, too" \
		"$(diff <(samples | normal) <(grep '^maillogsentinel_' "$WORK/scraped" | normal))"
	tap_true "with the time of its modification, through a link" grep -q '^node_textfile_mtime_seconds{file=".*/linked/maillogsentinel.prom"}' "$WORK/scraped"
else
	tap_skip "node_exporter reads it" "no prometheus-node-exporter"
fi

# ---- names are the same everywhere -------------------------------------------------------------
# Prints what is in one list alone.
differences() { # WHAT ONE OTHER
	comm -23 <(sort -u <<<"$2") <(sort -u <<<"$3") | sed "s^..*^& is not $1^"
	comm -13 <(sort -u <<<"$2") <(sort -u <<<"$3") | sed "s^..*^& is only $1^"
}
# What appears later: a job that has run.
there=$(sed -n 's/^# TYPE maillogsentinel_\([a-z_0-9]*\) .*/\1/p' "$FILE")
tap_none "the manual lists all metrics" "$(differences "in the manual" "$there" \
	"$(sed -n '/^\.Sh METRICS/,/^\.Sh SEE/s/^\.It Li //p' "$MANUAL")")"
tap_none "each has a line of help, a type and a name as it should be" "$(awk '
	/^# HELP/ { help[$3] = NF > 4 } /^# TYPE/ { type[$3] = $4 }
	END { for (name in type) {
		if (!help[name]) print name, "has no help"
		if ((type[name] == "counter") != (name ~ /_total$/)) print name, "is a", type[name]
	} }' "$FILE")"
if command -v jq >/dev/null; then
	"$MLS_PROGRAM" -c "$WORK/conf" status --json >"$WORK/json"
	tap_none "the manual lists all keys of status --json" "$(differences "in the manual" \
		"$(jq -r 'paths | map(select(type == "string")) | last // empty' "$WORK/json" | sort -u)" \
		"$(sed -nE '/^\.Sh STATUS/,/^\.Sh METRICS/s/^\.(It|Ss) (Li )?([a-z].*)/\3/p' "$MANUAL" | tr -d , | tr -s ' ' '\n'; echo more_warnings)")"
else
	tap_skip "the manual lists all keys of status --json" "no jq"
fi

# ---- it is killed ------------------------------------------------------------------------------
before=$(counters) worse=''
for round in 1 2 3 4; do
	for ((i = 0; i < 200; i++)); do line "$round.$i" | sed "s/203.0.113.7/198.18.$round.$i/"; done >>"$LOG"
	moved() { [ "$(counters)" != "$before" ]; }
	wait_until 20 moved || worse+="round $round: nothing was counted "
	now=$(counters)
	worse+=$(gone_back "$before" "$now")
	kill -9 $pid
	wait $pid 2>/dev/null
	start
	before=$now
	new_file() { [ "$(value start_time_seconds)" != "$started" ]; }
	started=${started-$(value start_time_seconds)}
	wait_until 20 new_file
	started=$(value start_time_seconds)
	now=$(counters)
	worse+=$(gone_back "$before" "$now")
	before=$now
done
tap_none "no counter goes back when it is killed" "$worse"
becomes 'logins_total{result="failure"}' 802 "and nothing is missing"

# ---- it is reloaded ----------------------------------------------------------------------------
reload() { # GENERATION
	kill -HUP $pid
	tap_true "generation $1" wait_until 20 value_is config_generation "$1"
}
old=$FILE FILE=$WORK/collector/other.prom
configure "$FILE"
reload 2
tap_true "a reload names another file: the one before is gone" [ ! -e "$old" ]
tap_is "$(value config_last_reload_successful) $(value up)" "1 1" "it was successful"
tap_none "and no counter is less" "$(gone_back "$before" "$(counters)")"
sed -i 's/^dns.*/dns: { enabled = maybe; };/' "$WORK/conf"
reload 3
tap_is "$(value config_last_reload_successful)" 0 "one with a mistake is not"
configure ""
kill -HUP $pid
gone() { [ ! -e "$FILE" ]; }
tap_true "none is wanted any more: it is gone, too" wait_until 20 gone
FILE=$old
configure "$FILE"
reload 5
tap_none "and comes back with all counters" "$(gone_back "$before" "$(counters)")"

# ---- it has no record any more ---------------------------------------------------------------
before=$(counters)
kill -STOP $pid
truncate -s 100 "$CSV"
line more >>"$LOG"
mv "$WORK/csv" "$WORK/csv.away"
kill -CONT $pid
tap_true "the CSV is cut and gone: a pause" wait_until 20 value_is paused 1
tap_true "whose session can't even be opened" wait_until 20 value_is logs 0
tap_is "$(value logs) $(value rows_total)" "0 802" "what was counted stands all the same"
tap_none "all of it" "$(gone_back "$before" "$(counters | grep -v _log_; grep _log_ <<<"$before")")"
mv "$WORK/csv.away" "$WORK/csv"
tap_true "it comes back" wait_until 60 value_is rows_total 803
tap_none "and no counter is less" "$(gone_back "$before" "$(counters)")"
before=$(counters)

# ---- it is stopped -----------------------------------------------------------------------------
stop
tap_is "$(value up)" 0 "stopped: it is not up"
tap_none "and no counter is less" "$(gone_back "$before" "$(counters)")"

# ---- what is wrong -----------------------------------------------------------------------------
rm -rf "$WORK/collector" "$WORK/none"
WATCHDOG_USEC=500000 start
said() { "$MLS_PROGRAM" -c "$WORK/conf" status | grep -qF "$1"; }
tap_true "a directory that is not there is a warning" wait_until 20 said "$FILE: No such file or directory; there are no new metrics until"
mkdir "$WORK/collector"
tap_true "until it is" wait_until 20 test -s "$FILE"
tap_true "then the warning is gone" wait_until 20 value_is warnings 2
stop
tap_is "$(grep -cF "$FILE: No such file" "$WORK/err") $(grep -cF "$FILE: is written again" "$WORK/err")" "1 1" "each is said once"

configure "$WORK/collector/metrics.txt"
tap_is "$("$MLS_PROGRAM" -c "$WORK/conf" check-config 2>&1 | head -n 1)" \
	"$WORK/conf:5: metrics.textfile: wants a name such as maillogsentinel.prom; the collector reads only what ends in .prom" "another name is of no use"
configure "$WORK/later/maillogsentinel.prom"
tap_is "$("$MLS_PROGRAM" -c "$WORK/conf" check-config 2>&1 | grep -F metrics.textfile)" \
	"$WORK/conf:5: note: metrics.textfile: $WORK/later: is not there; nothing is written until it is" "a directory that may come"
tap_done
