#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: alone timeout=2400
# What a newcomer's machine sees: quickstart and the tests on Debian systems on which nothing is installed but apt, sudo and
# git. Each system is made once by debootstrap and kept in the test cache; each run gets a throw-away overlay of it. Package
# sources, network and fetched test data are this machine's own; nothing is asserted of what the network answers.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/debian.sh
. "$ROOT/test/debian.sh"

COLD_MAX_S=180
WARM_MAX_S=25
FOR_S=12

debian_begin

for suite in bookworm trixie; do
	if ! debian_base $suite $suite git,ca-certificates,sudo >"$WORK/debootstrap.log" 2>&1; then
		tap_fail "debootstrap makes a $suite"
		tail -n 5 "$WORK/debootstrap.log" | tap_note
		continue
	fi
	for user in root dev; do
		what="$suite as $user"
		debian_new $user || { tap_fail "$what: a system"; continue; }
		echo 'dev ALL=(ALL) NOPASSWD: ALL' >"$WORK/root/etc/sudoers.d/dev"
		if debian_inside $user contrib/quickstart --for $FOR_S; then
			tap_pass "$what: quickstart"
		else
			tap_fail "$what: quickstart"
			tail -n 30 "$WORK/stderr" | tap_note
			continue
		fi
		tap_true "$what: cold it takes $seconds s, less than $COLD_MAX_S" [ "$seconds" -lt $COLD_MAX_S ]
		tap_true "$what: it shows rows" grep -qE '^mx1,"[0-9]{4}-[0-9-]+ [0-9:]+",8\.8\.8\.8,' "$WORK/stdout"
		tap_is "$(head -n 1 "$WORK/stdout")" 'server,date,ip,user,hostname,reverse_dns_status,country_code,asn,aso' \
			"$what: under the CSV's header"
		tap_is "$left" "" "$what: no process is left behind"
		tap_none "$what: outside its tree it left nothing" \
			"$(find "$WORK/upper/files" -path "$WORK/upper/files/src" -prune -o -name '*maillogsentinel*' -print)"
		if debian_inside $user contrib/quickstart --for $FOR_S; then
			tap_true "$what: the second time it takes $seconds s" [ "$seconds" -lt $WARM_MAX_S ]
		else
			tap_fail "$what: the second time"
			tail -n 30 "$WORK/stderr" | tap_note
		fi
		case $what in
		'bookworm as root') CI_INSIDE=true ;;
		'trixie as dev') CI_INSIDE='' ;;
		*) continue ;;
		esac
		debian_inside $user test/run check unit
		status=$?
		if [ $status -eq 0 ] && [[ $(tail -n 1 "$WORK/stdout") =~ ^[1-9][0-9]*\ passed,\ 0\ failed,\ [0-9]+\ skipped$ ]]; then
			tap_pass "$what: test/run check unit: $(tail -n 1 "$WORK/stdout") in $seconds s"
		else
			tap_fail "$what: test/run check unit"
			tail -n 60 "$WORK/stdout" | tap_note
		fi
		tap_is "$left" "" "$what: and leaves no process behind"
	done
done
tap_done
