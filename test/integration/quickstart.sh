#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=iproute2 timeout=240
# contrib/quickstart where its packages are there already: the sample, a log, Ctrl-C, mistakes; the IP databases without a
# network, with one that swallows everything, and from the disk. In a copy of the tree, so that nobody's demo is touched, and
# without a network, so that nobody is asked about the sample's addresses or for databases.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"

HEADER='server,date,ip,user,hostname,reverse_dns_status,country_code,asn,aso'
apart=(unshare --net --mount)
[ "$(id -u)" -eq 0 ] || apart=(unshare --map-root-user --net --mount)
"${apart[@]}" true 2>/dev/null || tap_skip_all "needs the right to make a network namespace"

COPY=$WORK/tree
mkdir "$COPY"
(cd "$ROOT" && project_files . | tar -cT -) | tar -x -C "$COPY"
# a directory's name may hold anything
ODD="$WORK/odd \"name\""
mv "$COPY" "$ODD"
: >"$WORK/begun"
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

# the sample: 79 lines at four a second, the third of which is a failure
start --sample
tap_true "it gets built" wait_until 120 grep -q '^Following' "$WORK/stderr"
tap_true "the first row is there at once" wait_until 8 shown 2
tap_true "the sample plays" wait_until 90 shown 20 || tap_note <"$WORK/stderr"
interrupt
tap_is $? 0 "Ctrl-C is a good end"
tap_true "what is shown is the CSV" diff "$WORK/stdout" "$csv"
tap_is "$(cut -d, -f3 "$csv" | tr '\n' ' ')" "ip 8.8.8.8 81.30.107.24 205.177.40.1 205.177.40.1 205.177.40.1 \
2001:4860:4860::8888 1.1.1.1 198.51.100.77 2606:4700:4700::1111 9.9.9.9 203.0.113.66 2620:fe::fe 208.67.222.222 \
208.67.222.222 208.67.222.222 192.0.2.44 198.51.100.23 8.8.8.8 8.8.8.8 " "every failed login of the sample is there, and nothing else"
tap_is "$(sed -n 2p "$csv" | cut -d, -f7-)" 'US,15169,"Google LLC"' "with country and network"
unfetched="^The IP databases can't be fetched now \\(.+\\): country and network of a row are N/A"
tap_is "$(grep -cE "$unfetched where the sample brings none\\. The next start tries again\\.$" "$WORK/stderr")" 1 \
	"one line says that there are no databases" || tap_note <"$WORK/stderr"
tap_true "what is next is said" grep -q 'Next' "$WORK/stderr"

# a log of one's own, by a relative path; rows of before are not shown again
failure() { # USER
	printf '%s mx1 postfix/smtpd[7]: warning: unknown[81.30.107.24]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=%s\n' \
		"$(date +%Y-%m-%dT%H:%M:%S%:z)" "$1"
}
failure mine >"$WORK/my.log"
cd "$WORK" || exit 1
before=$SECONDS
quickstart --for 5 my.log
tap_is $status 0 "a log of one's own, for some seconds" || tap_note <"$WORK/stderr"
tap_true "the second time takes seconds" [ $((SECONDS - before)) -le 20 ]
tap_is "$(head -n 1 "$WORK/stdout"); $(tail -n +2 "$WORK/stdout" | cut -d, -f3,4,7-)" "$HEADER; 81.30.107.24,mine,N/A,N/A,\"N/A\"" \
	"only what is new is shown, and not with the sample's databases"
tap_is "$(grep -cE "$unfetched\\. " "$WORK/stderr")" 1 "and it is said" || tap_note <"$WORK/stderr"

start "$WORK/my.log"
tap_true "it follows again" wait_until 20 grep -q '^Following' "$WORK/stderr"
failure more >>"$WORK/my.log"
tap_true "a row comes while it runs" wait_until 20 grep -q ',more,' "$WORK/stdout"
interrupt
tap_is "$(tail -n 1 "$csv" | cut -d, -f4)" more "and the rows are there"
tap_is "$(pgrep -f "$ODD" | wc -l)" 0 "and no process is left"

# a network that answers nothing, so that only a deadline tells; names of addresses would wait for it, too
# shellcheck disable=SC2016  # the inner shell's
nowhere='ip link set lo up && ip address add 203.0.113.1/32 dev lo && ip route add default dev lo &&
	echo nameserver 198.51.100.53 >"$0" && mount --bind "$0" /etc/resolv.conf && exec "$@"'
echo 'dns: { enabled = false; };' >"$ODD/build/demo/local.conf"
if "${apart[@]}" bash -c "$nowhere" "$WORK/resolv.conf" true 2>"$WORK/err"; then
	plain=("${apart[@]}")
	apart+=(bash -c "$nowhere" "$WORK/resolv.conf")
	failure nowhere >>"$WORK/my.log"
	before=$EPOCHREALTIME
	start --for 6 "$WORK/my.log"
	tap_true "a dead network: it follows" wait_until 30 grep -q '^Following' "$WORK/stderr"
	tap_true "rows come at once" wait_until 5 grep -q ',nowhere,' "$WORK/stdout"
	tap_true "and it is said that there are no databases yet" grep -qE \
		'^Fetching the IP databases meanwhile; until they are here, country and network of a row are N/A\.$' "$WORK/stderr"
	wait "$group"
	tap_is $? 0 "it ends as asked"
	took_ms=$(((${EPOCHREALTIME/[.,]/} - ${before/[.,]/}) / 1000))
	tap_true "after $took_ms ms: nothing waits for the network" [ $took_ms -lt 20000 ]
	apart=("${plain[@]}")
else
	tap_skip "a dead network" "can't make one: $(head -n 1 "$WORK/err")"
fi

# databases from the disk: those of the configuration, by URLs of one's own
awk 'BEGIN { for (i = 0; i < 6000; i++) printf "24.%d.%d.0,24.%d.%d.255,CA\n", i / 256, i % 256, i / 256, i % 256; print "81.30.107.0,81.30.107.255,NZ" }' \
	>"$WORK/country.csv"
sed 's/CA$/64496,Example Net/; s/NZ$/64500,"Other, Net"/' "$WORK/country.csv" >"$WORK/asn.csv"
cat >>"$ODD/build/demo/local.conf" <<X
geolocation: { country_db_url = "file://$WORK/country.csv"; };
ASN_ASO: { asn_db_url = "file://$WORK/asn.csv"; };
X
# shellcheck disable=SC2317  # called by wait_until
fetched() { # a new row each time, until the daemon has taken them up
	failure fetched >>"$WORK/my.log"
	grep -q ',fetched,.*,NZ,64500,"Other, Net"$' "$WORK/stdout"
}
start "$WORK/my.log"
tap_true "databases from the disk are there" wait_until 60 grep -q '^The IP databases are here\.$' "$WORK/stderr" || tap_note <"$WORK/stderr"
tap_true "and the daemon that runs takes them up" wait_until 30 fetched
interrupt
failure again >>"$WORK/my.log"
quickstart --for 4 "$WORK/my.log"
tap_is "$(tail -n 1 "$WORK/stdout" | cut -d, -f4,7-)" 'again,NZ,64500,"Other, Net"' "they stay"
tap_is "$(grep -c 'IP databases' "$WORK/stderr")" 0 "and are not fetched again"
tap_is "$(pgrep -f "$ODD" | wc -l)" 0 "no process is left"
tap_is "$(cd "$ODD" && find . -newer "$WORK/begun" -type f -not -path './build/*')" "" "nothing but build/ was written to"
tap_done
