#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=300 packages=nginx-light,openssl,iproute2
# `update-db` from servers that stall, never end, cut off, lie and attack: each ends in time, says why in one line that is fit for a
# terminal, and changes nothing. Where only time passes, it passes fast (fast-clock.c).
# shellcheck disable=SC2119,SC2154,SC2317  # update may have arguments; D is the rig's; wait_until calls functions
# shellcheck source=test/integration/update-db-rig.sh
. "$(dirname "$0")/update-db-rig.sh"

S=https://maps.test
H=http://maps.test:8000
new_case first '' "$(both_from $S/country-1.csv $S/asn-1.csv)"
update
accepted "a first load" 1 1

# ---- what is sent: a script for each name -------------------------------------------------------------

answer() { # NAME; the script is on stdin
	{ printf 'cd %q\n' "$WWW"; cat; } >"$ANSWERS/$1"
}
size=$(stat -c %s "$WWW/country-2.csv")
head -c 1048576 /dev/zero | tr '\0' 'x' >"$WORK/megabyte"
# 1 GiB that says nothing, as gzip: members of 64 MiB
head -c 67108864 /dev/zero | tr '\0' '\n' | gzip -1 >"$WORK/member.gz"
for ((i = 0; i < 16; i++)); do cat "$WORK/member.gz"; done >"$WWW/bomb.csv.gz"

answer good <<X
printf 'HTTP/1.1 200 OK\r\nContent-Length: $size\r\n\r\n'
cat country-2.csv
X
answer chunked <<X
printf 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n' $size
cat country-2.csv
printf '\r\n0\r\n\r\n'
X
answer until-close <<X
printf 'HTTP/1.0 200 OK\r\n\r\n'
cat country-2.csv
X
answer interim <<X
printf 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: $size\r\n\r\n'
cat country-2.csv
X
# gzip as the transfer's encoding, though nobody asked for it, is not this server's to undo: a file that is gzip is read as one
answer encoded <<X
printf 'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n'
cat country-2.csv.gz
X

# endless
answer endless-chunked <<X
printf 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
while printf '100000\r\n' && cat $WORK/megabyte && printf '\r\n'; do :; done 2>/dev/null
X
answer endless <<X
printf 'HTTP/1.1 200 OK\r\n\r\n'
while cat country-2.csv; do :; done 2>/dev/null
X
answer endless-headers <<X
printf 'HTTP/1.1 200 OK\r\n'
while printf 'X-%s: %s\r\n' \$RANDOM \$RANDOM; do :; done 2>/dev/null
X
answer endless-header <<X
printf 'HTTP/1.1 200 OK\r\nX: '
while cat $WORK/megabyte; do :; done 2>/dev/null
X
answer endless-interim <<X
while printf 'HTTP/1.1 103 Early Hints\r\n\r\n'; do :; done 2>/dev/null
X
answer huge <<X
printf 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n'
exec sleep 1000
X
answer bomb <<X
printf 'HTTP/1.1 200 OK\r\n\r\n'
cat bomb.csv.gz
X
answer bomb-encoded <<X
printf 'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n'
cat bomb.csv.gz
X

# cut off, or not what the head says
answer cut <<X
printf 'HTTP/1.1 200 OK\r\nContent-Length: $size\r\n\r\n'
head -c $((size - 1)) country-2.csv
X
answer cut-at-newline <<X
printf 'HTTP/1.1 200 OK\r\nContent-Length: $size\r\n\r\n'
head -n -10 country-2.csv
X
answer cut-chunk <<X
printf 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n' $size
head -c 60000 country-2.csv
X
answer no-last-chunk <<X
printf 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n' $size
cat country-2.csv
printf '\r\n'
X
answer bad-chunk <<X
printf 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'
cat country-2.csv
X
answer cut-head <<X
printf 'HTTP/1.1 200 OK\r\nContent-Le'
X
answer nothing <<X
exit
X
answer partial <<X
printf 'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-$((size - 1))/$size\r\nContent-Length: $size\r\n\r\n'
cat country-2.csv
X
answer garbage <<X
head -c 100000 /dev/urandom
X
answer no-http <<X
cat country-2.csv
X
answer status <<X
printf 'HTTP/1.1 999 Strange\r\nContent-Length: $size\r\n\r\n'
cat country-2.csv
X
answer unauthorized <<X
printf 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="\e]0;x\a"\r\nContent-Length: 0\r\n\r\n'
X

