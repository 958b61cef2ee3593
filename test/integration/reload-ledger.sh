#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=300 packages=xz-utils,zstd
# Reloads under load: a writer at full speed, rotations of every kind, kills, and SIGHUPs with good, bad and changed configurations in
# turn (another CSV, other name servers, more logs, the log itself not among them for a while); at the end what the report reads of
# the CSVs is, row by row, what was written. 100 reloads with the plain build, 15 with the sanitizers'.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
chmod 755 "$WORK"
for tool in gzip xz zstd; do
	command -v $tool >/dev/null || tap_skip_all "needs $tool"
done
TOOLS=$(dirname "$MLS_PROGRAM_RELEASE")/../test
"$TOOLS/dns-play" nxdomain >"$WORK/address" &
tap_defer kill $!
"$TOOLS/dns-play" drop >"$WORK/nobody" &
tap_defer kill $!
wait_until 10 test -s "$WORK/address" -a -s "$WORK/nobody"

# What is left of a failure is kept beside the builds.
keep() { # DIR
	local kept=$ROOT/build/reload-ledger-failed

	mkdir -p "$ROOT/build" && rm -rf "$kept" && mv "$1" "$kept"
	tap_note "the whole of it is in $kept: operations, ledger, csv, csv2, state, log, said"
	tail -n 20 "$kept/operations" | tap_note
}

# Writes a configuration: what paths has beside state_dir, and the rest.
config() { # NAME PATHS [ELSE]
	printf 'paths: { state_dir = "%s"; %s };\n%s\n%s\n' "$dir/state" "$2" \
		'schedule: { ip_update_schedule = ""; report_schedule = ""; };' "${3-dns: { enabled = false; \};}" >"$dir/$1"
}

ledger() { # NAME PROGRAM ROTATIONS KILLS RELOADS LINES_PER_S
	local dir=$WORK/$1 status=0 here log

	mkdir -p "$dir/csv" "$dir/csv2" "$dir/foreign" "$dir/state" "$dir/own"
	printf 'not ours\n' >"$dir/foreign/maillogsentinel.csv"
	cp "$2" "$dir/maillogsentinel"
	[ "$(id -u)" != 0 ] || chown -R nobody "$dir"
	here="working_dir = \"$dir/csv\";" log="mail_log = \"$dir/log/mail.log\";"
	config off.conf "$here $log"
	config dns.conf "$here $log" "dns: { servers = \"$(cat "$WORK/address")\"; };"
	config slow.conf "$here $log" "dns: { servers = \"$(cat "$WORK/nobody")\"; timeout_ms = 100; tries = 1; };"
	config own-log.conf "$here $log" "general: { log_level = \"WARNING\"; log_file = \"$dir/own/log\"; }; dns_cache: { size = 5; };"
	config elsewhere.conf "working_dir = \"$dir/csv2\"; $log"
	config other-name.conf "working_dir = \"$dir/csv2\"; csv_filename = \"other.csv\"; $log"
	config more.conf "$here mail_log = [ \"$dir/own/more.log\", \"$dir/log/mail.lo[g]\", \"$dir/own/*.log\" ];"
	config without.part "$here mail_log = \"$dir/own/more.log\";"
	config foreign.bad "working_dir = \"$dir/foreign\"; $log" "general: { log_level = \"DEBUG\"; log_file = \"$dir/own/log\"; };"
	config range.bad "$here $log" 'dns: { tries = 100; };'
	config directory.bad "working_dir = \"$dir/none\"; $log"
	sed "s,$dir/state,$dir/own," "$dir/off.conf" >"$dir/restart.bad"
	printf 'paths: {' >"$dir/syntax.bad"
	(cd "$dir" && "$TOOLS/ledger-drive" "$dir/maillogsentinel" "$dir" "$MLS_SEED" "$3" "$4" "$5" "$6" ./*.conf ./*.part ./*.bad) >"$WORK/out" || status=$?
	tap_is $status 0 "$1: $5 reloads, $3 rotations, $4 kills: every row, once, in order (seed $MLS_SEED)"
	tap_note <"$WORK/out"
	[ $status -eq 0 ] || keep "$dir"
	rm -rf "$dir"
}

ledger plain "$MLS_PROGRAM_RELEASE" 20 4 "${MLS_LEDGER_RELOADS:-100}" 20000
ledger sanitizers "$MLS_PROGRAM" 4 1 15 4000
tap_done
