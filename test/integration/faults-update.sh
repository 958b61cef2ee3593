#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=280
# Makes every single call fail that an `update-db` makes which replaces both databases (fault-shim.c). Whatever it was: what lies there is the old
# database or the new one, whole, the old one when it was for lack of room; the exit status is honest, stderr says what and why, nothing temporary is
# left, and the next one puts all in place.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/faults-rig.sh
. "$(dirname "$0")/faults-rig.sh"

errors_of() { # KIND
	case $1 in
	write) printf 'ENOSPC 28\nEIO 5\nshort 0\n' ;;
	fsync | rename) printf 'EIO 5\nENOSPC 28\n' ;;
	open) printf 'EMFILE 24\nEIO 5\n' ;;
	read) printf 'EIO 5\nshort 0\n' ;;
	malloc) printf 'ENOMEM 12\n' ;;
	esac
}

for version in 1 2; do
	awk -v v=$version 'BEGIN { for (i = 1; i < 200; i++) printf "%d.0.0.0,%d.127.255.255,%s\n", i, i, v == 1 ? "DE" : "FR" }' >"$WORK/country-$version"
	awk -v v=$version 'BEGIN { for (i = 1; i < 200; i++) printf "%d.0.0.0,%d.127.255.255,%d,V%d\n", i, i, i, v }' >"$WORK/asn-$version"
done

configure() { # DIR VERSION
	printf 'paths: { state_dir = "%s/state"; };\ngeolocation: { country_db_url = "file://%s"; };\nASN_ASO: { asn_db_url = [ "file://%s", "file://%s" ]; };\n' \
		"$1" "$WORK/country-$2" "$WORK/asn-$2" "$WORK/asn-more" >"$1/conf"
}
echo '2001:db9::,2001:db9::ffff,7,More' >"$WORK/asn-more"

mkdir -p "$WORK/seed/state"
configure "$WORK/seed" 1
tap_true "a first load" "$PROGRAM" -c "$WORK/seed/conf" update-db
old_asn=$(cat "$WORK/asn-1" "$WORK/asn-more" | sha256sum)
new_asn=$(cat "$WORK/asn-2" "$WORK/asn-more" | sha256sum)

prepare() { # DIR
	rm -rf "$1"
	cp -a "$WORK/seed" "$1" && configure "$1" 2
}

update() { # DIR
	faulty "$1/record" "$PROGRAM" -c "$1/conf" update-db >"$1/out" 2>"$1/err"
}

leftovers() { # DIR
	(cd "$1/state/db" && find . -mindepth 1 | grep -vxE './((user-country|origin-asn)\.mmdb(\.prev)?|ip\.image|fetched)')
}

lookup() { # DIR
	"$PROGRAM" -c "$1/conf" lookup --json 81.0.0.1 2>&1
}

# Prints 1 or 2, the version of each database; 0 is neither.
versions() { # DIR
	local version country=0 asn

	for version in 1 2; do
		cmp -s "$1/state/db/user-country.mmdb" "$WORK/country-$version" && country=$version
	done
	case $(sha256sum <"$1/state/db/origin-asn.mmdb") in
	"$old_asn") asn=1 ;;
	"$new_asn") asn=2 ;;
	*) asn=0 ;;
	esac
	printf '%s%s' "$country" "$asn"
}

# Prints what is wrong, if anything is.
one_fault() { # DIR MODE KIND ERRNO NTH
	local rc found wrong='' code

	prepare "$1"
	export FAULT_KIND=$3 FAULT_ERRNO=$4 FAULT_NTH=$5 FAULT_TIMES=1
	[ "$3:$4" != write:28 ] || FAULT_TIMES=0 # a disk that is full stays full
	update "$1"
	rc=$?
	unset FAULT_KIND FAULT_ERRNO FAULT_NTH FAULT_TIMES
	found=$(versions "$1")
	[[ $found != *0* ]] || wrong+=" a database is damaged ($found);"
	[ "$3:$4" != write:28 ] || [ "$rc:$found" = 1:11 ] || wrong+=" status $rc and versions $found without room;"
	case $rc in
	0) [ "$found" = 22 ] && [ ! -s "$1/err" ] || wrong+=" status 0, but versions $found;" ;;
	1 | 78) grep -qE '^maillogsentinel: [^ ].*: .' "$1/err" || wrong+=' says nothing;' ;;
	*) wrong+=" exit status $rc;" ;;
	esac
	[ -z "$(leftovers "$1")" ] || wrong+=" leaves $(leftovers "$1");"
	[ "${found:0:1}" = 1 ] && code=DE || code=FR
	[ "$(lookup "$1")" = "{\"ip\":\"81.0.0.1\",\"country_code\":\"$code\",\"asn\":81,\"aso\":\"V${found:1}\"}" ] ||
		wrong+=" lookup says $(lookup "$1") of versions $found;"
	"$PROGRAM" -c "$1/conf" update-db >/dev/null 2>"$1/err2" || wrong+=" exit status $? of the next one;"
	[ "$(versions "$1")" = 22 ] && [ -z "$(leftovers "$1")" ] || wrong+=" the next one does not put it right;"
	[ -n "$wrong" ] || return
	printf '%s errno %s of call %s:%s\n' "$3" "$4" "$5" "$wrong"
	cat "$1/err" "$1/err2"
	[ ! -s "$1/record" ] || grep ^fault "$1/record"
}

prepare "$WORK/calm"
tap_true "an undisturbed update under the shim" update "$WORK/calm"
tap_is "$(versions "$WORK/calm") $(cat "$WORK/calm/err")" "22 " "puts both in place"
tap_true "and keeps the one before" cmp "$WORK/calm/state/db/user-country.mmdb.prev" "$WORK/country-1"
faults_of update "$WORK/calm/record"
tap_none "what was fetched, its image and what is known of it are durable before the first rename" "$(awk '
	/^rename .*(user-country|origin-asn)\.mmdb 0$/ { renamed++ }
	/^write / && renamed { print FNR ": " $0 }
	/^write .*mmdb\.new/ { torn = 1 }
	/^fsync .*mmdb\.new 0$/ { torn = 0 }
	/^rename .*mmdb 0$/ && torn { print FNR ": " $0 }
	END { if (renamed != 2) print renamed " databases" }' "$WORK/calm/record")"

faults_run "old or new, whole"
tap_done
