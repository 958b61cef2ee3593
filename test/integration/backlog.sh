#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=300
# A million failures, many from addresses of their own, while the name server answers nothing: all rows come, in order and in minutes,
# memory stays within bounds, and the watchdog is fed.
# shellcheck disable=SC2317  # functions are called by wait_until and tap_defer
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
COUNT=${MLS_BACKLOG:-1000000}
# FIFO, names, buffers and the program itself: measured are 8 MB
MEMORY_MAX_KB=40960
TOOLS=$(dirname "$MLS_PROGRAM_RELEASE")/../test
CSV=$WORK/csv/maillogsentinel.csv
mkdir "$WORK/csv" "$WORK/state"

"$TOOLS/dns-play" drop >"$WORK/address" &
tap_defer kill $!
"$TOOLS/notify-listen" "$WORK/notify" >"$WORK/told" &
tap_defer kill $!
wait_until 10 test -s "$WORK/address" -a -S "$WORK/notify"
export NOTIFY_SOCKET=$WORK/notify
cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = "$WORK/mail.log"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
dns: { servers = "$(cat "$WORK/address")"; timeout_ms = 500; tries = 2; };
X2
"$TOOLS/generate-log" --lines "$COUNT" --failures 1000 --seed "$MLS_SEED" --addresses "$COUNT" --numbered >"$WORK/mail.log"
tap_note "$(grep -o 'unknown\[[^]]*' "$WORK/mail.log" | sort -u | wc -l) addresses in $COUNT failures"

start() {
	WATCHDOG_USEC=2000000 "$MLS_PROGRAM_RELEASE" -c "$WORK/conf" run 2>>"$WORK/err" &
	pid=$!
}
stop_daemon() { kill -9 "$pid" 2>/dev/null; }
memory() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$pid/status"; } # KEY
committed() { grep -q "^rows $1\$" "$WORK/state/state.offset" 2>/dev/null; }
fed() { grep -c '^WATCHDOG=1' "$WORK/told"; }

begin=$(date +%s%N)
start
tap_defer stop_daemon
tap_true "all rows are written and committed within 2 minutes" wait_until 120 committed "$COUNT"
took_ms=$((($(date +%s%N) - begin) / 1000000))
# it is fed every second; a late one may still be on its way
fed=$(fed)
peak_kb=$(memory VmHWM) anonymous_kb=$(memory RssAnon)
tap_note "$took_ms ms; VmHWM $peak_kb kB, RssAnon $anonymous_kb kB; the watchdog was fed $fed times"
tap_true "at most $MEMORY_MAX_KB kB of memory were ever in use" [ "$peak_kb" -le $MEMORY_MAX_KB ]
tap_true "the watchdog was fed all along" [ "$fed" -ge $((took_ms / 2000)) ]
tap_is "$(sed 1d "$CSV" | cut -d, -f4 | md5sum)" "$(seq -f 'user%.0f' "$COUNT" | md5sum)" "every row, in the log's order"
tap_none "all of them Timeout" "$(sed 1d "$CSV" | grep -v ',null,Timeout,' | head)"

# one that is killed in the middle of it goes on where it was
generate_more() {
	"$TOOLS/generate-log" --lines 100000 --failures 1000 --seed $((MLS_SEED + 1)) --addresses 100000 --numbered >>"$WORK/mail.log"
}
generate_more
more_than() { [ "$(wc -l <"$CSV")" -gt "$1" ]; }
wait_until 30 more_than $((COUNT + 10))
kill -9 "$pid"
wait "$pid" 2>/dev/null
start
tap_true "100,000 more, killed in the middle" wait_until 60 committed $((COUNT + 100000))
tap_is "$(tail -n +$((COUNT + 2)) "$CSV" | cut -d, -f4 | md5sum)" "$(seq -f 'user%.0f' 100000 | md5sum)" "every row of it, in order"
kill "$pid"
wait "$pid"
tap_is $? 0 "SIGTERM ends it"
tap_done
