#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Real PostgreSQL and MariaDB servers for shell tests, which source this behind tap.sh and name the packages postgresql and
# mariadb-server in their "run:" line:
#
#   . "$(dirname "$0")/../sql-servers.sh"
#   sql_start postgresql mariadb       # or one
#   sql_settings postgresql            # the group `database` that leads there, for a configuration file
#   sql_ask postgresql "select 1"      # as the administrator; rows as lines, values joined by tabs, NULL is \N
#   sql_kill postgresql; sql_again postgresql
#
# Each has a directory of its own that goes away with the test, listens at 127.0.0.1 and a socket, runs as the user that its package made
# where the test is root's, and has the user mls with the password in $sql_password_file and the database maillogsentinel.
# They survive kill -9 of themselves, but not of the machine: nothing is synced, unless sql_synced=yes.
# Before sql_start: sql_pg_options+=(-c ssl=on), sql_pg_rules+=("hostssl ...") (of pg_hba.conf), sql_my_options+=(--ssl-cert=...).
#   $sql_pg_port $sql_pg_socket (a directory) $sql_pg_pid, $sql_my_port $sql_my_socket (a file) $sql_my_pid, $sql_dir/KIND.log
# shellcheck disable=SC2034 # what is for those who source this

sql_pg_options=() sql_pg_rules=() sql_my_options=() sql_pg_pid='' sql_my_pid='' sql_synced=''
sql_user=mls sql_password="pass 'word\" \\ ü;#%"
sql_dir=$(mktemp -d "${TMPDIR:-/tmp}/sql.XXXXXX") || exit 1
chmod 755 "$sql_dir"
sql_password_file=$sql_dir/password
(umask 077 && printf '%s\n' "$sql_password" >"$sql_password_file")
sql_pg_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
sql_my_server=$(PATH=$PATH:/usr/sbin command -v mariadbd mysqld | head -n 1)

# Becomes the command, as USER where that is possible.
sql_become() { # USER COMMAND [ARG...]
	local user=$1

	shift
	if [ "$(id -u)" -ne 0 ]; then
		exec "$@"
	else
		exec setpriv --reuid="$user" --regid="$user" --clear-groups -- "$@"
	fi
}

# Unpacks what COMMAND makes of an empty directory, which is made once and kept. Both belong to USER.
sql_unpack() { # KIND USER VERSION COMMAND [ARG...]
	local kind=$1 user=$2 kept

	kept=$MLS_TEST_CACHE/sql-$kind-$(printf '%s\0' "${@:3}" | sed "s,$sql_dir,,g" | md5sum | cut -c1-12).tar
	shift 3
	mkdir -p "$MLS_TEST_CACHE" && mkdir -m 700 "$sql_dir/$kind" || return 1
	exec 7>"$kept.lock"
	flock 7
	if [ ! -e "$kept" ]; then
		if [ "$(id -u)" -eq 0 ]; then chown "$user:" "$sql_dir/$kind"; fi
		(cd "$sql_dir/$kind" && sql_become "$user" "$@") >"$sql_dir/$kind.log" 2>&1 &&
			tar -C "$sql_dir/$kind" -cf "$kept.new" . && mv "$kept.new" "$kept"
	else
		tar -C "$sql_dir/$kind" --no-same-owner -xpf "$kept" &&
			if [ "$(id -u)" -eq 0 ]; then chown -R "$user:" "$sql_dir/$kind"; fi
	fi
	exec 7>&-
	[ -e "$kept" ]
}

sql_running() { # PID
	kill -0 "$1" 2>/dev/null
}

# ---- PostgreSQL -------------------------------------------------------------------------------------

sql_pg_prepare() {
	mkdir -m 755 "$sql_dir/pg" && sql_pg_socket=$sql_dir/pg || return 1
	[ "$(id -u)" -ne 0 ] || chown postgres: "$sql_dir/pg" || return 1
	sql_unpack postgresql postgres "$("$sql_pg_bin/postgres" --version)" "$sql_pg_bin/initdb" -D . -U admin --auth=trust \
		--encoding=UTF8 --locale=C.UTF-8 --wal-segsize=4 --no-sync --no-instructions || return 1
	# the first line that fits is taken
	printf '%s\n' "${sql_pg_rules[@]}" 'local all admin trust' 'local all all scram-sha-256' \
		'host all all 127.0.0.1/32 scram-sha-256' >"$sql_dir/postgresql/pg_hba.conf"
}

sql_pg_launch() { # PORT
	sql_become postgres "$sql_pg_bin/postgres" -D "$sql_dir/postgresql" -p "$1" -c listen_addresses=127.0.0.1 \
		-c unix_socket_directories="$sql_pg_socket" -c fsync="${sql_synced:-off}" -c full_page_writes="${sql_synced:-off}" \
		-c shared_buffers=64MB -c max_connections=80 -c dynamic_shared_memory_type=mmap -c log_timezone=UTC \
		"${sql_pg_options[@]}" >>"$sql_dir/postgresql.log" 2>&1 7>&- 8>&- 9>&- &
	sql_pg_pid=$! sql_pg_port=$1
}

