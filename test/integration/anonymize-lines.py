#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Invents a mail log whose every name, address and id is made up on the spot, so that what must not be found in an
anonymized copy is known without reading the log:

    anonymize-lines.py SEED COUNT LOG SECRETS

COUNT lines go to LOG. SECRETS gets "KIND<TAB>VALUE in hex" a line: what was filled into the holes of the templates below. The
value of a KIND "slot" is a word of the programs' own (`connect`, `warning`) in a place where somebody's name stands: it may
appear elsewhere.
"""
import base64
import ipaddress
import random
import re
import sys

VOWELS, CONSONANTS = "aeiou", "bcdfghjklmnprstvwz"
VOCABULARY = ["connect", "warning", "from", "client", "unknown", "status", "sent", "to", "postfix", "dovecot", "fatal", "SASL",
              "LOGIN", "PLAIN", "authentication", "failed", "root", "mail", "password", "127.0.0.1", "localhost", "::1", "-", "N/A",
              "message-id", "sasl_username", "reject", "removed", "smtpd", "user", "user-0000000000", "host-0000000000"]

# What a name can look like; @ is a word that nobody has.
USERS = ["@", "@", "@", "@.@", "@@", "@-@", "@_@1984", "1984@", "@ @", "@'s", "o'@", '"@"', "<@>", "[@]", "(@)", "{@}", "@,@", "@=@",
         "user=<@>", "@, sasl_username=@", "x>, rip=198.18.7.6, lip=@", "@: authentication failed: @", "[198.18.7.5]: @", "@\\@",
         "josé@", "@日本", "ünal-@", "@;@", "@%@", "%s@", "@\u00a0@", "@/@", "@|@", "@#@", "@$", "@!", " @", "@ ", "@?", "ÄÖ@", "@:@",
         "cn=@,dc=@,dc=com", "DOMAIN\\@", "@+tag@", "to=<@>", "client=@[198.18.7.5]", "warning: @", "SASL PLAIN @", "@: @", "connect from @"]

HOSTS = ["@.@.example", "@.org", "mx.@.co.uk", "@", "@-@.net", "_dmarc.@.com", "xn--@-kva.de", "@.@.@.@.example", "MX1.@.ORG", "@.lan", "@.local",
         "mail.@.com", "smtp-out7.@.net", "@.museum", "www.@.de", "@123.@.ru"]

# Message templates by program. A hole {name} is filled with something new, {=name} with what the line's {name} was.
TEMPLATES = {
    "postfix/smtpd[{pid}]": [
        "connect from {client}",
        "disconnect from {client} ehlo=1 auth=0/1 quit=1 commands=2/3",
        "lost connection after AUTH from {client}",
        "timeout after DATA (1043 bytes) from {client}",
        "warning: {client}: SASL {method} authentication failed: {reason}, sasl_username={User}",
        "warning: {client}: SASL {method} authentication failed: {reason}, sasl_username={vocabulary}",
        "warning: {client}: SASL {method} authentication failed: {reason}",
        "warning: {client}: SASL {oddmethod} authentication failed: Invalid authentication mechanism, sasl_username=(unavailable)",
        "warning: {client}: SASL LOGIN authentication failed: Invalid authentication mechanism: '{oddmethod}', sasl_username={User}",
        "warning: {client}: SASL LOGIN authentication aborted, sasl_username={User}",
        "warning: {client}: SASL PLAIN authentication failed: Connection lost to authentication server, sasl_username={User}",
        "warning: {client}:{port}: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username={User}",
        "message repeated {n} times: [ warning: {client}: SASL LOGIN authentication failed: (reason unavailable), sasl_username={User}]",
        "message repeated {n} times: [ lost connection after AUTH from {client}]",
        "{qid}: client={client}, sasl_method=PLAIN, sasl_username={User}",
        "{qid}: client={client}, sasl_method=LOGIN, sasl_username={vocabulary}, sasl_sender={mail}",
        "{qid}: client={client}, orig_queue_id={qid}, orig_client={client}",
        "NOQUEUE: client={client}",
        "NOQUEUE: reject: RCPT from {client}: 554 5.7.1 <{mail}>: Relay access denied; from=<{mail}> to=<{mail}> proto=ESMTP helo=<{host}>",
        "NOQUEUE: reject: RCPT from {client}: 450 4.1.8 <{mail}>: Sender address rejected: Domain not found; from=<{=mail}> to=<{mail}> proto=ESMTP helo=<[{ip4}]>",
        "NOQUEUE: reject: RCPT from {client}: 554 5.7.1 Service unavailable; Client host [{ip4}] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/{=ip4}; from=<> to=<{mail}> proto=SMTP helo=<{word}>",
        "NOQUEUE: reject: RCPT from {client}: 550 5.1.1 <{mail}>: Recipient address rejected: User unknown in virtual mailbox table; from=<{mail}> to=<{=mail}> proto=ESMTP sasl_username={User}",
        "NOQUEUE: reject: VRFY from {client}: 550 5.1.1 <{user}>: Recipient address rejected: {word} {word}",
        "NOQUEUE: reject: EHLO from {client}: 501 5.5.2 <{User}>: Helo command rejected: Invalid name; proto=SMTP helo=<{User}>",
        "NOQUEUE: milter-reject: RCPT from {client}: 451 4.7.1 {word} {word} {ip4}; from=<{mail}> to=<{mail}> proto=ESMTP helo=<{host}>",
        "NOQUEUE: filter: RCPT from {client}: <{mail}>: Sender address triggers FILTER smtp:[{ip4}]:10025; from=<{=mail}> to=<{mail}> proto=ESMTP helo=<{host}>",
        "proxy-reject: END-OF-MESSAGE: 554 5.7.0 Reject, id={num}-01 - SPAM; from=<{mail}> to=<{mail}> proto=ESMTP helo=<{host}>",
        "warning: non-SMTP command from {client}: Subject: {word} {word}: {word}",
        "warning: non-SMTP command from {client}: GET http://{host}/{word}?q={word}&ip={ip4} HTTP/1.1",
        "warning: non-SMTP command from {client}: {client}: SASL LOGIN authentication failed: {word}",
        "warning: non-SMTP command from {client}: connect {word} from={user} to=<{mail}>",
        "warning: {client}: request longer than 2048: AUTH PLAIN {b64user}",
        "improper command pipelining after AUTH from {client}: AUTH PLAIN {b64user}\\r\\nQUIT",
        "warning: hostname {host} does not resolve to address {ip4}: Name or service not known",
        "warning: hostname {wrapped} does not resolve to address {=ip4}",
        "warning: Illegal address syntax from {client} in RCPT command: <{User}>",
        "warning: Illegal address syntax from {client} in MAIL command: {mail} {word}",
        "warning: TLS library problem: error:1417A0C1:SSL routines:tls_post_process_client_hello:no shared cipher:../ssl/statem/statem_srvr.c:2283:",
        "SSL_accept error from {client}: lost connection",
        "Anonymous TLS connection established from {client}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256",
        "Trusted TLS connection established from {client}: TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)",
        "{client}: Trusted: subject_CN={User}, issuer={word} {word}, fingerprint={hex}, pkey_fingerprint={hex}",
        "warning: {client}: subject_CN={host}, issuer_CN={word} CA, fingerprint={hex}",
        "warning: SASL authentication failure: Password verification failed",
        "warning: SASL: Connect to {path} failed: No such file or directory",
        "warning: connect to Milter service inet:{ip4}:8891: Connection refused",
        "warning: connect #1 to subsystem private/{word}: Connection refused",
        "fatal: open database {path}: No such file or directory",
        "warning: {path}: table lookup problem",
        "warning: mysql query failed: Access denied for user '{user}'@'{host}' (using password: YES)",
        "warning: dict_ldap_lookup: Search error 1: uid={user},ou=people,dc={word},dc=org",
        "warning: database /etc/postfix/{word}.db is older than source file /etc/postfix/{=word}",
        "too many errors after AUTH from {client}",
        "warning: Connection rate limit exceeded: 31 from {client} for service smtp",
        "statistics: max connection rate 12/60s for (smtp:{ip4}) at Nov 22 12:55:02",
        "statistics: max connection count 3 for (submission:{ip6}) at Nov 22 12:55:02",
        "warning: numeric domain name in resource data of MX record for {host}: {ip4}",
        "warning: valid_hostname: invalid character 95(decimal): {user}_{word}.{host}",
        "warning: malformed domain name in resource data of MX record for {host}: {word}",
        "warning: {ip4}: address not listed for hostname {host}",
        "warning: {ip4}: hostname {wrapped} verification failed: Name or service not known",
    ],
    "postfix/submission/smtpd[{pid}]": [
        "warning: {client}: SASL PLAIN authentication failed: {reason}, sasl_username={User}",
        "warning: {client}: SASL {method} authentication failed: authentication failure, sasl_username={Mail}",
        "{qid}: client={client}, sasl_method=PLAIN, sasl_username={Mail}",
    ],
    "postfix/cleanup[{pid}]": [
        "{qid}: message-id=<{msgid}>",
        "{qid}: message-id={msgid}",
        "{qid}: resent-message-id=<{msgid}>",
        "{qid}: warning: header Subject: {word} {word}, from {client}; from=<{mail}> to=<{mail}> proto=ESMTP helo=<{host}>",
        "{qid}: warning: header Subject: =?UTF-8?B?{b64text}?= from {client}; from=<{mail}> to=<{mail}> proto=ESMTP helo=<{host}>",
        "{qid}: warning: header Subject: =?utf-8?Q?{word}_{word}?= from {client}; from=<{mail}> to=<{mail}> proto=ESMTP helo=<{host}>",
        "{qid}: reject: header From: \"{word} {word}\" <{mail}> from {client}; from=<{mail}> to=<{mail}> proto=ESMTP helo=<{host}>: 5.7.1 {word} {word}",
        "{qid}: reject: body http://{host}/{word}/{num}/{user}?id={hex} from {client}; from=<{mail}> to=<{mail}>: 5.7.1 message content rejected",
        "{qid}: replace: header Received: from {host} ({host} [{ip4}]) by {host} (Postfix) with ESMTPSA id {qid} for <{mail}>; Sun, 22 Nov 2026 from local; from=<{mail}> to=<{mail}>",
        "{qid}: info: header X-Originating-IP: [{ip4}] from {client}; from=<{mail}> to=<{mail}>",
        "{qid}: milter-reject: END-OF-MESSAGE from {client}: 5.7.1 {word} {word}; from=<{mail}> to=<{mail}> proto=ESMTP helo=<{host}>",
    ],
    "postfix/qmgr[{pid}]": [
        "{qid}: from=<{mail}>, size=463, nrcpt=1 (queue active)",
        "{qid}: from=<>, size=463, nrcpt=1 (queue active)",
        "{qid}: from=<{vocabulary}>, size=463, nrcpt=1 (queue active)",
        "{qid}: from=<SRS0=Xyz1=AB={host}={user}@{host}>, size=999, nrcpt=2 (queue active)",
        "{qid}: from=<{user}+{user}={host}@{host}>, size=999, nrcpt=2 (queue active)",
        "{qid}: from=<{mail}>, status=expired, returned to sender",
        "{qid}: removed",
        "warning: mail for {host} is using up 2001 of 2001 active queue entries",
    ],
    "postfix/smtp[{pid}]": [
        "{qid}: to=<{mail}>, relay={host}[{ip4}]:25, delay=1.2, delays=0.1/0/0.6/0.5, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {qid})",
        "{qid}: to=<{mail}>, orig_to=<{user}>, relay={host}[{ip6}]:25, delay=1.2, delays=0.1/0/0.6/0.5, dsn=2.0.0, status=sent (250 OK id={word}-{hex})",
        "{qid}: to=<{mail}>, relay={host}[{ip4}]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (host {=host}[{=ip4}] said: 550 5.1.1 <{=mail}>: Recipient address rejected: User unknown in relay recipient table (in reply to RCPT TO command))",
        "{qid}: to=<{mail}>, relay=none, delay=30, delays=0/0/30/0, dsn=4.4.1, status=deferred (connect to {host}[{ip4}]:25: Connection timed out)",
        "{qid}: to=<{mail}>, relay={host}[{ip4}]:25, delay=2, delays=0/0/1/1, dsn=4.7.0, status=deferred (host {host}[{ip4}] refused to talk to me: 421 4.7.0 [{ip4} 15] Our system has detected an unusual rate. To {user} {word} https://{host}/{word} {hex} - gsmtp)",
        "{qid}: host {host}[{ip4}] said: 450 4.2.0 <{mail}>: Recipient address rejected: Greylisted, see http://{host}/help/{word}.html (in reply to RCPT TO command)",
        "{qid}: replace: header From: {word} <{mail}>",
        "connect to {host}[{ip6}]:25: Network is unreachable",
        "Untrusted TLS connection established to {host}[{ip4}]:25: TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)",
        "warning: host {host}[{ip4}]:25 greeted me with my own hostname {host}",
        "{qid}: SASL authentication failed; server {host}[{ip4}] said: 535 5.7.8 Error: authentication failed: {word}",
        "warning: SASL authentication failure: No worthy mechs found",
        "server certificate verification failed for {host}[{ip4}]:25: num=62:hostname mismatch",
    ],
    "postfix/local[{pid}]": [
        "{qid}: to=<{mail}>, orig_to=<{user}>, relay=local, delay=0.01, delays=0.01/0/0/0, dsn=2.0.0, status=sent (delivered to command: /usr/bin/procmail -a \"{word}\" /home/{user}/.procmailrc)",
        "{qid}: to=<{mail}>, relay=local, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (delivered to mailbox)",
        "{qid}: to=<{mail}>, relay=local, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (forwarded as {qid})",
        "{qid}: to=<{mail}>, relay=local, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (delivered to file: /home/{user}/Mail/{word})",
        "{qid}: to=<{mail}>, relay=local, delay=0, delays=0/0/0/0, dsn=5.1.1, status=bounced (unknown user: \"{user}\")",
        "warning: unable to look up public/{word}: No such file or directory",
    ],
    "postfix/pipe[{pid}]": [
        "{qid}: to=<{mail}>, relay=dovecot, delay=0.2, delays=0.1/0/0/0.1, dsn=2.0.0, status=sent (delivered via dovecot service)",
        "{qid}: to=<{mail}>, relay={word}, delay=0.2, delays=0.1/0/0/0.1, dsn=5.3.0, status=bounced (Command died with status 1: \"/usr/lib/{word}/{word}\". Command output: {word}: {mail}: {user} not found )",
    ],
    "postfix/lmtp[{pid}]": [
        "{qid}: to=<{mail}>, relay={host}[private/dovecot-lmtp], delay=0.2, delays=0.1/0/0/0.1, dsn=2.0.0, status=sent (250 2.0.0 <{=mail}> {sess} Saved)",
    ],
    "postfix/bounce[{pid}]": ["{qid}: sender non-delivery notification: {qid}", "{qid}: sender delay notification: {qid}"],
    "postfix/pickup[{pid}]": ["{qid}: uid=1000 from=<{user}>", "{qid}: uid=0 from=<{vocabulary}>"],
    "postfix/postscreen[{pid}]": [
        "CONNECT from [{ip4}]:{port} to [{ip4}]:25",
        "PREGREET 11 after 0.1 from [{ip4}]:{port}: EHLO {host}\\r\\n",
        "PREGREET 14 after 0.1 from [{ip6}]:{port}: {User}\\r\\n",
        "DNSBL rank 4 for [{ip4}]:{port}",
        "NOQUEUE: reject: RCPT from [{ip4}]:{port}: 550 5.7.1 Service unavailable; client [{=ip4}] blocked using {host}; from=<{mail}>, to=<{mail}>, proto=ESMTP, helo=<{host}>",
        "HANGUP after 0.5 from [{ip4}]:{port} in tests before SMTP handshake",
        "PASS NEW [{ip4}]:{port}", "PASS OLD [{ip6}]:{port}", "WHITELISTED [{ip4}]:{port}", "BLACKLISTED [{ip4}]:{port}",
        "NON-SMTP COMMAND from [{ip4}]:{port} after CONNECT: {User}",
        "COMMAND PIPELINING from [{ip4}]:{port} after MAIL: RCPT TO:<{mail}>\\r\\nDATA\\r\\n",
        "BARE NEWLINE from [{ip4}]:{port} after {word}",
    ],
    "postfix/dnsblog[{pid}]": [
        "addr {ip4} listed by domain zen.spamhaus.org as 127.0.0.4",
        "warning: dnsblog_query: lookup error for DNS query {reversed}.{host}: Host or domain name not found. Name service error for name={reversed}.{host} type=A: Host not found, try again",
    ],
    "postfix/anvil[{pid}]": [
        "statistics: max connection rate 1/60s for (smtp:{ip4}) at Nov 22 13:00:00",
        "statistics: max auth rate 2/60s for (submission:{ip6}) at Nov 22 13:00:00",
        "statistics: max cache size 3 at Nov 22 13:00:00",
    ],
    "postfix/trivial-rewrite[{pid}]": ["warning: do not list domain {host} in BOTH mydestination and virtual_mailbox_domains"],
    "postfix/tlsproxy[{pid}]": ["CONNECT from [{ip4}]:{port}", "DISCONNECT [{ip4}]:{port}"],
    "postfix/scache[{pid}]": ["statistics: domain lookup hits=0 miss=4 success=0%", "statistics: address lookup hits=0 miss=4 success=0%"],
    "postfix/policy-spf[{pid}]": ["Policy action=PREPEND Received-SPF: pass ({host}: {ip4} is authorized to use '{mail}' in 'mfrom' identity) receiver={host}; identity=mailfrom; envelope-from=\"{mail}\"; helo={host}; client-ip={ip4}"],
    "dovecot": [
        "imap-login: Login: user=<{User}>, method=PLAIN, rip={ip4}, lip={ip4}, mpid={num}, TLS, session=<{sess}>",
        "imap-login: Login: user=<{vocabulary}>, method=PLAIN, rip={ip4}, lip={ip4}, mpid={num}, TLS, session=<{sess}>",
        "imap-login: Disconnected (auth failed, 3 attempts in 12 secs): user=<{User}>, method=PLAIN, rip={ip6}, lip={ip6}, TLS, session=<{sess}>",
        "imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<{User}>, method=LOGIN, rip={ip4}, lip={ip4}, session=<{sess}>",
        "imap-login: Aborted login (no auth attempts in 0 secs): user=<>, rip={ip4}, lip={ip4}, session=<{sess}>",
        "pop3-login: Disconnected: Inactivity (auth failed, 1 attempts in 180 secs): user=<{User}>, method=PLAIN, rip={ip4}, lip={ip4}, TLS: Disconnected, session=<{sess}>",
        "imap-login: Login aborted: Logged out (auth failed, 2 attempts in 9 secs) (auth_failed): user=<{User}>, method=PLAIN, rip={ip4}, lip={ip4}, session=<{sess}>",
        "imap({User})<{num}><{sess}>: Disconnected: Logged out in=45 out=1234 deleted=0 expunged=0 trashed=0 hdr_count=0 hdr_bytes=0 body_count=0 body_bytes=0",
        "imap({user})<{num}><{sess}>: copy from {word}: box={word}, uid=7, msgid=<{msgid}>, size=99",
        "lmtp({mail})<{num}><{sess}>: msgid=<{msgid}>: saved mail to {word}",
        "lmtp({user})<{num}><{sess}>: sieve: msgid=<{msgid}>: stored mail into mailbox '{word}/{word}'",
        "lmtp({user}): Error: sieve: binary {path} not stored",
        "lmtp(4711): Connect from {ip4}", "lmtp(4711): Disconnect from {ip4}: Successful quit (state = READY)",
        "auth: passwd-file({User},{ip4},<{sess}>): unknown user (given password: {word})",
        "auth: pam({User},{ip4}): pam_authenticate() failed: Authentication failure (password mismatch?) (given password: {word})",
        "auth: ldap({User},{ip4},<{sess}>): unknown user",
        "auth: sql({User},{ip4},<{sess}>): Password mismatch (given password: {word})",
        "auth-worker({num}): sql({mail},{ip6},<{sess}>): unknown user (SHA1 of given password: {hex6})",
        "auth-worker({num}): conn unix:auth-worker (pid={num},uid=110): auth-worker<7>: pam({user},{ip4},<{sess}>): pam_authenticate() failed: User not known to the underlying authentication module",
        "auth: Error: passwd-file({user},{ip4}): stat({path}) failed: Permission denied",
        "auth: policy({user},{ip4},<{sess}>): Authentication failure due to policy server refusal: {word} {word}",
        "auth: Debug: client in: AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip={ip4}\trip={ip4}\tresp={b64user} (previous base64 data may contain sensitive data)",
        "auth: login({user},{ip4},<{sess}>): Request 4711.2 timed out after 150 secs, state=1",
        "auth: Warning: auth client 0 disconnected with 1 pending requests: EOF",
        "imap({user})<{num}><{sess}>: Error: Mailbox {word}/{word}: UID=17: read({path}) failed: Input/output error (read reason=header stage)",
        "imap-login: Error: Failed to initialize SSL server context: Can't load SSL certificate: {path}",
        "managesieve-login: Disconnected: Too many invalid MANAGESIEVE commands. (no auth attempts in 1 secs): user=<>, rip={ip4}, lip={ip4}",
        "master: Warning: Killed with signal 15 (by pid=2691 uid=0 code=kill)",
        "imap-login: proxy({User}): started proxying to {ip4}:143: user=<{user}>, rip={ip4}",
        "doveadm({user}): Error: User doesn't exist",
        "submission-login: Login: user=<{mail}>, method=PLAIN, rip={ip4}, lip={ip4}, mpid={num}, secured, session=<{sess}>",
        "quota-warning: {user} is at 95% of {word}",
    ],
    "sshd[{pid}]": [
        "Failed password for invalid user {User} from {ip4} port {port} ssh2",
        "Failed password for {user} from {ip6} port {port} ssh2",
        "Accepted publickey for {user} from {ip4} port {port} ssh2: RSA SHA256:{b64}",
        "Invalid user {User} from {ip4} port {port}",
        "Connection closed by authenticating user {user} {ip4} port {port} [preauth]",
        "reverse mapping checking getaddrinfo for {wrapped} [{=ip4}] failed.",
        "pam_unix(sshd:session): session opened for user {user}(uid=1001) by (uid=0)",
        "Received disconnect from {ip4} port {port}:11: {word} [preauth]",
    ],
    "sudo": ["{user} : TTY=pts/0 ; PWD=/home/{=user} ; USER=root ; COMMAND=/usr/bin/vi /etc/{word}/{word}.conf --{word}={word}",
             "pam_unix(sudo:session): session opened for user root(uid=0) by {user}(uid=1000)"],
    "CRON[{pid}]": ["({user}) CMD (/home/{=user}/bin/{word}.sh --to {mail} >/dev/null 2>&1)", "pam_unix(cron:session): session opened for user {user}(uid=33) by (uid=0)"],
    "kernel": [
        "[12345.678901] iptables: IN=eth0 OUT= MAC={mac}:{mac}:08:00 SRC={ip4} DST={ip4} LEN=60 TOS=0x00 PREC=0x00 TTL=50 ID=4711 DF PROTO=TCP SPT={port} DPT=25 WINDOW=64240 RES=0x00 SYN URGP=0",
        "[12345.678901] device {word} entered promiscuous mode",
        "[12345.678901] {user}[{pid}]: segfault at 0 ip 00007f0000000000 sp 00007ffd00000000 error 4 in {word}.so[7f0000000000+1000]",
    ],
    "opendkim[{pid}]": ["{qid}: DKIM-Signature field added (s={word}, d={host})", "{qid}: {host} [{ip4}] not internal", "{qid}: s={word} d={host} a=rsa-sha256 SSL error:04091068:rsa routines:int_rsa_verify:bad signature"],
    "opendmarc[{pid}]": ["{qid}: {host} none", "{qid} ignoring Authentication-Results at 1 from {host}", "{qid}: SPF(mailfrom): {mail} fail"],
    "amavis[{pid}]": [
        "({num}-01) Passed CLEAN {{RelayedInbound}}, [{ip4}]:{port} [{ip4}] <{mail}> -> <{mail}>, Queue-ID: {qid}, Message-ID: <{msgid}>, mail_id: {sess}, Hits: -1.9, size: 4711, queued_as: {qid}, 812 ms",
        "({num}-01) Blocked SPAM {{DiscardedInbound}}, [{ip4}] <{mail}> -> <{mail}>,<{mail}>, Subject: \"{word} {word}\", From: {word}_<{mail}>",
        "({num}-01) Blocked INFECTED ({word}.{word}) {{NoBounceInbound}}, {host} <{mail}>"],
    "rspamd[{pid}]": ["<{hex6}>; task; rspamd_task_write_log: id: <{msgid}>, qid: <{qid}>, ip: {ip4}, from: <{mail}>, (default: F (no action): [0.40/15.00] [R_SPF_ALLOW(-0.20){{+ip4:{ip4}/24;}},ASN(0.00){{asn:4711, ipnet:{ip4}/16, country:DE;}}]), len: 999, time: 90ms, dns req: 20, digest: <{hex}>, rcpts: <{mail}>, mime_rcpts: <{mail}>, file: {path}, subject: {word} {word}"],
    "spamd[{pid}]": ["spamd: identified spam (12.3/5.0) for {user}:1001 in 1.2 seconds, 4711 bytes.", "spamd: result: Y 12 - BAYES_99,URIBL scantime=1.2,size=4711,user={user},uid=1001,required_score=5.0,rhost={host},raddr={ip4},rport={port},mid=<{msgid}>,bayes=1.0,autolearn=spam"],
    "postgrey[{pid}]": ["action=greylist, reason=new, client_name={host}, client_address={ip4}/32, sender={mail}, recipient={mail}"],
    "policyd-spf[{pid}]": ["prepend Received-SPF: Fail (mailfrom) identity=mailfrom; client-ip={ip4}; helo={host}; envelope-from={mail}; receiver={mail}"],
    "fail2ban.actions[{pid}]": ["NOTICE [postfix-sasl] Ban {ip4}", "WARNING [{word}] {ip6} already banned"],
    "named[{pid}]": ["client @0x7f1 {ip4}#4711 ({host}): query (cache) '{host}/A/IN' denied", "lame server resolving '{host}' (in '{host}'?): {ip4}#53"],
    "systemd[1]": ["Started Session 4711 of user {user}.", "{word}.service: Main process exited, code=exited, status=1/FAILURE", "Starting {word} {word} daemon..."],
    "saslauthd[{pid}]": ["do_auth         : auth failure: [user={user}] [service=smtp] [realm={host}] [mech=pam] [reason=PAM auth error]", "pam_unix(smtp:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost={host}  user={user}"],
    "rsyslogd": ["action 'action-1-{word}' suspended (module 'builtin:omfwd'), next retry is Sun Nov 22 13:00:00 2026", "imuxsock: Acquired UNIX socket '{path}' (fd 3) from systemd.", "-- MARK --"],
    "{word}[{pid}]": ["{word} {word} {ip4} {mail}", "{{\"time\":\"2026-11-22T12:55:02Z\",\"user\":\"{user}\",\"ip\":\"{ip4}\",\"msg\":\"{word} {word}\",\"nested\":{{\"mail\":\"{mail}\"}}}}",
                      "user={user} pass={word} host={host}", "GET /{word}/{word}?u={user} {ip6}", "key={hex} token={b64} serial={num}", "phone +49 {num} {num} card {num}{num}", "<{user}> ({host}) '{word}' \"{word}\" `{word}`"],
}


class Filler:
    """Fills the holes of templates and remembers with what."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.secrets = []
        self.line = {}

    def token(self):
        r = self.random
        while True:
            word = "".join(r.choice(CONSONANTS) + r.choice(VOWELS) for _ in range(r.randint(4, 6))) + r.choice(CONSONANTS)
            if r.random() < 0.15:
                word = word.capitalize()
            return word

    def shape(self, pattern):
        """Replaces each @ by a word, which is a secret by itself."""
        def word(_):
            token = self.token()
            self.secrets.append(("word", token))
            return token
        return re.sub("@", word, pattern)

    def note(self, kind, value):
        self.secrets.append((kind, value))
        return value

    def ip4_new(self):
        r = self.random
        first = r.choice([1, 5, 8, 23, 45, 62, 77, 81, 91, 103, 141, 178, 185, 193, 203, 217])
        return f"{first}.{r.randint(1, 254)}.{r.randint(100, 254)}.{r.randint(10, 254)}"

    def fill_pid(self): return str(self.random.randint(100, 99999))
    def fill_port(self): return str(self.random.randint(1024, 65535))
    def fill_n(self): return str(self.random.randint(2, 40))
    def fill_word(self): return self.shape("@")
    def fill_user(self): return self.shape(self.random.choice(["@", "@", "@", "@.@", "@7", "@-@"]))
    def fill_User(self): return self.shape(self.random.choice(USERS))
    def fill_vocabulary(self): return self.note("slot", self.random.choice(VOCABULARY))
    def fill_host(self): return self.shape(self.random.choice(HOSTS))
    def fill_ip4(self): return self.note("ip", self.ip4_new())
    def fill_path(self): return self.shape(self.random.choice(["/home/@/@", "/var/@/@.sock", "/srv/mail/@/@/Maildir", "private/@", "/etc/dovecot/@.pem"]))
    def fill_method(self): return self.random.choice(["PLAIN", "LOGIN", "login", "CRAM-MD5", "XOAUTH2", "DIGEST-MD5", "NTLM"])
    def fill_oddmethod(self): return self.shape(self.random.choice(["@", '"@ @"', "<@>", "x[198.18.7.5]:\\ SASL\\ @", "@\\ @", "?@?"]))
    def fill_reason(self): return self.random.choice(["(reason unavailable)", "authentication failure", "generic failure", "UGFzc3dvcmQ6", "Password:", "", "no mechanism available", "Invalid base64 data in initial response"])

    def fill_ip6(self):
        r = self.random
        address = ipaddress.IPv6Address(int.from_bytes(bytes([0x2a, r.randint(0, 15)]) + r.randbytes(14), "big"))
        if r.random() < 0.5:
            address = ipaddress.IPv6Address(int(address) & ~(((1 << 64) - 1) << 16))
        self.note("ip", str(address))
        return r.choice([str(address), str(address), address.exploded, str(address).upper()])

    def fill_mail(self):
        r = self.random.random()
        if r < 0.1:
            return self.shape('"@ @"@@.org')
        if r < 0.15:
            return self.shape("josé@") + "@" + self.shape("bücher-@.de")
        if r < 0.2:
            return self.shape("@") + "@[" + self.fill_ip4() + "]"
        return self.shape(self.random.choice(["@", "@.@", "@+@", "@_@", "1@"])) + "@" + self.shape(self.random.choice(HOSTS[:3] + ["@.com", "@.@.org"]))

    def fill_Mail(self): return self.fill_mail()

    def fill_qid(self):
        r = self.random
        if r.random() < 0.5:
            value = "".join(r.choice("0123456789ABCDEF") for _ in range(r.randint(9, 12)))
            value = value[:4] + "D9" + value[4:]
        else:
            value = "4" + "".join(r.choice("BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789") for _ in range(11)) + "zC1"
        return self.note("id", value)

    def fill_msgid(self):
        local = self.shape(self.random.choice(["@", "20261122130120.@", "@$@", "CA+@"])) + "".join(self.random.choice("0123456789abcdef") for _ in range(8))
        return local + "@" + self.shape(self.random.choice(HOSTS[:3]))

    def fill_sess(self): return self.note("id", "".join(self.random.choice("ABCDEFGHIJKLMNOPabcdefghijklmnop0123456789+/") for _ in range(14)) + "AB")
    def fill_hex(self): return self.note("id", self.random.randbytes(16).hex())
    def fill_hex6(self): return self.note("id", self.random.randbytes(5).hex())
    def fill_mac(self): return self.note("mac", ":".join(f"{b:02x}" for b in self.random.randbytes(6)))
    def fill_num(self): return str(self.random.randint(10**4, 10**6))
    def fill_b64(self): return self.note("id", base64.b64encode(self.random.randbytes(18)).decode())
    def fill_b64user(self): return base64.b64encode(("\0" + self.shape("@") + "\0" + self.shape("@")).encode()).decode()
    def fill_b64text(self): return base64.b64encode(self.shape("@ @").encode()).decode()

    def wrap(self, address):
        """A name that spells an address, as networks' PTR records do."""
        o = address.split(".")
        number = int(ipaddress.IPv4Address(address))
        spelled = self.random.choice([
            "-".join(o), ".".join(o), "-".join(reversed(o)), ".".join(reversed(o)), "_".join(o), f"{number:08x}", f"{number:08X}", str(number),
            "".join(f"{int(x):03d}" for x in o), "-".join(f"{int(x):03d}" for x in o), "ip" + "-".join(o), "x".join(o),
            "-".join(f"{int(x):02x}" for x in o), "dsl-" + "-".join(o) + "-static", f"{o[3]}.{o[2]}-{o[1]}-{o[0]}", "h" + "-".join(reversed(o)) + "x"])
        return spelled + self.shape(".@.net")

    def fill_wrapped(self):
        self.line["ip4"] = self.fill_ip4()
        return self.wrap(self.line["ip4"])

    def fill_reversed(self):
        return ".".join(reversed(self.fill_ip4().split(".")))

    def fill_client(self):
        r = self.random.random()
        if r < 0.3:
            return f"unknown[{self.fill_ip4()}]"
        if r < 0.4:
            return f"unknown[{self.fill_ip6()}]"
        if r < 0.6:
            address = self.fill_ip4()
            return f"{self.wrap(address)}[{address}]"
        if r < 0.65:
            return f"{self.shape('@.org')}[::ffff:{self.fill_ip4()}]"
        if r < 0.7:
            return "unknown[unknown]"
        return f"{self.shape(self.random.choice(HOSTS)).replace(' ', '')}[{self.fill_ip4()}]"

    def fill(self, template):
        def hole(match):
            name = match.group(1)
            if not name:
                return match.group()[0]
            if name.startswith("="):
                return self.line[name[1:]]
            value = getattr(self, "fill_" + name)()
            if name != "wrapped":
                self.line[name] = value
            return value
        return re.sub(r"\{\{|\}\}|\{(=?[a-zA-Z0-9]+)\}", hole, template)

    def header(self, server, program, n):
        hour, minute, second = n // 3600 % 24, n // 60 % 60, n % 60
        clock = f"{hour:02d}:{minute:02d}:{second:02d}"
        name = re.sub(r"\[.*", "", program)
        pid = re.search(r"\[(\d+)\]", program)
        forms = [f"2026-11-22T{clock}.{n % 1000000:06d}+00:00 {server} {program}: ", f"2026-11-22T{clock}.123456+01:00 {server} {program}: ",
                 f"2026-11-22T{clock}Z {server} {program}: ", f"Nov 22 {clock} {server} {program}: ", f"Nov  2 {clock} {server} {program}: ",
                 f"Nov 02 {clock} {server} {program}: ", f"Nov 22 {clock} {server} mail.warn {program}: ", f"<20>Nov 22 {clock} {server} {program}: ",
                 f"<20>1 2026-11-22T{clock}Z {server} {name} {pid.group(1) if pid else '-'} - - "]
        return self.random.choice(forms)


def main():
    seed, count, log, secrets = sys.argv[1:]
    filler = Filler(int(seed))
    servers = [filler.shape(shape) for shape in ("@", "@.@.org", "@-mx2", "@.example")]
    every = [(program, template) for program, templates in TEMPLATES.items() for template in templates]
    with open(log, "wb") as out:
        for n in range(int(count)):
            filler.line = {}
            # each once, then by chance
            program, template = every[n] if n < len(every) else filler.random.choice(every)
            message = filler.fill(template)
            header = filler.header(filler.random.choice(servers), filler.fill(program), n)
            if filler.random.random() < 0.02:
                header = ""
            line = (header + message).encode()
            if filler.random.random() < 0.02:
                at = filler.random.randrange(len(header.encode()) + 1, len(line) + 1) if header else len(line)
                line = line[:at] + filler.random.choice([b"\xff\xfe", b"\x00", b"\x1b[31m", b"\r", b"\t", b"\xc3"]) + line[at:]
            out.write(line + b"\n")
    with open(secrets, "w", encoding="utf-8") as out:
        for kind, value in dict.fromkeys(filler.secrets):
            out.write(f"{kind}\t{value.encode().hex()}\n")


main()
