#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# test/run itself: what it counts as passed, failed and skipped, on tests made for it in a tree of their own.
# shellcheck disable=SC2016  # scripts in quotes are the tests' text
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
TREE=$WORK/tree
mkdir -p "$TREE/test/integration" "$TREE/contrib" "$WORK/bin"
cp "$ROOT/test/run" "$TREE/test/"
cp "$ROOT/contrib/build-packages.sh" "$TREE/contrib/"
# a build that has nothing to do
printf '#!/bin/sh\n[ "$1" != setup ] || { mkdir -p "$2" && : >"$2/build.ninja"; }\n' >"$WORK/bin/meson"
printf '#!/bin/sh\n[ ! -e broken ]\n' >"$WORK/bin/ninja"
chmod +x "$WORK/bin"/*

# Makes TREE's only test from the script.
test_is() { # SCRIPT
	rm -rf "$TREE/test/integration"/*
	printf '#!/bin/bash\n%b' "$1" >"$TREE/test/integration/made.sh"
}

# Runs test/run in the tree, as no CI, and leaves its output in $output and its status in $status.
run() { # [ASSIGNMENT...] [ARG...]
	local -a environment=()

	while [[ ${1-} == *=* ]]; do environment+=("$1"); shift; done
	status=0
	output=$(env CI= PATH="$WORK/bin:$PATH" MLS_TEST_CACHE="$WORK/cache" "${environment[@]}" \
		bash "$TREE/test/run" --no-install "${@:-integration}" 2>&1) || status=$?
}

# The script as a test makes test/run end with LAST and print a line with SHOWN. The two builds are points too.
counts() { # TEXT SCRIPT STATUS LAST [SHOWN]
	test_is "$2"
	run
	if [ "$status" = "$3" ] && [ "${output##*$'\n'}" = "$4" ] && grep -qF -- "${5-}" <<<"$output"; then
		tap_pass "$1"
	else
		tap_fail "$1"
		tap_note "wanted status $3, last line '$4', a line with '${5-}'; got status $status and"
		tap_note "$output"
	fi
}

counts "every point counts" 'echo 1..2; echo ok 1 - a; echo ok 2 - b\n' 0 '4 passed, 0 failed, 0 skipped'
counts "a plan may come last" 'echo ok 1; echo 1..1\n' 0 '3 passed, 0 failed, 0 skipped'
counts "a failing point, with its explanation" 'echo not ok 1 - a; echo "# because"; echo 1..1; exit 1\n' 1 \
	'2 passed, 1 failed, 0 skipped' '# because'
counts "a failing point in a program that ends well" 'echo not ok 1 - a; echo 1..1\n' 1 '2 passed, 1 failed, 0 skipped' 'made: a'
counts "a skip, with its reason" 'echo "ok 1 - a # SKIP no moon"; echo ok 2; echo 1..2\n' 0 \
	'3 passed, 0 failed, 1 skipped' 'integration/made: a: no moon'
counts "a skip of all" 'echo "1..0 # SKIP no sun"\n' 0 '2 passed, 0 failed, 1 skipped' 'integration/made: no sun'
counts "an exit status" 'echo ok 1; echo 1..1; echo why >&2; exit 3\n' 1 '3 passed, 1 failed, 0 skipped' '# stderr: why'
counts "too few points" 'echo 1..3; echo ok 1; echo ok 2\n' 1 '4 passed, 1 failed, 0 skipped' 'planned 3 points, ran 2'
counts "too many points" 'echo 1..1; echo ok 1; echo ok 2\n' 1 '4 passed, 1 failed, 0 skipped' 'planned 1 points, ran 2'
counts "no plan" 'echo ok 1\n' 1 '3 passed, 1 failed, 0 skipped' 'printed no plan'
counts "nothing printed" 'true\n' 1 '2 passed, 1 failed, 0 skipped' 'printed no plan'
counts "an empty plan without a reason" 'echo 1..0\n' 1 '2 passed, 1 failed, 0 skipped' 'ran nothing'
counts "a number left out" 'echo 1..2; echo ok 1; echo ok 3\n' 1 '4 passed, 1 failed, 0 skipped' 'point 2 is numbered 3'
counts "giving up" 'echo 1..1; echo ok 1; echo "Bail out! no more"\n' 1 '3 passed, 1 failed, 0 skipped' 'Bail out! no more'
counts "a signal" 'echo 1..1; echo ok 1; kill -SEGV $$\n' 1 '3 passed, 1 failed, 0 skipped' 'killed by signal 11'
counts "its time is over" '# run: timeout=1\necho 1..1; echo ok 1; exec sleep 60\n' 1 '3 passed, 1 failed, 0 skipped' \
	'timed out after 1 s'
counts "a process left behind" 'echo 1..1; echo ok 1; setsid sleep 61 >/dev/null 2>&1 &\n' 1 \
	'3 passed, 1 failed, 0 skipped' 'left a process behind: sleep 61'
counts "a sanitizer's report in a program that nobody looked at" \
	'echo 1..1; echo ok 1; p=${ASAN_OPTIONS#*log_path=}; echo "heap-use-after-free" >"${p%%:*}.7"\n' 1 \
	'3 passed, 1 failed, 0 skipped' 'heap-use-after-free'
counts "a search for leaks that was killed with its program" \
	'echo 1..1; echo ok 1; p=${ASAN_OPTIONS#*log_path=}; echo "==7==Unable to get registers from thread 6." >"${p%%:*}.7"\n' 0 \
	'3 passed, 0 failed, 0 skipped'
counts "what a test is given" 'echo 1..1; [ -d "$TMPDIR" ] && [ -n "$MLS_SEED$MLS_PROGRAM$MLS_TEST_CACHE" ] && [ -e "$MLS_SOURCE_ROOT/test/run" ] && echo ok 1\n' \
	0 '3 passed, 0 failed, 0 skipped'
counts "a test can be interrupted" 'trap "echo ok 1; echo 1..1; exit" INT; kill -INT $$\n' 0 '3 passed, 0 failed, 0 skipped'
counts "part of a test is none" '# run: no\nexit 1\n' 1 '2 passed, 0 failed, 0 skipped' 'no tests here'

test_is 'echo "1..0 # SKIP no sun"\n'
run CI=true
if [ "$(id -u)" -eq 0 ]; then
	tap_is "$status ${output##*$'\n'}" '1 2 passed, 1 failed, 0 skipped' "CI as root: a skip is a failure"
else
	tap_is "$status ${output##*$'\n'}" '0 2 passed, 0 failed, 1 skipped' "CI as an ordinary user may skip"
fi
test_is 'echo 1..1; echo "ok $MLS_SEED"\n'
run --seed 1 integration
tap_is "$status" 0 "the seed is handed on"
run --seed 7 integration
tap_is "$status" 1 "and not another one"
run nonsense
tap_is "$status" 2 "an unknown suite is wrong usage"
run --nonsense
tap_is "$status" 2 "an unknown option is wrong usage"
run --help
tap_is "$status ${output%% *}" "0 usage:" "help"
test_is 'echo 1..1; echo ok 1\n'
: >"$TREE/broken"
run
tap_is "$status ${output##*$'\n'}" "1 0 passed, 3 failed, 0 skipped" "a build that fails is a failure, and its suite is not run"
rm "$TREE/broken"
test_is "echo \$\$ >'$WORK/pid'; exec sleep 63\n"
set -m
CI='' PATH="$WORK/bin:$PATH" MLS_TEST_CACHE="$WORK/cache" bash "$TREE/test/run" --no-install integration >"$WORK/output" 2>&1 &
group=$!
set +m
wait_until 20 test -s "$WORK/pid"
kill -INT -- "-$group"
wait "$group"
tap_is $? 130 "Ctrl-C ends it"
tap_true "and the test that was running" eval "! kill -0 $(cat "$WORK/pid") 2>/dev/null"
cd / || exit 1
test_is 'echo 1..1; echo ok 1\n'
output=$(CI='' PATH="$WORK/bin:$PATH" MLS_TEST_CACHE="$WORK/cache" bash "$TREE/test/run" --no-install integration <&- 2>&1)
tap_is "${output##*$'\n'}" '3 passed, 0 failed, 0 skipped' "from elsewhere, with stdin closed"
tap_done
