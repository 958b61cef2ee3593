#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The Test Anything Protocol for shell tests, as unit/tap.h is for C. A test sources this, makes its points with tap_is,
# tap_true, tap_none, tap_pass or tap_fail (whose status says how it was), and ends with `tap_done`. What failed is
# explained in lines after "#".
#
#   . "$(dirname "$0")/../tap.sh"
#
# $ROOT is the source tree; $WORK is a directory of the test's own that goes away with it. What else a test must
# end or unmount it adds with tap_defer. The environment that test/run gives (see its --help) has defaults here,
# so that a test can be run by hand.

set -u
export LC_ALL=C.UTF-8
ROOT=${MLS_SOURCE_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
export MLS_SOURCE_ROOT=$ROOT
export MLS_PROGRAM=${MLS_PROGRAM:-$ROOT/build/asan/daemon/maillogsentinel}
export MLS_PROGRAM_RELEASE=${MLS_PROGRAM_RELEASE:-$ROOT/build/release/daemon/maillogsentinel}
export MLS_TEST_CACHE=${MLS_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/maillogsentinel-test}
export MLS_SEED=${MLS_SEED:-1}
WORK=$(mktemp -d) || exit 1
tap_count=0 tap_failed=0 tap_deferred=()

# Runs COMMAND at the end of the test, however it ends; the last one deferred runs first.
tap_defer() { # COMMAND [ARG...]
	tap_deferred+=("$(printf '%q ' "$@")")
}

tap_cleanup() {
	local i

	trap - EXIT INT TERM
	for ((i = ${#tap_deferred[@]} - 1; i >= 0; i--)); do
		eval "${tap_deferred[i]}"
	done
	rm -rf "$WORK"
}
trap tap_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

tap_pass() { # TEXT
	printf 'ok %d - %s\n' $((++tap_count)) "$1"
}

tap_fail() { # TEXT
	tap_failed=$((tap_failed + 1))
	printf 'not ok %d - %s\n' $((++tap_count)) "$1"
	return 1
}

# Prints its arguments, or without any its input, as explanation; control bytes become visible.
tap_note() { # [TEXT...]
	if [ $# -gt 0 ]; then printf '%s\n' "$*"; else cat; fi | cat -v | sed 's/^/# /'
}

tap_is() { # GOT EXPECTED TEXT
	if [ "$1" = "$2" ]; then
		tap_pass "$3"
	else
		tap_fail "$3"
		tap_note "got:      $1"
		tap_note "expected: $2"
		return 1
	fi
}

# The command must succeed; what it prints is shown when it does not.
tap_true() { # TEXT COMMAND [ARG...]
	local text=$1 output rc=0

	shift
	output=$("$@" 2>&1) || rc=$?
	if [ "$rc" -eq 0 ]; then
		tap_pass "$text"
	else
		tap_fail "$text"
		tap_note "exit status $rc of: $*"
		head -n 60 <<<"$output" | tap_note
		return 1
	fi
}

# Content when a search found nothing; else what it found is shown.
tap_none() { # TEXT FINDINGS
	if [ -z "$2" ]; then
		tap_pass "$1"
	else
		tap_fail "$1"
		head -n 60 <<<"$2" | tap_note
		return 1
	fi
}

tap_skip() { # TEXT REASON
	printf 'ok %d - %s # SKIP %s\n' $((++tap_count)) "$1" "$2"
}

# Leaves the test: nothing in it can run here.
tap_skip_all() { # REASON
	printf '1..0 # SKIP %s\n' "$1"
	exit 0
}

tap_done() {
	printf '1..%d\n' "$tap_count"
	[ "$tap_failed" -eq 0 ]
	exit
}

# Waits until the command succeeds; fails when it has not by the deadline.
wait_until() { # SECONDS COMMAND [ARG...]
	local deadline=$(($(date +%s%N) + $1 * 1000000000))

	shift
	until "$@"; do
		[ "$(date +%s%N)" -lt "$deadline" ] || return 1
		sleep 0.02
	done
}

# Prints the project's files, relative to DIR, one a line: what git knows and what it would take in.
project_files() { # DIR
	local file

	if git -c safe.directory='*' -C "$1" ls-files -co --exclude-standard 2>/dev/null | grep -q .; then
		git -c safe.directory='*' -C "$1" ls-files -co --exclude-standard | while IFS= read -r file; do
			[ -e "$1/$file" ] && printf '%s\n' "$file"
		done
	else
		(cd "$1" && find . \( -path ./build -o -path ./.git -o -path ./.cache \) -prune -o -type f -print | sed 's,^\./,,')
	fi | sort
}

# Of the files on stdin, relative to DIR, prints those that are shell scripts.
shell_files() { # DIR
	local file first

	while IFS= read -r file; do
		IFS= read -r first <"$1/$file" 2>/dev/null || true
		case $file:${first//$'\r'/} in
		*.sh:* | *:'#!/bin/sh'* | *:'#!/bin/bash'* | *:'#!/usr/bin/env bash'*) printf '%s\n' "$file" ;;
		esac
	done
}
