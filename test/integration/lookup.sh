#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=bsdutils
# `lookup`: what is printed for addresses of every kind, given as arguments or on stdin, from two small databases, and how it
# ends.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"

cat >"$WORK/country.csv" <<'X'
10.0.0.0,10.255.255.255,AU
81.30.107.0,81.30.107.255,US
205.177.40.0,205.177.40.255,US
2a00:20::,2a00:20:ffff:ffff:ffff:ffff:ffff:ffff,DE
2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,DE
X
# The last rows are hostile: a terminal's escape sequence, DEL, C1, what is not UTF-8, a literal \x41.
cat >"$WORK/asn.csv" <<'X'
10.0.0.0,10.255.255.255,64512,"Not so private"
81.30.107.0,81.30.107.255,9808,China Mobile
205.177.40.0,205.177.40.255,5650,"Frontier, ""Communications"""
2a00:20::,2a00:20:ffff:ffff:ffff:ffff:ffff:ffff,4294967295,"Drei Söhne"
8.8.8.0,8.8.8.255,15169,
192.88.99.0,192.88.99.255,6939,Hurricane Electric LLC
2002::,2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff,6939,Hurricane Electric LLC
X
printf '9.9.9.0,9.9.9.255,1,"\033[2J\033]0;title\007x"\n' >>"$WORK/asn.csv"
printf '9.9.8.0,9.9.8.255,2,"a\177b\302\233c\377d"\n9.9.7.0,9.9.7.255,3,\\x41\n' >>"$WORK/asn.csv"

configure() { # COUNTRY_DB ASN_DB
	cat >"$WORK/conf" <<X
# neither directory is there, and the log can't be written: lookup needs none of them
paths: { working_dir = "/nonexistent/csv"; state_dir = "/nonexistent/state"; };
general: { log_file = "/nonexistent/log"; };
geolocation: { country_db_path = "$1"; };
ASN_ASO: { asn_db_path = "$2"; };
X
}
configure "$WORK/country.csv" "$WORK/asn.csv"

# $out, $err and $status of a run; stderr without the directory of the test.
lookup() { # ARG...
	status=0
	out=$("$MLS_PROGRAM" -c "$WORK/conf" lookup "$@" 2>"$WORK/err") || status=$?
	err=$(sed "s,$WORK/,," "$WORK/err")
}

answers() { # TEXT ADDRESS LINE JSON
	lookup "$2"
	tap_is "$status|$out|$err" "0|$3|" "$1"
	lookup --json "$2"
	tap_is "$status|$out|$err" "0|$4|" "$1, as JSON"
}

# ---- one address -------------------------------------------------------------------------------
answers "IPv4" 81.30.107.24 '81.30.107.24  US  AS9808  China Mobile' \
	'{"ip":"81.30.107.24","country_code":"US","asn":9808,"aso":"China Mobile"}'
answers "quotes and a comma" 205.177.40.1 '205.177.40.1  US  AS5650  Frontier, "Communications"' \
	'{"ip":"205.177.40.1","country_code":"US","asn":5650,"aso":"Frontier, \"Communications\""}'
answers "IPv6, written long" 2A00:0020:0:0:0:0:0:5 '2a00:20::5  DE  AS4294967295  Drei Söhne' \
	'{"ip":"2a00:20::5","country_code":"DE","asn":4294967295,"aso":"Drei Söhne"}'
answers "v4-mapped" ::ffff:81.30.107.24 '81.30.107.24  US  AS9808  China Mobile' \
	'{"ip":"81.30.107.24","country_code":"US","asn":9808,"aso":"China Mobile"}'
answers "in neither database" 1.1.1.1 '1.1.1.1  N/A  N/A  N/A' \
	'{"ip":"1.1.1.1","country_code":null,"asn":null,"aso":null}'
answers "a network without a name, in no country" 8.8.8.8 '8.8.8.8  N/A  AS15169  N/A' \
	'{"ip":"8.8.8.8","country_code":null,"asn":15169,"aso":null}'
answers "private, whatever the databases say" 10.1.2.3 '10.1.2.3  N/A  N/A  private (RFC 1918)' \
	'{"ip":"10.1.2.3","country_code":null,"asn":null,"aso":null}'
