#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: no
# What the tests of `update-db` share: a network that holds this machine alone, a certificate authority, a web server (nginx)
# and a server for answers that nginx does not give (serve-answers.c), databases of any version, and cases that run beside each
# other. A test sources this; it then runs as root of name spaces of its own.
#
# Each case has a directory $D: state/ and conf, and what came of it: out, err, status. All names lead to this machine (/etc/hosts);
# what would leave it is counted.
# shellcheck disable=SC2034,SC2119,SC2120,SC2317  # the tests use it
# shellcheck source=test/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

NGINX=$(PATH=$PATH:/usr/sbin command -v nginx) || tap_skip_all "needs nginx"
command -v openssl >/dev/null || tap_skip_all "needs openssl"
command -v ip >/dev/null || tap_skip_all "needs ip of iproute2"
if [ -z "${MLS_IN_NAMESPACE-}" ]; then
	apart=(unshare --mount --net --propagation private)
	[ "$(id -u)" -eq 0 ] || apart+=(--map-root-user)
	"${apart[@]}" true 2>/dev/null || tap_skip_all "needs the right to make name spaces"
	MLS_IN_NAMESPACE=1 "${apart[@]}" bash "$0"
	exit
fi
unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
# whether files can belong to another user here
read -r _ _ user_count </proc/self/uid_map
many_users() { [ "$user_count" -gt 1 ]; }

TOOLS=$(dirname "$MLS_PROGRAM")/../test
FAST_CLOCK_SHIM=$(dirname "$MLS_PROGRAM_RELEASE")/../test/fast-clock.so
WWW=$WORK/www ANSWERS=$WORK/answers CASES=$WORK/cases
mkdir "$WWW" "$WWW/release" "$ANSWERS" "$CASES" "$WORK/tls" "$WORK/nginx"
chmod 755 "$WORK"

# ---- a network of this machine alone --------------------------------------------------------------

# "out" leads nowhere: what would go to another machine goes there, and is counted
ip link set lo up
ip link add out type dummy 2>/dev/null || ip link add out type veth peer name nowhere || exit 1
for device in out nowhere; do
	[ ! -d "/proc/sys/net/ipv6/conf/$device" ] || echo 1 >"/proc/sys/net/ipv6/conf/$device/disable_ipv6"
	ip link set "$device" arp off up 2>/dev/null
done
ip address add 192.0.2.2/24 dev out && ip route add default via 192.0.2.1 dev out onlink || exit 1

packets_out() { awk '$1 == "out:" { print $11 }' /proc/net/dev; }

names="maps.test other.test expired.test unknown.test github.com release-assets.githubusercontent.com"
printf '127.0.0.1 localhost %s\n192.0.2.77 silent.test\n' "$names" >"$WORK/hosts"
echo 'nameserver 127.0.0.1' >"$WORK/resolv.conf"
{ mount --bind "$WORK/hosts" /etc/hosts && mount --bind "$WORK/resolv.conf" "$(realpath /etc/resolv.conf)"; } || exit 1

# ---- certificates ---------------------------------------------------------------------------------

# A key and a certificate NAME, signed by CA (itself when it is the same), for these HOSTS, valid from BEGIN to END.
certificate() { # NAME CA BEGIN END HOST...
	local name=$1 ca=$2 begin=$3 end=$4 host names=''
	local -a sign

	shift 4
	for host; do names+="DNS:$host,"; done
	sign=(-extensions host -cert "$ca.pem" -keyfile "$ca.key")
	[ "$name" != "$ca" ] || sign=(-extensions ca -selfsign -keyfile "$ca.key")
	(
		cd "$WORK/tls" || exit 1
		mkdir -p "$ca-db" && touch "$ca-db/index"
		[ -e "$ca-db/serial" ] || echo 01 >"$ca-db/serial"
		printf '%s\n' '[req]' 'distinguished_name = dn' 'prompt = no' '[dn]' "CN = $name" \
			'[ca]' 'basicConstraints = critical,CA:TRUE' 'keyUsage = critical,keyCertSign' 'subjectKeyIdentifier = hash' \
			'[host]' "subjectAltName = ${names:-DNS:none}" \
			'[authority]' "database = $ca-db/index" "serial = $ca-db/serial" "new_certs_dir = $ca-db" 'default_md = sha256' \
			'policy = policy' 'unique_subject = no' '[policy]' 'commonName = supplied' | sed 's/,$//' >"$name.conf"
		openssl ecparam -name prime256v1 -genkey -noout -out "$name.key" &&
			openssl req -new -config "$name.conf" -key "$name.key" -out "$name.csr" &&
			openssl ca -batch -config "$name.conf" -name authority -in "$name.csr" -out "$name.pem" -notext \
				-startdate "$begin" -enddate "$end" "${sign[@]}"
	) >"$WORK/tls/log" 2>&1 || { tap_note <"$WORK/tls/log"; exit 1; }
}

