#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: timeout=600
# clang-tidy and cppcheck over lib/, daemon/ and contrib/ of the tree that the first argument names, or of this one, with the
# compilation database of its build/clang. What was found clean is remembered by the hash of everything that decides it.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
TREE=$(realpath "${1:-$ROOT}")
cd "$TREE" || exit 1

# another version finds other things: those of Debian 12 decide
TIDY_VERSION=14
CPPCHECK_VERSION=2.10
CACHE=$MLS_TEST_CACHE/lint
DATABASE=build/clang

# Prints a source's compiler flags that matter, from the compilation database.
flags_of() { # FILE
	awk -v file="$1" '
		/"command":/ { command = $0 }
		/"file":/ && index($0, "/" file "\"") { print command }' "$DATABASE/compile_commands.json" |
		grep -oE -- "-(I|D|std=|isystem )[^ \",]*" | tr '\n' ' '
}

# Prints what clang-tidy finds in one file; nothing when it is clean.
tidy() { # FILE
	local file=$1 key
	local -a flags

	read -ra flags <<<"$(flags_of "$file")"
	key=$({
		cat .clang-tidy
		"$tidy" --version
		# the place of the tree decides nothing
		(cd "$DATABASE" && clang -E -C "${flags[@]}" "../../$file") 2>&1 | sed "s,$TREE/,,g"
	} | sha256sum | cut -c1-32)
	[ ! -e "$CACHE/$key" ] || return 0
	if "$tidy" --quiet -p "$DATABASE" "$file" >"$WORK/tidy.$key" 2>/dev/null; then
		: >"$CACHE/$key"
	else
		sed "s,$TREE/$DATABASE/\.\./\.\./,,; s,^\.\./\.\./,," "$WORK/tidy.$key"
		[ -s "$WORK/tidy.$key" ] || echo "$file: clang-tidy failed"
	fi
}

[ -e $DATABASE/compile_commands.json ] || tap_skip_all "needs build/clang (test/run check makes it)"
mkdir -p "$CACHE"
mapfile -t sources < <(project_files . | grep -E '^(lib|daemon|contrib)/.*\.c$')
tap_true "there is something to check" [ ${#sources[@]} -gt 0 ]

tidy=$(command -v "clang-tidy-$TIDY_VERSION" || command -v clang-tidy)
if [ -z "$tidy" ] || ! "$tidy" --version | grep -q "version $TIDY_VERSION\."; then
	tap_skip "clang-tidy finds nothing" "needs clang-tidy $TIDY_VERSION"
else
	for source in "${sources[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
		tidy "$source" >"$WORK/found.${source//\//-}" &
	done
	wait
	for source in "${sources[@]}"; do
		if grep -q "/$source\"" "$DATABASE/compile_commands.json"; then
			tap_none "clang-tidy finds nothing in $source" "$(cat "$WORK/found.${source//\//-}")"
		else
			tap_fail "$source is part of the build"
		fi
	done
fi

if ! command -v cppcheck >/dev/null || [ "$(cppcheck --version)" != "Cppcheck $CPPCHECK_VERSION" ]; then
	tap_skip "cppcheck finds nothing" "needs cppcheck $CPPCHECK_VERSION"
else
	# it does not know __attribute__((cleanup)); LeakSanitizer and valgrind look for leaks
	mkdir -p "$DATABASE"/cppcheck
	tap_none "cppcheck finds nothing" "$(cppcheck --enable=warning,performance,portability --std=c11 --inline-suppr \
		--suppress=memleak --suppress=resourceLeak --quiet -j "$(nproc)" --cppcheck-build-dir=$DATABASE/cppcheck --project=$DATABASE/compile_commands.json \
		--file-filter='lib/*' --file-filter='daemon/*' --file-filter='contrib/*' 2>&1)"
fi
tap_done
