#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=postgresql,mariadb-server,openssl
# The way to real PostgreSQL and MariaDB servers: TLS and certificates, passwords, sockets, locks; servers that are away, go away, hang,
# refuse; and what is made of their errors.
# shellcheck disable=SC2317  # by name
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/sql-servers.sh
. "$(dirname "$0")/../sql-servers.sh"
PLAY=${SINK_PLAY:-$(dirname "$MLS_PROGRAM")/../test/sink-play}
[ -x "$PLAY" ] || tap_skip_all "no program at $PLAY"
command -v openssl >/dev/null || tap_skip_all "needs openssl"

# ---- servers and certificates -----------------------------------------------------------------------

# The servers listen at 127.0.0.2, too, for which their certificate is not good.
tap_true "certificates" sql_certificates || tap_done
sql_pg_tls=(-c ssl=on -c ssl_cert_file="$sql_dir/server.crt" -c ssl_key_file="$sql_dir/postgres.key")
sql_my_tls=(--ssl-cert="$sql_dir/server.crt" --ssl-key="$sql_dir/mysql.key")
sql_pg_common=(-c 'listen_addresses=127.0.0.1,127.0.0.2')
sql_my_common=('--bind-address=127.0.0.1,127.0.0.2')
# newer ones make a certificate of their own where they are given none
sql_pg_options=("${sql_pg_common[@]}") sql_my_options=("${sql_my_common[@]}" --skip-ssl)
me=$(id -un)
sql_pg_rules=("local all $me peer" "host all all 127.0.0.2/32 scram-sha-256")
sql_start postgresql mariadb

# ---- asking them ------------------------------------------------------------------------------------

declare -A dialect=([postgresql]=postgresql [mariadb]=mysql) port=([postgresql]=$sql_pg_port [mariadb]=$sql_my_port)
declare -A socket=([postgresql]=$sql_pg_socket [mariadb]=$sql_my_socket)

# Opens a connection as the options say, and gives it the commands of stdin; later options outdo earlier ones.
play() { # KIND [KEY=VALUE...]
	local kind=$1

	shift
	timeout 60 "$PLAY" "${dialect[$kind]}" host=127.0.0.1 port="${port[$kind]}" name=maillogsentinel user=mls \
		password="$sql_password" "$@" 2>>"$WORK/err"
}
# Compares what it answers, lines joined by |, with a pattern.
gives() { # TEXT PATTERN KIND [KEY=VALUE...]
	local text=$1 pattern=$2 got

	shift 2
	got=$(play "$@" | paste -sd '|')
	# shellcheck disable=SC2053  # a pattern
	if [[ $got == $pattern ]]; then
		tap_pass "$1: $text"
	else
		tap_fail "$1: $text"
		tap_note "got:      $got"
		tap_note "expected: $pattern"
	fi
}
# The same for both servers, with no command.
both() { # TEXT PATTERN [KEY=VALUE...]
	local kind

	for kind in postgresql mariadb; do gives "$1" "$2" "$kind" "${@:3}" <<<''; done
}
again() { # KIND TEXT
	if sql_again "$1"; then tap_pass "$1: starts $2"; else tap_fail "$1: starts $2"; tap_note <"$sql_dir/$1.log"; fi
}
by_kind() { # KIND POSTGRESQL MARIADB
	if [ "$1" = postgresql ]; then printf '%s' "$2"; else printf '%s' "$3"; fi
}
declare -A ask_tls=(
	[postgresql]='q SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'
	[mariadb]="q SELECT IF(variable_value = '', 'f', 't') FROM information_schema.session_status WHERE variable_name = 'Ssl_version'"
)

# ---- who we are -------------------------------------------------------------------------------------

for kind in postgresql mariadb; do
	gives "over TCP" "0|1|0" $kind <<<'q SELECT 1'
	gives "over its socket" "0|1|0" $kind socket="${socket[$kind]}" <<<'q SELECT 1'
	gives "over its socket, whatever is demanded of TLS" "0|1|0" $kind socket="${socket[$kind]}" tls=verify <<<'q SELECT 1'