answers "loopback" ::1 '::1  N/A  N/A  loopback (RFC 4291)' '{"ip":"::1","country_code":null,"asn":null,"aso":null}'
answers "documentation" 2001:db8::7 '2001:db8::7  N/A  N/A  documentation (RFC 3849)' \
	'{"ip":"2001:db8::7","country_code":null,"asn":null,"aso":null}'
answers "reachable, but special" 192.88.99.1 '192.88.99.1  N/A  AS6939  Hurricane Electric LLC; 6to4 relay anycast (RFC 7526)' \
	'{"ip":"192.88.99.1","country_code":null,"asn":6939,"aso":"Hurricane Electric LLC"}'
answers "the client behind 6to4" 2002:511e:6b18::1 \
	'2002:511e:6b18::1  N/A  AS6939  Hurricane Electric LLC; 6to4 (RFC 3056) of 81.30.107.24' \
	'{"ip":"2002:511e:6b18::1","country_code":null,"asn":6939,"aso":"Hurricane Electric LLC"}'
answers "behind NAT64" 64:ff9b::511e:6b18 '64:ff9b::511e:6b18  N/A  N/A  NAT64 (RFC 6052) of 81.30.107.24' \
	'{"ip":"64:ff9b::511e:6b18","country_code":null,"asn":null,"aso":null}'
answers "in brackets" '[2a00:20::5]' '2a00:20::5  DE  AS4294967295  Drei Söhne' \
	'{"ip":"2a00:20::5","country_code":"DE","asn":4294967295,"aso":"Drei Söhne"}'
answers "an organisation that talks to the terminal" 9.9.9.9 \
	'9.9.9.9  N/A  AS1  \x1b[2J\x1b]0;title\x07x' \
	'{"ip":"9.9.9.9","country_code":null,"asn":1,"aso":"\u001b[2J\u001b]0;title\u0007x"}'
answers "DEL, C1 and what is not UTF-8" 9.9.8.1 '9.9.8.1  N/A  AS2  a\x7fb\xc2\x9bc\xffd' \
	'{"ip":"9.9.8.1","country_code":null,"asn":2,"aso":"a\u007fb\u009bc\\xffd"}'
answers "an organisation that looks escaped" 9.9.7.1 '9.9.7.1  N/A  AS3  \x5cx41' \
	'{"ip":"9.9.7.1","country_code":null,"asn":3,"aso":"\\x41"}'

# ---- several -----------------------------------------------------------------------------------
lookup 2a00:20::5 1.1.1.1 81.30.107.24 10.1.2.3 81.30.107.24
tap_is "$status|$err" "0|" "several addresses"
tap_is "$out" '2a00:20::5    DE   AS4294967295  Drei Söhne
1.1.1.1       N/A  N/A           N/A
81.30.107.24  US   AS9808        China Mobile
10.1.2.3      N/A  N/A           private (RFC 1918)
81.30.107.24  US   AS9808        China Mobile' "stand in the order given, aligned, each as often as given"
lookup 81.30.107.24 not-one 1.2.3 1.1.1.1 '' fe80::1%eth0 1.2.3.4/8 '[::1]:25' 1.2.3.4:25 :25 10/8 unknown '[]' $'e\e[2Jvil'
tap_is "$status|$out" '1|81.30.107.24  US   AS9808  China Mobile
1.1.1.1       N/A  N/A     N/A' "what is no address is left out, and the status is 1"
tap_is "$err" "maillogsentinel: 'not-one' is not an IP address
maillogsentinel: '1.2.3' is not an IP address
maillogsentinel: '' is not an IP address
maillogsentinel: 'fe80::1%eth0' is an address and a zone; leave out what follows the address
maillogsentinel: '1.2.3.4/8' is a network; which of its addresses?
maillogsentinel: '[::1]:25' is an address and a port; leave out what follows the address
maillogsentinel: '1.2.3.4:25' is an address and a port; leave out what follows the address
maillogsentinel: ':25' is not an IP address
maillogsentinel: '10/8' is not an IP address
maillogsentinel: 'unknown' is not an IP address
maillogsentinel: '[]' is not an IP address
maillogsentinel: 'e\\x1b[2Jvil' is not an IP address" "and each is named, escaped"
lookup --json not-one
tap_is "$status|$out" "1|" "no address at all prints nothing"
lookup 81.30.107.24 --json 1.1.1.1
tap_is "$(wc -l <<<"$out")|${out%%,*}" '2|{"ip":"81.30.107.24"' "an option may stand among the addresses"
mapfile -t many < <(for i in {0..255}; do for _ in {0..39}; do echo "81.30.107.$i"; done; done)
lookup "${many[@]}"
tap_is "$status|$(sort <<<"$out" | uniq -c | wc -l)|$(wc -l <<<"$out")" "0|256|10240" "10,240 addresses"
"$MLS_PROGRAM" -c "$WORK/conf" lookup "${many[@]}" >/dev/full 2>"$WORK/err"
tap_is "$?|$(cat "$WORK/err")" "1|maillogsentinel: stdout: No space left on device" "a full disk under stdout is told"

