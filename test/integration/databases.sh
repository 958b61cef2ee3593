#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=240
# What happens to the databases and their image while the service runs, and what it makes of it: rows, warnings, status. Then what
# the start, `extract` and `lookup` make of one that is missing or damaged.
# shellcheck disable=SC2317  # functions are called by wait_until and tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$(dirname "$0")/service.sh"
LOG=$WORK/mail.log STATE=$WORK/state COUNTRY=$WORK/state/db/country.csv ASN=$WORK/state/db/asn.csv IMAGE=$WORK/state/db/ip.image
mkdir -p "$WORK/csv" "$STATE/db"
: >"$LOG"
cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$STATE"; mail_log = "$LOG"; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
geolocation: { country_db_path = "$COUNTRY"; };
ASN_ASO: { asn_db_path = "$ASN"; };
dns: { enabled = false; };
X2

country() { printf '203.0.112.0,203.0.112.255,%s\n198.18.0.0,198.20.0.0,FR\n' "$1"; } # CODE
asn() { printf '203.0.112.0,203.0.112.255,%s,"Net, %s"\n' "$1" "$1"; }                 # NUMBER
address=203.0.112.7

# What the next row says of the address, in $placed.
lines=0
place() {
	lines=$((lines + 1))
	line "u$lines" | sed "s/203\.0\.113\.7/$address/" >>"$LOG"
	wait_until 20 row_is_there
	placed=$(sed -n "s/.*,u$lines,null,Off,//p" "$CSV")
}
row_is_there() { grep -q ",u$lines," "$CSV" 2>/dev/null; }
placed_is() { place; [ "$placed" = "$1" ]; }
becomes() { # COUNTRY,ASN,ORGANISATION WHAT
	wait_until 20 placed_is "$1"
	tap_is "$placed" "$1" "$2"
}
# It stays so for longer than it would take to notice.
stays() { # COUNTRY,ASN,ORGANISATION WHAT
	local until=$(($(date +%s%N) + 2500000000))

	while place; [ "$placed" = "$1" ] && [ "$(date +%s%N)" -lt $until ]; do sleep 0.1; done
	tap_is "$placed" "$1" "$2"
}
ask() { said=$("$MLS_PROGRAM" -c "$WORK/conf" status "$@" 2>&1 | sed "s,$STATE/,,g"); }
warning_is() { ask; [ "$(sed -n 's/^warning:  since [^)]*): //p' <<<"$said")" = "$1" ]; }
warns() { # TEXT WHAT
	wait_until 20 warning_is "$1"
	tap_true "$2" warning_is "$1" || tap_note "$said"
}
# How often the program's log says it.
times() { grep -cF "$1" "$WORK/err"; }

# ---- from none to both -------------------------------------------------------------------------
start
becomes 'N/A,N/A,"N/A"' "without databases all is N/A"
warns "db/country.csv and db/asn.csv: no such file; countries, networks and organisations are N/A until 'maillogsentinel update-db' fetches them" \
	"which is one warning"
country DE >"$WORK/new"
mv "$WORK/new" "$COUNTRY"
becomes 'DE,N/A,"N/A"' "one comes"
warns "db/asn.csv: no such file; networks and organisations are N/A until 'maillogsentinel update-db' fetches it" "the other one is missing"
asn 1 >"$WORK/new"
mv "$WORK/new" "$ASN"
becomes 'DE,1,"Net, 1"' "and comes"
warns "" "nothing is wrong then"
ask
tap_is "$(sed -n 's/\(data of\) [-0-9]* [0-9:]* ([^)]*)/\1 DATE/; /^\(country\|asn\)/p' <<<"$said")" \
	"country:  db/country.csv: data of DATE, 2 ranges
asn:      db/asn.csv: data of DATE, 1 ranges" "status: what people are told"
ask --json
tap_is "$(sed -E 's/.*"databases":(\[[^]]*\]).*/\1/; s/"(date|loaded)":"[-0-9T:+]+"/"\1":"WHEN"/g; s/"age":[0-9]+/"age":AGE/g' <<<"$said")" \
	'[{"kind":"country","path":"db/country.csv","there":true,"used":true,"date":"WHEN","age":AGE,"ranges_v4":2,"ranges_v6":0,"loaded":"WHEN"},{"kind":"asn","path":"db/asn.csv","there":true,"used":true,"date":"WHEN","age":AGE,"ranges_v4":1,"ranges_v6":0,"loaded":"WHEN"}]' \
	"and programs"

