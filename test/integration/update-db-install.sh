#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=300 packages=nginx-light,openssl,iproute2
# What `update-db` does on the disk: killed at any moment, with calls that fail, on a full or read-only disk, two at once, as root in a
# directory of somebody else who has planted links there: the databases are whole, old or new, and nothing else is touched.
# shellcheck disable=SC2119,SC2154,SC2317  # update may have arguments; D is the rig's; wait_until calls functions
# shellcheck source=test/integration/update-db-rig.sh
. "$(dirname "$0")/update-db-rig.sh"

S=https://maps.test
RANDOM=$((MLS_SEED % 32768))
tap_note "seed $MLS_SEED"
publish country-1.csv country.csv
publish asn-1.csv asn.csv
new_case first '' "$(both_from $S/country.csv $S/asn.csv)"
umask 077
update
umask 022
accepted "a first load" 1 1
tap_is "$(cd "$D/state" && stat -c '%n %a' db db/*.mmdb db/ip.image)" 'db 755
db/origin-asn.mmdb 644
db/user-country.mmdb 644
db/ip.image 644' "the umask does not matter"

# The version of a file of databases, 0 when it is not one of those that were served.
version_of() { # FILE KIND
	local version

	for version in 1 2 3; do
		cmp -s "$1" "$WWW/$2-$version.csv" && { echo $version; return; }
	done
	echo 0
}

# What is wrong with the databases: each has to be one that was served, and lookup has to say what they say.
inconsistent() {
	local country asn answer

	country=$(version_of "$D/state/db/user-country.mmdb" country)
	asn=$(version_of "$D/state/db/origin-asn.mmdb" asn)
	[ "$country" != 0 ] || echo "user-country.mmdb is not a file that was served"
	[ "$asn" != 0 ] || echo "origin-asn.mmdb is not a file that was served"
	answer=$(look_up "$MLS_PROGRAM_RELEASE")
	[ "$answer" = "$(answer_of "$country" "$asn")" ] || echo "lookup says $answer with versions $country and $asn"
}

# ---- a file of its own for everything, or somewhere else ---------------------------------------------

new_case elsewhere first "$(both_from $S/country-2.csv $S/asn-2.csv "country_db_path = \"$WORK/elsewhere/places\"" \
	"asn_db_path = \"$WORK/elsewhere/networks\"")"
mkdir "$WORK/elsewhere"
update
accepted "databases that lie elsewhere" 2 2
configure "$(both_from $S/country-3.csv $S/asn-3.csv "country_db_path = \"$WORK/elsewhere/places\"" "asn_db_path = \"$WORK/elsewhere/networks\"")"
update
accepted "and again" 3 3
tap_is "$(ls -A "$WORK/elsewhere")" 'networks
networks.prev
places
places.prev' "the one before lies beside each"
tap_is "$(snapshot | grep mmdb)" "$(grep mmdb "$D/before")" "nothing else is touched"

new_case no-directory '' "$(country_from $S/country-2.csv)"
rm -r "$D/state"
update
tap_is "$(cat "$D/status")$(line_wrong "$D/state" .)" 1 "a state directory that is not there is said"
new_case file-for-directory '' "$(country_from $S/country-2.csv)"
: >"$D/state/db"
update
tap_is "$(cat "$D/status")$(line_wrong "$D/state/db" .)" 1 "a file in place of the directory is said"
for name in user-country.mmdb user-country.mmdb.prev ip.image; do
	new_case "directory-$name" first "$(country_from $S/country-2.csv)"
	rm -f "$D/state/db/$name"
	mkdir "$D/state/db/$name"
	update
	tap_is "$(cat "$D/status")$(line_wrong "$D/state/db/${name%.prev}" .)" 1 "a directory in place of $name is said"
	tap_none "and nothing is left" "$(leftovers)"
done

# ---- descriptors that are closed --------------------------------------------------------------------

new_case closed first "$(country_from $S/country-2.csv)"
"$MLS_PROGRAM_RELEASE" -c "$D/conf" update-db <&- >&- 2>&-
tap_is "$?$(inconsistent)" 1 "with stdin, stdout and stderr closed: what it says gets nowhere, also not into a file"
tap_is "$(version_of "$D/state/db/user-country.mmdb" country)" 2 "but the database is there"
configure "$(country_from $S/none.csv)"
snapshot >"$D/before"
"$MLS_PROGRAM_RELEASE" -c "$D/conf" update-db <&- >&- 2>&-
tap_is "$?$(diff "$D/before" <(snapshot))" 1 "and when there is something to say"

# ---- two at once ---------------------------------------------------------------------------------------

new_case two first "$(country_from $S/slow/country-2.csv)"
"$MLS_PROGRAM" -c "$D/conf" update-db >"$D/out1" 2>"$D/err1" &
pid=$!
asked() { grep -qF '/slow/country-2.csv' "$WORK/nginx/access.log" || [ "$(find "$D/state/db" -type f | wc -l)" -gt 4 ]; }
wait_until 10 asked
update
tap_is "$(cat "$D/status")$(line_wrong "$pid" 'update-db')" 1 "a second one says who is at work"
wait $pid
echo $? >"$D/status"
cp "$D/err1" "$D/err"
accepted "the first goes on" 2 1