# bytes for a terminal, for a log, for a state file
answer escapes <<'X'
printf 'HTTP/1.1 404 \e[2J\e]0;owned\a\x07\x9b31m\nmaillogsentinel: all is well\r\nContent-Length: 0\r\n\r\n'
X
answer location <<'X'
printf 'HTTP/1.1 302 Found\r\nLocation: https://nowhere.invalid/\e[2J\x7f\xff\r\nContent-Length: 0\r\n\r\n'
X
answer location-file <<'X'
printf 'HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n'
X
answer location-long <<'X'
printf 'HTTP/1.1 302 Found\r\nLocation: https://maps.test/%s\r\nContent-Length: 0\r\n\r\n' "$(head -c 60000 /dev/zero | tr '\0' a)"
X
answer refresh <<X
printf 'HTTP/1.1 200 OK\r\nRefresh: 0; url=file:///etc/passwd\r\nContent-Length: 4\r\n\r\n\e[2J'
X
answer rows-with-escapes <<'X'
printf 'HTTP/1.1 200 OK\r\n\r\n'
for ((i = 0; i < 100; i++)); do printf '\e[2J%d\a\x9b,\r\x00,<script>\n' $i; done
X

# slow
answer stall-before-head <<X
exec sleep 1000
X
answer stall-in-head <<X
printf 'HTTP/1.1 200 OK\r\nX: '
exec sleep 1000
X
answer stall-after-head <<X
printf 'HTTP/1.1 200 OK\r\nContent-Length: $size\r\n\r\n'
exec sleep 1000
X
answer stall-in-body <<X
printf 'HTTP/1.1 200 OK\r\nContent-Length: $size\r\n\r\n'
head -c 70000 country-2.csv
exec sleep 1000
X
answer stall-after-redirect <<X
printf 'HTTP/1.1 302 Found\r\nLocation: /stall-before-head\r\nContent-Length: 0\r\n\r\n'
X
# a byte a second
answer trickle <<X
printf 'HTTP/1.1 200 OK\r\nContent-Length: $size\r\n\r\n'
while head -c 1 country-2.csv; do sleep 0.01; done 2>/dev/null
X
answer trickle-in-head <<X
printf 'HTTP/1.1 200 OK\r\n'
while printf 'a'; do sleep 0.01; done 2>/dev/null
X
# at the client's clock some KiB a second, more than it takes in its time
answer steady <<X
printf 'HTTP/1.1 200 OK\r\nContent-Length: 16000000\r\n\r\n'
while head -c 16384 $WORK/megabyte; do sleep 0.01; done 2>/dev/null
X

# ---- servers that are odd and yet good ------------------------------------------------------------------

for name in good chunked until-close interim encoded; do
	new_case "good-$name" first "$(country_from $H/$name)"
	update
	accepted "good: $name" 2 1
done

# An ETag comes back as it was, whatever it holds, or not at all; it never becomes another header.
answer etag <<'X'
printf '%s\n--\n' "$REQUEST" >>../requests
cp ../tag tag 2>/dev/null
printf 'HTTP/1.1 200 OK\r\nETag: %b\r\n\r\n' "$(cat ../tag)"
cat country-2.csv
X
i=0
while IFS= read -r tag; do
	printf '%s' "$tag" >"$WORK/tag"
	: >"$WORK/requests"
	new_case "etag-$((++i))" first "$(country_from $H/etag)"
	update
	update
	accepted "ETag: ${tag:0:30}" 2 1
	tap_is "$(grep -c '^--$' "$WORK/requests")|$(tr -d '\r' <"$WORK/requests" | grep -viE '^(GET /etag HTTP/1\.1|Host: maps\.test:8000|User-Agent: MailLogSentinel/.*|Accept: \*/\*|If-None-Match: .*|--|)$')" \
		'2|' "nothing strange in the requests"
	case $tag in
	'"plain"' | 'W/"weak"') tap_true "it comes back" grep -qF "If-None-Match: $tag" "$WORK/requests" ;;
	esac
done <<X
"plain"
W/"weak"
"\\\\e[2J\\\\x01\\\\xff"
""
"a b\\\\tc"
unquoted
"$(head -c 9000 /dev/zero | tr '\0' a)"
X

# ---- what never ends, is cut off, lies -----------------------------------------------------------------

while read -r name reason; do
	refuse "$name" "$(country_from "$H/$name")" "$H/$name" "$reason"
done <<'X'
endless-chunked larger than 256 MiB
endless larger than 256 MiB
endless-headers .
endless-header .
endless-interim .
huge larger than 256 MiB
bomb 100 times
bomb-encoded 100 times
cut .
cut-at-newline .
cut-chunk .
no-last-chunk .
bad-chunk .
cut-head .
nothing .
partial 206
garbage .
no-http .
status 999
unauthorized 401
escapes 404
location .
location-file .
location-long .
refresh .
rows-with-escapes .
X
refused

