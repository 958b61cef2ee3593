#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the box: setup, asked and answered through a terminal (expect), and from a file. Good answers and every kind of bad one, Ctrl-C and
# the end of input at each question and while things are being done, a second time, without systemd, and what the Python version left.
# shellcheck disable=SC2317  # functions are called through tap_true and wait_until
# shellcheck source=test/tap.sh
. /in/test/tap.sh
# shellcheck source=test/e2e/inside/mail.sh
. /in/test/e2e/inside/mail.sh

STATE=/var/lib/maillogsentinel UNITS=/etc/systemd/system
ANSWERS=$WORK/answers
# what the questions are known by, in their order; the last one is whether all that is to be done
QUESTIONS=('Log (' 'Directory of the CSV [' 'databases [' 'Who gets it' 'Mail server [' 'When (' 'first report' 'Database (' 'Fetch them' 'Do it')

install -m 755 /in/bin/maillogsentinel $PROGRAM
cp /in/contrib/sample-{country,asn}.csv /srv/
tap_true "the mail server starts" mail_up || tap_done
postconf -e "local_transport=local:\$myhostname" && postfix reload 2>/dev/null
smtp_login 587 203.0.113.20 PLAIN before-1 wrong

# Runs setup with the answers on stdin, as converse.exp wants them; leaves $output and $status.
talk() { # [ARG...]
	cat >"$ANSWERS"
	output=$(expect -f /in/test/e2e/inside/converse.exp "$ANSWERS" "$PROGRAM" setup "$@" 2>&1)
	status=$?
	output=${output//$'\r'/}
}
# The defaults to all questions before the one with the number.
enter() { # COUNT
	local i

	for ((i = 0; i < $1; i++)); do printf '%s\t\\r\n' "${QUESTIONS[i]}"; done
}
# Where a report was sent and the databases are there, of the questions these are left.
again() {
	enter 6
	printf '%s\t\\r\n' "${QUESTIONS[7]}"
}
# Runs the program; leaves $output and $status.
run() { # ARG...
	output=$("$PROGRAM" "$@" 2>&1 </dev/null)
	status=$?
}
# All that setup could change: names, kinds, modes, owners, and what is in the files. shadow(5)'s own copies and its lock don't count.
tree() {
	find /etc /srv /home /root /usr/local /usr/lib/systemd /var/log /var/lib \( -path /var/lib/systemd -o -path /var/lib/postfix \
		-o -path /var/lib/nsd -o -path '/var/log/*log*' -prune -a ! -path '/var/log/maillogsentinel*' -o -path /var/log/journal \) -prune -o \
		-printf '%p %y %m %u %g %l\n' | grep -vE '^/etc/((passwd|group|g?shadow|sub.id)-|\.pwd\.lock)' | sort
	find /etc /srv -path '/srv/mls/state dir' -prune -o -type f ! -name '*-' -print0 | sort -z | xargs -0 sha1sum
	systemctl is-enabled $UNIT 2>&1
	systemctl is-active $UNIT 2>&1
}
unchanged() { # TEXT
	tree >"$WORK/after"
	tap_none "$1" "$(diff "$WORK/before" "$WORK/after")"
}
says() { # TEXT WORDS
	tap_true "$1" grep -qF -- "$2" <<<"$output" || tap_note "$output"
}

: >/in/empty
# ---- who may not, and where not -----------------------------------------------------------------
tree >"$WORK/before"
run setup
tap_is "$status $output" "2 maillogsentinel: setup: asks questions, and this is no terminal; --automated FILE asks none" "no terminal"
run setup --interactive --automated $CONFIG
tap_is "$status" 2 "both ways at once"
run -c /etc/other.conf setup --automated $CONFIG
tap_is "$status" 2 "another configuration than the service's"
output=$(runuser -u nobody -- $PROGRAM setup --automated /in/empty 2>&1)
tap_is $? 1 "not root"
says "is told" "run it with sudo, or with --dry-run to see what it would do"
output=$(runuser -u nobody -- $PROGRAM setup --automated /in/empty --dry-run 2>&1)
tap_is $? 0 "who may see what would be done"
says "all of it" "start maillogsentinel.service"
unchanged "nothing of that has changed anything"

# ---- broken off ---------------------------------------------------------------------------------
# a configuration that says where the databases are, no mail and no network needed
printf '%s\n' '# by hand' 'geolocation: { country_db_url = "file:///srv/sample-country.csv"; };' \
	'ASN_ASO: { asn_db_url = "file:///srv/sample-asn.csv"; };' >$CONFIG
tree >"$WORK/before"
broken=''
for ((i = 0; i < ${#QUESTIONS[@]}; i++)); do
	for key in 3:130 4:1; do
		# the end of input is to all questions the same
		[ $key = 3:130 ] || [ $((i % 4)) -eq 0 ] || continue
		talk < <(enter "$i"; printf '%s\t\\x0%s\n' "${QUESTIONS[i]}" "${key%:*}")
		[ "$status" = "${key#*:}" ] || broken+="question $i, key ${key%:*}: exit status $status"$'\n'
		grep -q '^Nothing was changed\.$' <<<"$output" || broken+="question $i, key ${key%:*}: $output"$'\n'
	done
done
tap_none "Ctrl-C ends it at each of ${#QUESTIONS[@]} questions, as Ctrl-D does" "$broken"
talk < <(enter $((${#QUESTIONS[@]} - 1)); printf 'Do it\tno\\r\n')
tap_is "$status" 1 "'no' in the end"
unchanged "nothing of that has changed anything"
talk --dry-run < <(enter $((${#QUESTIONS[@]} - 1)))
tap_is "$status" 0 "--dry-run asks, too"
says "and says what would be done" "write /etc/maillogsentinel.conf (the one before becomes /etc/maillogsentinel.conf.20"
unchanged "and changes nothing"

# ---- bad answers --------------------------------------------------------------------------------
install -m 600 /dev/null /srv/secret.log
install -m 644 /dev/null /srv/open-password
tree >"$WORK/before"
long=$(printf '%5000s' '' | tr ' ' x)
bad() { # QUESTION [ANSWER WORDS]...
	local question=${QUESTIONS[$1]}

	shift
	while [ $# -gt 0 ]; do
		printf '%s\t%s\\r\n%s\t\n' "$question" "$1" "$2"
		shift 2
	done
	printf '%s\t' "$question"
}
talk < <(
	bad 0 mail.log '"mail.log" does not start with /' /srv/secret.log '/srv/secret.log: Permission denied' \
		/etc 'is not a regular file' '/srv/a /srv/a' 'listed twice' /root/mail.log 'which the service does not see' \
		"/$long" 'too long' 'a\x00b' 'holds a NUL' , 'is an empty list' '/srv/\x1b[31m x' '"x" does not start with /'
	printf '%s\n' '\r'
	bad 1 csv 'does not start with /' /etc "the service's user can't write to it" /etc/passwd 'no directory' \
		/etc/passwd/x 'Not a directory' /home/csv 'which the service does not see' /tmp/csv 'one of its own'
	printf '%s\n' '\r'
	bad 2 / "can't write to it" /root 'which the service does not see'
	printf '%s\n' '\r'
	bad 3 'root@' '"root@"' 'a@example.com a@example.com' 'listed twice' '\x1b[31mred' 'red' '<x>' '"<x>"' \
		'\u202egro.elpmaxe@a' '\xe2\x80\xae'
	printf '%s\n' 'root\r'
	bad 4 mail 'mail' http://localhost 'http' smtp:// 'smtp://'
	printf '%s\n' 'smtps://mail.example.org\r'
	printf 'User name\tme\\r\n'
	printf 'holds the password\t\\r\nwanted here\t\nholds the password\t/srv/none\\r\nNo such file\t\n'
	printf 'holds the password\t/srv/open-password\\r\nread by everybody\t\n'
	printf 'holds the password\t/srv/secret.log\\r\n'
	bad 5 tomorrow 'is no time that comes again' 25:00 'is no time'
	printf '%s\n' '06:30\r'
	bad 6 maybe 'Please answer yes or no'
	printf '%s\n' 'n\r'
	bad 7 oracle 'Wanted here: "sqlite"' '\x1b[31m' 'Wanted here'
	printf '%s\n' 'postgresql\r'
	printf 'Its host (\tdb.example.org\\r\nName of the database\t\\r\nUser name there\tmls\\r\n'
	printf 'holds the password\t/srv/none\\r\nNo such file\t\n'
	printf 'holds the password\t/srv/secret.log\\r\n'
	printf 'TLS (\tsure\\r\nWanted here: "off"\t\nTLS (\tverify\\r\ntrusted (\t/srv/nowhere\\r\n/srv/nowhere\t\ntrusted (\tsystem\\r\n'
	bad 8 '\x1b' 'Please answer yes or no'
	printf '%s\n' 'no\r'
	printf 'let the group maillogsentinel read /srv/secret.log\t\n'
	bad 9 quit 'Please answer yes or no'
	printf '%s\n' '\x03'
)
tap_is "$status" 130 "each bad answer is asked for again" || tap_note "$output"
says "what was good stands in the configuration" 'smtp_password_file = "/srv/secret.log";'
says "and of the database" $'\tdb_type = "postgresql";'
says "with how it is reached" $'\tdb_tls = "verify";'
says "and when rows go there" 'sql_import_schedule = "*:0/5";'
says "also that nothing is to be fetched" 'ip_update_schedule = "off";'
unchanged "nothing of that has changed anything"
tap_none "and no answer gets at the terminal" "$(grep $'\x1b' <<<"$output")"

# ---- taken back ---------------------------------------------------------------------------------
cp $CONFIG "$WORK/by-hand"
sed -i 's,file:///srv/sample-country.csv,http://127.0.0.1:8088/country.csv,' $CONFIG
socat TCP-LISTEN:8088,fork,reuseaddr 'EXEC:sleep 60' &
wait_until 5 eval '(: </dev/tcp/127.0.0.1/8088) 2>/dev/null'
tree >"$WORK/before"
talk < <(enter ${#QUESTIONS[@]}; printf '5. fetch the databases\t\\x03\n')
tap_is "$status" 130 "Ctrl-C while the databases are fetched" || tap_note "$output"
says "takes back what was done" 'Taking back what was done ...'
unchanged "all of it"
kill %1
cp "$WORK/by-hand" $CONFIG
install -d /var/log/maillogsentinel && install -m 600 /dev/null $CSV
tree >"$WORK/before"
talk < <(enter ${#QUESTIONS[@]})
tap_is "$status" 1 "a CSV that is not the service's"
says "is said" "maillogsentinel.csv: Permission denied"
unchanged "and all is taken back"
rm -r /var/log/maillogsentinel
ln -s /dev/null $UNITS/$UNIT
tree >"$WORK/before"
talk < <(enter ${#QUESTIONS[@]})
tap_is "$status" 1 "a unit that is masked" || tap_note "$output"
unchanged "too"
rm $UNITS/$UNIT
systemctl daemon-reload

# ---- a database ---------------------------------------------------------------------------------
wrote() { sed -nE 's/^ *\t((db|sql)_.*)/\1/p' <<<"$output" | tr -d '\n'; }
enter 7 >"$WORK/first"
tail -n 2 < <(enter ${#QUESTIONS[@]}) >"$WORK/last"
talk --dry-run < <(cat "$WORK/first"; printf 'Database (\tsqlite\\r\nIts file (\t\\r\n'; head -n 1 "$WORK/last")
tap_is "$status $(wrote | wc -w)" "0 5" "SQLite is a schedule alone" || tap_note "$output"
cp $CONFIG "$WORK/without"
{ cat "$WORK/without"; echo 'schedule: { sql_export_schedule = "hourly"; sql_import_schedule = "hourly"; }; database: { db_type = "mysql"; db_socket = "/run/my"; };'; } >$CONFIG
talk --dry-run < <(cat "$WORK/first"; printf 'Database (\t\\r\nIts host (\t\\r\nName of\t\\r\nUser name\t\\r\nholds the password\t\\r\n'; head -n 1 "$WORK/last")
tap_is "$status $(wrote)" \
	'0 db_type = "mysql";db_socket = "/run/my";sql_export_schedule = "hourly";sql_import_schedule = "hourly";' "what is there is what Enter takes" || tap_note "$output"
talk --dry-run < <(cat "$WORK/first"; printf 'Database (\tmysql\\r\nIts host (\tdb\\r\nName of\t\\r\nUser name\town\\r\nholds the password\tnone\\r\nTLS (\toff\\r\n'; head -n 1 "$WORK/last")
tap_is "$status $(wrote | sed 's/sql_.*//')" '0 db_type = "mysql";db_host = "db";db_tls = "off";' "a host is in the place of a socket" || tap_note "$output"
talk --dry-run < <(cat "$WORK/first"; printf 'Database (\tnone\\r\n'; head -n 1 "$WORK/last")
tap_is "$status $(wrote | grep -c sql_)" "0 0" "none ends it" || tap_note "$output"
cp "$WORK/without" $CONFIG

# ---- done ---------------------------------------------------------------------------------------
talk < <(
	enter 1
	printf 'CSV [\t/srv/mls/csv\\r\ndatabases [\t/srv/mls/state dir\\r\n'
	for i in 3 4 5 6 7 8 9; do printf '%s\t\\r\n' "${QUESTIONS[i]}"; done
)
tap_is "$status" 0 "good answers" || tap_note "$output"
says "are done" "Done: the service runs, and starts with the system."
tap_is "$(systemctl is-active $UNIT) $(systemctl is-enabled $UNIT)" "active enabled" "the service runs and is enabled"
tap_is "$(id -nG maillogsentinel)" "maillogsentinel adm systemd-journal" "the user may read logs"
tap_is "$(stat -c '%U %a' /srv/mls /srv/mls/csv '/srv/mls/state dir' | tr '\n' ' ')" \
	"root 755 maillogsentinel 750 maillogsentinel 755 " "the directories"
tap_is "$(cat $CONFIG.20*)" "$(cat "$WORK/by-hand")" "the configuration before is kept"
tap_is "$(grep -cE $'^\t[a-z]' $CONFIG)" 5 "the new one has what is not the default"
tap_is "$(grep ReadWritePaths= $UNITS/$UNIT.d/paths.conf)" \
	$'ReadWritePaths="-/srv/mls/csv"\nReadWritePaths="-/srv/mls/state dir"' "the service may write there"
tap_is "$(find $UNITS -path '*/maillogsentinel*' -type f | sort | tr '\n' ' ')" \
	"$UNITS/$UNIT $UNITS/$UNIT.d/paths.conf " "no other file is left beside"
tap_is "$(sed 1d /srv/mls/csv/maillogsentinel.csv | cut -d, -f4)" "before-1" "it has read the log"
tap_true "the databases are there" test -s '/srv/mls/state dir/db/user-country.mmdb' -a -s '/srv/mls/state dir/db/ip.image'
tap_true "the first report arrives" wait_until 10 grep -q 'Subject: .*: 1 failed login' /var/mail/root
tap_is "$(systemd-analyze verify --man=no $UNIT 2>&1 | grep -i maillogsentinel)" "" "systemd finds no fault with the unit"

smtp_login 587 203.0.113.20 PLAIN person-1 wrong
tap_true "a failed login is a row" wait_until 10 grep -q person-1 /srv/mls/csv/maillogsentinel.csv
tree >"$WORK/before"
started=$(systemctl show -p MainPID $UNIT)
chmod 600 $CONFIG
talk < <(again)
tap_is "$status" 78 "a configuration that the service can't read" || tap_note "$output"
says "is said" "$CONFIG: the service's user can't read it: Permission denied"
chmod 644 $CONFIG
talk < <(again)
tap_is "$status $(tail -n 1 <<<"$output")" "0 All is as it should be already. Nothing was changed." "a second time there is nothing to do"
cp $CONFIG "$WORK/setup.conf"
run setup --automated "$WORK/setup.conf"
tap_is "$status $output" "0 All is as it should be already. Nothing was changed." "nor from a file with the same"
unchanged "nothing has changed"
tap_is "$(systemctl show -p MainPID $UNIT)" "$started" "the service runs on"

# ---- from a file --------------------------------------------------------------------------------
{ cat "$WORK/setup.conf"; printf 'dns: { tries = 100; };\n'; } >"$WORK/bad.conf"
run setup --automated "$WORK/bad.conf"
tap_is "$status" 78 "a file with a mistake"
says "which is named" "bad.conf:31: dns.tries: wants a number from 1 to 8"
{ grep -v password "$WORK/by-hand"; printf 'paths: { mail_log = "/srv/secret.log"; working_dir = "/etc"; };\n'; } >"$WORK/bad.conf"
run setup --automated "$WORK/bad.conf"
tap_is "$status" 78 "paths that the service can't use"
says "are named" "/srv/secret.log: Permission denied"
says "all of them" "paths.working_dir: /etc is there, and the service's user can't write to it"
ln -s /etc/shadow /srv/password
tree >"$WORK/before"
printf 'report: { email = "root"; smtp_url = "smtps://mail.example.org"; smtp_user = "me"; smtp_password_file = "/srv/password"; };\n' |
	cat "$WORK/by-hand" - >"$WORK/bad.conf"
run setup --automated "$WORK/bad.conf"
tap_is "$status" 1 "a link in the place of the password's file" || tap_note "$output"
says "is not followed" "report.smtp_password_file: /srv/password is a link"
printf 'paths: { state_dir = "/srv/a\\nExecStartPre=+x"; };\n' | cat "$WORK/by-hand" - >"$WORK/bad.conf"
run setup --automated "$WORK/bad.conf"
tap_is "$status" 1 "a path that would be a line of its own in a unit" || tap_note "$output"
says "is refused" "/srv/a\\x0aExecStartPre=+x: holds a control character, which no unit can name"
unchanged "nothing has changed"
rm /srv/password
tree >"$WORK/before"
{ cat "$WORK/by-hand"; printf 'dns: { tries = 3; };\n'; } >"$WORK/good.conf"
{ cat "$WORK/by-hand"; printf 'paths: { working_dir = "/srv/mls/csv"; };\n'; } >"$WORK/bad.conf"
run setup --automated "$WORK/bad.conf"
tap_is "$status" 78 "a CSV with rows, and another state"
says "is said" "knows nothing of the rows that the CSV has already"
unchanged "nothing has changed"
run setup --automated "$WORK/good.conf" --dry-run
tap_is "$status" 0 "--dry-run from a file" || tap_note "$output"
unchanged "changes nothing"
run setup --automated "$WORK/good.conf"
tap_is "$status" 0 "another configuration" || tap_note "$output"
tap_true "is the file, byte for byte" cmp $CONFIG "$WORK/good.conf"
tap_is "$(systemctl is-active $UNIT)" active "the service runs"
tap_true "with it, in another process" [ "$(systemctl show -p MainPID $UNIT)" != "$started" ]
tap_true "the drop-in is gone that is not needed any more" test ! -e $UNITS/$UNIT.d/paths.conf
tap_true "the rows are where they are to be now" wait_until 10 grep -q person-1 $CSV
tree >"$WORK/before"
run setup --automated /in/empty --dry-run
says "an empty file is one, too" "write $CONFIG"
output=$($PROGRAM setup --automated /dev/stdin 2>&1 < <(echo "dns: { tries = 4; };"))
says "a pipe is none" "/dev/stdin: is not a regular file"
run setup --automated "$WORK/good.conf"
tap_is "$status $output" "0 All is as it should be already. Nothing was changed." "again: nothing to do"
unchanged "nothing has changed"
sed "s,/[^ ]*/sbin/maillogsentinel,$PROGRAM," /in/root/usr/{,local/}lib/systemd/system/$UNIT >/usr/lib/systemd/system/$UNIT 2>/dev/null
run setup --automated "$WORK/good.conf"
tap_is "$status" 0 "a package has brought its unit meanwhile" || tap_note "$output"
says "ours makes room for it" "remove $UNITS/$UNIT"
tap_is "$(systemctl show -p FragmentPath --value $UNIT) $(systemctl is-enabled $UNIT)" "/lib/systemd/system/$UNIT enabled" "which is in force"

# ---- without systemd ----------------------------------------------------------------------------
systemctl disable -q --now $UNIT
rm -rf $STATE /var/log/maillogsentinel $CONFIG* /usr/lib/systemd/system/$UNIT
userdel maillogsentinel
output=$(unshare -m bash -c "mount -t tmpfs none /run/systemd; $PROGRAM setup --automated '$WORK/good.conf'" 2>&1)
tap_is $? 0 "without systemd" || tap_note "$output"
says "it says what is to be run" "    $PROGRAM run"
tap_true "and writes no unit" test ! -e $UNITS/$UNIT
$PROGRAM run 2>"$WORK/log" &
tap_true "which works" wait_until 10 grep -q person-1 $CSV
tap_is "$(ps -o user= -p $!)" "maillogsentinel" "as the user"
kill $! && wait $!
tap_is $? 0 "and ends"

# ---- what it finds ------------------------------------------------------------------------------
rm -rf $STATE /var/log/maillogsentinel
printf 'mail.*\t-/srv/postfix.log;RSYSLOG_TraditionalFileFormat\n' >/etc/rsyslog.d/mail.conf
cp /var/log/mail.log /srv/postfix.log
rm -f /var/log/mail*
cp "$WORK/by-hand" $CONFIG
talk < <(printf 'Log (\t\\x03\n')
says "rsyslog's rule says where the log is" '"auto") [/srv/postfix.log]:'
touch -d '3 days ago' /srv/postfix.log
talk < <(enter 1; enter ${#QUESTIONS[@]} | tail -n +2)
says "one that is not written to any more is none" '"auto") [journal]:'
tap_is "$status" 0 "the journal, then" || tap_note "$output"
tap_is "$(grep -c 'type = "journal";' $CONFIG)" 1 "is what the configuration says"
tap_true "and what the service reads" wait_until 10 grep -q person-1 $CSV
systemctl disable -q --now $UNIT

# ---- what the Python version left ---------------------------------------------------------------
rm -rf $STATE /var/log/maillogsentinel $CONFIG
printf '[paths]\nworking_dir = /var/log/maillogsentinel\n[report]\nemail = root\n' >$CONFIG
printf '[Service]\nType=oneshot\nExecStart=/usr/bin/python3 /usr/local/bin/maillogsentinel.py --config %s\n' $CONFIG >$UNITS/$UNIT
printf '[Unit]\nDescription=Run MailLogSentinel Log Extraction periodically\n[Timer]\nUnit=%s\nOnCalendar=hourly\n' $UNIT >$UNITS/maillogsentinel-extract.timer
install -d /var/log/maillogsentinel $STATE
echo 'server;date;ip;user;hostname;reverse_dns_status;country_code;asn;aso' >$CSV
echo 123456 >$STATE/state.offset
tree >"$WORK/before"
talk </dev/null
tap_is "$status" 1 "what the Python version left is in the way"
for file in $UNITS/$UNIT $UNITS/maillogsentinel-extract.timer $CONFIG $CSV $STATE/state.offset; do
	says "$file" "$file: is"
done
says "what moves over is named" "'maillogsentinel-migrate' takes over what the Python version left"
unchanged "nothing has changed"
run check-config
tap_is "$status" 78 "check-config can't read that configuration"
says "and says what it is" "note: $CONFIG: is a configuration of the Python version"
says "and what else there is" "note: $CSV: is a CSV of the Python version"
tap_done