certificate authority authority 20200101000000Z 20491231000000Z
certificate stranger stranger 20200101000000Z 20491231000000Z
certificate good authority 20200101000000Z 20491231000000Z maps.test github.com release-assets.githubusercontent.com
certificate expired authority 20200101000000Z 20200201000000Z expired.test
certificate unknown stranger 20200101000000Z 20491231000000Z unknown.test
export SSL_CERT_FILE=$WORK/tls/authority.pem

# ---- databases ------------------------------------------------------------------------------------

CODES=DEFRUSJPBRGB # a version's country: the first, the second, ... two letters

# The rows of a database of countries, or of networks: 2,210 ranges that cover 86 % of IPv4, and 256 of IPv6, each with another value than
# its neighbours. The value of the even ones tells the version. Each /8 below LAST is cut into OF pieces, of which PIECES are there.
rows() { # country|asn VERSION [PIECES [LAST [OF]]]
	awk -v kind="$1" -v code="${CODES:$2 * 2 - 2:2}" -v version="$2" -v pieces="${3:-10}" -v last="${4:-224}" -v of="${5:-10}" '
		function value(n, odd) {
			return kind == "country" ? (odd ? "AU" : code) : (64000 + n + 500 * odd) "," (odd ? "Other" : "Version " version)
		}
		function cut(p) { return int(p * 256 / of) }
		BEGIN {
			for (a = 1; a < last; a++) {
				if (a == 10 || a == 127)
					continue
				for (p = 0; p < pieces; p++)
					printf "%d.%d.0.0,%d.%d.255.255,%s\n", a, cut(p), a, cut(p + 1) - 1, value(a, p % 2)
			}
			for (a = 0; a < 256; a++)
				printf "2a%02x::,2a%02x:ffff:ffff:ffff:ffff:ffff:ffff:ffff,%s\n", a, a, value(a, a % 2)
		}'
}

# What `lookup` has to say of the versions (0: none) for 81.0.0.1.
answer_of() { # COUNTRY_VERSION ASN_VERSION
	local country=null asn=null,

	[ "$1" = 0 ] || country="\"${CODES:$1 * 2 - 2:2}\""
	if [ "$2" = 0 ]; then asn='null,"aso":null'; else asn="64081,\"aso\":\"Version $2\""; fi
	printf '{"ip":"81.0.0.1","country_code":%s,"asn":%s}' "$country" "$asn"
}

make_databases() {
	local kind version form file

	for kind in country asn; do
		for version in 1 2 3; do
			file=$WWW/$kind-$version
			rows $kind $version >"$file.csv"
			"$TOOLS/make-mmdb" $kind <"$file.csv" >"$file.mmdb" || return
			for form in csv mmdb; do gzip -k "$file.$form"; done
			grep -v : "$file.csv" >"$file-ipv4.csv"
			grep : "$file.csv" >"$file-ipv6.csv"
		done
	done
}
make_databases || exit 1

# Puts a file under another name of the server, as a publisher does. Of nginx an ETag is second and size: each is a second newer.
publish() { # FILE NAME
	cp "$WWW/$1" "$WWW/new" && touch -d "@$((published++))" "$WWW/new" && mv "$WWW/new" "$WWW/$2"
}
published=1780000000

# ---- servers --------------------------------------------------------------------------------------

