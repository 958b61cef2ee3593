/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/rdns-answer.h"

#define HEADER_SIZE 12
#define WIRE_NAME_MAX 255 /* RFC 1035, 2.3.4 */
#define HOPS_MAX 16       /* CNAMEs in a row; resolvers give up at about as many */
/*
 * A hostile message over TCP has room for 5,900 records: they are not all worth comparing at each
 * hop.
 */
#define RECORDS_MAX 256

enum { TYPE_NS = 2, TYPE_CNAME = 5, TYPE_SOA = 6 };
enum { RCODE_OK = 0, RCODE_NXDOMAIN = 3 };

typedef struct Message {
	const uint8_t *data;
	size_t len;
} Message;

/* A name as it stands on the wire without compression: length byte and label, ..., 0. */
typedef struct Name {
	uint8_t wire[WIRE_NAME_MAX];
	size_t len;
} Name;

typedef struct Record {
	size_t owner; /* where its name begins */
	unsigned type, class;
	uint32_t ttl_seconds;
	size_t data, data_len;
} Record;

static unsigned read_u16(const Message *m, size_t at)
{
	return (unsigned)m->data[at] << 8 | m->data[at + 1];
}

static uint32_t read_u32(const Message *m, size_t at)
{
	return (uint32_t)read_u16(m, at) << 16 | read_u16(m, at + 2);
}

/*
 * Expands the name at offset at; *ret_end is where its bytes end there. A pointer must point before
 * the part of the name that holds it ("a prior occurrence", RFC 1035, 4.1.4), so that no loop is
 * possible.
 */
static bool name_read(const Message *m, size_t at, Name *ret_name, size_t *ret_end)
{
	size_t limit = at, end = 0;

	ret_name->len = 0;
	for (;;) {
		unsigned length;

		if (at >= m->len)
			return false;
		length = m->data[at];
		if ((length & 0xc0) == 0xc0) {
			size_t target;

			if (at + 2 > m->len)
				return false;
			target = read_u16(m, at) & 0x3fff;
			if (!end)
				end = at + 2;
			if (target >= limit)
				return false;
			at = limit = target;
			continue;
		}
		if (length & 0xc0)
			return false;
		if (at + 1 + length > m->len || ret_name->len + 1 + length > WIRE_NAME_MAX)
			return false;
		memcpy(ret_name->wire + ret_name->len, m->data + at, length + 1);
		ret_name->len += length + 1;
		at += length + 1;
		if (!length)
			break;
	}
	*ret_end = end ? end : at;
	return true;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/*
 * Length bytes are at most 63, below the letters: the whole of it can be compared without regard to
 * case.
 */
static bool name_equal(const Name *a, const Name *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++)
		if (lower(a->wire[i]) != lower(b->wire[i]))
			return false;
	return true;
}

static void name_from_text(const char *text, Name *ret_name)
{
	ret_name->len = 0;
	while (*text) {
		size_t length = strcspn(text, ".");

		ret_name->wire[ret_name->len] = (uint8_t)length;
		memcpy(ret_name->wire + ret_name->len + 1, text, length);
		ret_name->len += length + 1;
		text += length + (text[length] == '.');
	}
	ret_name->wire[ret_name->len++] = 0;
}

/* The name as host name; false when it is not one. */
static bool name_to_host(const Name *name, char ret_host[RDNS_NAME_MAX])
{
	size_t at = 0, out = 0;

	/* 255 on the wire are 253 characters: the first length byte and the last 0 are no dots. */
	for (unsigned length; (length = name->wire[at++]); at += length) {
		if (out)
			ret_host[out++] = '.';
		for (unsigned i = 0; i < length; i++) {
			char c = (char)name->wire[at + i];

			if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				    (c >= '0' && c <= '9') || c == '-' || c == '_'))
				return false;
			ret_host[out++] = c;
		}
	}
	ret_host[out] = '\0';
	return out > 0;
}

