#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=chromium,chromium-driver,python3,tidy,iso-codes
# The pages of made-up reports as Chromium shows them: no request, no script, no element that is not a report's, nothing wider than the
# window; as valid HTML; and the countries that reports know by name.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
PRINT=$(dirname "$MLS_PROGRAM")/../test/print-report
BROWSE=$ROOT/test/integration/browse.py
export TZ=UTC

# What a page forbids itself hides what it would do where that is not heeded, as in mail clients: it is taken out.
unprotected() { # FILE
	sed '/Content-Security-Policy/d' "$1"
}

mapfile -t names < <("$PRINT")
tap_true "there are pages" [ ${#names[@]} -ge 4 ]
for name in "${names[@]}"; do
	"$PRINT" html "$name" >"$WORK/$name.html"
	unprotected "$WORK/$name.html" >"$WORK/$name-unprotected.html"
done

if ! command -v chromedriver >/dev/null; then
	tap_skip "pages in Chromium" "no chromium-driver"
else
	# each of these must be seen
	plant() { # NAME MARKUP
		unprotected "$WORK/busy.html" | sed "s|^</body>|$2</body>|" >"$WORK/planted-$1.html"
	}
	plant element '<marquee>x</marquee>'
	plant request '<img src="http://127.0.0.1:9/x">'
	plant script "<script>document.title='owned'</script>"
	plant attribute '<div onclick="x()">x</div>'
	plant wide '<div style="width:2000px">x</div>'
	plant cell '<table style="table-layout:fixed;width:90px"><tr><td>xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx</td></tr></table>'
	timeout 120 python3 "$BROWSE" look "$WORK"/*.html >"$WORK/found" 2>"$WORK/err" || tap_note <"$WORK/err"
	tap_is "$(cat "$WORK/err")" "" "Chromium has looked"
	found() { grep -c "^planted-$1.html: .*$2" "$WORK/found"; }
	tap_true "a foreign element is seen" [ "$(found element 'element MARQUEE')" -gt 0 ]
	tap_true "a request is seen" [ "$(found request 'request http://127')" -gt 0 ]
	tap_true "a script that runs is seen" [ "$(found script 'a script has run')" -gt 0 ]
	tap_true "an attribute that acts is seen" [ "$(found attribute 'attribute onclick')" -gt 0 ]
	tap_true "what is too wide is seen" [ "$(found wide 'at 1000: the page is')" -gt 0 ]
	tap_true "what leaves its cell is seen" [ "$(found cell 'at 400: TD')" -gt 0 ]
	for name in "${names[@]}"; do
		tap_none "$name: nothing runs, is fetched or is too wide at 320, 400 and 1000 pixels" \
			"$(grep -E "^$name(-unprotected)?\.html: " "$WORK/found")"
	done
	text=$(timeout 60 python3 "$BROWSE" text "$WORK/hostile.html")
	for shown in "<script>document.title='owned'</script>" "</td></table></body></html>" "&lt" "\"'>" '\x1b[31mred\x1b[0m' \
		'\xe2\x80\xae' "]]></style><style>*{display:none}" "javascript:alert(1)"; do
		tap_true "shown as it is: $shown" grep -qF -- "$shown" <<<"$text"
	done
fi

if ! command -v tidy >/dev/null; then
	tap_skip "pages are valid HTML" "no tidy"
else
	for name in "${names[@]}"; do
		tap_none "$name is valid HTML" "$(tidy -q -e -utf8 "$WORK/$name.html" 2>&1)"
	done
	tap_true "a tag that is not closed is seen" grep -q 'missing </div>' \
		<(sed 's|^</body>|<div></body>|' "$WORK/busy.html" | tidy -q -e -utf8 2>&1)
fi

iso=/usr/share/iso-codes/json/iso_3166-1.json
if [ ! -e $iso ]; then
	tap_skip "every country of ISO 3166-1 has a name" "no iso-codes"
else
	tap_is "$(sed -n 's/^\t{"\(..\)", ".*"},\{0,1\}$/\1/p' "$ROOT/lib/report/country.c" | tr '\n' ' ')" \
		"$({ sed -n 's/.*"alpha_2": "\(..\)".*/\1/p' $iso && printf '%s\n' EU XK; } | sort | tr '\n' ' ')" \
		"every country of ISO 3166-1 has a name, and EU and XK; in order"
fi
tap_done
