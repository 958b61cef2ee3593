#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=python3,xz-utils,zstd
# `anonymize` on the logs of real servers (test/corpus) and on invented ones that know every trick: no address, user, host or id is in
# the output in any spelling, `explain` reads the same in it, the same value is the same everywhere; and what -o, --key and a
# compressed input promise. What is a secret, and how it could be spelled, the scripts beside this find out by themselves.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
HERE=$ROOT/test/integration
cd "$WORK" || exit 1
head -c 32 /dev/urandom >key
head -c 32 /dev/urandom >other
chmod 600 key other
note() { printf '# seed %s\n' "$MLS_SEED"; }
note

program() { timeout 120 "$MLS_PROGRAM" "$@"; }
check() { timeout 120 python3 "$HERE/anonymize-check.py" "$@" 2>&1; }

# What is wrong with LOG's copy, each point by itself; SECRETS is what must not be found.
look() { # NAME LOG SECRETS
	tap_true "$1: is made" program anonymize --key key -i "$2" -o "$2.out"
	[ -s "$3" ] || tap_fail "$1: there are no secrets to look for"
	tap_none "$1: nothing of it is in the copy, in any spelling" "$(check search "$3" "$2.out")"
	tap_none "$1: values of known places are replaced, equal ones by equal ones" "$(check pairs "$2" "$2.out")"
	program explain --json --year 2026 "$2" >"$2.was"
	program explain --json --year 2026 "$2.out" >"$2.is"
	tap_none "$1: explain reads the same" "$(check kinds "$2.was" "$2.is")"
}

# ---- the corpus --------------------------------------------------------------------------------
for file in "$ROOT"/test/corpus/postfix-*.txt; do
	sed -n 's/^line: //p' "$file"
done >corpus.log
{
	check extract corpus.log
	check attempts "$ROOT/test/corpus/attempts.tsv"
} | sort -u >corpus.secrets
look "the corpus" corpus.log corpus.secrets

# what the searcher finds when it has to: the log itself holds nearly all of it
tap_true "the search finds what is there" test "$(check search corpus.secrets corpus.log | wc -l)" -gt $(($(wc -l <corpus.secrets) * 8 / 10))

# ---- invented logs -----------------------------------------------------------------------------
for i in 1 2; do
	timeout 60 python3 "$HERE/anonymize-lines.py" $((MLS_SEED + i)) 700 "made$i.log" "made$i.secrets"
	look "invented log $i" "made$i.log" "made$i.secrets"
done

# ---- keys --------------------------------------------------------------------------------------
program anonymize --key key <corpus.log >again
tap_true "the same key: the same copy, through pipes, too" cmp corpus.log.out again
program anonymize --key other <corpus.log >differs
tap_is "$(sort -u corpus.log.out | grep -Fxc -f <(sort -u differs) | sed 's/^[0-9]\{1,2\}$/few/')" few "another key: other stand-ins"
program anonymize <corpus.log >first
program anonymize <corpus.log >second
tap_true "without a key each run has its own" test "$(cmp -s first second; echo $?)" = 1
check search corpus.secrets second >found
tap_none "and its copy shows nothing" "$(<found)"
chmod 604 key
tap_true "a key that everybody can read is refused" test "$(program anonymize --key key <corpus.log 2>&1 >/dev/null | grep -c key)" = 1
chmod 600 key

# ---- compressed --------------------------------------------------------------------------------
gzip -k corpus.log
xz -k corpus.log
zstd -q corpus.log
for suffix in gz xz zst; do
	program anonymize --key key -i "corpus.log.$suffix" -o unpacked
	tap_true "input in .$suffix" cmp corpus.log.out unpacked
done
head -c 3000 corpus.log.gz >cut.gz
echo before >unpacked
tap_is "$(program anonymize --key key -i cut.gz -o unpacked 2>/dev/null; echo $?)|$(<unpacked)" "1|before" \
	"input that is cut short: it fails, and the output is as it was"

# ---- -o is whole or absent ---------------------------------------------------------------------
mkfifo fifo
# more than a pipe holds: what has been written was read, but for the last of it
{ head -c 100000 corpus.log && : >begun; wait_until 30 test -e go; } >fifo &
"$MLS_PROGRAM" anonymize --key key -i fifo -o killed 2>/dev/null &
pid=$!
wait_until 30 test -e begun
{ kill -9 $pid && wait $pid; } 2>/dev/null
touch go
wait
tap_true "kill -9 leaves no output" test ! -e killed
status=0
program anonymize --key key -i corpus.log >/dev/full 2>err || status=$?
tap_is "$status|$(grep -c 'No space left on device' err)" "1|1" "a full disk at stdout: it says so"
if unshare -rm true 2>/dev/null; then
	mkdir small
	echo before >small.before
	# shellcheck disable=SC2016  # the inner shell expands them
	unshare -rm sh -c 'mount -t tmpfs -o size=64k tmpfs small && cp small.before small/out &&
		timeout 60 "$MLS_PROGRAM" anonymize --key key -i corpus.log -o small/out 2>err; echo "$?|$(ls -A small)|$(cat small/out)"' >result
	tap_is "$(<result)|$(grep -c 'No space left on device' err)" "1|out|before|1" \
		"a full disk: the output is as it was, and nothing else is left"
fi
cp corpus.log same
tap_is "$(program anonymize --key key -i same -o same 2>/dev/null; echo $?)|$(cmp same corpus.log && echo untouched)" "1|untouched" \
	"the input as the output: refused"

# ---- odd input ---------------------------------------------------------------------------------
odd() { # TEXT INPUT LINES
	printf '%b' "$2" | program anonymize --key key >odd.out 2>err
	tap_is "$?|$(wc -l <odd.out)" "0|$3" "$1"
}
odd "nothing" '' 0
odd "an empty line" '\n' 1
odd "no newline at the end" 'Nov 22 12:55:02 mx1 postfix/smtpd[1]: connect from unknown[192.0.2.7]' 0
odd "NUL, ESC and what is no UTF-8" 'a\0b\n\033[2J\n\377\376\n\303\n' 4
{ printf 'Nov 22 12:55:02 mx1 postfix/smtpd[1]: warning: x '; head -c 300000 /dev/zero | tr '\0' 'q'; printf ' zebrafish\nnext\n'; } |
	program anonymize --key key >odd.out 2>err
tap_is "$(wc -l <odd.out)|$(grep -c 'qqqq\|zebrafish' odd.out)|$(grep -c '65536 bytes' err)" "2|0|1" "a line of 300 kB"
tap_done