done
both "a wrong password" "EACCES *ls*" password=wrong
both "no password" "EACCES *" password=
both "an unknown user" "EACCES *stranger*" user=stranger
gives "no such database" 'ENOENT *"nowhere" does not exist' postgresql name=nowhere </dev/null
sql_mariadb -e "GRANT ALL ON nowhere.* TO mls@'%'"
gives "no such database" "ENOENT Unknown database 'nowhere'" mariadb name=nowhere </dev/null
sql_psql -c "CREATE ROLE \"$me\" LOGIN; GRANT CONNECT ON DATABASE maillogsentinel TO \"$me\""
gives "by its socket as the process's user" "0|$me|0" postgresql socket="$sql_pg_socket" user= password= <<<'q SELECT current_user'
[ "$me" = root ] || sql_mariadb -e "CREATE USER \`$me\`@localhost IDENTIFIED VIA unix_socket"
gives "by its socket as the process's user" "0|$me@localhost|0" mariadb name=information_schema socket="$sql_my_socket" user= password= \
	<<<'q SELECT CURRENT_USER()'

# ---- TLS --------------------------------------------------------------------------------------------

for kind in postgresql mariadb; do
	gives "a server without TLS, off" "0|f|0" $kind tls=off <<<"${ask_tls[$kind]}"
	gives "a server without TLS, prefer" "0|f|0" $kind tls=prefer <<<"${ask_tls[$kind]}"
done
both "a server without TLS, require" "EACCES *" tls=require
both "a server without TLS, verify" "EACCES *" tls=verify ca_file="$sql_dir/ca.crt"
sql_stop postgresql
sql_stop mariadb
sql_pg_options=("${sql_pg_common[@]}" "${sql_pg_tls[@]}") sql_my_options=("${sql_my_common[@]}" "${sql_my_tls[@]}")
for kind in postgresql mariadb; do
	again $kind "with TLS"
	for tls in off=f prefer=t require=t; do
		gives "TLS, ${tls%=*}" "0|${tls#*=}|0" $kind tls="${tls%=*}" <<<"${ask_tls[$kind]}"
	done
	for host in 127.0.0.1 localhost; do
		gives "TLS, verify, $host" "0|t|0" $kind tls=verify ca_file="$sql_dir/ca.crt" host=$host <<<"${ask_tls[$kind]}"
	done
	gives "TLS, require, a name that is not its certificate's" "0|t|0" $kind tls=require host=127.0.0.2 <<<"${ask_tls[$kind]}"
	SSL_CERT_FILE=$sql_dir/ca.crt gives "TLS, verify, by the system's list" "0|t|0" $kind tls=verify <<<"${ask_tls[$kind]}"
done
both "TLS, verify, a name that is not its certificate's" "EACCES *" tls=verify ca_file="$sql_dir/ca.crt" host=127.0.0.2
both "TLS, verify, an authority that is not trusted" "EACCES *certificate*" tls=verify ca_file="$sql_dir/other.crt"
both "TLS, verify, the system's list does not have it" "EACCES *certificate*" tls=verify
both "TLS, verify, no such list" "ENOENT $WORK/none: No such file or directory" tls=verify ca_file="$WORK/none"
both "TLS, verify, a wrong password" "EACCES *ls*" tls=verify ca_file="$sql_dir/ca.crt" password=wrong

# ---- text -------------------------------------------------------------------------------------------

for pair in LATIN1 SQL_ASCII; do
	sql_psql -c "CREATE DATABASE in_$pair OWNER mls ENCODING '$pair' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
	gives "a database in $pair" "EINVAL the database in_${pair,,} holds text as $pair; *" postgresql name="in_${pair,,}" </dev/null
