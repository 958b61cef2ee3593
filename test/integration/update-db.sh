#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=300 packages=nginx-light,openssl,iproute2,xz-utils,zstd
# `update-db` from a real web server over https: what is good comes in, whole and once; what is bad in any way changes nothing,
# and one line says why.
# shellcheck disable=SC2119,SC2154  # update may have arguments; D is the rig's
# shellcheck source=test/integration/update-db-rig.sh
. "$(dirname "$0")/update-db-rig.sh"

S=https://maps.test

# ---- what comes in --------------------------------------------------------------------------------

publish country-1.csv country.csv
publish asn-1.csv asn.csv
new_case first '' "$(both_from $S/country.csv $S/asn.csv)"
update
accepted "a first load over https" 1 1
tap_is "$(requests /country.csv)" "200 maps.test /country.csv agent=\"MailLogSentinel/$("$MLS_PROGRAM" --version |
	sed -n 's/^maillogsentinel \([^ ]*\).*/\1/p') (+https://github.com/monozoide/MailLogSentinel)\" match=\"-\" sent=$(stat -c %s "$WWW/country-1.csv")" "is one request, and says who asks"
tap_is "$(cd "$D/state/db" && stat -c '%n %a' user-country.mmdb origin-asn.mmdb ip.image)" 'user-country.mmdb 644
origin-asn.mmdb 644
ip.image 644' "leaves files that everyone can read, and no .prev"
tap_true "the file is the one that was served" cmp "$D/state/db/user-country.mmdb" "$WWW/country-1.csv"

new_case again first "$(both_from $S/country.csv $S/asn.csv)"
update
accepted "a second one" 1 1
tap_is "$(snapshot)" "$(cat "$D/before")" "touches no file"
tap_true "for the server says 304" grep -q '^304 .* match="\\x22[^"]*\\x22" sent=0$' <<<"$(requests /country.csv | tail -n 1)"

# after each of these the server has to be asked for all of it
for change in touch edit remove url; do
	new_case "full-$change" first "$(both_from $S/country.csv $S/asn.csv)"
	file=$D/state/db/user-country.mmdb url=/country.csv
	case $change in
	touch) touch "$file" ;;
	edit) sed -i '1s/..$/ZZ/' "$file" ;;
	remove) rm "$file" ;;
	url) url='/country.csv?new' && configure "$(both_from "$S$url" $S/asn.csv)" ;;
	esac
	update
	accepted "the file is not the one that was loaded ($change)" 1 1
	tap_true "so no 304 will do" grep -q '^200 .* match="-"' <<<"$(requests "$url" | tail -n 1)"
	tap_true "and it is the server's then" cmp "$file" "$WWW/country-1.csv"
done

new_case newer first "$(both_from $S/country.csv $S/asn.csv)"
asn=$(stat -c %i%y "$D/state/db/origin-asn.mmdb")
publish country-2.csv country.csv
update
accepted "a newer file" 2 1
tap_true "the one before is kept" cmp "$D/state/db/user-country.mmdb.prev" "$WWW/country-1.csv"
tap_is "$(stat -c %i%y "$D/state/db/origin-asn.mmdb")" "$asn" "the other database is left alone"
publish country-3.csv country.csv
publish asn-2.csv asn.csv
update
accepted "two newer files" 3 2
tap_true "the one before is kept" cmp "$D/state/db/user-country.mmdb.prev" "$WWW/country-2.csv"
tap_true "of both" cmp "$D/state/db/origin-asn.mmdb.prev" "$WWW/asn-1.csv"
publish country-1.csv country.csv
publish asn-1.csv asn.csv

gzip -k "$WWW/country-2-ipv4.csv"
xz -k "$WWW/country-2.mmdb"
zstd -q "$WWW/country-2.csv"
cat "$WWW/country-2-ipv4.csv" - "$WWW/country-2-ipv6.csv" <<<'start,end,country_code' >"$WWW/headers.csv"
while read -r name url; do
	new_case "good-$name" first "$(country_from "$url")"
	update
	accepted "good: $name" 2 1
