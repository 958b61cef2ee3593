#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: alone timeout=300
# The checks must see what they are for: mistakes are planted in a copy of the tree, and each must be found. Runs after the
# others, so that lint has to look only at what was planted.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
COPY=$WORK/tree
mkdir "$COPY"
(cd "$ROOT" && project_files . | tar -cT -) | tar -x -C "$COPY"
cd "$COPY" || exit 1
texts=() names=() points=()

# Puts CONTENT (with \n) at the end of FILE. The check's POINT must then fail and name FILE.
plant() { # TEXT POINT FILE CONTENT
	mkdir -p "$(dirname "$3")"
	printf '%b' "$4" >>"$3"
	texts+=("$1") points+=("$2") names+=("$3")
}

# Runs the check and looks for what was planted since the last time.
look() { # CHECK
	local output i

	output=$(bash "$ROOT/test/check/$1.sh" "$COPY" 2>&1)
	for i in "${!texts[@]}"; do
		if awk -v point="${points[i]}" -v name="${names[i]}" '
			/^(not )?ok / { mine = /^not ok / && index($0, point) }
			mine && index($0, name) { found = 1 }
			END { exit !found }' <<<"$output"; then
			tap_pass "$1 sees ${texts[i]}"
		else
			tap_fail "$1 sees ${texts[i]}"
			tap_note "no 'not ok - ${points[i]}' that names ${names[i]} in:"
			tap_note "$output"
		fi
	done
	texts=() names=() points=()
}

licence='/* SPDX-License-Identifier: GPL-3.0-or-later */\n'
script='#!/bin/bash\n# SPDX-License-Identifier: GPL-3.0-or-later\n'

below='modules include only what lies below them'
plant "base including parse" "$below" lib/base/planted-1.c '#include "parse/event.h"\n'
plant "parse including enrich" "$below" lib/parse/planted.c '#include "enrich/rdns.h"\n'
plant "lib including the daemon" "$below" lib/enrich/planted.c '#include "daemon/config.h"\n'
named="the project's headers are included as MODULE/NAME.h"
plant "an include by relative path" "$named" lib/base/planted-2.c '#include "../parse/event.h"\n'
plant "a header that is not there" "$named" lib/base/planted-3.c '#include "base/not-there.h"\n'
misplaced='foreign headers stand where they belong'
plant "ev.h outside the loop" "$misplaced" daemon/planted.c '#include <ev.h>\n'
plant "a foreign header in a header" "$misplaced" lib/enrich/geodb.h '#include <maxminddb.h>\n'
plant "a foreign header in one file" 'each foreign header is in one file' lib/enrich/rdns-planted-1.c '#include <ares.h>\n'
plant "and in a second one" 'each foreign header is in one file' lib/enrich/rdns-planted-2.c '#include <ares.h>\n'
plant "a library that nobody agreed on" 'no header that this check does not know' lib/base/planted-4.c '#include <pcre2.h>\n'
plant "a module without a place" 'every module has its place in the order' lib/misc/planted.c 'int planted;\n'
names[-1]=lib/misc
plant "a stranger at the top" 'only the agreed entries stand at the top' planted.txt 'x\n'
look includes

if clang-format --version 2>/dev/null | grep -q ' version 14\.'; then
	plant "C in another format" 'C is formatted' lib/base/planted-5.c "${licence}int  planted( void ) ;\n"
else
	tap_skip "style sees C in another format" "needs clang-format 14"
fi
if command -v shellcheck >/dev/null; then
	# shellcheck disable=SC2016  # the mistake
	plant "a careless script" 'shellcheck has nothing to say' contrib/planted-1.sh "$script"'rm $1\n'
else
	tap_skip "style sees a careless script" "no shellcheck"
fi
if command -v mandoc >/dev/null; then
	plant "a broken manual" 'daemon/planted.8 is sound mdoc' daemon/planted.8 '.Dd planted\n.Dt PLANTED\n.Sh NAME\n.Yy\n'
else
	tap_skip "style sees a broken manual" "no mandoc"
fi
plant "C without a licence" 'C files and scripts name their licence' lib/base/planted-6.c 'int planted;\n'
plant "a script without a licence" 'C files and scripts name their licence' contrib/planted-2.sh '#!/bin/bash\ntrue\n'
plant "blanks at a line's end" 'no blanks at line ends' test/planted-1.txt 'planted \n'
plant "carriage returns" 'no carriage returns' test/planted-2.txt 'planted\r\n'
plant "an open last line" 'the last line ends' test/planted-3.txt 'planted'
plant "a script indented with blanks" 'scripts are indented with tabs' contrib/planted-3.sh "$script"'if true; then\n    echo yes\nfi\n'
plant "a file that has grown too long" 'files of lib/ and daemon/ have at most' lib/base/planted-7.c "$(printf '%701s' '' | sed 's/ /\\n/g')"
plant "something left open" 'nothing is left open' test/planted-4.txt 'TO''DO: planted\n'
look style

if clang-tidy --version 2>/dev/null | grep -q 'version 14\.' && command -v meson >/dev/null; then
	CC=clang meson setup build/clang >"$WORK/setup.log" 2>&1
	plant "what clang-tidy is for" 'clang-tidy finds nothing in lib/base/utf8.c' lib/base/utf8.c \
		'\nint planted(int n);\nint planted(int n)\n{\n\tint zero = 0;\n\n\treturn n / zero;\n}\n'
	plant "what cppcheck is for" 'cppcheck finds nothing' lib/base/strbuf.c \
		'\nint planted(void);\nint planted(void)\n{\n\tint a[4];\n\n\treturn a[4];\n}\n'
	plant "a source that nobody builds" 'lib/base/planted-8.c is part of the build' lib/base/planted-8.c 'int planted;\n'
	look lint
else
	tap_skip "lint sees what it is for" "needs clang-tidy 14 and meson"
fi
tap_done