done
sql_stop mariadb
sql_my_options+=(--skip-character-set-client-handshake --character-set-server=latin1)
again mariadb "with latin1"
gives "a server that would have latin1" "0|C3A9|é|0" mariadb <<<"q SELECT CONCAT(HEX('é'), '|', 'é')"
sql_ask mariadb 'SET GLOBAL sql_select_limit = 1, GLOBAL max_statement_time = 20'
gives "a server that would cut answers and statements short" "0|2|0.000000|1|0.000000|0" mariadb \
	<<<"q SELECT CONCAT('2|', @@max_statement_time) UNION ALL SELECT CONCAT('1|', @@max_statement_time)"
sql_ask mariadb 'SET GLOBAL sql_select_limit = DEFAULT, GLOBAL max_statement_time = 0'
sql_psql -c "ALTER ROLE mls SET statement_timeout = '30s'"
gives "a server that would cut statements short" "0|0|0" postgresql <<<"q SELECT current_setting('statement_timeout')"
sql_psql -c 'ALTER ROLE mls RESET statement_timeout'
gives "text goes in and out" "0|c3a9|é|\\\\N||0" postgresql <<<"q SELECT encode(convert_to('é', 'UTF8'), 'hex') || '|é|\\N|'"

# ---- statements -------------------------------------------------------------------------------------

create='x CREATE TABLE IF NOT EXISTS t (a INT PRIMARY KEY, b VARCHAR(20) CHECK (b <> '"'bad'"'))'
: >"$WORK/err"
for kind in postgresql mariadb; do
	printf '%s\n' "$create" "$create" "x INSERT INTO t VALUES (1, NULL), (2, ''), (3, 'x')" 'q SELECT * FROM t ORDER BY a' 'x SELECT * FROM t' \
		'q SELECT 1 WHERE 1 = 0' 'x INSERT INTO t VALUES (1, NULL)' "x INSERT INTO t VALUES (9, 'bad')" 'x nonsense' 'x INSERT INTO nowhere VALUES (1)' \
		"x INSERT INTO t VALUES (4, '123456789012345678901')" 'x BEGIN' 'x INSERT INTO t VALUES (7, NULL);' 'x ROLLBACK;' 'q SELECT count(*) FROM t;' >"$WORK/statements"
	gives "statements and their errors" $'0|0|0|0|1\t\\\\N|2\t|3\tx|0|0|0|EBADMSG *uplicate*|EBADMSG *|EBADMSG *|EBADMSG *nowhere*|EBADMSG *too long*|0|0|0|3|0' $kind <"$WORK/statements"
done
tap_none "and nothing beside them" "$(cat "$WORK/err")"
gives "a statement of 20 MB" "0|0|1|0" postgresql <<<$'g 20000000\nq SELECT 1'
gives "a statement that is longer than the server takes" \
	"0|EMSGSIZE a statement has 20000009 bytes, and the server takes 16777216 (its max_allowed_packet)|1|0" mariadb <<<$'g 20000000\nq SELECT 1'
sql_mariadb -e 'SET GLOBAL max_allowed_packet = 1073741824'
gives "a statement of 20 MB" "0|0|1|0" mariadb <<<$'g 20000000\nq SELECT 1'
gives "COPY, which is no statement of ours" "0|EBADMSG *|away *" postgresql <<<$'x COPY t FROM STDIN\nx SELECT 1'
gives "a file of this host" "0|EBADMSG *disabled*|1|0" mariadb <<<$'x LOAD DATA LOCAL INFILE \'/etc/passwd\' INTO TABLE t\nq SELECT 1'

# ---- what is made of errors -------------------------------------------------------------------------

# The server's own words, with a code that we choose.
while read -r code result; do
	gives "an error $code" "0|$result of its own" postgresql <<<"x DO \$\$ BEGIN RAISE EXCEPTION 'of its own' USING ERRCODE = '$code'; END \$\$"
