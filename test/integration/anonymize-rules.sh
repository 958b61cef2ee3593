#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# `anonymize --rules`: the manual's example does what the manual says; what is said of a file with mistakes, of patterns that are slow
# and of those that find nothing; and what is kept can't be used to show more.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
MANUAL=$ROOT/daemon/maillogsentinel-rules.5
printf 'a secret for the examples\n' >"$WORK/key"
chmod 600 "$WORK/key"

# $out, $err and $status; stderr without the directory of the test.
anonymize() { # ARG...
	status=0
	out=$(timeout 60 "$MLS_PROGRAM" anonymize --key "$WORK/key" --rules "$WORK/rules" "$@" 2>"$WORK/err") || status=$?
	err=$(sed "s,$WORK/,,; s,^maillogsentinel: ,," "$WORK/err")
}

# ---- the manual --------------------------------------------------------------------------------
literal() { # N
	awk -v n="$1" '/^\.Bd -literal/ { i++; on = 1; next } /^\.Ed/ { on = 0 } on && i == n' "$MANUAL" | sed 's/\\e/\\/g'
}
literal 1 >"$WORK/rules"
literal 2 >"$WORK/log"
anonymize -i "$WORK/log"
tap_is "$status|$err" "0|" "the manual's example is taken"
tap_is "$out" "$(literal 3)" "and does what the manual says"

# ---- mistakes ----------------------------------------------------------------------------------
mistake() { # TEXT RULES STDERR
	printf '%s\n' "$2" >"$WORK/rules"
	rm -f "$WORK/out"
	anonymize -i "$WORK/log" -o "$WORK/out"
	tap_is "$status|$out|$err" "78||$3" "$1"
	[ ! -e "$WORK/out" ] || tap_fail "$1: there is an output"
}
mistake "unknown group" 'drop: { a = "x"; };' 'rules:1: drop: unknown group; there are replace and keep'
mistake "unknown list" $'\nkeep: { word = [ "x" ]; };' \
	'rules:2: keep.word: unknown key; there are words, word_patterns, hosts and networks'
mistake "no text" 'replace: { a = 5; };' 'rules:1: replace.a: wants a pattern in quotes'
mistake "a list of numbers" 'keep: { words = 5; };' 'rules:1: keep.words: wants a list of texts: [ "...", "..." ]'
mistake "a group without braces" 'keep = "x";' 'rules:1: keep: is a group and wants braces: { ... };'
mistake "no kind" 'replace: { a = "(x)"; };' 'rules:1: replace.a: no group says what it holds, such as (?<user>...)'
mistake "a name twice" $'replace: {\na = "(?<user>x)";\na = "(?<user>y)";\n};' 'rules:3: replace.a: stands in line 2 already'
mistake "a backslash alone" 'replace: { a = "(?<user>x)\n"; };' \
	"rules:1: replace.a: holds a control character; in a pattern a \\ is written \\\\"
mistake "three mistakes in the order of their lines" $'keep: {\nnetworks = [\n"192.0.2.1/24",\n"x" ];\nhosts = "a b";\n};' \
	$'rules:3: keep.networks: "192.0.2.1/24": has bits behind its first 24
rules:4: keep.networks: "x": is neither an address nor ADDRESS/BITS
rules:5: keep.hosts: "a b": is no host name'
rm "$WORK/rules"
anonymize -i "$WORK/log"
tap_is "$status|$out|$err" "1||rules: No such file or directory" "a file that is not there"

# ---- what is told at the end -------------------------------------------------------------------
printf 'replace: { slow = "(?<user>(a+)+[xy])"; none = "(?<user>zzz)"; };\n' >"$WORK/rules"
{
	printf 'Nov 22 12:55:02 mx1 app[7]: %s and more\n' "$(printf '%0200d' 0 | tr 0 a)"
	printf 'Nov 22 12:55:02 mx1 postfix/qmgr[7]: A58837BC: removed\n'
} >"$WORK/slow"
anonymize -i "$WORK/slow"
tap_is "$status|$err" "0|warning: rule slow: the pattern was too slow 1 times; the messages were replaced as a whole
warning: rule none: found nothing" "a slow pattern, and one that finds nothing, are told"
tap_is "$(sed 's/-[0-9a-f]\{10\}/-X/g; s/[0-9A-F]\{9,\}/Q/' <<<"$out")" "Nov 22 12:55:02 host-X program-X[7]: text-X
Nov 22 12:55:02 host-X postfix/qmgr[7]: Q: removed" "the message goes as a whole, the next one is as ever"

# ---- what is kept shows no more ----------------------------------------------------------------
cat >"$WORK/rules" <<'X'
keep: { words = [ "bob" ]; word_patterns = [ ".*" ]; hosts = [ ".dyn.example" ]; networks = [ "198.51.100.0/24" ]; };
X
cat >"$WORK/log" <<'X'
Nov 22 12:55:02 mx1 postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: x, sasl_username=bob
Nov 22 12:55:02 mx1 dovecot: imap-login: Login: user=<bob>, method=PLAIN, rip=203.0.113.7, lip=198.51.100.1, session=<bob>
Nov 22 12:55:02 mx1 postfix/smtpd[7]: connect from dsl-203-0-113-7.dyn.example[203.0.113.7]
Nov 22 12:55:02 mx1 postfix/qmgr[7]: A58837BC: from=<bob@pc.dyn.example>, size=463, nrcpt=1 (queue active)
Nov 22 12:55:02 mx1 postfix/smtpd[7]: warning: non-SMTP command from unknown[::ffff:203.0.113.7]: 203.0.113.7 bob@bob.org
X
anonymize -i "$WORK/log"
tap_is "$status|$err" "0|" "lists alone"
tap_none "a user, a session, an address, a host stay hidden" \
	"$(grep -inE 'bob|203.0.113.7|7.113.0.203|cb007107|dsl' <<<"$out")"
tap_is "$(grep -c 'lip=198\.51\.100\.1,' <<<"$out")|$(grep -c 'from host-[0-9a-f-]*\.dyn\.example\[' <<<"$out")" "1|1" \
	"the network's address and the domain stay"
tap_done
