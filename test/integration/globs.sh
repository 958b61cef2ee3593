#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Patterns in paths.mail_log: what appears later is found, rotated files are no logs, a file with two names is read once, what
# vanishes keeps its place.
# shellcheck disable=SC2317  # functions are called by wait_until and tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$ROOT/test/integration/service.sh"
R=$WORK/r
mkdir "$WORK/csv" "$WORK/state"

configure() { # MAIL_LOG [OPTION]
	cat >"$WORK/conf" <<X2
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = $1; };
schedule: { ip_update_schedule = ""; report_schedule = ""; };
dns: { enabled = false; };
${2-}
X2
}

# between logs there is no order
users() { cut -d, -f4 "$CSV" 2>/dev/null | sed 1d | sort | tr '\n' ' '; }
expect() { users_become 20 "$@"; } # USERS TEXT
said() { grep -v -e 'no such file; .* N/A until' -e ' going on with the new file' -e 'has started' -e stopping "$WORK/err" | sed "s,$WORK/,,g; s,^maillogsentinel: ,,"; }
says() { said | grep -qF "$1"; }
extract() {
	status=0
	"$MLS_PROGRAM" -c "$WORK/conf" extract 2>"$WORK/err" || status=$?
}

# ---- nothing yet -------------------------------------------------------------------------------
configure "[ \"$R/*/mail.log\", \"$WORK/here.log\" ]"
line here >"$WORK/here.log"
extract
tap_is "$status: $(said)" "1: r/*/mail.log: matches no log" "extract: a pattern that matches nothing is an error"
tap_is "$(users)" "here " "and the others are read all the same"
tap_is "$("$MLS_PROGRAM" -c "$WORK/conf" check-config 2>&1 | grep -v _db_path | sed "s,$WORK/,,g")" \
	"conf:1: note: paths.mail_log: r/*/mail.log: matches no log yet; one is waited for
conf: no mistakes" "check-config: it is a note"
configure "\"$R/*/mail.log*\""
: >"$WORK/err"
start
tap_true "run waits for one" wait_until 10 says 'warning: r/*/mail.log*: matches no log, waiting for one'
mkdir -p "$R"
mkdir "$R/a"
line a1 >"$R/a/mail.log"
expect "a1 here " "directory and log appear"
mkdir "$R/b"
line b1 >"$R/b/new"
mv "$R/b/new" "$R/b/mail.log"
expect "a1 b1 here " "another directory appears, then its log"
line a2 >>"$R/a/mail.log"
mv "$R/a/mail.log" "$R/a/mail.log.1"
line a3 >"$R/a/mail.log"
gzip -c "$R/a/mail.log.1" >"$R/a/mail.log.2.gz"
expect "a1 a2 a3 b1 here " "a rotation: neither the rotated file nor a compressed one is a log"
mkdir "$R/c"
line c1 >"$R/c/mail.log-20261122"
line c2 >"$R/c/mail.log"
expect "a1 a2 a3 b1 c1 c2 here " "a log that appears with a rotated file is read from that on"

# ---- two names ---------------------------------------------------------------------------------
ln -s a "$R/0"
mkdir "$R/d"
ln -s ../a/mail.log "$R/d/mail.log"
mkdir "$R/e"
line e1 >"$R/e/mail.log"
expect "a1 a2 a3 b1 c1 c2 e1 here " "links to a directory and to a log make no second log"
stop
tap_is $? 0 "it stops"
tap_is "$(sed -n "s,^log $WORK/,,p" "$WORK/state/state.offset" | tr '\n' ' ')" \
	"here.log r/a/mail.log r/b/mail.log r/c/mail.log r/e/mail.log " "each log has its place"
: >"$WORK/err"
start
line a4 >>"$R/a/mail.log"
expect "a1 a2 a3 a4 b1 c1 c2 e1 here " "nor after a new start"
ln -f "$R/e/mail.log" "$R/e/other"
mv "$R/e/other" "$R/c/mail.log"
tap_true "a log becomes another one's file: it is held" \
	wait_until 40 says 'r/e/mail.log: is the same file as r/c/mail.log now; it is read as that'
stop
tap_is $? 0 "it stops"

