#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The house style as far as programs can see it. Checks the tree that the first argument names, or this one.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
TREE=$(realpath "${1:-$ROOT}")
cd "$TREE" || exit 1

# another version formats otherwise: the one of Debian 12 decides
FORMAT_VERSION=14
FILE_LINES_MAX=700

mapfile -t files < <(project_files .)
mapfile -t c_files < <(printf '%s\n' "${files[@]}" | grep -E '\.[ch]$')
mapfile -t scripts < <(printf '%s\n' "${files[@]}" | shell_files .)
mapfile -t manuals < <(printf '%s\n' "${files[@]}" | grep -E '\.[1-9]$')
# text that people write: not the licence, not what was recorded from elsewhere
mapfile -t texts < <(printf '%s\n' "${files[@]}" | grep -vE '^COPYING$|^test/corpus/|^test/fuzz/corpus/|\.(log|tsv|csv|gz|xz|zst|mmdb|png)$')
tap_true "there is something to check" [ "${#texts[@]}" -gt 0 ]

text="C is formatted as .clang-format says"
format=$(command -v "clang-format-$FORMAT_VERSION" || command -v clang-format)
if [ -z "$format" ]; then
	tap_skip "$text" "no clang-format"
elif ! "$format" --version | grep -q " version $FORMAT_VERSION\."; then
	tap_skip "$text" "needs version $FORMAT_VERSION, here is $("$format" --version | grep -o '[0-9][0-9.]*' | head -n 1)"
elif [ ${#c_files[@]} -gt 0 ]; then
	tap_none "$text" "$("$format" --dry-run -Werror "${c_files[@]}" 2>&1 | grep 'error:' | head -n 40)"
fi

text="shellcheck has nothing to say"
if command -v shellcheck >/dev/null; then
	tap_none "$text" "$([ ${#scripts[@]} -eq 0 ] || printf '%s\0' "${scripts[@]}" | xargs -0 -n 8 -P "$(nproc)" shellcheck -x -f gcc 2>&1)"
else
	tap_skip "$text" "no shellcheck"
fi

if command -v mandoc >/dev/null; then
	for manual in "${manuals[@]}"; do
		# manuals of what is not installed are named all the same
		tap_none "$manual is sound mdoc" "$(mandoc -Tlint "$manual" 2>&1 | grep -vE 'referenced manual not found|outdated mandoc\.db')"
	done
else
	tap_skip "manuals are sound mdoc" "no mandoc"
fi

missing=''
for file in "${c_files[@]}"; do
	IFS= read -r first <"$file"
	[ "$first" = '/* SPDX-License-Identifier: GPL-3.0-or-later */' ] || missing+="$file: line 1"$'\n'
done
for file in "${scripts[@]}"; do
	[ "$(sed -n 2p "$file")" = '# SPDX-License-Identifier: GPL-3.0-or-later' ] || missing+="$file: line 2"$'\n'
done
tap_none "C files and scripts name their licence" "$missing"

tap_none "no blanks at line ends" "$(grep -nIE '[[:blank:]]+$' "${texts[@]}")"
tap_none "no carriage returns" "$(grep -lI $'\r' "${texts[@]}")"
tap_none "the last line ends" "$(for file in "${texts[@]}"; do
	[ ! -s "$file" ] || [ -z "$(tail -c 1 "$file" | tr -d '\n\0')" ] || echo "$file"
done)"
tap_none "scripts are indented with tabs" "$(for file in "${scripts[@]}"; do
	awk -v file="$file" '
		here { if ($0 == here) here = ""; next }
		match($0, /<<-?[\047"\\]?[A-Za-z]+/) { here = substr($0, RSTART, RLENGTH); gsub(/[^A-Za-z]/, "", here) }
		/^    / && !here { print file ":" FNR ": " $0 }' "$file"
done)"
tap_none "files of lib/ and daemon/ have at most $FILE_LINES_MAX lines" "$(for file in "${c_files[@]}"; do
	case $file in lib/* | daemon/*) ;; *) continue ;; esac
	lines=$(wc -l <"$file")
	[ "$lines" -le $FILE_LINES_MAX ] || echo "$file: $lines"
done)"
# written so that this file does not hold them
words='\b(TO''DO|FIX''ME|X''XX|HA''CK)\b'
tap_none "nothing is left open" "$(grep -nIE "$words" "${texts[@]}")"
tap_done
