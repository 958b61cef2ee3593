#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The kinds of messages in daemon/messages.c, their catalogue and the manual name the same ones; every field that the program gives to a
# message is in the manual. Checks the tree that the first argument names, or this one.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
TREE=$(realpath "${1:-$ROOT}")
cd "$TREE" || exit 1
CATALOG=packaging/maillogsentinel.catalog MANUAL=daemon/maillogsentinel-messages.7

# Prints the lines that are in one of the lists alone. differences A B
differences() {
	comm -3 <(sort -u <<<"$1") <(sort -u <<<"$2") | tr -d '\t' | grep .
}

kinds=$(sed -n '/^typedef enum MessageKind/,/^}/s/^\t\(MESSAGE_[A-Z_]*\),.*/\1/p' daemon/messages.h |
	grep -vx -e MESSAGE_NONE -e MESSAGE_KIND_COUNT)
table=$(sed -n 's/^\t\[\(MESSAGE_[A-Z_]*\)\] = "\(.*\)",$/\1 \2/p' daemon/messages.c)
ids=$(cut -d' ' -f2 <<<"$table")
tap_true "there are kinds of messages" [ "$(wc -l <<<"$kinds")" -gt 20 ]
tap_none "each has an id" "$(differences "$kinds" "$(cut -d' ' -f1 <<<"$table")")"
tap_none "of 32 hexadecimal digits" "$(grep -vxE '[0-9a-f]{32}' <<<"$ids")"
tap_none "of its own" "$(sort <<<"$ids" | uniq -d)"
tap_none "each is used" "$(for kind in $kinds; do
	grep -qrw --include='*.c' "$kind" daemon --exclude=messages.c || grep -qE "^\s\{\"[a-z-]+\", $kind\}" daemon/messages.c ||
		grep -q "return $kind;" daemon/messages.c || echo "$kind"
done)"

tap_none "the catalogue has each once" "$(diff <(sort <<<"$ids") <(sed -n 's/^-- //p' $CATALOG | sort))"
tap_none "in the order of the table" "$(diff <(echo "$ids") <(sed -n 's/^-- //p' $CATALOG))"
tap_none "with a subject, who defines it, a manual, and a text" "$(awk '
	function finish() { if (id && !(subject && by && manual && text)) print id }
	/^-- / { finish(); id = $2; subject = by = manual = text = body = 0; next }
	/^Subject: ./ { subject = 1 } /^Defined-By: MailLogSentinel$/ { by = 1 } /^Documentation: man:/ { manual = 1 }
	/^$/ { body = 1; next } body { text = 1 }
	END { finish() }' $CATALOG)"
tap_none "in lines of 80 columns" "$(awk 'length > 82 { print FILENAME ":" NR }' $CATALOG)"

fields=$(grep -rhoE --include='*.[ch]' '"MLS_[A-Z_]+"' daemon lib | tr -d '"' | sort -u)
tap_true "there are fields" [ "$(wc -l <<<"$fields")" -gt 3 ]
tap_none "the manual has every field" "$(differences "$fields" "$(sed -n 's/^\.It Li \(MLS_[A-Z_]*\)$/\1/p' $MANUAL)")"
tap_none "the manual has every id" "$(differences "$ids" "$(sed -nE 's/^\.It Li ([0-9a-f]{32})$/\1/p' $MANUAL)")"
tap_none "the catalogue names no field that is none" \
	"$(grep -oE '@[A-Z_]+@' $CATALOG | tr -d @ | sort -u | comm -23 - <(sort -u <<<"$fields"))"
tap_none "nor does anything in contrib" "$(grep -rhoE 'MLS_[A-Z_]+' contrib --include='*.conf' --include='*.service' --include='*.sh' |
	sort -u | comm -23 - <(sort -u <<<"$fields"))"
tap_done