done <<'X'
08006 away
23505 EBADMSG
22P02 EBADMSG
25006 EROFS
28000 EACCES
3D000 ENOENT
40001 away
40P01 away
42501 EACCES
53100 ENOSPC
53200 away
53300 away
55P03 away
57014 away
58030 EIO
XX001 EIO
X
while read -r number result; do
	gives "an error $number" "0|$result of its own" mariadb <<<"x BEGIN NOT ATOMIC SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = $number, MESSAGE_TEXT = 'of its own'; END"
done <<'X'
1040 away
1205 away
1213 away
1317 away
1044 EACCES
1142 EACCES
1049 ENOENT
1021 ENOSPC
1114 ENOSPC
1290 EROFS
1026 EIO
1062 EBADMSG
1366 EBADMSG
X
gives "a disk that is full, in words" '0|ENOSPC errno: 28 "No space left on device"' mariadb \
	<<<"x BEGIN NOT ATOMIC SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1026, MESSAGE_TEXT = 'errno: 28 \"No space left on device\"'; END"
sql_psql -c 'ALTER ROLE mls SET default_transaction_read_only = on'
gives "a database that is read only" "0|EROFS *" postgresql <<<'x INSERT INTO t VALUES (8, NULL)'
sql_psql -c 'ALTER ROLE mls RESET default_transaction_read_only; ALTER ROLE mls CONNECTION LIMIT 0'
gives "no connection is left" "away *too many connections*" postgresql </dev/null
sql_psql -c 'ALTER ROLE mls CONNECTION LIMIT -1; ALTER TABLE t OWNER TO admin; GRANT SELECT ON t TO mls'
sql_mariadb -e 'SET GLOBAL read_only = 1'
gives "a database that is read only" "0|EROFS *" mariadb <<<'x INSERT INTO t VALUES (8, NULL)'
sql_mariadb -e "SET GLOBAL read_only = 0; ALTER USER mls@'%' ACCOUNT LOCK"
gives "an account that is locked" "EACCES *locked*" mariadb </dev/null
sql_mariadb -e "ALTER USER mls@'%' ACCOUNT UNLOCK; REVOKE ALL ON maillogsentinel.* FROM mls@'%'; GRANT SELECT ON maillogsentinel.* TO mls@'%'"
for kind in postgresql mariadb; do gives "rights that are missing" "0|EACCES *" $kind <<<'x INSERT INTO t VALUES (8, NULL)'; done
sql_psql -c 'ALTER TABLE t OWNER TO mls'
sql_mariadb -e "GRANT ALL ON maillogsentinel.* TO mls@'%'"

# ---- a conversation of two --------------------------------------------------------------------------

# Another connection, which stays open until it is told all: say COMMAND..., heard LINES.
other_start() { # KIND [KEY=VALUE...]
	local kind=$1

	shift
	rm -f "$WORK/in" "$WORK/out"
	mkfifo "$WORK/in"
	"$PLAY" "${dialect[$kind]}" host=127.0.0.1 port="${port[$kind]}" name=maillogsentinel user=mls password="$sql_password" "$@" \
		<"$WORK/in" >"$WORK/out" 2>&1 &
	other_pid=$!
	exec 5>"$WORK/in"
	heard '0'
}
heard_by_now() { # PATTERN
	# shellcheck disable=SC2053  # a pattern
	[[ $(paste -sd '|' "$WORK/out" 2>/dev/null) == $1 ]]
}
heard() { # PATTERN
	wait_until 20 heard_by_now "$1" || tap_note "heard $(paste -sd '|' "$WORK/out"), not $1"
}
say() { # COMMAND...
	printf '%s\n' "$@" >&5
}
# Ends it; its exit status, as a shell has it.
other_end() {
	exec 5>&-
	wait "$other_pid"
}

