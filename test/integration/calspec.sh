#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=systemd
# Calendar expressions mean what systemd takes them for: a table of them and as many again by chance, in several time zones, from
# just before clocks change and from other times; and what systemd refuses is refused. Left out is where systemd errs: a step
# without an end that does not lead to the first of the next round (after *:0/7's 23:56 it goes on with 00:07), days counted from
# the end of the month in the hour that comes twice, and those that lead to a day that a zone left out (it takes the next one for
# it); what it gives up on as an "infinite loop" is passed over.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
LIST=$(dirname "$MLS_PROGRAM")/../test/calspec-list
COUNT=8
command -v systemd-analyze >/dev/null || tap_skip_all "no systemd-analyze"
systemd-analyze calendar daily >/dev/null 2>&1 || tap_skip_all "systemd-analyze does not work here"

cat >"$WORK/valid" <<X2
minutely
hourly
daily
weekly
monthly
quarterly
semiannually
semi-annually
biannually
yearly
annually
WEEKLY
Weekly UTC
12:00
23:59
23:59:30
0:0
00:00:00
02:30
2:0
3:00
1:59:59
02:15,45
*:0/5
*:*
*:*:*
*:*:0/30
*:*:15..20
*:3/10
*:00,30
0/6:00
0/2:30
1..5:0
1..23/4:0/20
22..23:50..59/3
5..5:0
Mon
Mon 06:00
Mon..Fri 06:00
Mon-Fri 06:00
mon,WED..Fri,sunday 02:30
Sat,Sun 3:0
Sat, 3:0
Sunday
Sun 02:30
Monday..Sunday 5:0
*-*-* 4:5:6
*-*-01 03:00
*-*-31 02:00
*-*-29
*-02-29 12:00
02-29
02-28..29
1,4,7,10-1
*-1..6/2-1,15 0:0
*-*~01
*-*~03..05/2 1:0
*-*~07/1 2:30
*-02~03
05~03/1
Sat *-*~07/1 18:00
Mon *-*-1..7 9:00
Fri *-*-13
2027-01-01
2025..2030-*-1
2026/2-03-29 02:30
27-1-1 5:00
99-1-1
2199-12-31 23:59:59
2015-10-25 02:30:00
*-3-29..31 2:*
*-10-25..31 *:0/20
12:00 UTC
*-10-* 0,1:30 utc
Mon..Fri *-*-* 22:00:00 UTC
2026-12-24   18:00
Thu  5:0
X2
# as many by chance
chance() {
	awk -v seed="$MLS_SEED" 'function below(n) { return int(rand() * n) }
		function part(from, to, open,  a, b, s) {
			if (below(3) == 0) return "*"
			a = from + below(to - from + 1); b = a + below(to - a + 1)
			s = a
			if (below(3) == 0 && b > a) { s = a ".." b; if (below(2) && b - a > 1) s = s "/" (1 + below(b - a)) }
			else if (open && below(4) == 0) { do b = 1 + below(open / 2); while (open % b); return (from + below(b)) "/" b }
			if (to != 28 && below(5) == 0) s = s "," (from + below(to - from + 1))
			return s
		}
		BEGIN {
			srand(seed)
			split("Mon Tue Wed Thu Fri Sat Sun", day, " ")
			for (i = 0; i < 120; i++) {
				s = ""
				if (below(4) == 0) { a = 1 + below(7); b = a + below(8 - a); s = day[a] (b > a ? ".." day[b] : "") " " }
				if (below(2)) s = s (below(5) ? "*" : part(2025, 2040)) "-" part(1, 12, 12) (below(5) ? "-" part(1, 31) : "~" part(1, 28)) " "
				s = s part(0, 23, 24) ":" part(0, 59, 60)
				if (below(2)) s = s ":" part(0, 59, 60)
				if (below(9) == 0) s = s " UTC"
				print s
			}
		}'
}
tap_note "seed $MLS_SEED"
chance >>"$WORK/valid"

