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

# The same by a change of FILE, a script of sed -E; the point must then show FINDING.
change() { # TEXT POINT FILE SCRIPT FINDING
	cp "$3" "$WORK/before"
	sed -E -i "$4" "$3"
	! cmp -s "$3" "$WORK/before" || tap_fail "$1: '$4' changes nothing in $3"
	texts+=("$1") points+=("$2") names+=("$5")
}

# Runs the check and looks for what was planted since the last time.
look() { # CHECK [DIRECTORY]
	local output i

	output=$(bash "$ROOT/test/check/$1.sh" "$COPY${2:+/$2}" 2>&1)
	for i in "${!texts[@]}"; do
		if awk -v point="${points[i]}" -v name="${names[i]}" '
			/^(not )?ok / { mine = /^not ok / && index($0, point) }
			mine && index($0, name) { found = 1 }
			END { exit !found }' <<<"$output"; then
			tap_pass "$1 sees ${texts[i]}"
		else
			tap_fail "$1 sees ${texts[i]}"
			tap_note "no 'not ok - ${points[i]}' that shows ${names[i]} in:"
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
plant "a library that nobody agreed on" 'no header that this check does not know' lib/base/planted-4.c '#include <re2.h>\n'
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

if [ -x "$MLS_PROGRAM_RELEASE" ]; then
	file=daemon/maillogsentinel.8
	change "a command that the manual lacks" 'the manual has the commands' $file \
		's/^\.(It )?Cm lookup/.\1Cm look-up/' "head: 'lookup' is missing"
	change "an option that the manual lacks" 'the manual has the options of each command' $file \
		'/^\.It Fl -stdout/d' "extract (item): '--stdout' is missing"
	change "an argument that the manual lacks" "the manual's options take the arguments" $file \
		's/^(\.It Fl -from) Ar file/\1/' "extract --from: '' instead of 'FILE'"
	plant "an option that only the manual has" 'the manuals name no option that is none' $file '.Fl -planted\n'
	names[-1]="$file: --planted"
	change "a column by another name" "the manual has the CSV's columns" $file \
		's/^\.It Va aso$/.It Va as_org/' "'aso' is missing"
	plant "a stale name in the text" 'the manuals name no column or option of the configuration' $file '.Va csv_name\n'
	names[-1]="$file: csv_name"
	file=daemon/maillogsentinel.conf.5
	plant "an option that only the other manual has" 'the manuals name no option that is none' $file '.Fl P\n'
	names[-1]="$file: -P"
	change "a key that the manual lacks" 'the manual has every option of the configuration' $file \
		'/^\.It Va tries/d' "'dns.tries' is missing"
	change "a key that only the manual has" 'the manual has every option of the configuration' $file \
		's/^\.It Va size/.It Va length/' "'dns_cache.length' is not"
	change "a wrong type" 'with its type, its range and its default' $file \
		's/^(\.It Va enabled No = Ar) truth/\1 number/' 'dns.enabled: is no number'
	change "a stale default" 'with its type, its range and its default' $file \
		's/^\.Li 3600 \./.Li 36000 ./' "dns_cache.ttl_seconds: default '36000'"
	change "a stale range" 'with its type, its range and its default' $file \
		's/^1 to 256\./1 to 512./' "dns.max_in_flight: lacks '1 to 256'"
	change "a group by another name" 'and the groups' $file 's/^\.Ss geolocation/.Ss geo/' '# geo'
	file=packaging/maillogsentinel.conf
	change "a key that the default configuration lacks" 'the default configuration has every option' $file \
		'/csv_filename/d' "'paths.csv_filename' is missing"
	plant "a key that only the default configuration has" 'the default configuration has every option' $file '\t#planted = 1;\n'
	names[-1]="planted' is not"
	change "a value in force" 'none of them in force' $file 's/#timeout_ms/timeout_ms/' timeout_ms
	change "a stale comment" 'with the values and the comments' $file \
		's/Whether answers are/Whether names are/' 'Whether names are'
	change "a value that is not the default" 'with the values and the comments' $file 's/#tries = 2/#tries = 3/' 'tries = 3'
	plant "a mistake" 'which are the defaults' $file '\t#tries = 1000;\n'
	names[-1]='got:'
	look options

	mkdir completions
	cp "$(dirname "$MLS_PROGRAM_RELEASE")/../packaging/completions"/{maillogsentinel,_maillogsentinel,maillogsentinel.fish} completions
	cd completions || exit 1
	file=maillogsentinel
	change "a command that bash lacks" 'bash offers the commands' $file \
		"s/^(.*commands='run) extract/\1/" "'extract' is missing"
	change "an option that bash calls otherwise" 'bash offers the options' $file 's/--dump/--damp/' "'--damp' is not"
	change "files that bash lacks" 'bash offers files' $file 's/ extract:--from//' 'extract --from'
	# shellcheck disable=SC2016 # the mistake
	plant "a careless completion" 'shellcheck has nothing to say of it' $file '_planted() { rm $1; }\n'
	if command -v zsh >/dev/null; then
		change "a completion that bash cannot call" 'bash completes what is typed' $file 's/-F _mail/-F _male/' got:
		file=_maillogsentinel
		change "a command that zsh describes otherwise" 'zsh offers the commands' $file 's/:find every/:find each/' 'find each'
		change "an option that zsh calls otherwise" 'zsh offers the options' $file 's/--no-dns/--nodns/' '--nodns'
		change "files that zsh lacks" 'zsh offers files' $file "s/':file:_files'/':file: '/" 'explain: files'
	else
		tap_skip "completions sees what zsh lacks" "no zsh"
	fi
	if command -v fish >/dev/null; then
		file=maillogsentinel.fish
		change "a command that fish describes otherwise" 'fish offers the commands' $file 's/find every/find each/' 'find each'
		change "an option that fish calls otherwise" 'fish offers the options' $file 's/-l no-dns/-l nodns/' '--nodns'
		change "files that fish lacks" 'fish offers files' $file 's/-l from -r -F/-l from -x/' 'extract --from'
	else
		tap_skip "completions sees what fish lacks" "no fish"
	fi
	cd .. || exit 1
	look completions completions
else
	tap_skip "options sees what it is for" "no program at $MLS_PROGRAM_RELEASE"
fi

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