for kind in postgresql mariadb; do
	sql_database $kind second
	other_start $kind
	say 'l 1000 import'
	heard '0|0'
	gives "a lock that another has" "0|away another has had the lock on the database for 0 s" $kind <<<'l 300 import'
	gives "a lock of another name" "0|0|0" $kind <<<$'l 300 export\nu'
	gives "a lock of another database" "0|0" $kind name=second <<<'l 300 import'
	say u
	heard '0|0|0'
	gives "a lock that was let go of" "0|0|0" $kind <<<$'l 300 import\nu'
	say 'l 1000 import'
	heard '0|0|0|0'
	(
		wait_until 20 grep -q 0 "$WORK/waiting"
		kill -9 "$other_pid"
	) &
	play $kind <<<'l 20000 import' >"$WORK/waiting"
	tap_is "$(paste -sd '|' "$WORK/waiting")" '0|0' "$kind: a lock of one that is killed"
	wait $!
	other_end 2>/dev/null

	other_start $kind
	say 'x BEGIN' 'x INSERT INTO t VALUES (50, NULL)'
	heard '0|0|0'
	gives "a row that another transaction has" "0|away *" $kind timeout_ms=1000 <<<'x INSERT INTO t VALUES (50, NULL)'
	say 'x ROLLBACK'
	heard '0|0|0|0'
	gives "a row that another transaction had" "0|0" $kind <<<'x INSERT INTO t VALUES (50, NULL)'
	other_end
done

# ---- servers that go --------------------------------------------------------------------------------

both "nobody at the port" "away *" port=1
both "no such socket" "away *No such file or directory*" socket="$WORK/none"
both "no such host" "away *" host=no-such-host.invalid
for kind in postgresql mariadb; do
	other_start $kind
	say 'x BEGIN' 'x INSERT INTO t VALUES (60, NULL)'
	heard '0|0|0'
	sql_kill $kind
	say 'x INSERT INTO t VALUES (61, NULL)' 'x COMMIT'
	heard '0|0|0|away *|away *'
	other_end
	tap_is $? 0 "$kind: a server that is killed in the middle of a transaction is away, and stays so"
	gives "a server that is gone" "away *" $kind </dev/null
	again $kind "after a crash"
	gives "a server that is back, without what was not committed" "0|0|0" $kind <<<'q SELECT count(*) FROM t WHERE a IN (60, 61)'

	other_start $kind
	sql_stop $kind
	say 'x SELECT 1' 'x SELECT 1'
	heard '0|away *|away *'
	other_end
	tap_is $? 0 "$kind: a server that ends in good order is away, too"
	again $kind "after a good end"

	other_start $kind
	say "$(by_kind $kind 'q SELECT pg_backend_pid()' 'q SELECT CONNECTION_ID()')"
	heard '0|*|0'
	id=$(sed -n 2p "$WORK/out")
	sql_ask $kind "$(by_kind $kind "SELECT pg_terminate_backend($id)" "KILL $id")" >/dev/null
	say 'x SELECT 1' 'x SELECT 1'
	heard '0|*|0|away *|away *'
	other_end
	tap_is $? 0 "$kind: a connection that the administrator ended"

	gives "an answer that doesn't come" "0|away *|away *" $kind timeout_ms=1000 \
		<<<"$(by_kind $kind 'x SELECT pg_sleep(30)' 'x SELECT SLEEP(30)')"$'\nx SELECT 1'
	pid=sql_$(sql_short $kind)_pid
	kill -STOP "${!pid}"
	gives "a server that hangs" "away *" $kind timeout_ms=1000 </dev/null
	kill -CONT "${!pid}"
	gives "a server that hangs no longer" "0|0" $kind <<<'x SELECT 1'
done

# ---- the program, by its configuration --------------------------------------------------------------