sql_pg_answers() {
	! sql_running "$sql_pg_pid" ||
		"$sql_pg_bin/psql" -X -q -h "$sql_pg_socket" -p "$sql_pg_port" -U admin -c '' postgres 2>/dev/null
}

# psql as the administrator, at the database maillogsentinel.
sql_psql() { # [ARG...]
	"$sql_pg_bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$sql_pg_socket" -p "$sql_pg_port" -U admin -d maillogsentinel "$@"
}

# psql as the user mls over TCP.
sql_psql_user() { # [ARG...]
	PGPASSWORD=$sql_password "$sql_pg_bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$sql_pg_port" -U $sql_user \
		-d maillogsentinel "$@"
}

sql_pg_fill() {
	sql_psql -d postgres -v password="$sql_password" <<'X'
CREATE ROLE mls LOGIN PASSWORD :'password';
CREATE DATABASE maillogsentinel OWNER mls;
X
}

# ---- MariaDB ----------------------------------------------------------------------------------------

sql_my_prepare() {
	mkdir -m 755 "$sql_dir/my" && sql_my_socket=$sql_dir/my/s || return 1
	[ "$(id -u)" -ne 0 ] || chown mysql: "$sql_dir/my" || return 1
	# shellcheck disable=SC2016 # the inner shell's
	sql_unpack mariadb mysql "$("$sql_my_server" --version)" bash -c 'exec mariadb-install-db --no-defaults --datadir="$PWD" \
		--auth-root-authentication-method=normal --skip-test-db --skip-name-resolve --innodb-log-file-size=16M \
		--innodb-flush-method=nosync'
}

sql_my_launch() { # PORT
	local sync=(--innodb-flush-method=nosync --innodb-flush-log-at-trx-commit=2)

	[ -z "$sql_synced" ] || sync=(--innodb-flush-log-at-trx-commit=1)
	sql_become mysql "$sql_my_server" --no-defaults --datadir="$sql_dir/mariadb" --port="$1" --bind-address=127.0.0.1 \
		--socket="$sql_my_socket" --pid-file="$sql_dir/my/pid" --tmpdir="$sql_dir/my" --skip-name-resolve \
		--innodb-log-file-size=16M --innodb-buffer-pool-size=128M --innodb-use-native-aio=0 --skip-log-bin \
		--max-connections=80 --character-set-server=utf8mb4 "${sync[@]}" "${sql_my_options[@]}" \
		>>"$sql_dir/mariadb.log" 2>&1 7>&- 8>&- 9>&- &
	sql_my_pid=$! sql_my_port=$1
}

sql_my_answers() {
	! sql_running "$sql_my_pid" || mariadb --no-defaults --skip-ssl -S "$sql_my_socket" -u root -e '' 2>/dev/null
}

# Newer clients would look for a certificate that they trust at a socket, too.
# mariadb as the administrator, at the database maillogsentinel.
sql_mariadb() { # [ARG...]
	mariadb --no-defaults --skip-ssl --default-character-set=utf8mb4 -N -B -S "$sql_my_socket" -u root -D maillogsentinel "$@"
}

# mariadb as the user mls over TCP.
sql_mariadb_user() { # [ARG...]
	MYSQL_PWD=$sql_password mariadb --no-defaults --skip-ssl --default-character-set=utf8mb4 -N -B --protocol=tcp -h 127.0.0.1 -P "$sql_my_port" \
		-u $sql_user -D maillogsentinel "$@"
}

sql_my_fill() {
	local quoted=${sql_password//\\/\\\\}

	mariadb --no-defaults --skip-ssl --default-character-set=utf8mb4 -S "$sql_my_socket" -u root <<X
CREATE USER mls@'%' IDENTIFIED BY '${quoted//\'/\'\'}';
CREATE DATABASE maillogsentinel CHARACTER SET utf8mb4;
GRANT ALL ON maillogsentinel.* TO mls@'%';
X
}

# ---- both -------------------------------------------------------------------------------------------

sql_short() { # KIND
	case $1 in postgresql) echo pg ;; mariadb | mysql) echo my ;; esac
}

# Waits until it answers; fails where it ended or does not.
sql_wait() { # KIND
	local short pid

	short=$(sql_short "$1")
	pid=sql_${short}_pid
	wait_until 60 "sql_${short}_answers" && sql_running "${!pid}"
}