# ---- killed ----------------------------------------------------------------------------------------------

new_case killed first "$(both_from $S/country.csv $S/asn.csv)"
took=0
for version in 2 3 1; do
	publish country-$version.csv country.csv
	publish asn-$version.csv asn.csv
	began=${EPOCHREALTIME/./}
	"$MLS_PROGRAM_RELEASE" -c "$D/conf" update-db >/dev/null
	began=$((${EPOCHREALTIME/./} - began))
	[ $began -le $took ] || took=$began
done
wrong='' seen=''
for ((i = 0; i < 30; i++)); do
	publish country-$((i % 3 + 1)).csv country.csv
	publish asn-$((i % 3 + 1)).csv asn.csv
	"$MLS_PROGRAM_RELEASE" -c "$D/conf" update-db >/dev/null 2>&1 &
	pid=$!
	sleep "$(printf '0.%06d' $(((RANDOM * 32768 + RANDOM) % (took * 3 / 2))))"
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
	seen+=$(version_of "$D/state/db/user-country.mmdb" country)$(version_of "$D/state/db/origin-asn.mmdb" asn)' '
	wrong+=$(inconsistent)
done
tap_note "versions after each: $seen"
tap_none "killed 30 times within $((took * 3 / 2000)) ms: each database is a whole one, and lookup says what it says" "$wrong"
publish country-1.csv country.csv
publish asn-1.csv asn.csv
update
accepted "the next one" 1 1

# ---- calls that fail ---------------------------------------------------------------------------------------

# The first call of a kind fails, or is where the program is killed; then the second, and so on until it gets by without.
for fault in 'write 28' 'write 0' 'fsync 5' 'rename 13' 'open 24' 'read 5' 'ftruncate 5' 'write -9' 'fsync -9' 'rename -9'; do
	read -r kind errno <<<"$fault"
	wrong='' n=0
	while ((++n < 120)); do
		new_case fault first "$(both_from $S/country-2.csv $S/asn-2.csv)"
		LD_PRELOAD=$TOOLS/fault-shim.so FAULT_KIND=$kind FAULT_NTH=$n FAULT_ERRNO=$errno FAULT_RECORD=$D/record \
			"$MLS_PROGRAM_RELEASE" -c "$D/conf" update-db >"$D/out" 2>"$D/err" </dev/null &
		wait $! 2>/dev/null
		status=$?
		this=$(inconsistent)
		if [ $status = 137 ]; then
			"$MLS_PROGRAM_RELEASE" -c "$D/conf" update-db >"$D/out" 2>"$D/err"
			status=$?
			this+=$(inconsistent)
		fi
		this+=$(leftovers)
		version=$(version_of "$D/state/db/user-country.mmdb" country)$(version_of "$D/state/db/origin-asn.mmdb" asn)
		case $status in
		0) [ "$version" = 22 ] || this+="exit status 0 with versions $version" ;;
		1) [ -s "$D/err" ] || this+="nothing is said" ;;
		78) ;; # the configuration could not be read
		*) this+="exit status $status" ;;
		esac
		[ -z "$this" ] || wrong+="$n: $this; $(grep ^fault "$D/record"); $(cat "$D/err")"$'\n'
		# without a fault it counts to the end
		grep -q '^counts' "$D/record" && ! grep -q '^fault' "$D/record" && { rm -rf "$D"; break; }
		rm -rf "$D"
	done
	what="fails ($errno)"
	[ "$errno" != -9 ] || what="is where it is killed"
	tap_none "$kind $what, one after the other: $((n - 1)) times" "$wrong"
done

# ---- a full disk --------------------------------------------------------------------------------------------

new_case full '' "$(both_from $S/country-2.csv $S/asn-2.csv)"
mount -t tmpfs -o size=8m,mode=755 tmpfs "$D/state" || exit 1
tap_defer umount "$D/state"
wrong='' ends=''
# room for so many KiB more than what is there
for room in 0 4 16 64 80 128 192 256 512 1024 1840 1900 1950 2000 2048 2100 2150 2500 4000; do
	rm -rf "${D:?}/state/db" "$D/state/filler"
	cp -a "$CASES/first/state/db" "$D/state/db"
	snapshot >"$D/before"
	free=$(df --output=avail -k "$D/state" | tail -n 1)
	dd if=/dev/zero of="$D/state/filler" bs=1k count=$((free - room)) 2>/dev/null
	update
	rm "$D/state/filler"
	this=$(inconsistent)$(leftovers)
	status=$(cat "$D/status")
	ends+=$status
	case $status in
	0) [ "$(version_of "$D/state/db/user-country.mmdb" country)" = 2 ] || this+="exit status 0 and not the new one" ;;
	1) grep -q 'No space left on device' "$D/err" || this+="no reason" ;;
	*) this+="exit status $status" ;;
	esac
	[ "$room" -ge 64 ] || this+=$(diff "$D/before" <(snapshot))
	[ -z "$this" ] || wrong+="$room KiB: $this; $(cat "$D/err")"$'\n'
