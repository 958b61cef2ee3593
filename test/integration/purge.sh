#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=sqlite3 timeout=120
# `purge`: everything goes into the archive, databases, exports and status too, and all is as after the installation; what root does for the
# service's user, and that nothing which that user may prepare is followed with root's rights.
# shellcheck disable=SC2317  # functions are called by name
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$ROOT/test/integration/service.sh"
STATE=$WORK/state BACKUPS=$WORK/home
export HOME=$BACKUPS
unset SUDO_UID
chmod 755 "$WORK"

run() { "$MLS_PROGRAM" -c "$WORK/conf" "$@" >"$WORK/out" 2>"$WORK/err"; } # COMMAND [ARG...]
database() { printf '9.9.9.0,9.9.9.255,%s\n' "$1" >"$WORK/source"; } # COUNTRY
# An installation with everything in it.
fresh() {
	rm -rf "$WORK/csv" "$STATE" "$BACKUPS" "$WORK/own" "$WORK/place"
	mkdir -m 750 "$WORK/csv" && mkdir -m 755 "$STATE" && mkdir -m 700 "$BACKUPS" && mkdir "$WORK/own" "$WORK/place"
	cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$STATE"; mail_log = "$WORK/mail.log"; };
general: { log_file = "$WORK/own/app.log"; };
dns: { enabled = false; };
schedule: { ip_update_schedule = "weekly"; report_schedule = ""; };
geolocation: { country_db_url = "file://$WORK/source"; };
ASN_ASO: { asn_db_url = ""; asn_db_path = "$WORK/place/networks.csv"; };
metrics: { textfile = "$WORK/place/mls.prom"; };
X2
	[ $# -eq 0 ] || chown "$1" "$WORK/csv" "$STATE" "$WORK/own" "$WORK/place"
	line a >"$WORK/mail.log"
	line b >>"$WORK/mail.log"
	printf '9.9.9.0,9.9.9.255,19281,Quad9\n' >"$WORK/place/networks.csv"
	database CH && run update-db && database DE && run update-db
	start
	wait_until 20 users_are "a b " && wait_until 20 grep -q '^rows 2' "$STATE/state.offset" && wait_until 20 test -s "$STATE/status"
	wait_until 20 test -s "$WORK/place/mls.prom" && wait_until 20 test -s "$STATE/jobs"
	stop
	run sql-export && run sql-import
}
is_filling() { compgen -G "$WORK/public/*.part/log/app.log.1.gz" >/dev/null; }
picture() { (cd "$1" && find . ! -name '*lock' \( -type f -o -type d \) -printf '%P %y %m %U\n' | sort); } # DIR
archive() { find "$BACKUPS" -mindepth 1 -maxdepth 1 -name 'maillogsentinel-backup-*' | sort | tail -n 1; }

fresh
find "$STATE" "$WORK/csv" "$WORK/own" -type f ! -name '*lock' -exec md5sum {} + | cut -d' ' -f1 | sort >"$WORK/before"
run purge --yes
tap_is $? 0 "a purge"
tap_none "nothing is wrong" "$(cat "$WORK/err")"
tap_is "$(picture "$STATE" | cut -d' ' -f1-3)" " d 755
db d 755" "leaves the directory of the state as it was made, and db"
tap_is "$(find "$STATE" -type f ! -name '*lock')$(ls -A "$WORK/csv" "$WORK/own")" "$WORK/csv:

$WORK/own:" "and nothing in any"
tap_is "$(ls "$WORK/place")" networks.csv "but a database that somebody else has put there"
tap_is "$(tr '\n' ' ' <"$WORK/out" | grep -c 'networks.csv: was not fetched by update-db; it stays')" 1 "which is said"
A=$(archive)
tap_is "$(find "$A" -type f ! -name CONTENTS ! -name '*.prom' -exec md5sum {} + | cut -d' ' -f1 | sort)" "$(<"$WORK/before")" "the archive has every byte"
tap_is "$(cd "$A" && find . -type f | sed -E 's,[0-9]{10}-.*,FILE,' | sort | tr '\n' ' ')" \
	"./CONTENTS ./csv/maillogsentinel.csv ./database/maillogsentinel.sqlite ./db/fetched ./db/ip.image ./db/user-country.mmdb ./db/user-country.mmdb.prev ./log/app.log ./metrics/mls.prom ./sql/FILE ./state/jobs ./state/sql-export.offset ./state/sql-import.offset ./state/state.offset ./state/status " \
	"of all there was"
tap_is "$(sqlite3 "$A/database/maillogsentinel.sqlite" 'SELECT count(*) FROM failed_logins')" 2 "a database in it can be read"
tap_is "$(tail -n 1 "$WORK/out")" "All is as after the installation." "it says how it is then"
run status
tap_is $? 3 "no status is left" || tap_note <"$WORK/err"
tap_true "and all begins" run update-db
run extract && run sql-export && run sql-import
tap_is "$? $(users)$(sqlite3 "$STATE/maillogsentinel.sqlite" 'SELECT count(*) FROM failed_logins')" "0 a b 2" "anew, the database too"
run purge --yes --gzip
tap_is "$? $(find "$(archive)" -name '*.gz' | wc -l)" "0 10" "once more, packed" || find "$(archive)" -type f | tap_note

# one of a server is another's
fresh
sed -i "\$adatabase: { db_type = \"postgresql\"; db_host = \"db.example.org\"; };" "$WORK/conf"
run purge --yes
tap_is "$? $(tr '\n' ' ' <"$WORK/out" | grep -c 'postgresql at db.example.org, maillogsentinel: is not touched')" "0 1" "a server's database is not touched, which is said"
# one that was fetched to another place is ours
fresh
sed -i "s,country_db_url,country_db_path = \"$WORK/place/lands\"; &," "$WORK/conf"
run update-db && run purge --yes
tap_is "$? $(cd "$WORK/place" && echo *) $(cd "$(archive)" && echo *)" "0 networks.csv CONTENTS csv database db db-2 log metrics sql state" "a database that was fetched elsewhere goes, too"

# a reset that was begun, and a purge
fresh
HOME=$BACKUPS run reset --yes && ln -s "$(archive)" "$STATE/archive.pending"
run purge --yes
tap_is "$? $(grep -c 'A reset was interrupted' "$WORK/out") $(find "$STATE" ! -name '*lock' | wc -l)" "0 1 2" "a purge brings a reset to its end, and goes on" || tap_note <"$WORK/out"

# ---- root, and the service's user -----------------------------------------------------------------

read -r _ _ users_known </proc/self/uid_map
if [ "$(id -u)" -ne 0 ] || [ "$users_known" -le 65534 ]; then
	tap_skip "root archives for the service's user" "needs root and other users"
	tap_done
fi
OWNER=65534
fresh $OWNER:$OWNER
chown 0 "$WORK/place/networks.csv"
run purge --yes
tap_is $? 0 "root archives what is the service's" || tap_note <"$WORK/err"
A=$(archive)
tap_is "$(stat -c '%u %a' "$A") $(stat -c '%u %a' "$A/csv/maillogsentinel.csv" "$A/state" "$A/state/state.offset" | tr '\n' ' ')" \
	"0 700 $OWNER 640 $OWNER 755 $OWNER 600 " "into a folder of root's; what is in it is whose it was"
tap_is "$(stat -c %u "$STATE" "$STATE/db" "$STATE/lock" | sort -u)" $OWNER "what is left is the owner's"
tap_true "the service begins anew" run extract
tap_none "with files of its own" "$(find "$STATE" "$WORK/csv" ! -uid $OWNER)"

# what that user may have left there
fresh $OWNER:$OWNER
echo secret >"$WORK/secret" && chmod 600 "$WORK/secret"
mkdir "$STATE/spool" && ln -s "$WORK/secret" "$STATE/spool/1-0.0-1.5.eml" && ln -s "$WORK/secret" "$WORK/own/app.log.1"
mkfifo "$STATE/spool/pipe"
mv "$WORK/csv/maillogsentinel.csv" "$WORK/csv/maillogsentinel.csv.1" && ln -s "$WORK/secret" "$WORK/csv/maillogsentinel.csv"
run purge --yes
tap_is "$? $(cat "$WORK/secret") $(stat -c '%u %a' "$WORK/secret") $(grep -rl secret "$BACKUPS")" "1 secret 0 600 " "a link leads root nowhere"
tap_is "$(grep -c 'Permission denied' "$WORK/err")" 1 "which is said"
rm "$WORK/csv/maillogsentinel.csv"
run purge --yes
tap_is "$? $(cat "$WORK/secret") $(stat -c '%u %a' "$WORK/secret") $(grep -rl secret "$BACKUPS")$(find "$STATE/spool" | wc -l)" "0 secret 0 600 3" "links and pipes stay where they are"
fresh $OWNER:$OWNER
mkdir "$WORK/roots" && echo x >"$WORK/roots/country" && mv "$STATE/db" "$STATE/db.real" && ln -s "$WORK/roots" "$STATE/db"
run purge --yes
tap_is "$? $(ls "$WORK/roots")" "1 country" "nor is anything removed behind a link" || tap_note <"$WORK/err"
rm "$STATE/db"
chown 0 "$WORK/csv" && chmod 755 "$WORK/csv"
run purge --yes
tap_is "$? $(grep -c "csv: Permission denied" "$WORK/err") $(tail -n 1 "$WORK/out") $(find "$BACKUPS" -name '*.part' -o -name '*.csv' | wc -l)" \
	"1 1 Nothing was changed. 0" "what the owner may not remove is not begun with"

# nor what he does while the folder is filled: what is given to others in there is not his to take
fresh $OWNER:$OWNER
mkdir -m 755 "$WORK/public" && chown 0 "$WORK/own/app.log" && chmod 4644 "$WORK/own/app.log"
truncate -s 20G "$WORK/own/app.log.1"
"$MLS_PROGRAM" -c "$WORK/conf" purge --yes --gzip --to "$WORK/public" >"$WORK/out" 2>"$WORK/err" &
pid=$!
tap_true "root fills the folder" wait_until 20 is_filling
tap_is "$(stat -c '%u %a' "$WORK"/public/*.part "$WORK"/public/*.part/log "$WORK"/public/*.part/log/app.log.gz | tr '\n' ' ')" "0 700 0 700 0 644 " "which is root's alone"
# shellcheck disable=SC2016
setpriv --reuid $OWNER --regid $OWNER --clear-groups sh -c 'mv "$1"/public/*.part/log "$1/place/stolen"' - "$WORK" 2>/dev/null
tap_is "$? $(cd "$WORK/place" && echo *)" "1 mls.prom networks.csv" "the service's user takes nothing out of it"
kill "$pid"
wait "$pid"
tap_is "$? $(tail -n 1 "$WORK/out") $(ls -A "$WORK/public")" "143 Nothing was changed. " "SIGTERM ends it" || tap_note <"$WORK/err"
rm "$WORK/own/app.log.1"

# through sudo
fresh $OWNER:$OWNER
mkdir "$WORK/person" && chown 1:1 "$WORK/person" && chmod 700 "$WORK/person"
if unshare -m true 2>/dev/null; then
	sed -E "s,^([^:]*:[^:]*:1:[^:]*:[^:]*:)[^:]*,\1$WORK/person," /etc/passwd >"$WORK/passwd"
	# shellcheck disable=SC2016
	SUDO_UID=1 SUDO_GID=1 unshare -m sh -c 'mount --bind "$1" /etc/passwd && exec "$2" -c "$3" reset --yes' - "$WORK/passwd" "$MLS_PROGRAM" "$WORK/conf" >"$WORK/out" 2>"$WORK/err"
	tap_is "$? $(stat -c '%u %g %a' "$WORK/person"/maillogsentinel-backup-*) $(stat -c %u "$WORK/person"/*/csv/*)" "0 1 1 700 $OWNER" \
		"through sudo it is the home, and the folder, of who asked for it" || tap_note <"$WORK/err"
else
	tap_skip "through sudo it is the home of who asked for it" "no mounts"
fi
# as the user himself
fresh $OWNER:$OWNER
chmod 777 "$WORK/place"
setpriv --reuid $OWNER --regid $OWNER --clear-groups "$MLS_PROGRAM" -c "$WORK/conf" reset --yes --to "$WORK/place" >"$WORK/out" 2>"$WORK/err"
tap_is "$? $(stat -c '%u %a' "$WORK/place"/maillogsentinel-backup-*)" "0 $OWNER 700" "the service's user can do it, too" || tap_note <"$WORK/err"
run extract
setpriv --reuid $OWNER --regid $OWNER --clear-groups env HOME=/nonexistent "$MLS_PROGRAM" -c "$WORK/conf" reset --yes >"$WORK/out" 2>"$WORK/err"
tap_is "$? $(grep -c '/nonexistent: No such file' "$WORK/err")" "1 1" "who has no home says where"
setpriv --reuid 1 --regid 1 --clear-groups "$MLS_PROGRAM" -c "$WORK/conf" reset --yes >"$WORK/out" 2>"$WORK/err"
tap_is "$? $(grep -c 'lock: Permission denied' "$WORK/err")" "1 1" "others can't"
tap_done
