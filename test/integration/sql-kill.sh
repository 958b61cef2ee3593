#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=240 packages=postgresql,mariadb-server,sqlite3,python3
# kill -9 of sql-export and of sql-import, of each 50 times at random moments, while the CSV grows and is rotated: in the end each
# database holds each row once. MLS_KILLS makes it longer.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/sql-servers.sh
. "$ROOT/test/sql-servers.sh"
PROGRAM=$MLS_PROGRAM_RELEASE
# shellcheck source=test/integration/sql-hosts.sh
. "$ROOT/test/integration/sql-hosts.sh"
KILLS=${MLS_KILLS:-50}
RANDOM=$((MLS_SEED % 32768))
sql_start postgresql mariadb

now_us() { echo $((${EPOCHREALTIME/[.,]/})); }

# Runs a command of the host and kills it at a moment of the time that it takes, sometimes one of its first. Sets rc.
killed() { # HOST COMMAND TIME_US
	local at_us=$(($3 * (RANDOM * 32768 + RANDOM) / 1073741824 / (RANDOM % 4 ? 1 : 5))) child

	"$PROGRAM" -c "$WORK/$1/conf" "$2" >/dev/null 2>>"$WORK/$1/err" &
	child=$!
	sleep "$(printf '%d.%06d' $((at_us / 1000000)) $((at_us % 1000000)))"
	kill -9 $child 2>/dev/null
	wait $child 2>/dev/null
	rc=$?
}

for kind in sqlite postgresql mariadb; do
	database=kills
	[ $kind != sqlite ] || database=$WORK/kills.sqlite
	database_make $kind "$database"
	host_make $kind $kind "$database"
	declare -A took=() kills=([sql-export]=0 [sql-import]=0) whole=([sql-export]=0 [sql-import]=0)
	host_log $kind 1500 && host_extract $kind
	wrong=0 rounds=0 rotations=0
	host $kind sql-export && host $kind sql-import || wrong=1
	host_log $kind 1500 && host_extract $kind
	for command in sql-export sql-import; do
		begin=$(now_us)
		host $kind $command || wrong=$((wrong + 1))
		took[$command]=$(($(now_us) - begin))
	done
	while [ "${kills[sql-export]}" -lt "$KILLS" ] || [ "${kills[sql-import]}" -lt "$KILLS" ]; do
		rounds=$((rounds + 1))
		[ $rounds -lt $((KILLS * 8)) ] || break
		host_log $kind $((RANDOM % 1500 + 1)) && host_extract $kind
		if [ $((RANDOM % 8)) = 0 ]; then host_rotate $kind; rotations=$((rotations + 1)); fi
		for command in sql-export sql-import; do
			# until it comes to an end, or three times
			for _ in 1 2 3; do
				if [ "${kills[$command]}" -ge "$KILLS" ]; then
					host $kind $command || wrong=$((wrong + 1))
					break
				fi
				killed $kind $command $((${took[$command]} * 11 / 10))
				case $rc in
				137) kills[$command]=$((${kills[$command]} + 1)) ;;
				0) whole[$command]=$((${whole[$command]} + 1)); break ;;
				*) wrong=$((wrong + 1)); break ;;
				esac
			done
		done
	done
	host_extract $kind
	tap_note "$kind: $rounds rounds, $rotations rotations, exports killed ${kills[sql-export]} and done ${whole[sql-export]} times, imports ${kills[sql-import]} and ${whole[sql-import]}"
	tap_is $wrong 0 "$kind: none fails"
	tap_true "$kind: the last export" host $kind sql-export
	tap_true "$kind: the last import" host $kind sql-import
	database_holds $kind "$database" "$kind: the database holds each row once" $kind
	mapfile -t files < <(host_sql_files $kind)
	tap_is "$(printf '%s\n' "${files[@]##*/}" | cut -d- -f1 | sed 's/^0*//')" "$(seq ${#files[@]})" "$kind: the files have all numbers (${#files[@]})"
	tap_is "$(database_count $kind "$database" | cut -f2)" "${#files[@]}" "$kind: each is known to be in"
	tap_is "$(cat "${files[@]}" | grep -c "'n[0-9]*'")" "$(host_expect $kind | wc -l)" "$kind: and each row stands in one of them"
	tap_none "$kind: nothing is left over" "$(find "$WORK/$kind/state/sql" -type f ! -name '*.sql')"
	tap_none "$kind: nothing was said" "$(cat "$WORK/$kind/err")"
done
tap_done
