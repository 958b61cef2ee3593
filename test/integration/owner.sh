#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What root starts by hand leaves nothing that the user of the service can't read or replace: commands that write state go on as the owner
# of state_dir.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$ROOT/test/integration/service.sh"
[ "$(id -u)" -eq 0 ] || tap_skip_all "needs root"
read -r _ _ users </proc/self/uid_map
[ "$users" -gt 65534 ] || tap_skip_all "needs other users"
OWNER=65534

chmod 755 "$WORK"
prepare() { # OWNER
	rm -rf "$WORK/state" "$WORK/csv"
	mkdir "$WORK/state" "$WORK/csv"
	chown "$1" "$WORK/state" "$WORK/csv"
}
line a >"$WORK/mail.log"
printf '9.9.9.0,9.9.9.255,CH\n' >"$WORK/country"
printf 'paths: { working_dir = "%s/csv"; state_dir = "%s/state"; mail_log = "%s/mail.log"; };
geolocation: { country_db_url = "file://%s/country"; };\nASN_ASO: { asn_db_url = ""; };
general: { log_file = "%s/csv/own.log"; };\ndns: { enabled = false; };\nschedule: { ip_update_schedule = ""; report_schedule = ""; };\n' \
	"$WORK" "$WORK" "$WORK" "$WORK" "$WORK" >"$WORK/conf"
# those of another user
others() { # OWNER
	find "$WORK/state" "$WORK/csv" ! -uid "$1"
}

prepare $OWNER
tap_true "root fetches the databases" "$MLS_PROGRAM" -c "$WORK/conf" update-db
tap_none "which belong to the owner of state_dir" "$(others $OWNER)"
tap_true "root extracts" "$MLS_PROGRAM" -c "$WORK/conf" extract
tap_none "and all that it made belongs to the owner" "$(others $OWNER)"
tap_is "$(wc -l <"$CSV")" 2 "the row among it"
line b >>"$WORK/mail.log"
start
tap_true "root starts the service" wait_until 20 grep -q ',b,null' "$CSV"
tap_is "$(stat -c %u "/proc/$pid/status")$(awk '/^(Uid|Gid):/ { print $2 $3 $4 $5 }' "/proc/$pid/status" | sort -u | head -n 1)" \
	"$(stat -c %u "/proc/$pid/status")$OWNER$OWNER$OWNER$OWNER" "which is the owner's, for good"
tap_none "with no group of root" "$(awk '/^Groups:/ { for (i = 2; i <= NF; i++) if ($i == 0) print }' "/proc/$pid/status")"
stop
tap_is $? 0 "and ends"
tap_none "and all that it made belongs to the owner" "$(others $OWNER)"

line c >>"$WORK/mail.log"
chmod 600 "$WORK/mail.log"
"$MLS_PROGRAM" -c "$WORK/conf" extract 2>"$WORK/err"
tap_is "$?$(grep -c 'mail.log: Permission denied' "$WORK/err")" 11 "what the owner may not read is not read"
"$MLS_PROGRAM" -c "$WORK/conf" extract --from - <"$WORK/mail.log" 2>"$WORK/err"
tap_is $? 0 "but on standard input"
tap_is "$(wc -l <"$CSV")" 6 "with its rows"
tap_is "$("$MLS_PROGRAM" -c "$WORK/conf" extract --stdout --from "$WORK/mail.log" 2>/dev/null | wc -l)" 4 "who writes no state stays root"
tap_none "all belongs to the owner" "$(others $OWNER)"

rm "$WORK/state/db/ip.image"
mv "$WORK/state/db" "$WORK/elsewhere"
mkdir "$WORK/roots"
cp "$WORK/elsewhere"/*.mmdb "$WORK/roots/"
ln -s ../roots "$WORK/state/db"
chown -h $OWNER "$WORK/state/db"
tap_is "$("$MLS_PROGRAM" -c "$WORK/conf" lookup 9.9.9.9 2>/dev/null)" "9.9.9.9  CH  N/A  N/A" "root looks up"
"$MLS_PROGRAM" -c "$WORK/conf" extract --stdout >"$WORK/out" 2>&1
tap_is "$(ls "$WORK/roots")" user-country.mmdb "and puts no image where a link of the owner leads"
"$MLS_PROGRAM" -c "$WORK/conf" update-db >"$WORK/out" 2>&1
tap_is "$? $(ls "$WORK/roots")" "1 user-country.mmdb" "nor a database"
rm "$WORK/state/db"

chmod 644 "$WORK/mail.log"
prepare 0
tap_true "where root is the owner, root works" "$MLS_PROGRAM" -c "$WORK/conf" extract
tap_none "and makes what is root's" "$(others 0)"
tap_done
