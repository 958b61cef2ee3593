#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: no
# What MailLogSentinel costs beside programs that do something alike, as a table of Markdown: the best of MLS_BENCH_ROUNDS (3) rounds each.
# The log has MLS_BENCH_LINES (3,000,000) lines, of which 3 % are failed logins; slow programs get the head of it. What is not installed
# is left out: Debian's fail2ban, pflogsumm, python3-maxminddb, sqlite3. The real databases are those that test/fetch-data fetches.
#
#   compare.sh MEASURE [--write]     # the program that measure.c is built into; --write puts the table into README.md
#
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
measure=$(realpath "$1") write=${2-}
tools=$(dirname "$measure")/..
lines=${MLS_BENCH_LINES:-3000000} rounds=${MLS_BENCH_ROUNDS:-3}
begin='<!-- performance: from test/bench/compare.sh -->' end='<!-- end of performance -->'
python=/usr/bin/python3
# in memory, so that no disk is measured
DIR=$(mktemp -d "/dev/shm/compare.XXXXXX") || exit
tap_defer rm -rf "$DIR"
cd "$DIR" || exit

"$tools/generate-log" --lines "$lines" --failures 30 --seed 1 >log || exit
failures=$(grep -c 'authentication failed' log)
sed "$((lines / 100))q" log >first
mkdir -p state/db csv
cat >conf <<X
paths: { working_dir = "$DIR/csv"; state_dir = "$DIR/state"; mail_log = "$DIR/log"; };
dns: { enabled = false; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
geolocation: { country_db_path = "$DIR/country.mmdb"; };
ASN_ASO: { asn_db_path = "$DIR/asn.csv"; };
X
data=$MLS_TEST_CACHE/data
if [ -e "$data/geo-whois-asn-country.mmdb" ]; then
	cp "$data/geo-whois-asn-country.mmdb" country.mmdb
	cat "$data/asn-ipv4.csv" "$data/asn-ipv6.csv" >asn.csv
	touch -- *.mmdb asn.csv
fi
program() { "$MLS_PROGRAM_RELEASE" -c conf "$@"; }
program update-db --compile >/dev/null 2>>errors

# Prints a row: the best of the rounds.
row() { # WHAT WORK UNIT COMMAND [ARG...]
	local what=$1 work=$2 unit=$3

	shift 3
	for ((round = 0; round < rounds; round++)); do
		"$measure" run x "$@" 2>>errors || echo "compare.sh: $*: failed" >&2
	done | sort -k2,2n | awk -v what="$what" -v work="$work" -v unit="$unit" '
		NR == 1 { printf "| %s | %.2f s | %s %s/s | %.2f s | %.1f MB |\n", what, $2, figure(work / $2), unit, $4, $7 }
		function figure(x) { return x >= 1e6 ? sprintf("%.1f million", x / 1e6) : x >= 100 ? sprintf("%d", x) : sprintf("%.1f", x) }'
}
# The same, with its output into a pipe: grep would see that nobody reads it.
row_piped() { # WHAT WORK UNIT COMMAND-LINE
	row "$1" "$2" "$3" bash -o pipefail -c "$4 | cat"
}
megabytes() { awk -v bytes="$(stat -c %s "$1")" 'BEGIN { printf "%.1f", bytes / 1e6 }'; } # FILE

table() {
	local mb small

	mb=$(megabytes log) small=$(megabytes first)
	printf '%s\n' "| | time | speed | processor | memory |" "|---|--:|--:|--:|--:|"
	echo "| **the failed logins of a log**, $lines lines, ${mb%.*} MB, $failures failures | | | | |"
	row "\`maillogsentinel extract --stdout --no-dns\`: rows with country and network" "$mb" MB "$MLS_PROGRAM_RELEASE" -c conf extract --stdout --no-dns --from log
	row_piped "\`grep -c 'authentication failed'\`" "$mb" MB "grep -c 'authentication failed' log"
	! command -v pflogsumm >/dev/null || row "\`pflogsumm\` (1 % of the log)" "$small" MB pflogsumm first
	! command -v fail2ban-regex >/dev/null ||
		row "\`fail2ban-regex\`, filter postfix[mode=auth] (1 % of the log)" "$small" MB fail2ban-regex first 'postfix[mode=auth]'
	if program anonymize --help >/dev/null 2>&1; then
		echo "| **the log without its secrets** | | | | |"
		row "\`maillogsentinel anonymize\`" "$mb" MB "$MLS_PROGRAM_RELEASE" anonymize -i log -o anonymized
		row "\`sed\` with three patterns: addresses, users, host names" "$mb" MB env LC_ALL=C \
			sed -E -e 's/[0-9]{1,3}(\.[0-9]{1,3}){3}/ADDRESS/g' -e 's/sasl_username=[^ ]*/sasl_username=USER/g' -e 's/[a-z0-9-]+(\.[a-z0-9-]+)+\[/HOST[/g' log
	fi
	if [ -e country.mmdb ]; then
		program extract --stdout --no-dns --from log | cut -d, -f3 | grep -v -e ip -e unknown >seen
		while cat seen; do :; done 2>>errors | head -n 1000000 >addresses
		count=$(wc -l <addresses)
		echo "| **country and network of $count addresses** | | | | |"
		row "\`maillogsentinel lookup\`" "$count" addresses bash -c "'$MLS_PROGRAM_RELEASE' -c conf lookup <addresses"
		if $python -c 'import maxminddb' 2>/dev/null; then
			cat >lookup.py <<-'X'
				import maxminddb, sys
				country = maxminddb.open_database("country.mmdb")
				for line in sys.stdin:
				    print(line, country.get(line.strip()))
			X
			row "python3-maxminddb, country alone" "$count" addresses bash -c "$python lookup.py <addresses"
		fi
	fi
	echo "| **a million rows into SQLite** | | | | |"
	mkdir many && "$measure" rows many 1000000 >>errors 2>&1 || return
	sed -i "s,$DIR/csv,$DIR/many," conf
	cp many/state.offset state/
	for what in export import; do
		rounds=1 row "\`maillogsentinel sql-$what\`" 1000000 rows "$MLS_PROGRAM_RELEASE" -c conf "sql-$what"
	done
	! command -v sqlite3 >/dev/null || rounds=1 row "\`sqlite3 .import\` of the CSV, without indexes" 1000000 rows \
		sqlite3 plain.sqlite -cmd '.mode csv' '.import many/maillogsentinel.csv rows'
}

table | tee table
# what the service costs when nothing happens
sed -i "s,$DIR/many,$DIR/csv," conf
rm -f state/state.offset
"$MLS_PROGRAM_RELEASE" -c conf run 2>>errors &
service=$!
stop_service() { kill $service 2>/dev/null; wait $service 2>/dev/null; }
tap_defer stop_service
caught_up() { program status --json 2>/dev/null | grep -q '"lag":0'; }
wait_until 60 caught_up || tap_note "the service does not catch up"
ticks() { awk '{ print $14 + $15 }' "/proc/$service/stat"; }
switches() { awk '/^voluntary_ctxt/ { print $2 }' "/proc/$service/status"; }
before="$(ticks) $(switches)"
sleep 60
now="$(ticks) $(switches)"
read -r ticks_before switches_before <<<"$before"
read -r ticks_now switches_now <<<"$now"
memory=$(awk '/^Anonymous/ { kb = $2 } END { printf "%.1f", kb / 1024 }' "/proc/$service/smaps_rollup")
printf '%s\n' "" "The service, when nothing happens: $memory MB of memory of its own, $((switches_now - switches_before)) wake-ups and $((
	(ticks_now - ticks_before) * 1000 / $(getconf CLK_TCK))) ms of processor time in a minute." | tee -a table
model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
printf '%s\n' "" "Measured on one core of an ${model:-unknown processor}, everything in memory, with" "" '```sh' \
	"meson setup build/release --buildtype=release && ninja -C build/release" "test/bench/compare.sh build/release/test/bench/measure" '```' | tee -a table
if [ "$write" = --write ]; then
	awk -v begin="$begin" -v end="$end" -v table="$DIR/table" '
		$0 == end { inside = 0 }
		!inside
		$0 == begin { inside = 1; while ((getline line <table) > 0) print line }' "$ROOT/README.md" >readme && cat readme >"$ROOT/README.md"
fi