# the checksum is no shorter way in
for name in endless-chunked garbage stall-after-head escapes; do
	refuse "checksum-$name" "$(country_from $S/country-2.csv "country_db_checksum_url = \"$H/$name\"")" $H/$name . update_fast
done
refused

# ---- time -----------------------------------------------------------------------------------------------

# Each ends before so many seconds, and not much sooner than a slow server deserves.
least=() most=()
timed() { # NAME URL REASON LEAST MOST
	refuse "$1" "$(country_from "$2")" "$2" "$3" update_fast
	least[${#queue[@]}]=$4 most[${#queue[@]}]=$5
}
in_time() {
	local i=0 name
	local -a names=("${queue[@]}") waited=()

	for name in "${names[@]}"; do
		wait_until 60 test -s "$CASES/$name/seconds"
		waited+=("$(cat "$CASES/$name/seconds")")
	done
	refused
	for name in "${names[@]}"; do
		tap_true "$name: given up after ${waited[i]} s" test "${waited[i]}" -ge "${least[i + 1]}" -a "${waited[i]}" -le "${most[i + 1]}"
		i=$((i + 1))
	done
}
# no TLS comes from a server that waits for a request; silent.test never answers at all
timed no-tls https://maps.test:8000/x 'no connection after 15 s' 5 100
timed no-connection https://silent.test/x 'no connection after 15 s' 5 100
timed stall-before-head $H/stall-before-head stalled 10 150
timed stall-in-head $H/stall-in-head stalled 10 150
timed stall-after-head $H/stall-after-head stalled 10 150
timed stall-in-body $H/stall-in-body stalled 10 150
timed stall-after-redirect $H/stall-after-redirect stalled 10 150
timed trickle $H/trickle stalled 10 200
timed trickle-in-head $H/trickle-in-head stalled 10 1000
timed steady $H/steady 'not done after 900 s' 100 2000
in_time

# ---- an end by a signal -----------------------------------------------------------------------------------

for signal in TERM INT HUP; do
	for name in stall-before-head stall-in-body no-tls; do
		url=$H/$name
		[ $name != no-tls ] || url=https://maps.test:8000/x
		new_case "$signal-$name" first "$(country_from "$url")"
		# the shell's background processes ignore SIGINT
		env --default-signal=INT,TERM,HUP "$MLS_PROGRAM" -c "$D/conf" update-db >"$D/out" 2>"$D/err" &
		pid=$!
		connected() { grep -qs ":1F40 01 " <(awk '{ print $3 " " $4 " " }' "/proc/$pid/net/tcp" 2>/dev/null); }
		wait_until 10 connected
		began=${EPOCHREALTIME/./}
		kill -$signal $pid
		wait $pid 2>/dev/null
		code=$?
		took=$(((${EPOCHREALTIME/./} - began) / 1000))
		tap_true "SIG$signal while it waits ($name): it ends at once, status $code, $took ms" test $code -ne 0 -a $took -lt 3000
		tap_none "and leaves nothing" "$(diff "$D/before" <(snapshot))$(leftovers)"
		wait_until 10 eval '! connected'
	done
done

# name servers that say nothing
echo 'nameserver 192.0.2.53' >"$WORK/dead.conf"
with_dead_servers() {
	# shellcheck disable=SC2016  # for the shell inside
	exec unshare --mount --propagation private bash -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' dead "$WORK/dead.conf" \
		"$(realpath /etc/resolv.conf)" env --default-signal=INT,TERM,HUP "$@"
}
new_case dead-names first "$(country_from https://nowhere.test/x)"
before=$(packets_out)
with_dead_servers "$MLS_PROGRAM" -c "$D/conf" update-db >"$D/out" 2>"$D/err" &
pid=$!
new_case dead-names-signal first "$(country_from https://nowhere.test/x)"
with_dead_servers "$MLS_PROGRAM" -c "$D/conf" update-db >"$D/out" 2>"$D/err" &
signalled=$!
questions() { [ "$(packets_out)" -gt $((before + 1)) ]; }
wait_until 10 questions
began=${EPOCHREALTIME/./}
kill -TERM $signalled
wait $signalled
code=$?
took=$(((${EPOCHREALTIME/./} - began) / 1000))
tap_true "SIGTERM while it waits for a name: it ends at once, status $code, $took ms" test $code -ne 0 -a $took -lt 3000
tap_none "and leaves nothing" "$(diff "$D/before" <(snapshot))$(leftovers)"
D=$CASES/dead-names
wait $pid
echo $? >"$D/status"
took=$(((${EPOCHREALTIME/./} - began) / 1000))
tap_none "name servers that say nothing" "$(refused_wrong https://nowhere.test/x . "$(answer_of 1 1)")"
tap_true "end it in time, $took ms" test $took -lt 21000
tap_done