mkdir "$WORK/state"
program() { # KIND COMMAND [SED], which changes the settings
	printf '%s\n' "paths: { working_dir = \"$WORK/state\"; state_dir = \"$WORK/state\"; mail_log = \"$WORK/log\"; };" \
		'dns: { enabled = false; };' "database: { $(sql_settings "$1" | sed "${3-}") };" >"$WORK/conf"
	timeout 60 "$MLS_PROGRAM" -c "$WORK/conf" "$2" 2>&1
}
imports() { # TEXT STATUS PATTERN KIND [SED]
	local got status

	got=$(program "$4" sql-import "${5-}")
	status=$?
	# shellcheck disable=SC2053  # a pattern
	if [ $status -eq "$2" ] && [[ $got == $3 ]]; then
		tap_pass "$4: $1"
	else
		tap_fail "$4: $1"
		tap_note "exit status $status: $got"
	fi
}
for kind in postgresql mariadb; do
	rm -rf "$WORK/state"
	mkdir "$WORK/state"
	printf '2026-05-01T00:00:0%d.000000+00:00 mx1 postfix/smtpd[1]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x, sasl_username=u\n' \
		1 2 3 >"$WORK/log"
	program $kind extract >/dev/null
	program $kind sql-export >/dev/null
	chmod 644 "$sql_password_file"
	imports "a password file that others can read" 1 "*$sql_password_file*" $kind
	chmod 600 "$sql_password_file"
	imports "a password file that isn't there" 1 "*$WORK/none*" $kind "s,$sql_password_file,$WORK/none,"
	imports "an authority that is not trusted" 1 "*127.0.0.1:${port[$kind]}, maillogsentinel: *certificate*" $kind \
		"s,\$, db_tls = \"verify\"; db_ca_file = \"$sql_dir/other.crt\";,"
	imports "nobody at the port" 1 "*127.0.0.1:1, maillogsentinel: *" $kind 's/db_port = [0-9]*/db_port = 1/'
	imports "a good certificate" 0 "*" $kind "s,\$, db_tls = \"verify\"; db_ca_file = \"$sql_dir/ca.crt\";,"
	tap_is "$(sql_ask $kind 'SELECT count(*) FROM failed_logins')" 3 "$kind: the rows are there"

	# a table that says so the first TIMES times that somebody wants to write into it
	stumble() { # TIMES
		if [ $kind = postgresql ]; then
			sql_psql <<X
SET client_min_messages = error;
DROP TRIGGER IF EXISTS stumble ON failed_logins;
DROP SEQUENCE IF EXISTS tries;
CREATE SEQUENCE tries;
GRANT USAGE ON tries TO mls;
CREATE OR REPLACE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS '
BEGIN
	IF nextval(''tries'') <= $1 THEN
		RAISE EXCEPTION ''of its own'' USING ERRCODE = ''40P01'';
	END IF;
	RETURN NEW;
END';
CREATE TRIGGER stumble BEFORE INSERT ON failed_logins FOR EACH ROW EXECUTE FUNCTION stumble();
X
		else
			sql_mariadb <<X
DROP TRIGGER IF EXISTS stumble;
CREATE OR REPLACE TABLE tries (n INT) ENGINE=MyISAM;
INSERT INTO tries VALUES (0);
DELIMITER //
CREATE TRIGGER stumble BEFORE INSERT ON failed_logins FOR EACH ROW BEGIN
	UPDATE tries SET n = n + 1;
	IF (SELECT n FROM tries) <= $1 THEN
		SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'of its own';
	END IF;
END //
X
		fi
	}
	printf '2026-05-01T00:00:20.000000+00:00 mx1 postfix/smtpd[1]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x, sasl_username=u\n' >>"$WORK/log"
	program $kind extract >/dev/null
	program $kind sql-export >/dev/null
	stumble 3
	imports "three deadlocks" 0 "*1 rows" $kind
	tap_is "$(sql_ask $kind 'SELECT count(*) FROM failed_logins')" 4 "$kind: the row is there in the end"
	printf '2026-05-01T00:00:21.000000+00:00 mx1 postfix/smtpd[1]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x, sasl_username=u\n' >>"$WORK/log"
	program $kind extract >/dev/null
	program $kind sql-export >/dev/null
	stumble 1000
	imports "deadlocks without end" 1 "*of its own*" $kind
	stumble 0
	imports "no more of them" 0 "*1 rows" $kind
	tap_is "$(sql_ask $kind 'SELECT count(*) FROM failed_logins')" 5 "$kind: the row is there in the end, too"
done
tap_done
