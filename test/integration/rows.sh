#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=nsd
# The contract's sample rows, byte for byte, from matching log lines, a real name server and two small databases; and
# each status that a name server can bring about.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
command -v nsd >/dev/null || PATH=$PATH:/usr/sbin
command -v nsd >/dev/null || tap_skip_all "needs nsd"
mkdir "$WORK/csv" "$WORK/state" "$WORK/dns"

# ---- a name server on a free port --------------------------------------------------------------
cat >"$WORK/dns/zone" <<'X2'
$ORIGIN in-addr.arpa.
$TTL 600
@ SOA ns.example. root.example. 1 3600 600 86400 600
@ NS ns.example.
24.107.30.81 PTR mail.example.com.
9.2.0.198 TXT "a name without PTR"
10.2.0.198 PTR a\032b.example.
11.2.0.198 PTR =cmd.example.
12.2.0.198 CNAME 12.0-31.2.0.198
12.0-31.2.0.198 PTR delegated.example.net.
X2
cat >"$WORK/dns/zone6" <<'X2'
$ORIGIN ip6.arpa.
$TTL 600
@ SOA ns.example. root.example. 1 3600 600 86400 600
@ NS ns.example.
5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.0.0.0.0.a.2 PTR six.example.org.
X2
start_nsd() {
	port=$((20000 + RANDOM % 20000))
	cat >"$WORK/dns/conf" <<X2
server:
	ip-address: 127.0.0.1@$port
	username: ""
	chroot: ""
	zonesdir: "$WORK/dns"
	pidfile: "$WORK/dns/pid"
	database: ""
	xfrdfile: "$WORK/dns/xfrd"
	zonelistfile: "$WORK/dns/zones"
	server-count: 1
	rrl-ratelimit: 0
remote-control:
	control-enable: no
zone:
	name: in-addr.arpa
	zonefile: zone
zone:
	name: ip6.arpa
	zonefile: zone6
X2
	nsd -d -c "$WORK/dns/conf" >"$WORK/dns/log" 2>&1 &
	nsd=$!
	wait_until 5 grep -q 'nsd started' "$WORK/dns/log"
}
RANDOM=$((MLS_SEED % 32768))
for _ in 1 2 3 4 5; do
	start_nsd && break
done
tap_defer kill "$nsd"

# ---- databases, log, configuration -------------------------------------------------------------
cat >"$WORK/country.csv" <<'X2'
81.30.107.0,81.30.107.255,US
205.177.40.0,205.177.40.255,US
2a00:20::,2a00:20:ffff:ffff:ffff:ffff:ffff:ffff,DE
X2
cat >"$WORK/asn.csv" <<'X2'
81.30.107.0,81.30.107.255,9808,China Mobile
205.177.40.0,205.177.40.255,5650,"Frontier Communications"
2a00:20::,2a00:20:ffff:ffff:ffff:ffff:ffff:ffff,4294967294,"=Drei, ""GmbH"" + Söhne"
X2
cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = "$WORK/mail.log"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
dns: { servers = "127.0.0.1:$port"; };
geolocation: { country_db_path = "$WORK/country.csv"; };
ASN_ASO: { asn_db_path = "$WORK/asn.csv"; };
X2
failure() { # TIME ADDRESS [, sasl_username=USER]
	printf '%s srv01 postfix/smtpd[9]: warning: unknown[%s]: SASL LOGIN authentication failed: UGFzc3dvcmQ6%s\n' "$1" "$2" "${3-}"
}
{
	failure 2025-05-17T12:05:59.9+00:00 81.30.107.24 ', sasl_username=contribute'
	failure 2025-05-17T16:10:00+02:00 205.177.40.1 ', sasl_username=user@example.com'
	failure 2025-05-17T14:10:00Z 198.0.2.9
	failure 2025-05-17T14:10:00Z 198.0.2.10 ', sasl_username=N/A'
	failure 2025-05-17T14:10:00Z 198.0.2.11 ', sasl_username='
	failure 2025-05-17T14:10:00Z 198.0.2.12 ', sasl_username==HYPERLINK("http://x"), a'
	failure 2025-05-17T14:10:00Z 2a00:20::5 ', sasl_username=" '
	failure 2025-05-17T14:10:00Z ::ffff:81.30.107.24 ", sasl_username=\\x41 $(printf '\377')"
	failure 2025-05-17T14:10:00Z unknown ', sasl_username=nobody'
	failure 2025-05-17T14:10:00Z 192.168.1.1 ', sasl_username=private'
} >"$WORK/mail.log"

