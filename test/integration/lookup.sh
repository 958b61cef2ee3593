#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# `lookup`: what is printed for addresses of every kind, from two small databases, and how it ends.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"

cat >"$WORK/country.csv" <<'X'
10.0.0.0,10.255.255.255,AU
81.30.107.0,81.30.107.255,US
205.177.40.0,205.177.40.255,US
2a00:20::,2a00:20:ffff:ffff:ffff:ffff:ffff:ffff,DE
X
# The last rows are hostile: a terminal's escape sequence, DEL, C1, what is not UTF-8, a literal \x41.
cat >"$WORK/asn.csv" <<'X'
10.0.0.0,10.255.255.255,64512,"Not so private"
81.30.107.0,81.30.107.255,9808,China Mobile
205.177.40.0,205.177.40.255,5650,"Frontier, ""Communications"""
2a00:20::,2a00:20:ffff:ffff:ffff:ffff:ffff:ffff,4294967295,"Drei Söhne"
8.8.8.0,8.8.8.255,15169,
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
lookup 81.30.107.24 not-one 1.2.3 1.1.1.1 '' fe80::1%eth0 1.2.3.4/8 unknown $'e\e[2Jvil'
tap_is "$status|$out" '1|81.30.107.24  US   AS9808  China Mobile
1.1.1.1       N/A  N/A     N/A' "what is no address is left out, and the status is 1"
tap_is "$err" "maillogsentinel: 'not-one' is not an IP address
maillogsentinel: '1.2.3' is not an IP address
maillogsentinel: '' is not an IP address
maillogsentinel: 'fe80::1%eth0' is not an IP address
maillogsentinel: '1.2.3.4/8' is not an IP address
maillogsentinel: 'unknown' is not an IP address
maillogsentinel: 'e\\x1b[2Jvil' is not an IP address" "and each is named, escaped"
lookup --json not-one
tap_is "$status|$out" "1|" "no address at all prints nothing"
lookup 81.30.107.24 --json 1.1.1.1
tap_is "$(wc -l <<<"$out")|${out%%,*}" '2|{"ip":"81.30.107.24"' "an option may stand among the addresses"
lookup
tap_is "$status|$out|${err%%$'\n'*}" "2||maillogsentinel: lookup: an argument is missing" "none at all is wrong usage"
mapfile -t many < <(for i in {0..255}; do for _ in {0..39}; do echo "81.30.107.$i"; done; done)
lookup "${many[@]}"
tap_is "$status|$(sort <<<"$out" | uniq -c | wc -l)|$(wc -l <<<"$out")" "0|256|10240" "10,240 addresses"
"$MLS_PROGRAM" -c "$WORK/conf" lookup "${many[@]}" >/dev/full 2>"$WORK/err"
tap_is "$?|$(cat "$WORK/err")" "1|maillogsentinel: stdout: No space left on device" "a full disk under stdout is told"

# ---- databases ---------------------------------------------------------------------------------
absent='no such file; what it would say is N/A'
configure "$WORK/none.csv" "$WORK/asn.csv"
lookup 81.30.107.24 1.1.1.1
tap_is "$status|$out|$err" "0|81.30.107.24  N/A  AS9808  China Mobile
1.1.1.1       N/A  N/A     N/A|maillogsentinel: warning: none.csv: $absent" "no database of countries: one warning"
configure "$WORK/country.csv" "$WORK/none.csv"
lookup 81.30.107.24
tap_is "$status|$out|$err" "0|81.30.107.24  US  N/A  N/A|maillogsentinel: warning: none.csv: $absent" "none of networks"
configure "" ""
lookup 81.30.107.24 10.1.2.3
tap_is "$status|$out|$err" "0|81.30.107.24  N/A  N/A  N/A
10.1.2.3      N/A  N/A  private (RFC 1918)|maillogsentinel: warning: /nonexistent/state/db/user-country.mmdb: $absent
maillogsentinel: warning: /nonexistent/state/db/origin-asn.mmdb: $absent" "neither is there"
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