static bool record_read(const Message *m, size_t at, Record *ret_record, size_t *ret_end)
{
	Record record = {.owner = at};
	Name skipped;

	if (!name_read(m, at, &skipped, &at) || at + 10 > m->len)
		return false;
	record.type = read_u16(m, at);
	record.class = read_u16(m, at + 2);
	record.ttl_seconds = read_u32(m, at + 4);
	/* RFC 2181, 8: a TTL with the highest bit set is 0. */
	if (record.ttl_seconds > INT32_MAX)
		record.ttl_seconds = 0;
	record.data_len = read_u16(m, at + 8);
	record.data = at + 10;
	if (record.data + record.data_len > m->len)
		return false;
	*ret_record = record;
	*ret_end = record.data + record.data_len;
	return true;
}

/* The name that is the whole data of the record. */
static bool record_name(const Message *m, const Record *record, Name *ret_name)
{
	size_t end;

	return name_read(m, record->data, ret_name, &end) && end == record->data + record->data_len;
}

typedef enum Found {
	FOUND_NOTHING,
	FOUND_HOST,
	FOUND_BAD_PTR, /* there are PTRs, and none is a host name */
	FOUND_CNAME,
	FOUND_BROKEN, /* the section can't be read to its end */
} Found;

/* What the answer section holds for owner. TTLs are taken into *ttl_seconds. */
static Found section_find(const Message *m, size_t at, unsigned records, const Name *owner,
	char ret_host[RDNS_NAME_MAX], Name *ret_target, uint32_t *ttl_seconds)
{
	uint32_t ptr_ttl = UINT32_MAX, cname_ttl = 0;
	Found found = FOUND_NOTHING;

	for (unsigned i = 0; i < MIN(records, (unsigned)RECORDS_MAX); i++) {
		Record record;
		Name name;
		size_t end;

		if (!record_read(m, at, &record, &at))
			return FOUND_BROKEN;
		if (record.class != DNS_CLASS_IN ||
			(record.type != DNS_TYPE_PTR && record.type != TYPE_CNAME) ||
			!name_read(m, record.owner, &name, &end) || !name_equal(&name, owner))
			continue;
		if (record.type == DNS_TYPE_PTR) {
			ptr_ttl = MIN(ptr_ttl, record.ttl_seconds);
			if (record_name(m, &record, &name) && name_to_host(&name, ret_host)) {
				*ttl_seconds = MIN(*ttl_seconds, record.ttl_seconds);
				return FOUND_HOST;
			}
			found = FOUND_BAD_PTR;
		} else if (found == FOUND_NOTHING && record_name(m, &record, &name)) {
			*ret_target = name;
			cname_ttl = record.ttl_seconds;
			found = FOUND_CNAME;
		}
	}
	if (found == FOUND_BAD_PTR)
		*ttl_seconds = MIN(*ttl_seconds, ptr_ttl);
	if (found == FOUND_CNAME)
		*ttl_seconds = MIN(*ttl_seconds, cname_ttl);
	return found;
}

typedef struct Authority {
	bool has_soa, has_ns;
	uint32_t ttl_seconds; /* of "no", by the SOA (RFC 2308, 5) */
} Authority;

static Authority authority_read(const Message *m, size_t at, unsigned answers, unsigned records)
{
	Authority authority = {0};
	Record record;

	for (; answers; answers--)
		if (!record_read(m, at, &record, &at))
			return authority;
	for (; records; records--) {
		if (!record_read(m, at, &record, &at))
			return authority;
		authority.has_ns |= record.type == TYPE_NS;
		/* Two names, then serial, refresh, retry, expire, minimum. */
		if (record.type == TYPE_SOA && record.data_len >= 22) {
			authority.has_soa = true;
			authority.ttl_seconds = MIN(
				record.ttl_seconds, read_u32(m, record.data + record.data_len - 4));
		}
	}
	return authority;
}

void rdns_question(const IpAddr *addr, char text[RDNS_QUESTION_MAX])
{
	static const char nibbles[] = "0123456789abcdef";
	const uint8_t *b = addr->bytes;
	char *p = text;

	if (addr->family == IP_V4) {
		(void)snprintf(text, RDNS_QUESTION_MAX, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2],
			b[1], b[0]);
		return;
	}
	for (int i = 15; i >= 0; i--) {
		*p++ = nibbles[b[i] & 15];
		*p++ = '.';
		*p++ = nibbles[b[i] >> 4];
		*p++ = '.';
	}
	memcpy(p, "ip6.arpa", sizeof("ip6.arpa"));
}

