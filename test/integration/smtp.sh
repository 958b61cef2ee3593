#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=python3,openssl,iproute2
# A mail's way to servers that do TLS, well or not, and want a password: who is trusted with what. Answers and failures of the
# transaction itself are test/unit/test-smtp.c's.
# shellcheck disable=SC2317  # by name
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
PLAY=$(dirname "$MLS_PROGRAM")/../test/mail-play
[ -x "$PLAY" ] || tap_skip_all "no program at $PLAY"
for tool in python3 openssl ip; do
	command -v $tool >/dev/null || tap_skip_all "needs $tool"
done
# /etc/hosts is replaced, in a name space of this test's own
if [ -z "${MLS_IN_NAMESPACE-}" ]; then
	apart=(unshare --mount --net --propagation private)
	[ "$(id -u)" -eq 0 ] || apart+=(--map-root-user)
	"${apart[@]}" true 2>/dev/null || tap_skip_all "needs the right to make name spaces"
	MLS_IN_NAMESPACE=1 "${apart[@]}" bash "$0"
	exit
fi
ip link set lo up || exit 1
printf '127.0.0.1 localhost mail.test\n' >"$WORK/hosts"
mount --bind "$WORK/hosts" /etc/hosts || exit 1

# ---- certificates ---------------------------------------------------------------------------------

certificate() { # NAME HOST
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=$2" \
		-addext "subjectAltName=DNS:$2" -keyout "$WORK/$1.key" -out "$WORK/$1.crt" 2>/dev/null &&
		cat "$WORK/$1.key" "$WORK/$1.crt" >"$WORK/$1.pem"
}
signed() { # NAME HOST
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$2" -keyout "$WORK/$1.key" \
		-out "$WORK/$1.csr" 2>/dev/null &&
		openssl x509 -req -in "$WORK/$1.csr" -CA "$WORK/ca.crt" -CAkey "$WORK/ca.key" -CAcreateserial -days 30 \
			-extfile <(printf 'subjectAltName=DNS:%s\n' "$2") -out "$WORK/$1.crt" 2>/dev/null &&
		cat "$WORK/$1.key" "$WORK/$1.crt" >"$WORK/$1.pem"
}
for made in "certificate ca of-this-test" "certificate self mail.test" "signed good mail.test" "signed other other.test"; do
	$made || { tap_fail "$made"; tap_done; }
done
export SSL_CERT_FILE=$WORK/ca.crt
unset SSL_CERT_DIR

# ---- the servers ----------------------------------------------------------------------------------

python3 "$ROOT/test/integration/smtp-server.py" "$WORK" 2>"$WORK/server.err" &
tap_defer kill $!
wait_until 20 test -e "$WORK/ports" || tap_note <"$WORK/server.err"
declare -A port
while read -r name number; do port[$name]=$number; done <"$WORK/ports"

printf 'Subject: x\r\n\r\n.\r\nhello\r\n' >"$WORK/message"
printf 'sécret \\ "x"\nnot this\n' >"$WORK/password"
echo wrong >"$WORK/wrong"
chmod 600 "$WORK/password" "$WORK/wrong"