# ---- a log that goes and comes -----------------------------------------------------------------
rm -rf "$R" "$WORK/state" "$WORK/csv"
mkdir -p "$WORK/state" "$WORK/csv" "$R/a" "$R/b"
line a1 >"$R/a/mail.log"
line b1 >"$R/b/mail.log"
configure "\"$R/*/mail.log\""
start
expect "a1 b1 " "two logs"
mv "$R/a" "$WORK/aside"
line b2 >>"$R/b/mail.log"
expect "a1 b1 b2 " "one is gone with its directory, the other goes on"
stop
tap_is $? 0 "it stops"
start
line b3 >>"$R/b/mail.log"
expect "a1 b1 b2 b3 " "also after a new start"
stop
tap_is $? 0 "it stops"
tap_is "$(grep -c '^log ' "$WORK/state/state.offset")" 2 "the one that is gone keeps its place"
line a2 >>"$WORK/aside/mail.log"
mv "$WORK/aside" "$R/a"
start
expect "a1 a2 b1 b2 b3 " "when it is back it goes on there"
tap_none "nothing was lost" "$(said | grep -F 'is gone')"
mkdir "$R/$(printf 'x\n\033[1m')"
line x1 >"$R/$(printf 'x\n\033[1m')/mail.log"
expect "a1 a2 b1 b2 b3 x1 " "a directory with a name that is none"
stop
tap_is $? 0 "it stops"
tap_is "$(grep '^log ' "$WORK/state/state.offset" | sed "s,$R/,," | tail -n 1)" 'log x\x0a\x1b[1m/mail.log' "is escaped"

# ---- what the program writes, and mistakes -----------------------------------------------------
rm -rf "$WORK/state" "$WORK/csv" "$R"
mkdir -p "$WORK/state" "$WORK/csv" "$R"
line c1 >"$WORK/csv/mail.log"
configure "\"$WORK/csv/*\"" "general: { log_file = \"$WORK/csv/own.log\"; };"
extract
tap_is "$status: $(said | sort)" "0: warning: csv/maillogsentinel.csv: is written by this program, and not followed
warning: csv/own.log: is written by this program, and not followed" "a pattern does not take the program's own files"
tap_is "$(users)" "c1 " "but the log"
tap_is "$("$MLS_PROGRAM" -c "$WORK/conf" check-config 2>&1 | grep -v _db_path | sed "s,$WORK/,,g")" \
	"conf: paths.csv_filename: csv/maillogsentinel.csv: is matched by paths.mail_log csv/*
conf:4: general.log_file: csv/own.log: is matched by paths.mail_log csv/*" "check-config: they are mistakes"
configure "[ \"$WORK/here.log\", \"$WORK/here.log.1\" ]"
tap_is "$("$MLS_PROGRAM" -c "$WORK/conf" check-config 2>&1 | grep -v -e _db_path -e note: | sed "s,$WORK/,,g")" \
	"conf:1: paths.mail_log: here.log.1: is a rotated file of here.log and read with it" "and a rotated file is no log"
# ---- a log becomes a link to another one -------------------------------------------------------
rm -rf "$WORK/csv" "$WORK/state" "$R"
mkdir "$WORK/csv" "$WORK/state" "$R"
line x1 >"$R/x.log"
line y1 >"$R/y.log"
configure "[ \"$R/x.log\", \"$R/y.log\" ]"
: >"$WORK/err"
export WATCHDOG_USEC=4000000
start
expect "x1 y1 " "two logs"
mv "$R/x.log" "$R/x.log.1"
ln -s y.log "$R/x.log"
line x2 >>"$R/x.log.1"
line y2 >>"$R/y.log"
expect "x1 x2 y1 y2 " "one is a link to the other now: what it was is read to its end, the other once"
tap_true "it is said" wait_until 20 says 'x.log: is the same file as r/y.log now; it is read as that'
rm "$R/x.log"
line x3 >"$R/x.log"
line y3 >>"$R/y.log"
expect "x1 x2 x3 y1 y2 y3 " "and it is a log of its own again"
unset WATCHDOG_USEC
stop
tap_is $? 0 "it stops"
tap_done