done <<X
mmdb $S/country-2.mmdb
csv.gz $S/country-2.csv.gz
mmdb.gz $S/country-2.mmdb.gz
mmdb.xz $S/country-2.mmdb.xz
csv.zst $S/country-2.csv.zst
parts-gz ["$S/country-2-ipv4.csv.gz","$S/country-2-ipv6.csv"]
parts ["$S/country-2-ipv4.csv","$S/country-2-ipv6.csv"]
list-of-one ["$S/country-2.mmdb"]
http http://maps.test/country-2.csv
other-port http://maps.test:80/country-2.csv
file file://$WWW/country-2.csv
file-gz file://$WWW/country-2.mmdb.gz
file-and-https ["file://$WWW/country-2-ipv4.csv","$S/country-2-ipv6.csv"]
query $S/country-2.csv?a=b&c=%20d
redirect $S/to-https
five-redirects $S/hop5
http-to-https http://maps.test/to-https
slow-and-steady $S/slow/country-2.csv
header-lines $S/headers.csv
X
new_case asn first "geolocation: { country_db_url = []; }; ASN_ASO: { asn_db_url = [\"$S/asn-2.mmdb\"]; };"
update
accepted "good: networks alone" 1 2
new_case parts-again first "$(country_from "[\"$S/country-2-ipv4.csv\",\"$S/country-2-ipv6.csv\"]")"
update
snapshot >"$D/before"
update
accepted "parts that are the same" 2 1
tap_is "$(snapshot)" "$(cat "$D/before")" "are not joined again"
cat "$WWW/country-3-ipv6.csv" >"$WWW/part6.csv"
configure "$(country_from "[\"$S/country-2-ipv4.csv\",\"$S/part6.csv\"]")"
update
accepted "one part is new: it is joined with the other" 2 1
tap_is "$("$MLS_PROGRAM" -c "$D/conf" lookup --json 2a06::1 2>/dev/null)" '{"ip":"2a06::1","country_code":"US","asn":64006,"aso":"Version 1"}' \
	"and says what it says"

# ---- checksums ------------------------------------------------------------------------------------

# Of FILE as it is called FILE in NAME.
sum() { # FILE
	(cd "$WWW" && sha256sum "$1")
}
sum country-2.csv >"$WWW/good.sha256"
sum country-2.csv.gz | tr a-f A-F | sed 's/  / */' >"$WWW/gz.sha256"
sum country-2.csv | sed 's/ .*//' >"$WWW/bare.sha256"
{ sum country-1.csv; sum country-2.csv; sum country-3.csv; } >"$WWW/many.sha256"
sum country-1.csv | sed 's/-1/-2/' >"$WWW/wrong.sha256"
sum country-2.csv | cut -c 1-60 >"$WWW/short.sha256"
sum country-3.csv >"$WWW/other.sha256"
: >"$WWW/empty.sha256"
printf '<!DOCTYPE html>\n<html><body>Not Found</body></html>\n' >"$WWW/html"
while read -r name url checksum; do
	new_case "checksum-$name" first "$(country_from "$S/$url" "country_db_checksum_url = \"$S/$checksum\"")"
	update
	accepted "checksum: $name" 2 1
done <<X
good country-2.csv good.sha256
binary-mode country-2.csv.gz gz.sha256
without-name country-2.csv bare.sha256
among-others country-2.csv many.sha256
X
while read -r name checksum what reason; do
	refuse "checksum-$name" "$(country_from $S/country-2.csv "country_db_checksum_url = \"$S/$checksum\"")" "$what" "$reason"
done <<X
wrong wrong.sha256 $S/country-2.csv SHA-256
short short.sha256 $S/short.sha256 checksum
empty empty.sha256 $S/empty.sha256 checksum
html html $S/html checksum
missing none.sha256 $S/none.sha256 404
X
# a server that says 304 is no answer to a checksum that is another
refuse checksum-of-what-is-there "$(both_from $S/country.csv '' "country_db_checksum_url = \"$S/other.sha256\"")" $S/country.csv SHA-256
refused