# Sends to the server NAME at SCHEME://HOST and compares the outcome: a letter, and how its reason begins.
sends() { # TEXT SCHEME HOST NAME LOGIN LETTER REASON
	local url=$2://$3:${port[$4]}/here got reason user=${5:+mls} password=${5:+$WORK/$5}

	rm -f "$WORK/$4"
	got=$(MAIL_USER=$user MAIL_PASSWORD=$password timeout 30 "$PLAY" send "$url" mls@example.com "$WORK/message" root \
		2>"$WORK/err")
	reason=${got#* * }
	case ${got%% *}\ ${got:2:1} in
	"0 A") got=A ;;
	"1 L") got=L ;;
	esac
	if [ "$got" = "$6" ] && [[ ${reason#"$3:${port[$4]}: "} == "$7"* ]]; then
		tap_pass "$1"
	else
		tap_fail "$1"
		tap_note "got: $got, $reason"
		tap_note <"$WORK/err"
	fi
}

# What the server NAME heard, joined by blanks.
heard() { # NAME EXPECTED TEXT
	tap_is "$(tr -d '\r' <"$WORK/$1" 2>/dev/null | tr '\n' ';')" "$2" "$3"
}
envelope='MAIL FROM:<mls@example.com>;RCPT TO:<root>;DATA;Subject: x;;.;hello;QUIT;'
tls_envelope='+MAIL FROM:<mls@example.com>;+RCPT TO:<root>;+DATA;Subject: x;;.;hello;+QUIT;'

# ---- TLS when it is offered -----------------------------------------------------------------------

sends "smtp://: no TLS" smtp mail.test plain '' A ''
heard plain "EHLO here;$envelope" "it got the message in clear"
sends "smtp://: TLS with a good certificate" smtp mail.test good '' A ''
heard good "EHLO here;STARTTLS;+EHLO here;$tls_envelope" "it got the message over TLS"
sends "smtp://: TLS with a certificate of its own" smtp mail.test self '' A ''
heard self "EHLO here;STARTTLS;+EHLO here;$tls_envelope" "it got the message over TLS, too"
sends "smtp://: TLS is refused" smtp mail.test refuses '' A ''
heard refuses "EHLO here;STARTTLS;$envelope" "it got the message in clear, then"
sends "smtp://: TLS breaks" smtp mail.test breaks '' A ''
tap_true "it got the message in clear, at last" grep -q '^DATA' "$WORK/breaks"
sends "what was said before TLS is forgotten" smtp mail.test size '' A ''

# ---- TLS that is demanded -------------------------------------------------------------------------

sends "smtp+starttls://: a good certificate" smtp+starttls mail.test good '' A ''
heard good "EHLO here;STARTTLS;+EHLO here;$tls_envelope" "it got the message over TLS"
sends "smtp+starttls://: a certificate of its own" smtp+starttls mail.test self '' L "the server's certificate is not trusted ("
heard self "EHLO here;STARTTLS;" "it got nothing"
sends "smtp+starttls://: a certificate of another host" smtp+starttls mail.test other '' L "the server's certificate is not trusted ("
heard other "EHLO here;STARTTLS;" "it got nothing"
sends "smtp+starttls://: no TLS" smtp+starttls mail.test plain '' L "the server does not do STARTTLS, which is demanded"
tap_none "it got nothing" "$(grep MAIL "$WORK/plain")"
sends "smtp+starttls://: TLS is refused" smtp+starttls mail.test refuses '' L "the server does not do STARTTLS, which is demanded (it says: 454"
tap_none "it got nothing" "$(grep MAIL "$WORK/refuses")"
sends "smtp+starttls://: TLS breaks" smtp+starttls mail.test breaks '' L "no secure connection ("
tap_none "it got nothing" "$(grep MAIL "$WORK/breaks")"
sends "smtp+starttls://: somebody talks before TLS" smtp+starttls mail.test injects '' L ''
tap_none "it got nothing" "$(grep MAIL "$WORK/injects")"
sends "smtp+starttls:// to this host" smtp+starttls localhost good '' L "the server's certificate is not trusted ("
sends "smtps://: a good certificate" smtps mail.test good-smtps '' A ''
heard good-smtps "+EHLO here;$tls_envelope" "it got the message over TLS"
sends "smtps://: a certificate of its own" smtps mail.test self-smtps '' L "the server's certificate is not trusted ("
heard self-smtps "" "it got nothing"

# ---- a password -----------------------------------------------------------------------------------

login="AUTH PLAIN;known;"
sends "this host gets a password in clear" smtp localhost plain password A ''
heard plain "EHLO here;$login$envelope" "it knows the user"
sends "and so does 127.0.0.1" smtp 127.0.0.1 plain password A ''
sends "another host does not" smtp mail.test plain password L "the server does not do STARTTLS, which is demanded"
tap_none "it did not hear it" "$(grep -E 'AUTH|MAIL' "$WORK/plain")"
sends "another host gets it over TLS" smtp mail.test good password A ''
heard good "EHLO here;STARTTLS;+EHLO here;+$login$tls_envelope" "it knows the user"
sends "but not with a certificate of its own" smtp mail.test self password L "the server's certificate is not trusted ("
tap_none "it did not hear it" "$(grep -E 'AUTH|MAIL' "$WORK/self")"
sends "this host gets it over TLS, where it wants that" smtp localhost after password A ''
heard after "EHLO here;STARTTLS;+EHLO here;+$login$tls_envelope" "it knows the user"
sends "a wrong password" smtp localhost plain wrong L "the server does not let the user in (it says: 535 5.7.8"
tap_none "nothing was sent" "$(grep MAIL "$WORK/plain")"

# ---- what does not matter -------------------------------------------------------------------------

all_proxy=http://127.0.0.1:1 smtp_proxy=http://127.0.0.1:1 ALL_PROXY=http://127.0.0.1:1 \
	sends "the environment's proxies are not for mail" smtp mail.test plain '' A ''

tap_is "$(timeout 60 "$PLAY" send smtp://name.invalid a@b "$WORK/message" root 2>&1)" \
	"1 L name.invalid:25: the host is not found" "a host that nobody knows"

# A handshake that never ends: it is asked to end, and does.
url=smtp+starttls://mail.test:${port[stalls]}
rm -f "$WORK/stalls"
env --block-signal=TERM "$PLAY" send "$url" a@b "$WORK/message" root >"$WORK/out" 2>&1 &
play=$!
wait_until 20 grep -qs STARTTLS "$WORK/stalls"
kill -TERM $play
tap_true "a handshake that hangs ends with SIGTERM" wait_until 20 test -s "$WORK/out" ||
	kill -KILL $play
wait $play
tap_is "$(cut -d' ' -f 1,2 "$WORK/out")" "-4 L" "and nothing is sent"
tap_done