# Starts the servers, all at once. Skips the test where a package is missing; ends it where a server does not start.
sql_start() { # KIND...
	local kind short try started

	for kind; do
		case $kind in
		postgresql) [ -x "$sql_pg_bin/postgres" ] || tap_skip_all "needs postgresql" ;;
		mariadb) [ -x "$sql_my_server" ] || tap_skip_all "needs mariadb-server" ;;
		esac
	done
	for kind; do
		short=$(sql_short "$kind")
		"sql_${short}_prepare" && "sql_${short}_launch" $((20000 + RANDOM % 12000))
	done
	for kind; do
		short=$(sql_short "$kind") started=
		for try in 1 2 3 4 5; do
			sql_wait "$kind" && "sql_${short}_fill" && started=yes && break
			# somebody has the port
			grep -qiE 'address already in use' "$sql_dir/$kind.log" || break
			"sql_${short}_launch" $((20000 + RANDOM % 12000))
		done
		if [ -z "$started" ]; then
			tap_fail "$kind starts (try $try)"
			tail -n 20 "$sql_dir/$kind.log" | tap_note
			tap_done
		fi
	done
}

# Ends it in good order: what goes on is broken off.
sql_stop() { # KIND
	case $1 in
	postgresql) sql_end INT "$sql_pg_pid" ;;
	mariadb) sql_end TERM "$sql_my_pid" ;;
	esac
}

# Ends it as a crash does.
sql_kill() { # KIND
	case $1 in
	# its children see a server that is gone, and go
	postgresql) sql_end QUIT "$sql_pg_pid" ;;
	mariadb) sql_end KILL "$sql_my_pid" ;;
	esac
}

sql_end() { # SIGNAL PID
	if [ -n "$2" ] && kill "-$1" "$2" 2>/dev/null; then wait "$2" 2>/dev/null; fi
	return 0
}

# Starts it anew with its data, at the same port.
sql_again() { # KIND
	local short port

	short=$(sql_short "$1")
	port=sql_${short}_port
	"sql_${short}_launch" "${!port}"
	sql_wait "$1"
}

# Asks the database maillogsentinel as the administrator.
sql_ask() { # KIND STATEMENT [DATABASE]
	case $1 in
	postgresql) sql_psql -F $'\t' -P null='\N' -d "${3:-maillogsentinel}" -c "$2" ;;
	mariadb | mysql) sql_mariadb -D "${3:-maillogsentinel}" -e "$2" | sed -E ':a; s/(^|\t)NULL(\t|$)/\1\\N\2/; ta' ;;
	esac
}

# Makes another database for the user mls.
sql_database() { # KIND NAME
	case $1 in
	postgresql) sql_psql -c "CREATE DATABASE $2 OWNER mls" ;;
	mariadb | mysql) sql_mariadb -e "CREATE DATABASE $2 CHARACTER SET utf8mb4; GRANT ALL ON $2.* TO mls@'%'" ;;
	esac
}

# Prints the settings that lead to the server, for the group `database` of a configuration file, over TCP or its socket.
sql_settings() { # KIND [tcp|socket] [DATABASE]
	local type=$1 short port socket

	[ "$1" != mariadb ] || type=mysql
	short=$(sql_short "$1")
	port=sql_${short}_port socket=sql_${short}_socket
	printf 'db_type = "%s"; db_name = "%s"; db_user = "%s"; db_password_file = "%s"; ' \
		"$type" "${3:-maillogsentinel}" $sql_user "$sql_password_file"
	case ${2:-tcp} in
	tcp) printf 'db_host = "127.0.0.1"; db_port = %d;\n' "${!port}" ;;
	socket) printf 'db_socket = "%s"; db_port = %d;\n' "${!socket}" "${!port}" ;;
	esac
}

# Makes $sql_dir/server.crt, which is good for localhost and 127.0.0.1, its authority ca.crt, and other.crt of another; postgres.key and mysql.key.
sql_certificates() {
	local owner
	local -a key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)

	openssl req -x509 "${key[@]}" -days 30 -subj /CN=of-this-test -keyout "$sql_dir/ca.key" -out "$sql_dir/ca.crt" &&
		openssl req -x509 "${key[@]}" -days 30 -subj /CN=of-another -keyout "$sql_dir/other.key" -out "$sql_dir/other.crt" &&
		openssl req "${key[@]}" -subj /CN=localhost -keyout "$sql_dir/key" -out "$sql_dir/csr" &&
		openssl x509 -req -in "$sql_dir/csr" -CA "$sql_dir/ca.crt" -CAkey "$sql_dir/ca.key" -CAcreateserial -days 30 \
			-extfile <(echo subjectAltName=DNS:localhost,IP:127.0.0.1) -out "$sql_dir/server.crt" || return 1
	for owner in postgres mysql; do
		cp "$sql_dir/key" "$sql_dir/$owner.key" && chmod 600 "$sql_dir/$owner.key" || return 1
		[ "$(id -u)" -ne 0 ] || chown "$owner:" "$sql_dir/$owner.key" || return 1
	done
	chmod 644 "$sql_dir"/*.crt
}

sql_cleanup() {
	sql_kill postgresql
	sql_kill mariadb
	rm -rf "$sql_dir"
}
tap_defer sql_cleanup