# ---- replaced ----------------------------------------------------------------------------------
country FR >"$WORK/new"
mv "$WORK/new" "$COUNTRY"
becomes 'FR,1,"Net, 1"' "replaced by mv"
country IT >"$WORK/new"
cp "$WORK/new" "$COUNTRY"
becomes 'IT,1,"Net, 1"' "by cp, in place"
asn 2 >"$WORK/new"
: >"$ASN"
for part in 1 2 3 4; do
	sed -n "1s/^\(.\{$(((part - 1) * 9))\}\)\(.\{0,9\}\).*/\2/p" "$WORK/new" | tr -d '\n' >>"$ASN"
	place
	[ "$placed" = 'IT,1,"Net, 1"' ] || break
	sleep 0.4
done
tap_is "$placed" 'IT,1,"Net, 1"' "one that is written in many pieces is not taken before it is whole"
cp "$WORK/new" "$ASN"
becomes 'IT,2,"Net, 2"' "and then it is"
mkdir "$WORK/elsewhere"
country ES >"$WORK/elsewhere/country"
ln -s "$WORK/elsewhere/country" "$WORK/link"
mv "$WORK/link" "$COUNTRY"
becomes 'ES,2,"Net, 2"' "by a symbolic link"
country PT >"$WORK/elsewhere/new"
mv "$WORK/elsewhere/new" "$WORK/elsewhere/country"
becomes 'PT,2,"Net, 2"' "and what that leads to"
rm "$COUNTRY"
country PT >"$WORK/new"
mv "$WORK/new" "$COUNTRY"
becomes 'PT,2,"Net, 2"' "and back"
warns "" "none of this is worth a warning"
tap_none "nor was" "$(grep warning: "$WORK/err" | grep -v 'no such file;')"

# ---- gone, damaged, unreadable -----------------------------------------------------------------
mv "$COUNTRY" "$WORK/aside"
warns "db/country.csv: no such file; what was read of countries before stays in use until the service ends or it is there" "deleted"
stays 'PT,2,"Net, 2"' "what it said stays in use"
ask
tap_is "$(sed -n 's/\(data of\) [-0-9]* [0-9:]* ([^)]*)/\1 DATE/; /^country/p' <<<"$said")" \
	"country:  db/country.csv: data of DATE, 2 ranges; the file is not there any more" "status tells both"
asn 3 >"$WORK/new"
mv "$WORK/new" "$ASN"
stays 'PT,2,"Net, 2"' "also when the other one is replaced"
mv "$WORK/aside" "$COUNTRY"
becomes 'PT,3,"Net, 3"' "it is back"
warns "" "which ends the warning"

: >"$COUNTRY"
warns "db/country.csv: the file is empty; what the databases said before stays in use" "truncated"
stays 'PT,3,"Net, 3"' "what it said stays in use"
country NL >"$COUNTRY"
becomes 'NL,3,"Net, 3"' "written again"
warns "" "which ends the warning"
said_before=$(times 'not a database')
echo '<html><body>404</body></html>' >"$COUNTRY"
warns "db/country.csv: this is an HTML or XML page, not a database; what the databases said before stays in use" "replaced by a web page"
stays 'NL,3,"Net, 3"' "what it said stays in use"
tap_is $(($(times 'this is an HTML or XML page, not a database; what') - said_before)) 1 "which is said once"
country SE >"$COUNTRY"
becomes 'SE,3,"Net, 3"' "mended"
chmod 000 "$COUNTRY"
stays 'SE,3,"Net, 3"' "chmod 000: it is as it was"
warns "" "and nothing is said"
chmod 644 "$COUNTRY"