TZ=UTC tap_true extract "$MLS_PROGRAM" -c "$WORK/conf" extract
cat >"$WORK/expected" <<'X2'
server,date,ip,user,hostname,reverse_dns_status,country_code,asn,aso
srv01,"2025-05-17 12:05",81.30.107.24,contribute,mail.example.com,OK,US,9808,"China Mobile"
srv01,"2025-05-17 14:10",205.177.40.1,user@example.com,null,Errno 1,US,5650,"Frontier Communications"
srv01,"2025-05-17 14:10",198.0.2.9,N/A,null,Errno 4,N/A,N/A,"N/A"
srv01,"2025-05-17 14:10",198.0.2.10,'N/A,null,Errno 4,N/A,N/A,"N/A"
srv01,"2025-05-17 14:10",198.0.2.11,,null,Errno 4,N/A,N/A,"N/A"
srv01,"2025-05-17 14:10",198.0.2.12,"'=HYPERLINK(""http://x""), a",delegated.example.net,OK,N/A,N/A,"N/A"
srv01,"2025-05-17 14:10",2a00:20::5,""" ",six.example.org,OK,DE,4294967294,"'=Drei, ""GmbH"" + Söhne"
srv01,"2025-05-17 14:10",81.30.107.24,\x5cx41 \xff,mail.example.com,OK,US,9808,"China Mobile"
srv01,"2025-05-17 14:10",unknown,nobody,null,Off,N/A,N/A,"N/A"
srv01,"2025-05-17 14:10",192.168.1.1,private,null,Errno 1,N/A,N/A,"N/A"
X2
row=0
while IFS= read -r expected <&3 && IFS= read -r got <&4; do
	tap_is "$got" "$expected" "row $((row++))"
done 3<"$WORK/expected" 4<"$WORK/csv/maillogsentinel.csv"
tap_true "and not a byte more" cmp "$WORK/csv/maillogsentinel.csv" "$WORK/expected"

TZ=America/New_York "$MLS_PROGRAM" -c "$WORK/conf" extract --no-dns --stdout --from "$WORK/mail.log" >"$WORK/out" 2>"$WORK/err"
tap_is "$(sed -n 2p "$WORK/out")" \
	'srv01,"2025-05-17 08:05",81.30.107.24,contribute,null,Off,US,9808,"China Mobile"' "stamps become this host's time; --no-dns"
head -n 1 "$WORK/mail.log" | "$MLS_PROGRAM" -c "$WORK/conf" extract --stdout --from - >"$WORK/out" 2>"$WORK/err"
tap_is "$(sed -n 2p "$WORK/out")" "$(sed -n 2p "$WORK/expected")" "from stdin to stdout"
gzip -c "$WORK/mail.log" >"$WORK/old.gz"
TZ=UTC tap_true "extract --from a compressed file" "$MLS_PROGRAM" -c "$WORK/conf" extract --from "$WORK/old.gz" --from "$WORK/mail.log"
{ cat "$WORK/expected"; sed 1d "$WORK/expected"; sed 1d "$WORK/expected"; } >"$WORK/expected3"
tap_true "appends its rows" cmp "$WORK/csv/maillogsentinel.csv" "$WORK/expected3"
TZ=UTC tap_true "extract" "$MLS_PROGRAM" -c "$WORK/conf" extract
tap_true "has not read them as new" cmp "$WORK/csv/maillogsentinel.csv" "$WORK/expected3"
tap_done