# ---- standard input ----------------------------------------------------------------------------
mixed=$'81.30.107.24 1.1.1.1\n\n \t[2a00:20::5]\r\n2a00:20:1234:5678:9abc:def0:1234:5678\n8.8.8.8'
lookup <<<"$mixed"
tap_is "$status|$err" "0|" "words of stdin"
tap_is "$out" '81.30.107.24     US   AS9808    China Mobile
1.1.1.1          N/A  N/A       N/A
2a00:20::5       DE   AS4294967295  Drei Söhne
2a00:20:1234:5678:9abc:def0:1234:5678  DE   AS4294967295  Drei Söhne
8.8.8.8                                N/A  AS15169       N/A' "in their order; columns only get wider"
expected=$out
printf '%s' "$mixed" >"$WORK/input"
tap_is "$("$MLS_PROGRAM" -c "$WORK/conf" lookup - <"$WORK/input")" "$expected" "so with -, and without a last line end"
tap_is "$(while IFS= read -r -N 1 c; do printf '%s' "$c"; done <"$WORK/input" | "$MLS_PROGRAM" -c "$WORK/conf" lookup)" "$expected" "and byte by byte"
lookup --json 1.1.1.1 - 8.8.8.8 - <<<"81.30.107.24"
tap_is "$status|$(cut -d, -f1 <<<"$out" | tr '\n' ' ')|$err" \
	'0|{"ip":"1.1.1.1" {"ip":"81.30.107.24" {"ip":"8.8.8.8" |' "among arguments"
lookup </dev/null
tap_is "$status|$out|$err" "0||" "nothing on stdin is nothing"
printf '1.1.1.1\nbad 8.8.8.8\n\n8.8.8.8/32\n\0x\n81.30.107.24' >"$WORK/input"
lookup --json <"$WORK/input"
tap_is "$status|$(cut -d, -f1 <<<"$out" | tr '\n' ' ')|$err" \
	"1|{\"ip\":\"1.1.1.1\" {\"ip\":\"8.8.8.8\" {\"ip\":\"81.30.107.24\" |maillogsentinel: line 2: 'bad' is not an IP address
maillogsentinel: line 4: '8.8.8.8/32' is a network; which of its addresses?
maillogsentinel: line 5: '?x' is not an IP address" "what is no address is named with its line"
{ echo 1.1.1.1; head -c 300000 /dev/zero | tr '\0' x; echo " 8.8.8.8"; } >"$WORK/input"
lookup --json <"$WORK/input"
x=$(printf '%064d' 0 | tr 0 x)
tap_is "$status|$(cut -d, -f1 <<<"$out" | tr '\n' ' ')|$err" \
	"1|{\"ip\":\"1.1.1.1\" {\"ip\":\"8.8.8.8\" |maillogsentinel: line 2: '$x...' is not an IP address" "a word of 300,000 bytes is one mistake"
