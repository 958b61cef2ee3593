#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Who may include what: the modules of lib/ point one way, and each foreign library is known to one file.
# Checks the tree that the first argument names, or this one.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
TREE=$(realpath "${1:-$ROOT}")
cd "$TREE" || exit 1

# module: the modules whose headers it may include (itself and base always)
declare -A may_include=(
	[base]=''
	[state]=''
	[source]='state'
	[parse]=''
	[enrich]=''
	[store]='state'
	[report]='state store'
	[fetch]=''
	[anonymize]='parse'
	[daemon]='state source parse enrich store report fetch anonymize daemon'
)
# report reads rows and knows nothing of how they are written elsewhere
declare -A only_headers=([report:store]='store/csv.h store/columns.h')

# header: where it may be included, in one file at most
declare -A foreign=(
	[ev.h]='daemon/loop.c'
	[libconfig.h]='daemon/config*.c'
	[systemd/sd-daemon.h]='daemon/notify.c daemon/log.c'
	[systemd/sd-journal.h]='daemon/log.c lib/source/journal.c'
	[ares.h]='lib/enrich/rdns*.c'
	[ares_dns.h]='lib/enrich/rdns*.c'
	[pcre2.h]='lib/anonymize/pattern.c'
	[maxminddb.h]='lib/enrich/geodb*.c'
	[xxhash.h]='lib/base/digest.c'
	[zlib.h]='lib/base/compress.c'
	[lzma.h]='lib/base/compress.c'
	[zstd.h]='lib/base/compress.c'
	[zstd_errors.h]='lib/base/compress.c'
	[sha2.h]='lib/fetch/sha256.c'
	[curl/curl.h]='lib/report/smtp-connection.c lib/fetch/download.c'
	[sqlite3.h]='lib/store/sink-sqlite.c'
	[libpq-fe.h]='lib/store/sink-pgsql.c'
	[mysql.h]='lib/store/sink-mysql.c'
	[mysql/mysql.h]='lib/store/sink-mysql.c'
)
# the headers with more than one user
declare -A foreign_uses=([libconfig.h]=2 [curl/curl.h]=2 [systemd/sd-daemon.h]=2 [systemd/sd-journal.h]=2)

# what the C library and the kernel offer
standard='^(assert|ctype|dirent|dlfcn|endian|errno|fcntl|fenv|fnmatch|getopt|glob|grp|ifaddrs|inttypes|langinfo|libgen|limits'
standard+='|locale|malloc|math|netdb|paths|poll|pthread|pwd|regex|resolv|sched|search|setjmp|signal|spawn|stdalign|stdarg'
standard+='|stdatomic|stdbool|stddef|stdint|stdio|stdio_ext|stdlib|stdnoreturn|string|strings|sysexits|syslog|termios|time'
standard+='|uchar|unistd|wchar|wctype|arpa/[a-z]+|asm/[a-z]+|linux/[a-z_]+|net/[a-z]+|netinet/[a-z0-9]+|sys/[a-z]+)\.h$'
standard+='|^([a-z]*mmintrin|immintrin|cpuid|arm_neon)\.h$'

module_of() { # FILE
	case $1 in
	lib/*/*) local m=${1#lib/}; printf '%s' "${m%%/*}" ;;
	daemon/*) printf daemon ;;
	esac
}

# every include of lib/ and daemon/: FILE LINE DELIMITER HEADER
mapfile -t includes < <(project_files . | grep -E '^(lib|daemon)/.*\.[ch]$' | xargs -r grep -nE '^[[:space:]]*#[[:space:]]*include' |
	sed -nE 's/^([^:]+):([0-9]+):[[:space:]]*#[[:space:]]*include[[:space:]]*([<"])([^>"]*)[>"].*/\1 \2 \3 \4/p')
tap_true "there is something to check" [ "${#includes[@]}" -gt 0 ]

one_way='' unknown='' misplaced='' twice='' quoted=''
declare -A users=()
for include in "${includes[@]}"; do
	read -r file line delimiter header <<<"$include"
	from=$(module_of "$file")
	if [ "$delimiter" = '"' ]; then
		case $header in
		build-config.h | unit-text.h) continue ;;
		daemon/*.h) to=daemon path=$header ;;
		*/*.h) to=${header%%/*} path=lib/$header ;;
		*) to='' path='' ;;
		esac
		if [ -z "$path" ] || [ ! -e "$path" ] || [[ $header == *..* ]]; then
			quoted+="$file:$line: \"$header\" is not MODULE/NAME.h of this project"$'\n'
		elif [ "$to" != base ] && [ "$to" != "$from" ] && [[ " ${may_include[$from]-} " != *" $to "* ]]; then
			one_way+="$file:$line: $from must not include $header"$'\n'
		elif [ -n "${only_headers[$from:$to]-}" ] && [[ " ${only_headers[$from:$to]} " != *" $header "* ]]; then
			one_way+="$file:$line: $from may include only ${only_headers[$from:$to]}, not $header"$'\n'
		fi
		continue
	fi
	if [ -n "${foreign[$header]-}" ]; then
		allowed=
		for pattern in ${foreign[$header]}; do
			# shellcheck disable=SC2053  # a pattern
			[[ $file == $pattern ]] && allowed=yes
		done
		[ -n "$allowed" ] || misplaced+="$file:$line: <$header> belongs in ${foreign[$header]}"$'\n'
		case " ${users[$header]-} " in *" $file "*) ;; *) users[$header]+=" $file" ;; esac
	elif [[ ! $header =~ $standard ]]; then
		unknown+="$file:$line: <$header> is neither the system's nor in this check's table"$'\n'
	fi
done
for header in "${!users[@]}"; do
	[ "$(wc -w <<<"${users[$header]}")" -le "${foreign_uses[$header]:-1}" ] ||
		twice+="<$header> is included by$(printf ' %s' "${users[$header]}")"$'\n'
done

tap_none "the project's headers are included as MODULE/NAME.h" "$quoted"
tap_none "modules include only what lies below them" "$one_way"
tap_none "foreign headers stand where they belong" "$misplaced"
tap_none "each foreign header is in one file" "$twice"
tap_none "no header that this check does not know" "$unknown"

unknown_modules=''
for module in $(project_files . | sed -n 's,^lib/\([^/]*\)/.*,\1,p' | sort -u); do
	[ -n "${may_include[$module]+known}" ] || unknown_modules+="lib/$module has no place in the order of the modules"$'\n'
done
tap_none "every module has its place in the order" "$unknown_modules"

strangers=$(project_files . | sed 's,/.*,,' | sort -u |
	grep -vxE 'daemon|lib|contrib|packaging|test|meson\.build|meson_options\.txt|README\.md|COPYING|\..*' | sed 's/$/ does not belong at the top/')
tap_none "only the agreed entries stand at the top" "$strangers"
tap_done