/* Where the question of an answer ends; 0 when it is no answer to one PTR question. */
static size_t question_read(const Message *m, Name *ret_question)
{
	size_t at;

	/*
	 * QR set, opcode QUERY, one question: a server that sends our query back has not answered.
	 */
	if (m->len < HEADER_SIZE || (m->data[2] & 0xf8) != 0x80 || read_u16(m, 4) != 1)
		return 0;
	if (!name_read(m, HEADER_SIZE, ret_question, &at) ||
		at != HEADER_SIZE + ret_question->len || at + 4 > m->len ||
		read_u16(m, at) != DNS_TYPE_PTR || read_u16(m, at + 2) != DNS_CLASS_IN)
		return 0;
	return at + 4;
}

size_t rdns_answer_strip(const void *message, size_t len, uint8_t ret_stripped[RDNS_STRIPPED_MAX])
{
	static const uint8_t counts[8] = {0, 1};
	const Message m = {message, len};
	size_t end;
	Name name;

	end = question_read(&m, &name);
	if (!end || end > RDNS_STRIPPED_MAX)
		return 0;
	memcpy(ret_stripped, message, end);
	ret_stripped[2] &= 0xf9; /* neither AA nor TC */
	memcpy(ret_stripped + 4, counts, sizeof(counts));
	return end;
}

bool rdns_answer_is_for(const IpAddr *addr, const void *message, size_t len)
{
	char text[RDNS_QUESTION_MAX];
	Name wanted, question;

	rdns_question(addr, text);
	name_from_text(text, &wanted);
	return question_read(&(Message){message, len}, &question) && name_equal(&question, &wanted);
}

int rdns_answer_read(const IpAddr *addr, const void *message, size_t len, RdnsAnswer *ret_answer)
{
	const Message m = {message, len};
	RdnsAnswer answer = {.status = RDNS_NO_PTR, .ttl_seconds = UINT32_MAX};
	unsigned rcode, answers;
	Found found = FOUND_CNAME;
	Authority authority;
	Name owner;
	size_t at;

	if (!rdns_answer_is_for(addr, message, len))
		return -EBADMSG;
	at = question_read(&m, &owner);
	rcode = m.data[3] & 15;
	answers = read_u16(&m, 6);

	if (rcode != RCODE_OK && rcode != RCODE_NXDOMAIN) {
		answer.status = RDNS_SERVER_FAILED;
		answer.ttl_seconds = RDNS_FAILURE_TTL_SECONDS;
		*ret_answer = answer;
		return 0;
	}
	if (rcode == RCODE_OK) {
		answer.truncated = m.data[2] & 2;
		for (int hop = 0; hop <= HOPS_MAX && found == FOUND_CNAME; hop++) {
			Name target;

			found = section_find(
				&m, at, answers, &owner, answer.name, &target, &answer.ttl_seconds);
			if (found == FOUND_CNAME)
				owner = target;
		}
		if (found == FOUND_HOST) {
			answer.status = RDNS_OK;
			*ret_answer = answer;
			return 0;
		}
		answer.name[0] = '\0';
		if (found == FOUND_BROKEN && !answer.truncated)
			return -EBADMSG;
	} else {
		answer.status = RDNS_NO_NAME;
		found = FOUND_NOTHING;
	}

	if (found == FOUND_NOTHING) {
		authority = authority_read(&m, at, answers, read_u16(&m, 8));
		/* RFC 2308, 2.2: a referral. The server does not look further for us. */
		if (rcode == RCODE_OK && authority.has_ns && !authority.has_soa) {
			answer.status = RDNS_SERVER_FAILED;
			answer.ttl_seconds = RDNS_FAILURE_TTL_SECONDS;
		} else {
			answer.ttl_seconds = authority.has_soa ? authority.ttl_seconds
							       : RDNS_FAILURE_TTL_SECONDS;
		}
	}
	answer.ttl_seconds = MIN(answer.ttl_seconds, (uint32_t)RDNS_NEGATIVE_TTL_SECONDS);
	*ret_answer = answer;
	return 0;
}