# ---- the image ---------------------------------------------------------------------------------
image_is_there() { [ -s "$IMAGE" ] && ! cmp -s "$IMAGE" "$WORK/image"; }
rm "$IMAGE"
echo none >"$WORK/image"
tap_true "an image that was removed is made anew" wait_until 20 image_is_there
stays 'SE,3,"Net, 3"' "and nothing else happens"
cp "$IMAGE" "$WORK/foreign"
asn 4 >"$WORK/new"
mv "$WORK/new" "$ASN"
becomes 'SE,4,"Net, 4"' "another database"
cp "$WORK/foreign" "$WORK/image"
mv "$WORK/foreign" "$IMAGE"
tap_true "an image of other databases is made anew" wait_until 20 image_is_there
stays 'SE,4,"Net, 4"' "and not used"
lost="ip.image: somebody has written over it while it was in use"
cp "$WORK/image" "$IMAGE"
becomes 'SE,4,"Net, 4"' "one that is copied over the image, too"
tap_true "and made anew" wait_until 20 image_is_there
truncate -s 100 "$IMAGE"
truncate -s 100 "$WORK/image"
tap_true "an image that was cut is made anew" wait_until 20 image_is_there
becomes 'SE,4,"Net, 4"' "and used"
head -c "$(stat -c %s "$IMAGE")" /dev/urandom >"$WORK/image"
cp "$WORK/image" "$IMAGE"
tap_true "so is one that was written over" wait_until 20 image_is_there
becomes 'SE,4,"Net, 4"' "and used"
cp "$IMAGE" "$WORK/image"
printf '\377\377\377\377' | tee >(dd of="$IMAGE" bs=1 seek=5000 conv=notrunc 2>/dev/null) |
	dd of="$WORK/image" bs=1 seek=5000 conv=notrunc 2>/dev/null
tap_true "and one of which a few bytes were" wait_until 20 image_is_there
becomes 'SE,4,"Net, 4"' "and used"
tap_is "$(times "$lost")" 4 "each of them is said"
warns "" "and then all is well"
tap_none "no row was placed by what was not the database" \
	"$(sed 1d "$CSV" | cut -d, -f7- | grep -vxE '(N/A|DE|FR|IT|ES|PT|NL|SE),(N/A,"N/A"|([1-4]),"Net, \3")')"

# ---- old ---------------------------------------------------------------------------------------
touch -d '60 days ago' "$COUNTRY"
is_old() { ask; grep -q 'what it says of countries is of .*, older than 45 days' <<<"$said"; }
tap_true "data older than 45 days is a warning" wait_until 20 is_old
touch "$COUNTRY"
warns "" "until it is not"
stop
tap_is $? 0 "it ends when it is told to"

# ---- without inotify ---------------------------------------------------------------------------
# shellcheck disable=SC2016  # the inner shell's
limited=(unshare --user --map-root-user bash -c 'echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"' limited)
if "${limited[@]}" true 2>/dev/null; then
	start_through "${limited[@]}" env WATCHDOG_USEC=1000000
	becomes 'SE,4,"Net, 4"' "without inotify"
	asn 5 >"$WORK/new"
	mv "$WORK/new" "$ASN"
	becomes 'SE,5,"Net, 5"' "a new database is seen at the next tick"
	stop
	asn 4 >"$ASN"
else
	tap_skip "without inotify" "needs user namespaces"
fi

# ---- at the start ------------------------------------------------------------------------------
becomes_at_start() { # COUNTRY,ASN,ORGANISATION WHAT
	rm -rf "$WORK/csv" "$STATE/state.offset" "$WORK/err"
	mkdir "$WORK/csv"
	start
	becomes "$@"
}
echo '<html>' >"$COUNTRY"
becomes_at_start 'N/A,4,"Net, 4"' "a damaged one at the start: the other one answers"
tap_is "$(times 'country.csv: this is an HTML or XML page, not a database; countries are N/A until that is mended')" 1 "which is an error"
country CH >"$COUNTRY"
becomes 'CH,4,"Net, 4"' "it is mended"
warns "" "all is well then"
stop
echo '<html>' >"$COUNTRY"
for command in "lookup $address" "extract --stdout --from $LOG"; do
	code=0
	# shellcheck disable=SC2086  # words
	"$MLS_PROGRAM" -c "$WORK/conf" $command >"$WORK/out" 2>"$WORK/err" || code=$?
	tap_is "$code $(sed "s,$STATE/,," "$WORK/err")" "1 maillogsentinel: db/country.csv: this is an HTML or XML page, not a database" "${command%% *} fails"
done
rm "$COUNTRY"
becomes_at_start 'N/A,4,"Net, 4"' "a missing one at the start"
warns "db/country.csv: no such file; countries are N/A until 'maillogsentinel update-db' fetches it" "which is a warning"
tap_is "$(times 'no such file')" 1 "said once"
stop
tap_done
