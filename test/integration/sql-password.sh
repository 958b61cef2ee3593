#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=postgresql,mariadb-server,openssl,python3
# Who gets the database's password: nobody who only answers at db_host, however he asks for it; the server whose certificate is good does. And
# the real servers' ways to log in.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/sql-servers.sh
. "$(dirname "$0")/../sql-servers.sh"
PLAY=${SINK_PLAY:-$(dirname "$MLS_PROGRAM")/../test/sink-play}
[ -x "$PLAY" ] || tap_skip_all "no program at $PLAY"
command -v openssl python3 >/dev/null || tap_skip_all "needs openssl and python3"
tap_true "certificates" sql_certificates || tap_done

declare -A port
play() { # DIALECT PORT [KEY=VALUE...]
	timeout 60 "$PLAY" "$1" host=127.0.0.1 port="$2" name=maillogsentinel user=mls password="$sql_password" "${@:3}" \
		2>&1 </dev/null | paste -sd '|'
}
gives() { # TEXT PATTERN DIALECT PORT [KEY=VALUE...]
	local got

	got=$(play "${@:3}")
	# shellcheck disable=SC2053  # a pattern
	if [[ $got == $2 ]]; then
		tap_pass "$1"
	else
		tap_fail "$1"
		tap_note "got:      $got"
		tap_note "expected: $2"
	fi
}

# ---- those who ask ----------------------------------------------------------------------------------

declare -A ways=(
	[postgresql]='clear md5-clear slow-clear'
	[mysql]='mysql_clear_password dialog sha256_password caching_sha2_password mysql_old_password'
)
# What somebody with the certificate gets, where it is not demanded.
asks() { # with|without TLS...
	local -a tls=() words
	local dialect way mode n=0

	[ "$1" = without ] || tls=(--tls "$sql_dir/server.crt" "$sql_dir/key")
	# shellcheck disable=SC2086  # words
	coproc ASKER { exec python3 "$MLS_SOURCE_ROOT/test/integration/sql-asks.py" "${tls[@]}" "$sql_password" ${ways[postgresql]} ${ways[mysql]}; }
	read -ra words -u "${ASKER[0]}"
	for dialect in postgresql mysql; do
		for way in ${ways[$dialect]}; do
			port[$way]=${words[n]}
			n=$((n + 1))
			for mode in "${@:2}"; do
				gives "$way $1 TLS, db_tls $mode" "EACCES *" $dialect "${port[$way]}" tls="$mode"
				heard "$way" "$mode"
			done
		done
	done
}
# What came behind the question: at most a proof that the password is known, of the first way of two.
heard() { # WAY MODE
	local line

	read -r -t 10 -u "${ASKER[0]}" line
	case $line in
	"$1 nothing" | "md5-clear something") tap_pass "$1, db_tls $2: hears ${line#* }" ;;
	*) tap_fail "$1, db_tls $2: hears $line" ;;
	esac
}
asks without off prefer
eval "exec ${ASKER[1]}>&-"
wait "$ASKER_PID"
asks with prefer require
# The way of the test itself: who is verified gets it.
for pair in 'postgresql clear' 'mysql mysql_clear_password'; do
	read -r dialect way <<<"$pair"
	gives "$way of one who is verified" "*" "$dialect" "${port[$way]}" tls=verify ca_file="$sql_dir/ca.crt"
	read -r -t 5 -u "${ASKER[0]}" line
	tap_is "$line" "$way the password" "$way: hears the password"
done
eval "exec ${ASKER[1]}>&-"
wait "$ASKER_PID"

# ---- the real servers -------------------------------------------------------------------------------

sql_pg_options=(-c ssl=on -c ssl_cert_file="$sql_dir/server.crt" -c ssl_key_file="$sql_dir/postgres.key")
sql_my_options=(--ssl-cert="$sql_dir/server.crt" --ssl-key="$sql_dir/mysql.key")
sql_pg_rules=('host all clear 127.0.0.1/32 password' 'host all md5 127.0.0.1/32 md5' 'hostnossl all plain 127.0.0.1/32 scram-sha-256'
	'host all plain 127.0.0.1/32 reject' 'host all anybody 127.0.0.1/32 trust')
sql_start postgresql mariadb
sql_psql -v password="$sql_password" <<'X'
SET client_min_messages = error;
CREATE ROLE clear LOGIN PASSWORD :'password';
CREATE ROLE plain LOGIN PASSWORD :'password';
CREATE ROLE anybody LOGIN;
SET password_encryption = md5;
CREATE ROLE md5 LOGIN PASSWORD :'password';
X
verify=(tls=verify "ca_file=$sql_dir/ca.crt")
for host in 127.0.0.1 localhost; do
	gives "scram without TLS at $host" 0 postgresql "$sql_pg_port" tls=off host=$host
	gives "scram with TLS if there is, at $host" 0 postgresql "$sql_pg_port" host=$host
done
gives "scram with TLS" 0 postgresql "$sql_pg_port" tls=require
gives "scram, a wrong password" "EACCES *password authentication failed*" postgresql "$sql_pg_port" tls=off password=wrong
gives "scram with TLS, a wrong password" "EACCES *password authentication failed*" postgresql "$sql_pg_port" password=wrong
gives "md5 without TLS" 0 postgresql "$sql_pg_port" tls=off user=md5
# libpq before 16 could not tell it from clear text
gives "md5 with TLS" '@(0|EACCES libpq 1[345] *db_tls = "verify"*)' postgresql "$sql_pg_port" user=md5
gives "md5 of who is verified" 0 postgresql "$sql_pg_port" user=md5 "${verify[@]}"
gives "clear text without TLS" 'EACCES *in clear text*db_tls = "verify"*' postgresql "$sql_pg_port" tls=off user=clear
gives "clear text with TLS" 'EACCES *db_tls = "verify"*' postgresql "$sql_pg_port" user=clear
gives "clear text to who is verified" 0 postgresql "$sql_pg_port" user=clear "${verify[@]}"
gives "without TLS alone" 0 postgresql "$sql_pg_port" user=plain
gives "no password is asked for" 0 postgresql "$sql_pg_port" tls=off user=anybody
gives "no password is asked for, by its socket" 0 postgresql "$sql_pg_port" host="$sql_pg_socket"
gives "no password is there" 'EACCES *no password supplied*' postgresql "$sql_pg_port" tls=off password=
ed25519=
sql_mariadb -e "INSTALL SONAME 'auth_ed25519'; CREATE USER ed@'%' IDENTIFIED VIA ed25519 USING PASSWORD('secret'); GRANT ALL ON maillogsentinel.* TO ed@'%'" \
	2>"$WORK/ed25519" && ed25519=yes
for tls in off prefer require; do
	gives "mysql_native_password, db_tls $tls" 0 mysql "$sql_my_port" tls=$tls
	if [ "$ed25519" ]; then
		gives "ed25519, db_tls $tls" 0 mysql "$sql_my_port" tls=$tls user=ed password=secret
	else
		tap_skip "ed25519, db_tls $tls" "$(head -n 1 "$WORK/ed25519")"
	fi
done
tap_done
