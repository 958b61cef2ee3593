#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=python3,sqlite3 timeout=120
# `reset`: what goes into the archive and how, what stays, and what comes then; who and what it refuses, and what it asks.
# shellcheck disable=SC2317  # functions are called by name
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$ROOT/test/integration/service.sh"
# its own mounts, as root of a name space of its own
if [ -z "${MLS_IN_NAMESPACE-}" ]; then
	unshare -rm true 2>/dev/null || tap_skip_all "no user name spaces here"
	MLS_IN_NAMESPACE=1 unshare -rm bash "$0"
	exit
fi
STATE=$WORK/state BACKUPS=$WORK/home
export HOME=$BACKUPS
unset SUDO_UID

run() { "$MLS_PROGRAM" -c "$WORK/conf" "$@" >"$WORK/out" 2>"$WORK/err"; } # COMMAND [ARG...]
# What it said, without the line ends that depend on how long the paths are.
says() { tr -s '\n ' ' ' <"$WORK/out"; }
configure() {
	cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$STATE"; mail_log = "$WORK/mail.log"; };
general: { log_file = "$WORK/own/app.log"; };
dns: { enabled = false; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
database: { sql_export_dir = "$WORK/sql"; };
X2
}
fresh() { # USER...
	chmod -R u+w "$WORK/csv" "$BACKUPS" 2>/dev/null
	rm -rf "$WORK/csv" "$STATE" "$BACKUPS" "$WORK/own" "$WORK/sql" "$WORK/mail.log"
	mkdir "$WORK/csv" "$STATE" "$BACKUPS" "$WORK/own"
	configure
	add "$@"
}
add() { # USER...
	for user; do line "$user"; done >>"$WORK/mail.log"
	run extract
}
archive() { find "$BACKUPS" -mindepth 1 -maxdepth 1 -name 'maillogsentinel-backup-*' | sort | tail -n 1; }
# PATH MODE MTIME HASH of the files in a directory
picture() { (cd "$1" && find . -type f ! -name '*lock' -printf '%P %m %T@ ' -exec md5sum {} \; | awk '{ print $1, $2, $3, $4 }' | sort); } # DIR
all() { picture "$WORK/csv"; picture "$STATE"; picture "$WORK/own"; picture "$WORK/sql" 2>/dev/null; }
left() { (cd "$WORK" && find csv state own -type f ! -name '*lock' ! -name '*.sqlite' ! -name status | sort | tr '\n' ' '); }
# The run changes nothing, ends so and says so.
refuses() { # STATUS PATTERN TEXT ARG...
	local before rc

	before=$(all; ls "$BACKUPS")
	run "${@:4}"
	rc=$?
	tap_is "$rc $(grep -cE "$2" "$WORK/err")" "$1 1" "$3" || tap_note <"$WORK/err"
	tap_is "$(all; ls "$BACKUPS")" "$before" "and changes nothing"
}

# ---- what goes where ------------------------------------------------------------------------------

fresh a b
mv "$CSV" "$CSV.2" && add c && mv "$CSV" "$CSV-20261122" && add d && gzip "$CSV-20261122" && add e
mv "$CSV" "$WORK/csv/old name.csv" && add f
echo mine >"$WORK/csv/notes" && cp "$WORK/csv/notes" "$CSV.bak"
echo older >"$WORK/own/app.log.3"
mkdir "$STATE/spool" && echo letter >"$STATE/spool/1-0.0-1.5.eml"
chmod 604 "$CSV.2" && chmod 711 "$WORK/csv"
touch -d '2021-03-04 05:06:07.123456789' "$CSV.2" "$CSV-20261122.gz"
run report --send # makes report.lock alone
cp "$STATE/state.offset" "$WORK/offset"
before=$(picture "$WORK/csv" | grep -vE '^(notes|.*bak) '; picture "$STATE/spool"; picture "$WORK/own"; picture "$STATE" | grep '^state')
run reset --yes
tap_is $? 0 "a reset"
A=$(archive)
tap_is "$(stat -c %a "$A") $(basename "$A" | sed -E 's/[0-9]{8}T[0-9]{6}Z/T/')" "700 maillogsentinel-backup-T" "makes a folder at home, for its owner alone"
tap_is "$(cd "$A" && find . -type f | sort | tr '\n' ' ')" \
	"./CONTENTS ./csv/maillogsentinel.csv ./csv/maillogsentinel.csv-20261122.gz ./csv/maillogsentinel.csv.2 ./csv/old name.csv ./log/app.log ./log/app.log.3 ./spool/1-0.0-1.5.eml ./state/state.offset " \
	"with all that there is, under whatever name"
tap_is "$(picture "$A/csv"; picture "$A/spool"; picture "$A/log"; picture "$A/state")" "$before" "with every byte, mode and time"
tap_is "$(stat -c %a "$A/csv")" 711 "and the mode of the directory"
tap_is "$(left)" "csv/maillogsentinel.csv.bak csv/notes " "nothing of it is left, and nothing else is gone"
tap_is "$(grep -c " -> " "$WORK/out")" 8 "it says what went where"
tap_is "$(grep -c "$CSV.2 -> csv/maillogsentinel.csv.2 (" "$WORK/out")" 1 "line by line"
tap_is "$(grep -c "A report waits to be sent; it won't be" "$WORK/out")" 1 "and that a report waited"
tap_none "nothing is wrong" "$(cat "$WORK/err")"
run extract
users_are "a b c d e f "
tap_is "$? $(users)" "0 a b c d e f " "the logs are read again"
tap_true "under another instance" [ "$(grep series "$STATE/state.offset")" != "$(grep series "$WORK/offset")" ]
run reset --yes --gzip
run reset --yes
tap_is "$? $(cat "$WORK/out")" "0 There is nothing to archive." "a second time there is nothing to do"
tap_is "$(find "$BACKUPS" -mindepth 1 -maxdepth 1 | wc -l)" 2 "and no folder is made"
A=$(archive)
tap_is "$(cd "$A" && find . -type f | sort | tr '\n' ' ')" "./CONTENTS ./csv/maillogsentinel.csv.gz ./log/app.log.gz ./state/state.offset.gz " "--gzip packs"
tap_is "$(gzip -dc "$A/csv/maillogsentinel.csv.gz" | wc -l)" 7 "what can be unpacked"

fresh a
mv "$CSV" "$CSV.1" && gzip "$CSV.1" && add b
md5=$(md5sum <"$CSV.1.gz")
run reset --yes --gzip
tap_is "$(md5sum <"$(archive)/csv/maillogsentinel.csv.1.gz")" "$md5" "and leaves what is packed as it is"
# a rotation that was killed while it packed
fresh a
mv "$CSV" "$CSV.1" && gzip -k "$CSV.1" && echo more | gzip >>"$CSV.1.gz"
before=$(picture "$WORK/csv")
run reset --yes --gzip
tap_is "$? $(picture "$(archive)/csv" | cut -d' ' -f1,4)" "0 $(cut -d' ' -f1,4 <<<"$before")" "and has both of a file and a packed one of its name" || tap_note <"$WORK/err"

# back again
fresh a b
cp -a "$WORK/csv" "$WORK/csv.before" && cp -a "$STATE/state.offset" "$WORK/offset"
run reset --yes
cp -p "$(archive)"/csv/* "$WORK/csv/" && cp -p "$(archive)/state/state.offset" "$STATE/"
add c
tap_is "$? $(users)" "0 a b c " "what is put back goes on where it was"
rm -r "$WORK/csv.before"

# ---- elsewhere ------------------------------------------------------------------------------------

fresh a
mkdir "$WORK/other" "$WORK/real"
cp "$WORK/conf" "$WORK/conf.before"
sed -i "s,working_dir = \"[^\"]*\",working_dir = \"$WORK/other\"," "$WORK/conf"
run reset --yes
tap_is "$(cd "$(archive)" && find csv* -type f | tr '\n' ' ')" "csv/maillogsentinel.csv " "a CSV that was written elsewhere is found by the checkpoint"
tap_true "and gone" [ ! -e "$CSV" ]
fresh a
ln -s real "$WORK/link" && sed -i "s,working_dir = \"[^\"]*\",working_dir = \"$WORK/link\"," "$WORK/conf"
run extract
run reset --yes
tap_is "$? $(find "$WORK/real" -type f | wc -l) $(find "$(archive)" -name '*.csv' | wc -l)" "0 0 2" "a directory may be a link"
fresh a
mv "$CSV" "$WORK/real/file" && ln -s ../real/file "$CSV"
run reset --yes
tap_is "$? $(ls "$WORK/real")$(cd "$(archive)" && find csv -type f)" "0 csv/maillogsentinel.csv" "and so may the CSV; it is the file behind it that is meant"
run extract
tap_is "$? $(wc -l <"$WORK/real/file")" "0 2" "which is there again then"
rm -f "$WORK/real/file"
fresh a
mv "$WORK/own/app.log" "$WORK/real/secret" && ln -s ../real/secret "$WORK/own/app.log"
# a log that is a link is refused by whoever writes it, and is none of ours
run reset --yes
tap_is "$? $(says | grep -c 'app.log: is no regular file; it stays') $(ls "$WORK/real")" "0 1 secret" "a log that is a link stays"
fresh a
mkdir -p "$STATE/spool/"$'x\nNote: y\e'
run reset --yes
tap_is "$? $(says | grep -c 'spool/x?Note: y.x1b: is no regular')$(grep -c '^Note: y' "$WORK/out")" "0 10" "a name is one line, and one without escapes" || tap_note <"$WORK/out"
rm -r "$WORK/real" "$WORK/other" "$WORK/link"
fresh a
mkdir "$WORK/disk" && mount -t tmpfs -o size=200k tmpfs "$WORK/disk"
run reset --yes --to "$WORK/disk"
tap_is "$? $(find "$WORK/disk" -name '*.csv' | wc -l) $(left)" "0 1 " "--to names a place on another file system"
rm -r "$WORK/disk"/*
fresh a
head -c 300000 /dev/zero >"$WORK/own/app.log.1"
refuses 1 'No space left' "a disk that is full is no place" reset --yes --to "$WORK/disk"
tap_is "$(grep -c 'Nothing was changed' "$WORK/out")$(ls "$WORK/disk")" 1 "which is said, and nothing is left there"
refuses 1 'No such file or directory' "nor is a directory that is not there" reset --yes --to "$WORK/none"
refuses 1 "is in .*spool.*, which is to be archived" "nor what is to be archived" reset --yes --to "$(mkdir "$STATE/spool"; echo x >"$STATE/spool/1-0.0-1.5.failed"; echo "$STATE/spool")"
mount -o remount,ro "$WORK/disk"
refuses 1 'Read-only file system' "nor what can't be written to" reset --yes --to "$WORK/disk"
umount "$WORK/disk"
# the disk that is full may be the one of the state
fresh a
mount -t tmpfs -o size=100k tmpfs "$WORK/disk"
cp -a "$STATE/." "$WORK/disk" && sed -i "s,state_dir = \"[^\"]*\",state_dir = \"$WORK/disk\"," "$WORK/conf"
touch "$WORK/disk"/{report,sql-export,sql-import,update-db}.lock && for lock in "$WORK/disk"/*lock; do echo 12345678901234567890 >"$lock"; done
head -c 200000 /dev/zero >"$WORK/disk/filler" 2>/dev/null
run reset --yes
tap_is "$? $(find "$WORK/disk" -name 'state.offset' -o -name 'archive*')" "0 " "a disk that is full with the state itself is no hindrance"
umount "$WORK/disk"

# ---- others at work -------------------------------------------------------------------------------

fresh a
start
wait_until 20 users_are "a " && wait_until 20 grep -q "^rows 1" "$STATE/state.offset"
wait_until 20 "$MLS_PROGRAM" -c "$WORK/conf" status >/dev/null 2>&1
run reset --yes
tap_is "$? $(cat "$WORK/err")" "1 maillogsentinel: $STATE/lock: another maillogsentinel is at work (process $pid run); stop it first: kill $pid" "a service that runs is named"
tap_is "$(users)$(ls "$BACKUPS")" "a " "and nothing is changed"
stop
for lock in report sql-export sql-import update-db; do
	exec 9<>"$STATE/$lock.lock"
	python3 -c 'import fcntl, struct; fcntl.fcntl(9, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))'
	refuses 1 "$lock.lock: another maillogsentinel is at work .*; try again when it has ended" "so is a $lock" reset --yes
	exec 9>&-
done
exec 9<>"$CSV"
python3 -c 'import fcntl, struct; fcntl.fcntl(9, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))'
refuses 1 "csv: another maillogsentinel, with a state_dir of its own, is writing it" "and who has the CSV" reset --yes
exec 9>&-
"$MLS_PROGRAM" -c "$WORK/conf" reset </dev/null >"$WORK/out" 2>"$WORK/err"
tap_is "$? $(grep -c 'no terminal; --yes' "$WORK/err") $(left)" "2 1 csv/maillogsentinel.csv own/app.log state/state.offset " "without a terminal it wants --yes"

# ---- at a terminal --------------------------------------------------------------------------------

# Runs the program at a terminal, and types.
at_terminal() { # TEXT ARG...
	python3 - "$MLS_PROGRAM" -c "$WORK/conf" "${@:2}" <<X2 >"$WORK/out"
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b""
asked = False
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    said += data
    if b"[no]: " in said and not asked:
        asked = True
        os.write(fd, b"""$1""")
sys.stdout.write(said.decode().replace("\r", ""))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
X2
}
before=$(all)
for answer in '\n' 'no\n' '\x04' '\x03'; do
	at_terminal "$answer" reset
	rc=$?
	tap_is "$rc $(grep -c 'Nothing was changed' "$WORK/out") $(all | md5sum)$(ls "$BACKUPS")" \
		"$([ "$answer" = '\x03' ] && echo 254 || echo 1) 1 $(md5sum <<<"$before")" "at a terminal it asks: $answer"
done
tap_is "$(says | grep -c '3 files (.*) in .* will be archived in')" 1 "and says what it would do"
at_terminal 'yes\n' reset
tap_is "$? $(left)" "0 " "yes"

# ---- SQL ------------------------------------------------------------------------------------------

fresh a b
run sql-export && run sql-import
add c
run reset --yes
tap_is "$? $(tr '\n' ' ' <"$WORK/out" | grep -c 'rows that sql-export has not written yet; run it before')" "0 1" "rows that are not exported are named before"
tap_is "$(cd "$STATE" && echo *)" "lock maillogsentinel.sqlite report.lock sql-export.lock sql-export.offset sql-import.lock sql-import.offset update-db.lock" "the database and what it has stay"
tap_is "$(find "$WORK/sql" -name '*.sql' | wc -l) $(cd "$(archive)/state" && echo *)" "1 sql-export.offset sql-import.offset state.offset" "so do the files"
run extract
run sql-export
tap_is "$? $(grep -c -e '--from-start .* --from-now' "$WORK/err")" "1 1" "the next export asks what to do"
run sql-export --from-now && add d && run sql-export && run sql-import
tap_is "$(sqlite3 "$STATE/maillogsentinel.sqlite" "SELECT group_concat(username, '') FROM (SELECT username FROM failed_logins ORDER BY rowid)" 2>&1)" "abd" "what comes then gets in, once"
fresh a
run reset --yes && add b && run sql-export
tap_is "$? $(grep -c '2 rows' "$WORK/out")" "0 1" "where nothing was exported, nothing is asked"

# ---- reports --------------------------------------------------------------------------------------

fresh a b
printf 'report: { email = "root@localhost"; transport = "sendmail"; sendmail_path = "/bin/false"; };\n' >>"$WORK/conf"
run report --send
tap_is "$(find "$STATE/spool" -name '*.eml' | wc -l)" 1 "a report waits"
run reset --yes
tap_is "$(find "$(archive)" -name '*.eml' -o -name report.offset | wc -l) $(ls -d "$STATE"/spool "$STATE/report.offset" 2>/dev/null)" "2 " "and is archived, with what was reported"
run extract && run report
tap_is "$? $(grep -c 'Total attempts since the first start: 2' "$WORK/out")" "0 1" "the next one has all that is read again" || tap_note <"$WORK/out"

# ---- what was damaged -----------------------------------------------------------------------------

fresh a
echo more >>"$STATE/state.offset"
run extract
tap_is "$? $(grep -c "'maillogsentinel reset' archives it" "$WORK/err")" "78 1" "a checkpoint that can't be read"
run reset --yes
tap_is "$? $(left)" "0 " "is archived, too"
add b
tap_is "$? $(users)" "0 a b " "and all is read again"

# ---- a run that was ended -------------------------------------------------------------------------

# killed when all but the CSV was gone; then that can't be removed, either
fresh a
cp -p "$CSV" "$WORK/csv.before" && run reset --yes && A=$(archive)
ln -s "$A" "$STATE/archive.pending" && cp -p "$WORK/csv.before" "$CSV"
mount --bind "$CSV" "$CSV"
run reset --yes
tap_is "$? $(grep -c "Device or resource busy; $A has the copies, and a further 'reset' removes the rest" "$WORK/err") $(grep -c 'Nothing was changed' "$WORK/out") $(readlink "$STATE/archive.pending")" \
	"1 1 0 $A" "what was begun is not said to be nothing when it can't go on" || tap_note <"$WORK/err"
umount "$CSV"
run reset --yes
tap_is "$? $(left)" "0 " "and the next run brings it to its end"
rm "$WORK/csv.before"

fresh a b
cp -a "$STATE" "$WORK/state.before" && run reset --yes && A=$(archive)
ln -s "$A" "$STATE/archive.pending"
cp -p "$A/csv/maillogsentinel.csv" "$CSV" && line c >>"$CSV"
sed -i /log_file/d "$WORK/conf"
refuses 78 'interrupted; run it again' "nothing is recorded while a reset is not at its end" extract
run reset --yes
tap_is "$? $(grep -c 'has changed since it was archived; it stays' "$WORK/err") $(left)" "1 1 csv/maillogsentinel.csv " "what is another file by then stays"
rm -r "$WORK/state.before" "$CSV"
ln -s "$WORK/gone" "$STATE/archive.pending"
run reset --yes
tap_is "$? $(grep -c "archive.pending: leads to an archive .*can't be read: No such file" "$WORK/err")" "1 1" "an archive that is gone is asked for"
echo "not this" >"$A/CONTENTS" && ln -sf "$A" "$STATE/archive.pending"
rm "$STATE/archive.pending" && ln -s "$A" "$STATE/archive.pending"
run reset --yes
tap_is "$? $(grep -c 'not a archive of this program\|not an archive' "$WORK/err")" "1 1" "and so is one that is damaged"
tap_done
