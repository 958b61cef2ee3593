#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=900 packages=xz-utils,zstd
# The ledger: a writer at full speed, rotations of every kind, the daemon killed, ended, started and left down at random; at the
# end the CSV is, row by row, what was written. 1,000 rotations and 200 kills of the plain build, 100 and 20 of the sanitizers'.
# A soak: MLS_LEDGER_TIMES=50 does all of that 50 times over.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
TIMES=${MLS_LEDGER_TIMES:-1}
chmod 755 "$WORK"
for tool in gzip xz zstd; do
	command -v $tool >/dev/null || tap_skip_all "needs $tool"
done
# not whole hours from UTC, and the same all year
[ ! -e /usr/share/zoneinfo/Asia/Kolkata ] || export TZ=Asia/Kolkata
"$(dirname "$MLS_PROGRAM_RELEASE")/../test/dns-play" nxdomain >"$WORK/address" &
tap_defer kill $!
wait_until 10 test -s "$WORK/address"

# What is left of a failure is kept beside the builds.
keep() { # DIR
	local kept=$ROOT/build/ledger-failed

	mkdir -p "$ROOT/build" && rm -rf "$kept" && mv "$1" "$kept"
	tap_note "the whole of it is in $kept: operations, ledger, csv, state, log, said"
	tail -n 20 "$kept/operations" | tap_note
}

ledger() { # NAME PROGRAM ROTATIONS KILLS LINES_PER_S
	local dir=$WORK/$1 status=0

	mkdir -p "$dir/csv" "$dir/state"
	# who it runs as need not be able to look into the build
	cp "$2" "$dir/maillogsentinel"
	[ "$(id -u)" != 0 ] || chown nobody "$dir/csv" "$dir/state"
	printf 'paths: { working_dir = "%s"; state_dir = "%s"; mail_log = "%s"; };\nschedule: { ip_update_schedule = ""; report_schedule = ""; };\ndns: { enabled = false; };\n' \
		"$dir/csv" "$dir/state" "$dir/log/mail.log" >"$dir/off.conf"
	printf 'paths: { working_dir = "%s"; state_dir = "%s"; mail_log = "%s"; };\nschedule: { ip_update_schedule = ""; report_schedule = ""; };\ndns: { servers = "%s"; };\n' \
		"$dir/csv" "$dir/state" "$dir/log/mail.log" "$(cat "$WORK/address")" >"$dir/dns.conf"
	"$(dirname "$MLS_PROGRAM_RELEASE")/../test/ledger-drive" "$dir/maillogsentinel" "$dir" "$MLS_SEED" \
		$(($3 * TIMES)) $(($4 * TIMES)) 0 "$5" "$dir/off.conf" "$dir/dns.conf" >"$WORK/out" || status=$?
	tap_is $status 0 "$1: $3 rotations and $4 kills, $TIMES times: every row, once, in order (seed $MLS_SEED)"
	tap_note <"$WORK/out"
	[ $status -eq 0 ] || keep "$dir"
	rm -rf "$dir"
}

ledger plain "$MLS_PROGRAM_RELEASE" "${MLS_LEDGER_ROTATIONS:-1000}" "${MLS_LEDGER_KILLS:-200}" 20000
ledger sanitizers "$MLS_PROGRAM" $((${MLS_LEDGER_ROTATIONS:-1000} / 10)) $((${MLS_LEDGER_KILLS:-200} / 10)) 8000
tap_done
