/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What stands in the place of a value: the same for the same value and key, made by a keyed hash, so that no table of
 * what was seen is kept. A stand-in reads as what it is (user-3fa9c1d2e0), is valid where the value was, and is nobody's.
 * The same digits stand behind the same bytes whatever the kind, so that a name is known again as a user and in free text.
 */

#include "base/hash.h"
#include "base/ipaddr.h"
#include "base/strbuf.h"

typedef enum StandInKind {
	STANDIN_TEXT = 0, /* text-3fa9c1d2e0 */
	STANDIN_USER,     /* user-3fa9c1d2e0; with an "@" as STANDIN_MAIL */
	STANDIN_MAIL,     /* user-3fa9c1d2e0@domain-77aa01bc42.example */
	STANDIN_HOST, /* host-3fa9c1d2e0.domain-77aa01bc42.example, host-3fa9c1d2e0; an address as STANDIN_ADDRESS */
	STANDIN_ADDRESS, /* 243.17.9.201, 2001:db8:...; also in brackets; what is none as STANDIN_HOST */
	STANDIN_QUEUE_ID,   /* 3FA9C1D2E05 */
	STANDIN_MESSAGE_ID, /* message-3fa9c1d2e0@domain-77aa01bc42.example */
	STANDIN_SESSION,    /* session-3fa9c1d2e0 */
	STANDIN_CHALLENGE,  /* what a server asks in a SASL mechanism: base64 */
	STANDIN_METHOD,     /* METHOD-3FA9C1D2E0: a SASL mechanism that there is not */
	STANDIN_PROGRAM,    /* program-3fa9c1d2e0: of a line's tag */
	STANDIN_NUMBER,     /* as many digits; what else stands there stays */
	STANDIN_KIND_COUNT,
} StandInKind;

typedef struct StandIns {
	HashKey names, addresses; /* made of one key by standins_init() */
	/*
	 * Addresses that begin with the same bits have stand-ins that do (IPv6: of the first 64). IPv4 addresses are then spread over all that
	 * there are, and may be somebody's.
	 */
	bool keep_prefixes;
	/*
	 * NULL, or how many of the last bytes of a value stay as they are. It is asked for hosts and domains (STANDIN_HOST; what is
	 * less than all begins with a dot) and for addresses in their canonical text (STANDIN_ADDRESS; all or nothing).
	 */
	size_t (*keep)(void *userdata, StandInKind kind, Span value);
	void *userdata;
} StandIns;

/* All but the keys are zero. */
void standins_init(StandIns *standins, HashKey key);

/* The kind that is called name ("user", "host", "message-id", ...). 0 or -EINVAL. */
int standin_kind_parse(Span name, StandInKind *ret_kind);

/* The name of a kind; NULL when there is none with this number. */
const char *standin_kind_name(StandInKind kind);

/* Appends what stands for the value; of an empty one nothing. Errors are sb's. */
void standin_append(const StandIns *standins, StandInKind kind, Span value, StrBuf *sb);

/* The address that stands for addr, of the same family. IP_UNKNOWN, the loopback's and 0.0.0.0 and :: stay. */
void standin_of_address(const StandIns *standins, const IpAddr *addr, IpAddr *ret_addr);
