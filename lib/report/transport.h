/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Hands a message to a mail server, or to this host's sendmail program, and says what became of it
 * for each recipient. Blocks, so it is for a job; how long is bounded by the TRANSPORT_..._S below.
 *
 * url: smtp://HOST[:PORT][/NAME] (port 25), smtp+starttls:// (587) or smtps:// (465); NAME is what
 * EHLO says, by default this host's name. The last two never go on without TLS and a certificate
 * that is good for HOST. smtp:// takes TLS when the server offers it (STARTTLS), with any
 * certificate, and goes on without it when that fails; but with a user and password it is as
 * smtp+starttls://, unless HOST is this host (localhost, 127.0.0.0/8, [::1]): a password never goes
 * to another host in clear. SSL_CERT_FILE and SSL_CERT_DIR name other certificate authorities.
 */

#include "base/base.h"

#define TRANSPORT_CONNECT_S 30
#define TRANSPORT_ANSWER_S 300 /* for an answer, and for the server to take the next bytes */

/* for the one after the message: giving up early sends it twice (RFC 5321, 4.5.3.2.6) */
#define TRANSPORT_LAST_ANSWER_S 600
#define TRANSPORT_TOTAL_S 900

typedef enum Delivery {
	DELIVERY_NONE,     /* not asked for */
	DELIVERY_ACCEPTED, /* the server or sendmail has taken it over */
	DELIVERY_LATER,    /* not now */
	DELIVERY_REFUSED,  /* it won't be taken tomorrow either */
} Delivery;

typedef struct TransportOptions {
	bool sendmail;
	const char *sendmail_path;
	const char *url;           /* as transport_check_url() wants it */
	const char *user;          /* NULL or "": none */
	const char *password_file; /* its first line; NULL or "": none */
} TransportOptions;

/* 0, or -EINVAL with *ret_why as an end of "URL ...". */
int transport_check_url(const char *url, Why *ret_why);

enum { TRANSPORT_DOWN = 1 };

/*
 * Sends the message (lines end in CRLF) from one address to others, which address_check() has seen,
 * and fills ret_deliveries (to_count of them), whatever it returns: ACCEPTED and REFUSED are final,
 * all else is LATER.
 *
 * 0: the server has answered for each. TRANSPORT_DOWN: nobody to talk to, or not to the end; no use
 * to try the next message now. -EINTR: SIGINT, SIGTERM or SIGHUP is pending (the caller blocks
 * them). Other -errno: it could not be tried (-ENOENT: no libcurl; -EACCES, -EINVAL: the password
 * file). *ret_why says why for all that was not accepted, with the server's words as they came; ""
 * when all was accepted. The caller ignores SIGPIPE.
 */
int transport_send(const TransportOptions *options, const char *from, const char *const *to,
	size_t to_count, Span message, Delivery *ret_deliveries, Why *ret_why);
