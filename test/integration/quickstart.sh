#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=240
# contrib/quickstart where its packages are there already: the sample, a log, Ctrl-C, mistakes. In a copy of the tree, so that
# nobody's demo is touched, and without a network, so that nobody is asked about the sample's addresses.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"

HEADER='server,date,ip,user,hostname,reverse_dns_status,country_code,asn,aso'
apart=(unshare --net)
[ "$(id -u)" -eq 0 ] || apart=(unshare --map-root-user --net)
"${apart[@]}" true 2>/dev/null || tap_skip_all "needs the right to make a network namespace"

COPY=$WORK/tree
mkdir "$COPY"
(cd "$ROOT" && project_files . | tar -cT -) | tar -x -C "$COPY"
# a directory's name may hold anything
ODD="$WORK/odd \"name\""
mv "$COPY" "$ODD"
cd / || exit 1
quickstart() {
	"${apart[@]}" "$ODD/contrib/quickstart" "$@" </dev/null >"$WORK/stdout" 2>"$WORK/stderr"
	status=$?
}
csv=$ODD/build/demo/maillogsentinel.csv

quickstart --help
tap_is "$status $(head -c 6 "$WORK/stdout")" "0 usage:" "help"
quickstart --nonsense
tap_is $status 2 "an unknown option"
quickstart --for soon
tap_is $status 2 "a time that is none"
quickstart "$WORK/not-there"
tap_is "$status $(cat "$WORK/stderr")" "1 quickstart: $WORK/not-there: no such file" "a log that is not there"

# starts it beside this test, as $group; Ctrl-C comes to the whole process group of the terminal
start() { # ARG...
	set -m
	"${apart[@]}" "$ODD/contrib/quickstart" "$@" </dev/null >"$WORK/stdout" 2>"$WORK/stderr" &
	group=$!
	set +m
}
interrupt() {
	kill -INT -- "-$group"
	wait "$group"
}
# shellcheck disable=SC2317  # called by wait_until
shown() { [ "$(wc -l <"$WORK/stdout")" -ge "$1" ]; } # LINES

# the sample: 79 lines at four a second
start --sample
tap_true "the sample plays" wait_until 90 shown 20 || tap_note <"$WORK/stderr"
interrupt
tap_is $? 0 "Ctrl-C is a good end"
tap_true "what is shown is the CSV" diff "$WORK/stdout" "$csv"
tap_is "$(cut -d, -f3 "$csv" | tr '\n' ' ')" "ip 8.8.8.8 81.30.107.24 205.177.40.1 205.177.40.1 205.177.40.1 \
2001:4860:4860::8888 1.1.1.1 198.51.100.77 2606:4700:4700::1111 9.9.9.9 203.0.113.66 2620:fe::fe 208.67.222.222 \
208.67.222.222 208.67.222.222 192.0.2.44 198.51.100.23 8.8.8.8 8.8.8.8 " "every failed login of the sample is there, and nothing else"
tap_is "$(sed -n 2p "$csv" | cut -d, -f7-)" 'US,15169,"Google LLC"' "with country and network"
tap_true "what is next is said" grep -q 'Next' "$WORK/stderr"

# a log of one's own, by a relative path; rows of before are not shown again
printf '%s mx1 postfix/smtpd[7]: warning: unknown[192.0.2.9]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=mine\n' \
	"$(date +%Y-%m-%dT%H:%M:%S%:z)" >"$WORK/my.log"
cd "$WORK" || exit 1
before=$SECONDS
quickstart --for 5 my.log
tap_is $status 0 "a log of one's own, for some seconds" || tap_note <"$WORK/stderr"
tap_true "the second time takes seconds" [ $((SECONDS - before)) -le 20 ]
tap_is "$(head -n 1 "$WORK/stdout"); $(tail -n +2 "$WORK/stdout" | cut -d, -f3,4)" "$HEADER; 192.0.2.9,mine" "only what is new is shown"

start "$WORK/my.log"
tap_true "it follows again" wait_until 20 grep -q '^Following' "$WORK/stderr"
sed 's/=mine/=more/' "$WORK/my.log" >>"$WORK/my.log.new"
cat "$WORK/my.log.new" >>"$WORK/my.log"
tap_true "a row comes while it runs" wait_until 20 grep -q ',more,' "$WORK/stdout"
interrupt
tap_is "$(tail -n 1 "$csv" | cut -d, -f4)" more "and the rows are there"
tap_is "$(pgrep -f "$ODD" | wc -l)" 0 "and no process is left"
tap_is "$(cd "$ODD" && find . -newer "$WORK/my.log.new" -type f -not -path './build/*')" "" "nothing but build/ was written to"
tap_done