done
tap_none "a disk with 0 to 4000 KiB of room: all is whole, old or new" "$wrong"
tap_true "some had room and some had not ($ends)" grep -qE '^11+0+$' <<<"$ends"
configure "$(country_from $S/country-2.csv)"
rm -rf "${D:?}/state/db"
cp -a "$CASES/first/state/db" "$D/state/db"
dd if=/dev/zero of="$D/state/filler" bs=1k 2>/dev/null
snapshot >"$D/before"
update
tap_is "$(cat "$D/status")$(line_wrong $S/country-2.csv 'No space left on device')$(diff "$D/before" <(snapshot))" 1 "a full disk: one line"
rm "$D/state/filler"
mount -o remount,ro,bind "$D/state"
update
tap_is "$(cat "$D/status")$(line_wrong "$D/state" 'Read-only file system')$(diff "$D/before" <(snapshot))" 1 "a read-only one: one line"
mount -o remount,rw,bind "$D/state"

# ---- as root, where another user owns the directory ------------------------------------------------------------

if ! many_users; then
	tap_skip "as root in a directory of another user" "no other users in this name space"
	tap_done
fi
chmod 711 "$CASES"
other=4711
new_case owner first "$(both_from $S/country-2.csv $S/asn-2.csv)"
chown -R $other:$other "$D/state"
update
accepted "as root in a directory of another user" 2 2
tap_is "$(find "$D/state" ! \( -user $other -group $other \))" '' "all belongs to that user"
new_case new-owner '' "$(both_from $S/country-2.csv $S/asn-2.csv)"
chown $other:$other "$D/state"
update
accepted "and in an empty one" 2 2
tap_is "$(find "$D/state" ! \( -user $other -group $other \))" '' "all belongs to that user"
as_other() { setpriv --reuid $other --regid $other --clear-groups "$@"; }
as_other "$MLS_PROGRAM" -c "$D/conf" update-db >"$D/out" 2>"$D/err"
echo $? >"$D/status"
accepted "that user can update it, too" 2 2

new_case not-mine first "$(country_from $S/country-2.csv)"
chmod -R a+rX "$D"
as_other "$MLS_PROGRAM" -c "$D/conf" update-db >"$D/out" 2>"$D/err"
tap_is "$?$(line_wrong "$D/state" 'Permission denied')$(diff "$D/before" <(snapshot))" 1 "without the right to write: one line"

# what the owner may have planted there must not lead root anywhere
mkdir "$WORK/root"
chmod 755 "$WORK/root"
for name in db/user-country.mmdb db/user-country.mmdb.prev db/user-country.mmdb.new db/user-country.mmdb.part db/ip.image \
	db/ip.image.new db/fetched update-db.lock db; do
	new_case "planted-${name//\//-}" first "$(both_from $S/country-2.csv $S/asn-2.csv)"
	rm -rf "$WORK/root/target"
	if [ $name = db ]; then mkdir "$WORK/root/target"; else echo secret >"$WORK/root/target"; chmod 600 "$WORK/root/target"; fi
	before=$(find "$WORK/root" -printf '%P %i %s %m %u %T@\n')
	rm -rf "$D/state/${name:?}"
	ln -s "$WORK/root/target" "$D/state/$name"
	chown -hR $other:$other "$D/state"
	timeout 60 "$MLS_PROGRAM" -c "$D/conf" update-db >"$D/out" 2>"$D/err"
	tap_true "a link in place of $name: exit status $?" test $? -le 1
	tap_is "$(find "$WORK/root" -printf '%P %i %s %m %u %T@\n')" "$before" "leads nowhere"
	tap_none "and gives nothing away" "$(grep -r secret "$D/err" "$D/out" "$D/state" 2>/dev/null)"
done
for name in db/user-country.mmdb db/user-country.mmdb.new db/ip.image db/fetched update-db.lock; do
	new_case "fifo-${name//\//-}" first "$(both_from $S/country-2.csv $S/asn-2.csv)"
	rm -f "$D/state/$name"
	mkfifo "$D/state/$name"
	chown -R $other:$other "$D/state"
	timeout -s KILL 20 "$MLS_PROGRAM" -c "$D/conf" update-db >"$D/out" 2>"$D/err"
	tap_true "a FIFO in place of $name holds nothing up: exit status $?" test $? -le 1
done

# a source that the user of the service could not read is not read by root for him
printf 'x\n' >"$WORK/root/file"
chmod 600 "$WORK/root/file"
new_case root-source first "$(country_from "file://$WORK/root/file")"
chown -R $other:$other "$D/state"
update
tap_is "$(cat "$D/status")$(line_wrong "$WORK/root/file" 'Permission denied')" 1 "a source that this user can't read"
tap_is "$(packets_out)" 0 "no packet for another machine"
tap_done