# https at port 443 with these names' certificates, http at port 80; serve-answers at 8000
cat >"$WORK/nginx/conf" <<X
daemon off;
user root;
master_process off;
pid $WORK/nginx/pid;
error_log $WORK/nginx/error.log;
events { worker_connections 512; }
http {
	log_format lines '\$status \$host \$request_uri agent="\$http_user_agent" match="\$http_if_none_match" sent=\$body_bytes_sent';
	access_log $WORK/nginx/access.log lines;
	types { text/csv csv; text/html html; application/gzip gz; }
	default_type application/octet-stream;
	client_body_temp_path $WORK/nginx/body;
	proxy_temp_path $WORK/nginx/proxy;
	fastcgi_temp_path $WORK/nginx/fastcgi;
	uwsgi_temp_path $WORK/nginx/uwsgi;
	scgi_temp_path $WORK/nginx/scgi;
	root $WWW;
	ssl_certificate_key $WORK/tls/good.key;
	ssl_certificate $WORK/tls/good.pem;
	server {
		listen 127.0.0.1:80;
		listen 127.0.0.1:443 ssl default_server;
		server_name maps.test other.test;
		location = /status/403 { return 403 "no\n"; }
		location = /status/404 { return 404; }
		location = /status/410 { return 410; }
		location = /status/500 { return 500; }
		location = /status/503 { return 503; }
		location = /status/204 { return 204; }
		location = /status/304 { return 304; }
		location = /to-https { return 302 https://maps.test/country-2.csv; }
		location = /to-http { return 302 http://maps.test/country-2.csv; }
		location = /to-file { return 302 file://$WWW/country-2.csv; }
		location = /to-ftp { return 302 ftp://maps.test/country-2.csv; }
		location = /to-gopher { return 302 gopher://maps.test/country-2.csv; }
		location = /to-nothing { return 302 "https:///"; }
		location = /to-expired { return 302 https://expired.test/country-2.csv; }
		location = /loop { return 302 https://maps.test/loop; }
		location = /hop0 { rewrite ^ /country-2.csv last; }
		location = /hop1 { return 301 https://maps.test/hop0; }
		location = /hop2 { return 302 /hop1; }
		location = /hop3 { return 303 /hop2; }
		location = /hop4 { return 307 https://maps.test/hop3; }
		location = /hop5 { return 308 /hop4; }
		location = /hop6 { return 302 /hop5; }
		location /slow/ { alias $WWW/; limit_rate 60k; }
	}
	server {
		listen 127.0.0.1:443 ssl;
		server_name github.com release-assets.githubusercontent.com;
		location ~ ^/sapics/ip-location-db/releases/download/(latest|checksum)/([a-z.0-9-]+)\$ {
			return 302 https://release-assets.githubusercontent.com/assets/\$2?sig=a%2Bb&skt=1;
		}
		location /assets/ { alias $WWW/release/; }
	}
	server {
		listen 127.0.0.1:443 ssl;
		server_name expired.test;
		ssl_certificate_key $WORK/tls/expired.key;
		ssl_certificate $WORK/tls/expired.pem;
	}
	server {
		listen 127.0.0.1:443 ssl;
		server_name unknown.test;
		ssl_certificate_key $WORK/tls/unknown.key;
		ssl_certificate $WORK/tls/unknown.pem;
	}
}
X
"$NGINX" -c "$WORK/nginx/conf" -p "$WORK/nginx" -e "$WORK/nginx/error.log" 2>"$WORK/nginx/err" &
tap_defer kill $!
"$TOOLS/serve-answers" "$ANSWERS" 8000 &
tap_defer kill -- -$!
is_open() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
for port in 443 80 8000; do
	wait_until 10 is_open $port || { tap_note <"$WORK/nginx/err"; exit 1; }
done

# The requests for a path that nginx has answered.
requests() { # PATH
	grep -F " $1 " "$WORK/nginx/access.log"
}

# ---- cases ----------------------------------------------------------------------------------------

quoted() {
	if [[ $1 = '['* ]]; then printf '%s' "$1"; else printf '"%s"' "$1"; fi
}

# Options for databases from these URLs (or lists of them, as the configuration has them).
country_from() { # URL [MORE]
	printf 'geolocation: { country_db_url = %s; %s };\nASN_ASO: { asn_db_url = ""; };\n' "$(quoted "$1")" "${2-}"
}
both_from() { # COUNTRY_URL ASN_URL [MORE_COUNTRY [MORE_ASN]]
	printf 'geolocation: { country_db_url = %s; %s };\nASN_ASO: { asn_db_url = %s; %s };\n' \
		"$(quoted "$1")" "${3-}" "$(quoted "$2")" "${4-}"
}

configure() { # OPTIONS
	printf 'paths: { state_dir = "%s/state"; };\n%s\n' "$D" "$1" >"$D/conf"
}

# Makes $D for a case with OPTIONS, its state as in the case SEED (empty: none).
new_case() { # NAME SEED OPTIONS
	D=$CASES/$1
	mkdir "$D" || exit 1
	if [ -n "$2" ]; then cp -a "$CASES/$2/state" "$D/state"; else mkdir "$D/state"; fi
	configure "$3"
	snapshot >"$D/before"
}

# The databases and the image with all that must not change where nothing new comes in.
snapshot() {
	(cd "$D/state/db" 2>/dev/null && find . -type f ! -name fetched -printf '%P %i %s %m %u %T@ ' -exec sha256sum -- {} \;) |
		sed 's, \./.*,,' | sort
}

# What has no place in the state directory.
leftovers() {
	(cd "$D/state" && find . -mindepth 1 ! -path ./update-db.lock ! -path ./db ! -path ./db/user-country.mmdb \
		! -path ./db/user-country.mmdb.prev ! -path ./db/origin-asn.mmdb ! -path ./db/origin-asn.mmdb.prev \
		! -path ./db/ip.image ! -path ./db/fetched)
}

update() { # [ARGUMENT...]
	"$MLS_PROGRAM" -c "$D/conf" update-db "$@" </dev/null >"$D/out" 2>"$D/err"
	echo $? >"$D/status"
}

# The same where a second is a hundredth of one; seconds then holds how long it took by that clock.
update_fast() { # [ARGUMENT...]
	local began=${EPOCHREALTIME/./}

	LD_PRELOAD=$FAST_CLOCK_SHIM FAST_CLOCK=100 "$MLS_PROGRAM_RELEASE" -c "$D/conf" update-db "$@" </dev/null >"$D/out" 2>"$D/err"
	echo $? >"$D/status"
	echo $(((${EPOCHREALTIME/./} - began) / 10000)) >"$D/seconds"
}

# What lookup says, but for the age: the MMDB files have a fixed date.
look_up() { # [PROGRAM]
	"${1:-$MLS_PROGRAM}" -c "$D/conf" lookup --json 81.0.0.1 2>&1 | grep -v ' days old; '
}

# What is wrong with stderr, which has to be one line that names WHAT and matches REASON.
line_wrong() { # WHAT REASON
	local line

	IFS= read -r line <"$D/err"
	[ "$(wc -l <"$D/err")" = 1 ] || echo "$(wc -l <"$D/err") lines on stderr"
	[[ $line = 'maillogsentinel: '* ]] || echo "not 'maillogsentinel: ...'"
	[[ $line = *"$1"* ]] || echo "does not name $1"
	grep -qE -- "$2" <<<"$line" || echo "the reason is not '$2'"
	[ "${#line}" -lt 700 ] || echo "a line of ${#line} bytes"
	! grep -qP '[\x01-\x08\x0b-\x1f\x7f]' "$D/err" || echo "bytes for a terminal in it"
}

# What is wrong with a case that had to be refused: nothing may have changed, and one line says why.
refused_wrong() { # WHAT REASON ANSWER
	local answer

	[ "$(cat "$D/status")" = 1 ] || echo "exit status $(cat "$D/status")"
	line_wrong "$1" "$2"
	diff "$D/before" <(snapshot)
	leftovers | sed 's/^/left: /'
	answer=$(look_up)
	[ "$answer" = "$3" ] || echo "lookup says $answer, not $3"
	diff "$D/before" <(snapshot) >/dev/null || echo "lookup found the image stale"
}

servers=$(jobs -pr | wc -l) # that run all the time
queue=()

# Begins a case of which nothing must come: FUNCTION (default: update) with OPTIONS, upon what the case "first" loaded. The line on
# stderr has to hold WHAT and match REASON. refused then makes the points.
refuse() { # NAME OPTIONS WHAT REASON [FUNCTION [ARGUMENT...]]
	new_case "$1" first "$2"
	printf '%s\n' "$3" >"$D/what"
	printf '%s\n' "$4" >"$D/reason"
	queue+=("$1")
	shift 4
	while [ "$(jobs -pr | wc -l)" -ge $((servers + CASES_AT_ONCE)) ]; do wait -n; done
	"${@:-update}" &
}
CASES_AT_ONCE=$(nproc)

refused() {
	local name

	for name in "${queue[@]}"; do
		D=$CASES/$name
		wait_until 100 test -s "$D/status"
		tap_none "refused: $name" "$(refused_wrong "$(cat "$D/what")" "$(cat "$D/reason")" "$(answer_of 1 1)")" || tap_note <"$D/err"
		rm -rf "$D"
	done
	queue=()
}

# A point for a case in which all is well: exit status 0, nothing on stderr, these versions' answer, an image that fits.
accepted() { # NAME COUNTRY_VERSION ASN_VERSION
	local image answer

	image=$(stat -c %i%y "$D/state/db/ip.image")
	answer=$(look_up)
	tap_none "$1" "$(
		[ "$(cat "$D/status")" = 0 ] || echo "exit status $(cat "$D/status")"
		cat "$D/err"
		[ "$answer" = "$(answer_of "$2" "$3")" ] || echo "lookup says $answer"
		[ "$(stat -c %i%y "$D/state/db/ip.image")" = "$image" ] || echo "lookup found the image stale"
		leftovers | sed 's/^/left: /'
	)"
}