# ---- the defaults: a publisher that redirects to where its files lie ---------------------------------

# Puts FILES of the version there, and their checksums.
release() { # COUNTRY ASN
	cp "$WWW/$1" "$WWW/release/user-country.mmdb"
	cp "$WWW/$2" "$WWW/release/origin-asn.mmdb"
	(cd "$WWW/release" && for file in *.mmdb; do sha256sum "$file" >"$file.sha256"; done)
}
release country-1.mmdb asn-1.mmdb
new_case defaults '' ''
update
accepted "defaults: a first load" 1 1
tap_is "$(cut -d ' ' -f 2-3 "$WORK/nginx/access.log" | grep github | sort -u)" \
	"github.com /sapics/ip-location-db/releases/download/checksum/origin-asn.mmdb.sha256
github.com /sapics/ip-location-db/releases/download/checksum/user-country.mmdb.sha256
github.com /sapics/ip-location-db/releases/download/latest/origin-asn.mmdb
github.com /sapics/ip-location-db/releases/download/latest/user-country.mmdb
release-assets.githubusercontent.com /assets/origin-asn.mmdb.sha256?sig=a%2Bb&skt=1
release-assets.githubusercontent.com /assets/origin-asn.mmdb?sig=a%2Bb&skt=1
release-assets.githubusercontent.com /assets/user-country.mmdb.sha256?sig=a%2Bb&skt=1
release-assets.githubusercontent.com /assets/user-country.mmdb?sig=a%2Bb&skt=1" "of the release's files"
update
tap_is "$(snapshot | cut -d ' ' -f 1)" 'ip.image
origin-asn.mmdb
user-country.mmdb' "defaults: a second one changes nothing"
release country-2.mmdb asn-2.mmdb
echo "$(printf '0%.0s' {1..64})  origin-asn.mmdb" >"$WWW/release/origin-asn.mmdb.sha256"
update
tap_is "$(cat "$D/status") $(line_wrong origin-asn.mmdb SHA-256)$(look_up)" "1 $(answer_of 2 1)" \
	"defaults: one checksum is wrong, the other database comes in"

# the first load of the defaults has to cover 60 % of IPv4
rows country 1 10 150 | "$TOOLS/make-mmdb" country >"$WWW/some.mmdb"
rows country 1 10 160 | "$TOOLS/make-mmdb" country >"$WWW/most.mmdb"
release some.mmdb asn-1.mmdb
new_case some '' ''
update
tap_is "$(cat "$D/status") $(line_wrong user-country.mmdb '5[0-9](\.[0-9])? ?%.*60 ?%')$(look_up | tail -n 1)" "1 $(answer_of 0 1)" \
	"defaults: a first load of countries for 57 % of IPv4 does not come in"