# What systemd says of them: as calspec-list does.
theirs() { # ZONE BASE
	local -a expressions

	mapfile -t expressions <"$WORK/valid"
	TZ=$1 systemd-analyze calendar --iterations=$COUNT --base-time="@$2" "${expressions[@]}" 2>"$WORK/err" |
		awk '/^ *Original form:/ { original = $0; sub(/^ *Original form: /, "", original) }
			/^ *Normalized form:/ { form = $0; sub(/^ *Normalized form: /, "", form); print "form|" (original ? original : form); original = "" }
			/^ *(Next elapse|Iter\. #[0-9]+):/ { line = $0; sub(/^[^:]*: /, "", line); at = line }
			/^ *\(in UTC\):/ { line = $0; sub(/^[^:]*: /, "", line); at = line }
			/^ *From now:/ && at != "" && at != "never" { print "time|" at; at = "" }'
}
compare() { # ZONE BASE [LEFT OUT]
	local zone=$1 base=$2 file

	theirs "$zone" "$base" >"$WORK/theirs.raw"
	grep '^time|' "$WORK/theirs.raw" | cut -d'|' -f2 | TZ=UTC date -f - +%s >"$WORK/seconds" 2>"$WORK/date.err"
	awk -F'|' -v seconds="$WORK/seconds" '
		$1 == "form" { if (NR > 1) print line; line = $2 "|" }
		$1 == "time" { getline s <seconds; line = line s " " }
		END { print line }' "$WORK/theirs.raw" >"$WORK/theirs"
	# what it knows nothing of
	grep -oP "Failed to determine next elapse for '\K[^']*(?=': Resource deadlock)" "$WORK/err" >"$WORK/endless"
	TZ=$zone "$LIST" "$base" $COUNT <"$WORK/valid" | awk -F'|' -v endless="$WORK/endless" '
		BEGIN { while ((getline line <endless) > 0) skip[line] }
		!($1 in skip)' >"$WORK/ours"
	for file in ours theirs; do
		grep -v -e "${3:-^$}" "$WORK/$file" >"$WORK/$file.compared"
	done
	tap_true "$zone from $(TZ=$zone date -d "@$base" '+%F %T %Z'): $(wc -l <"$WORK/ours.compared") expressions" \
		diff "$WORK/theirs.compared" "$WORK/ours.compared"
	[ "$(wc -l <"$WORK/endless")" -lt 10 ] || tap_fail "systemd-analyze knows them"
}
at() { # ZONE TIME: seconds
	TZ=$1 date -d "$2" +%s
}

compare UTC "$(at UTC '2026-11-22 13:01:48')"
compare UTC "$(at UTC '2027-12-31 23:59:59')"
compare UTC "$(at UTC '2028-02-28 12:00:00')"
for time in '2025-03-29 12:00:00' '2025-03-30 01:59:59' '2025-03-30 03:00:00' '2025-10-25 12:00:00' '2025-10-26 01:30:00' '2026-06-15 00:00:00'; do
	compare Europe/Berlin "$(at Europe/Berlin "$time")"
done
# in the hour that comes twice: first its first coming, then its second
compare Europe/Berlin "$(at UTC '2025-10-26 00:10:00')" '~'
compare Europe/Berlin "$(at UTC '2025-10-26 01:10:00')" '~'
compare America/New_York "$(at America/New_York '2025-03-09 00:30:00')"
compare America/New_York "$(at America/New_York '2025-11-01 23:30:00')"
compare America/New_York "$(at UTC '2025-11-02 06:10:00')" '~'
compare Australia/Lord_Howe "$(at Australia/Lord_Howe '2025-04-05 23:00:00')"
compare Australia/Lord_Howe "$(at Australia/Lord_Howe '2025-10-04 23:00:00')"
compare Asia/Kolkata "$(at Asia/Kolkata '2025-10-25 12:00:00')"
compare America/Santiago "$(at America/Santiago '2025-09-06 12:00:00')"
compare America/Santiago "$(at America/Santiago '2025-04-05 12:00:00')"
# without the 30th
compare Pacific/Apia "$(at Pacific/Apia '2011-12-28 12:00:00')" '~'
compare Africa/Casablanca "$(at Africa/Casablanca '2025-02-22 12:00:00')"

printf '%s\n' '' ' ' ' daily' 'daily ' >"$WORK/invalid"
cat >>"$WORK/invalid" <<'X2'
dayly
UTC
12
12:
:12
24:00
12:60
12:00:60
12:00:
12:00:00:00
-1:00
*:0/0
*:0/60
*:55/10
*:5..60
10..5:00
5..:00
5../2:00
1,:00
*-13-01
*-00-01
*-*-32
*-*-0
*-*~29
*-*~0
1969-1-1
2200-1-1
2025-1-1-1
2025~1~1
2025~1-1
Mon..
Mon..Fri..Sun
Sat..Mon
Foo 12:00
Mon12:00
Mon Tue
Moon
*-*-* 12:00 foo
4294967296:00
99999999999999999999:00
12:00 UTC UTC
a-b-c
**:00
1/2/3:00
1..2..3:00
X2
refused=
while IFS= read -r expression; do
	"$LIST" 0 1 <<<"$expression" | grep -qF '|invalid: ' || refused+="'$expression' is taken"$'\n'
	! systemd-analyze calendar -- "$expression" >/dev/null 2>&1 || refused+="'$expression' is taken by systemd"$'\n'
done <"$WORK/invalid"
tap_none "what is none is refused" "$refused"
unknown=
while IFS='|' read -r expression why; do
	said=$("$LIST" 0 1 <<<"$expression")
	[ "$said" = "$expression|invalid: $why" ] || unknown+="$said"$'\n'
done <<'X2'
12:00 Europe/Berlin|time zones are not known, but for this host's own and UTC
Mon 12:00 CET|time zones are not known, but for this host's own and UTC
12:00:00.5|fractions of seconds are not known
@1766000000|instants as @SECONDS are not known
X2
tap_none "what is not known is refused with a reason" "$unknown"
tap_done
