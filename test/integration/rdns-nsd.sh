#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: alone packages=nsd timeout=120
# 50,000 names from a real name server (nsd), each compared, near and 20 ms away, with a fifth of the speed that is
# wanted of them; then the server goes away and comes back. The first argument is the build directory to take the
# programs from (default: MLS_BUILD_DIR, or the release build).
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
BUILD=${1:-${MLS_BUILD_DIR:-${MLS_PROGRAM_RELEASE%/daemon/*}}}
BENCH=$BUILD/test/bench/bench-rdns
DELAY=$BUILD/test/bench/dns-delay
PATH=$PATH:/usr/sbin

COUNT=50000 MISSING=500 RATE_NEAR=10000 RATE_FAR=1000

command -v nsd >/dev/null || tap_skip_all "needs nsd"
if [ ! -x "$BENCH" ] || [ ! -x "$DELAY" ]; then
	tap_skip_all "needs $BENCH and $DELAY"
fi

nsd_pid=
nsd_stop() {
	[ -z "$nsd_pid" ] || { kill "$nsd_pid" && wait "$nsd_pid"; } 2>/dev/null
	nsd_pid=
}
tap_defer nsd_stop

# Starts nsd at PORT and waits until it answers.
nsd_start() { # PORT
	cat >"$WORK/nsd.conf" <<X
server:
	ip-address: 127.0.0.1@$1
	do-ip6: no
	server-count: 1
	username: ""
	chroot: ""
	zonesdir: "$WORK"
	database: ""
	pidfile: "$WORK/nsd.pid"
	logfile: "$WORK/nsd.log"
	xfrdfile: "$WORK/xfrd.state"
	xfrdir: "$WORK"
	zonelistfile: "$WORK/zone.list"
	rrl-ratelimit: 0
remote-control:
	control-enable: no
zone:
	name: 10.in-addr.arpa
	zonefile: v4.zone
zone:
	name: 8.b.d.0.1.0.0.2.ip6.arpa
	zonefile: v6.zone
X
	nsd -d -c "$WORK/nsd.conf" >/dev/null 2>&1 &
	nsd_pid=$!
	for ((i = 0; i < 100; i++)); do
		"$BENCH" --servers "127.0.0.1:$1" --count 1 --timeout 100 --tries 1 >/dev/null 2>&1 && return
		kill -0 "$nsd_pid" 2>/dev/null || break
		sleep 0.05
	done
	nsd_stop
	return 1
}

"$BENCH" --zone v4 --count $COUNT >"$WORK/v4.zone" && "$BENCH" --zone v6 --count $COUNT >"$WORK/v6.zone"
tap_is "$(cat "$WORK"/v[46].zone | grep -c ' PTR ')" $COUNT "a zone of $COUNT names"

port=
for ((n = 0; n < 10; n++)); do
	port=$((20000 + RANDOM % 12000))
	nsd_start $port && break
	port=
done
if [ -z "$port" ]; then
	tap_fail "nsd answers"
	tap_note <"$WORK/nsd.log"
	tap_done
fi
tap_pass "nsd answers"

value() { # KEY
	sed -n "s/^$1 //p" "$WORK/out"
}

# Looks everything up, with the options that follow RATE, and makes two points of it.
measure() { # TEXT RATE SERVER [OPTION...]
	local text=$1 rate=$2 server=$3

	shift 3
	"$BENCH" --servers "$server" --count $COUNT --missing $MISSING --timeout 1000 --tries 3 "$@" >"$WORK/out" 2>"$WORK/err"
	tap_is "$(value 'status OK') $(value 'status Errno 1') $(value wrong)" "$COUNT $MISSING 0" "$text: every name is right" ||
		tap_note <"$WORK/err"
	tap_true "$text: $(value rate) a second, at least $rate" [ "$(value rate)" -ge "$rate" ]
	tap_is "$(value in_flight)" "${IN_FLIGHT:-128}" "$text: ${IN_FLIGHT:-128} in flight"
}

measure "near" $RATE_NEAR "127.0.0.1:$port"
IN_FLIGHT=256 measure "near" $RATE_NEAR "127.0.0.1:$port" --in-flight 256

mkfifo "$WORK/delay.in" "$WORK/delay.out"
"$DELAY" --port "$port" --delay 20 <"$WORK/delay.in" >"$WORK/delay.out" &
delay_pid=$!
exec 3>"$WORK/delay.in"
read -r -t 10 delay_port <"$WORK/delay.out"
measure "20 ms away" $RATE_FAR "127.0.0.1:$delay_port"
exec 3>&-
wait $delay_pid
tap_is $? 0 "the relay ends with its input"

nsd_stop
"$BENCH" --servers "127.0.0.1:$port" --count 200 --timeout 100 --tries 1 >"$WORK/out" 2>&1
tap_is "$(value 'status Errno 2')" 200 "no server there: Errno 2"
nsd_start "$port"
"$BENCH" --servers "127.0.0.1:$port" --count 1000 >"$WORK/out" 2>&1
tap_is "$(value 'status OK')" 1000 "it is back: OK"
tap_done