tap_none "defaults: and leaves nothing" "$(leftovers)"
release most.mmdb asn-1.mmdb
update
accepted "defaults: a first load for 61 % does" 1 1
rm -f "$WWW"/release/*

# ---- what is bad ----------------------------------------------------------------------------------

: >"$WWW/empty.csv"
printf '\n\n\n' >"$WWW/newlines.csv"
head -c 100000 /dev/zero >"$WWW/zeros.csv"
head -n 1500 "$WWW/country-2.csv" >"$WWW/cut-at-newline.csv"
head -c 50000 "$WWW/country-2.csv" >"$WWW/cut.csv"
head -n -1 "$WWW/country-2.csv" | head -c -1 >"$WWW/cut-at-end.csv"
head -n 1 "$WWW/country-2.csv" >"$WWW/one.csv"
head -c $(($(stat -c %s "$WWW/country-2.mmdb") * 9 / 10)) "$WWW/country-2.mmdb" >"$WWW/cut.mmdb"
head -c -1 "$WWW/country-2.mmdb" >"$WWW/cut-at-end.mmdb"
for ((i = 0; i < 10; i++)); do # somewhere in the tree
	{ head -c $((1000 + i * 700)) "$WWW/country-2.mmdb"; head -c 40 /dev/zero | tr '\0' "\\$((100 + i * 20))"; tail -c +$((1041 + i * 700)) "$WWW/country-2.mmdb"; } >"$WWW/damaged-$i.mmdb"
done
head -c 8000 "$WWW/country-2.csv.gz" >"$WWW/cut.csv.gz"
head -c -4 "$WWW/country-2.csv.gz" >"$WWW/cut-at-end.csv.gz"
{ head -c 8000 "$WWW/country-2.csv.gz"; printf 'damaged'; tail -c +8008 "$WWW/country-2.csv.gz"; } >"$WWW/damaged.csv.gz"
{ printf 'a,b,c\nd,e,f\ng,h,i\nj,k,l\n'; cat "$WWW/country-2.csv"; } >"$WWW/three-bad.csv"
{ cat "$WWW/country-2.csv"; printf '1.2.3.4,1.2.3.5,<script>\n1.2.3.6,1.2.3.7,\e[2J\n1.2.3.8,1.2.3.9,Deutschland\n'; } >"$WWW/silly.csv"
sed 's/,..$/,Germany/' "$WWW/country-2.csv" >"$WWW/names.csv"
sed 's/\([^,]*\),\([^,]*\),/\2,\1,/' "$WWW/country-2.csv" >"$WWW/backwards.csv"
rows country 2 7 >"$WWW/rows-73.csv"
rows country 2 10 180 >"$WWW/rows-80.csv"
rows country 2 5 224 5 >"$WWW/half-rows.csv"
rows country 2 14 170 14 >"$WWW/covers-75.csv"
printf '8.8.8.0,8.8.8.255,US\n' >"$WWW/tiny.csv"
tar -C "$WWW" -czf "$WWW/archive.tar.gz" country-2.csv country-1.csv

# Queues a case of each line: NAME, URL, REASON.
refuse_all() {
	local name url reason what

	while read -r name url reason; do
		what=${url#'["'}
		refuse "$name" "$(country_from "$url")" "${what%%'"'*}" "$reason"
	done
	refused
}

refuse_all <<X
404 $S/status/404 404
403 $S/status/403 403
410 $S/status/410 410
500 $S/status/500 500
503 $S/status/503 503
204 $S/status/204 204|empty|no content
304-unasked $S/status/304 304
html $S/html HTML|neither|not .*(CSV|database)|line 1
empty $S/empty.csv empty|no rows|no data
newlines $S/newlines.csv .
zeros $S/zeros.csv .
one-row $S/one.csv rows|covers|less|fewer|%
cut-at-newline $S/cut-at-newline.csv rows|covers|less|fewer|%
cut-in-a-row $S/cut.csv .
cut-at-the-end $S/cut-at-end.csv middle|cut|end
cut-mmdb $S/cut.mmdb .
cut-mmdb-at-the-end $S/cut-at-end.mmdb .
cut-gzip $S/cut.csv.gz .
cut-gzip-at-the-end $S/cut-at-end.csv.gz .
damaged-gzip $S/damaged.csv.gz .
archive $S/archive.tar.gz .
networks-for-countries $S/asn-2.csv .
networks-for-countries-mmdb $S/asn-2.mmdb .
three-bad-rows $S/three-bad.csv row|line
silly-values $S/silly.csv row|line
names-for-codes $S/names.csv .
ends-before-starts $S/backwards.csv .
73-percent-of-the-rows $S/rows-73.csv row|range|%
half-of-the-rows-for-all-addresses $S/half-rows.csv row|range|%
75-percent-of-the-addresses $S/covers-75.csv %
without-ipv6 $S/country-2-ipv4.csv IPv6|row|%
without-ipv4 $S/country-2-ipv6.csv %
a-tiny-one $S/tiny.csv %
$(for ((i = 0; i < 10; i++)); do echo "damaged-mmdb-$i $S/damaged-$i.mmdb ."; done)
no-such-part ["$S/none.csv","$S/country-2-ipv6.csv"] 404
X
tap_is "$(packets_out)" 0 "no packet for another machine"

refuse_all <<X
another-host https://other.test/country-2.csv certificate|SSL|name
expired https://expired.test/country-2.csv certificate|expired
unknown-authority https://unknown.test/country-2.csv certificate
http-for-https https://maps.test:80/country-2.csv SSL|TLS
https-for-http http://maps.test:443/country-2.csv 400
nobody-listens $S:9/country-2.csv [Rr]efused|connect
no-such-name https://nowhere.invalid/country-2.csv resolve|host
to-http $S/to-http redirect|https
to-file $S/to-file redirect|[Pp]rotocol
to-ftp $S/to-ftp redirect|[Pp]rotocol
to-gopher $S/to-gopher redirect|[Pp]rotocol
to-nothing $S/to-nothing .
to-expired $S/to-expired certificate|expired
http-to-file http://maps.test/to-file redirect|[Pp]rotocol
http-to-ftp http://maps.test/to-ftp redirect|[Pp]rotocol
round-and-round $S/loop redirect
six-redirects $S/hop6 redirect
no-such-file file://$WWW/none.csv .
directory file://$WWW .
endless-file file:///dev/zero .
html-file file://$WWW/html .
X

for url in ftp://maps.test/country-2.csv maps.test/country-2.csv nonsense https:///x "https://maps.test/a b" https://; do
	D=$CASES/first
	configure "$(country_from "$url")"
	update
	tap_is "$(cat "$D/status")|$(line_wrong country_db_url .)" '78|' "'$url' is a mistake of the configuration"
done

new_case half first "$(both_from $S/country-2.mmdb $S/cut.mmdb)"
update
tap_is "$(cat "$D/status") $(line_wrong $S/cut.mmdb .)$(look_up)" "1 $(answer_of 2 1)" "one database is bad: the other comes in"
new_case half-other first "$(both_from $S/cut.mmdb $S/asn-2.csv)"
update
tap_is "$(cat "$D/status") $(line_wrong $S/cut.mmdb .)$(look_up)" "1 $(answer_of 1 2)" "and the other way round"
tap_none "nothing is left" "$(leftovers)"
new_case neither first "$(both_from $S/status/404 $S/html)"
update
tap_is "$(cat "$D/status") $(wc -l <"$D/err")$(diff "$D/before" <(snapshot))" "1 2" "both are bad: a line for each"
tap_none "nothing is left" "$(leftovers)"
new_case off first "$(both_from '' '[]')"
update
accepted "no URL at all" 1 1

# ---- what is less than 80 % of the one before, and is wanted ------------------------------------------

new_case 80-percent first "$(country_from $S/rows-80.csv)"
update
accepted "just over 80 % of all" 2 1
for file in rows-73 half-rows covers-75 country-2-ipv4; do
	new_case "force-$file" first "$(country_from $S/$file.csv)"
	update --force
	accepted "--force: $file.csv" 2 1
done
new_case force-304 first "$(both_from $S/country.csv $S/asn.csv)"
update --force
accepted "--force where nothing is new" 1 1
for file in html cut.mmdb status/404 three-bad.csv asn-2.csv; do
	refuse "force-no-${file//\//-}" "$(country_from $S/$file)" $S/$file . update --force
done
refused

# ---- a terminal -------------------------------------------------------------------------------------

if command -v script >/dev/null; then
	new_case terminal first "$(country_from $S/slow/country-2.csv)"
	script -qec "exec '$MLS_PROGRAM' -c '$D/conf' update-db" /dev/null </dev/null >"$D/screen"
	tap_is $? 0 "on a terminal"
	tap_true "it tells how far it is" grep -qE '[0-9]+ ?%' "$D/screen"
	tap_true "on one line" grep -q $'\r.*\r' "$D/screen"
else
	tap_skip "a terminal" "no script(1)"
fi
tap_done