lookup <"$WORK"
tap_is "$status|$out|$err" "1||maillogsentinel: standard input: Is a directory" "stdin is a directory"
status=0
"$MLS_PROGRAM" -c "$WORK/conf" lookup <&- >"$WORK/out" 2>"$WORK/err" || status=$?
tap_is "$status|$(cat "$WORK/out" "$WORK/err")" "1|maillogsentinel: standard input: Bad file descriptor" "stdin is closed"
yes 81.30.107.24 | head -n 1000000 | "$MLS_PROGRAM" -c "$WORK/conf" lookup 2>"$WORK/err" >/dev/full
tap_is "$?|$(cat "$WORK/err")" "1|maillogsentinel: stdout: No space left on device" "a full disk under stdout ends it"

# an answer comes before the next question
coproc { exec "$MLS_PROGRAM" -c "$WORK/conf" lookup --json 2>/dev/null; }
talk=''
for ip in 81.30.107.24 not-one 2a00:20::5; do
	echo "$ip" >&"${COPROC[1]}"
	[ "$ip" = not-one ] || { IFS= read -r -t 20 line <&"${COPROC[0]}" && talk+="${line%%,*} "; }
done
tap_is "$talk" '{"ip":"81.30.107.24" {"ip":"2a00:20::5" ' "answers come as questions do"
pid=$COPROC_PID to=${COPROC[1]}
exec {to}>&-
wait "$pid"
tap_is $? 1 "and the end of stdin ends it"

# the plain build, in memory that three million answers don't fit into
lines=$(yes 81.30.107.24 | head -n 3000000 |
	bash -c 'ulimit -v 65536; exec "$0" "$@"' "$MLS_PROGRAM_RELEASE" -c "$WORK/conf" lookup | wc -l)
tap_is "$lines" 3000000 "three million addresses in constant memory"

# ---- a terminal --------------------------------------------------------------------------------
# what it shows when stdin is no terminal; without the CR that it puts before each LF
on_terminal() { # ARGUMENTS
	script -qec "'$MLS_PROGRAM' -c '$WORK/conf' lookup $1" /dev/null </dev/null | tr -d '\r'
}
tap_is "$(on_terminal '81.30.107.24 1.1.1.1')" 'ADDRESS       COUNTRY  NETWORK  ORGANISATION
81.30.107.24  US       AS9808   China Mobile
1.1.1.1       N/A      N/A      N/A' "a table on a terminal has titles"
tap_is "$(on_terminal 81.30.107.24)" '81.30.107.24  US  AS9808  China Mobile' "a single answer has none"
tap_is "$(on_terminal '--json 81.30.107.24 1.1.1.1' | cut -c 1-6 | tr '\n' ' ')" '{"ip": {"ip": ' "nor has JSON"
printf '81.30.107.24 1.1.1.1\n' >"$WORK/input"
tap_is "$(on_terminal "<'$WORK/input'")" 'ADDRESS          COUNTRY  NETWORK   ORGANISATION
81.30.107.24     US       AS9808    China Mobile
1.1.1.1          N/A      N/A       N/A' "answers to stdin have titles"
tap_is "$(on_terminal not-one)" "maillogsentinel: 'not-one' is not an IP address" "no titles without a table"
tap_is "$(on_terminal "not-one - <'$WORK/input' 2>/dev/null" | head -c 7)" ADDRESS "but with one"

# ---- databases ---------------------------------------------------------------------------------
fetches="N/A until 'maillogsentinel update-db' fetches"
configure "$WORK/none.csv" "$WORK/asn.csv"
lookup 81.30.107.24 1.1.1.1
tap_is "$status|$out|$err" "0|81.30.107.24  N/A  AS9808  China Mobile
1.1.1.1       N/A  N/A     N/A|maillogsentinel: warning: none.csv: no such file; countries are $fetches it" "no database of countries: one warning"
configure "$WORK/country.csv" "$WORK/none.csv"
lookup 81.30.107.24
tap_is "$status|$out|$err" "0|81.30.107.24  US  N/A  N/A|maillogsentinel: warning: none.csv: no such file; networks and organisations are $fetches it" "none of networks"
configure "" ""
lookup 81.30.107.24 10.1.2.3
tap_is "$status|$out|$err" "0|81.30.107.24  N/A  N/A  N/A
10.1.2.3      N/A  N/A  private (RFC 1918)|maillogsentinel: warning: /nonexistent/state/db/user-country.mmdb and /nonexistent/state/db/origin-asn.mmdb: no such file; countries, networks and organisations are $fetches them" "neither is there: one warning"
touch -d '60 days ago' "$WORK/country.csv"
configure "$WORK/country.csv" "$WORK/asn.csv"
lookup 81.30.107.24
tap_is "$status|$out|$err" "0|81.30.107.24  US  AS9808  China Mobile|maillogsentinel: warning: country.csv: what it says of countries is 60 \
days old; 'maillogsentinel update-db' fetches what is new" "old data is noted"
touch "$WORK/country.csv"
printf '<html>404 Not Found</html>\n' >"$WORK/damaged.csv"
configure "$WORK/country.csv" "$WORK/damaged.csv"
lookup 81.30.107.24
tap_is "$status|$out|$(wc -l <<<"$err")" "1||1" "a damaged database prints nothing, and the status is 1"
tap_true "and it is named" grep -q '^maillogsentinel: damaged.csv: .' <<<"$err"
mkdir "$WORK/directory.csv"
configure "$WORK/directory.csv" "$WORK/asn.csv"
lookup 81.30.107.24
tap_is "$status|$out|$err" "1||maillogsentinel: directory.csv: Is a directory" "a directory is no database"
: >"$WORK/empty.csv"
configure "$WORK/empty.csv" "$WORK/asn.csv"
lookup 81.30.107.24
tap_is "$status|$out|$err" "1||maillogsentinel: empty.csv: the file is empty" "nor is an empty file"

# their image, made where that can be done, and cut beside one who has it open
configure "$WORK/country.csv" "$WORK/asn.csv"
mkdir -p "$WORK/state/db"
sed -i "s,/nonexistent/state,$WORK/state," "$WORK/conf"
lookup 81.30.107.24
tap_true "the image is made" [ -s "$WORK/state/db/ip.image" ]
sed -i 's/China Mobile/China Immobile/' "$WORK/asn.csv"
lookup 81.30.107.24
tap_is "$status|$out|$err" "0|81.30.107.24  US  AS9808  China Immobile|" "and made anew when it does not fit them"
coproc { exec "$MLS_PROGRAM" -c "$WORK/conf" lookup 2>&1; }
ask() { # ADDRESS
	answer=''
	echo "$1" >&"${COPROC[1]}"
	IFS= read -r -t 20 answer <&"${COPROC[0]}"
}
ask 81.30.107.24
tap_is "$answer" '81.30.107.24     US   AS9808    China Immobile' "who asks later opens it"
: >"$WORK/state/db/ip.image"
ask 81.30.107.24
tap_is "$answer" '81.30.107.24     US   AS9808    China Immobile' "and does not mind when it is cut"
pid=$COPROC_PID to=${COPROC[1]}
exec {to}>&-
wait "$pid"
tap_is $? 0 "at all"
tap_true "and makes a new one" [ -s "$WORK/state/db/ip.image" ]
rm "$WORK/state/db/ip.image"
echo staged >"$WORK/state/db/ip.image.new"
lookup 81.30.107.24
tap_is "$(cat "$WORK/state/db/ip.image.new") $(find "$WORK/state/db" -name 'ip.image*' | wc -l)" "staged 2" "the one that update-db is about to put there is left alone"
rm "$WORK/state/db/ip.image.new"

# ---- configuration -----------------------------------------------------------------------------
printf 'dns: { tries = 100; };\n' >"$WORK/conf"
lookup 81.30.107.24
tap_is "$status|$out" "78|" "a mistake in the configuration"
tap_true "is named" grep -q '^maillogsentinel: conf:1: dns.tries: ' <<<"$err"
rm "$WORK/conf"
lookup 81.30.107.24
tap_is "$status|$out|$err" "78||maillogsentinel: conf: No such file or directory" "a file of -c that is not there"
if [ -e /etc/maillogsentinel.conf ]; then
	tap_skip "no configuration file" "there is a /etc/maillogsentinel.conf"
else
	tap_is "$("$MLS_PROGRAM" lookup 10.1.2.3 2>/dev/null)" '10.1.2.3  N/A  N/A  private (RFC 1918)' "no configuration file"
fi
tap_done
