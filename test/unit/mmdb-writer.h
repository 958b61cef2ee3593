/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Writes MMDB files (MaxMind DB 2.0), for tests: any record size, IPv4 and IPv6 trees, sapics'
 * flat and MaxMind's nested records. Out of memory is the end of the test.
 */

#include "base/strbuf.h"
#include "enrich/ipsegments.h"

#define MMDB_WRITER_EPOCH 1781654400U /* when all of them were made */

typedef enum MmdbStyle {
	MMDB_FLAT,   /* country_code */
	MMDB_NESTED, /* country.iso_code, and what MaxMind has around it */
} MmdbStyle;

/* A record: empty, a node, or an offset in the data section. */
typedef struct MmdbRecord {
	enum { MMDB_EMPTY, MMDB_NODE, MMDB_DATA } kind;
	uint32_t value;
} MmdbRecord;

typedef struct MmdbNode {
	MmdbRecord records[2];
	uint32_t number; /* when written */
} MmdbNode;

typedef struct MmdbWriter {
	unsigned ip_version, record_size;
	const char *type;
	MmdbNode *nodes;
	size_t count, size;
	StrBuf data;
	struct {
		const char *text;
		uint32_t offset;
	} keys[16]; /* written so far */
	size_t key_count;
} MmdbWriter;

static uint32_t mmdb_new_node(MmdbWriter *w, MmdbRecord both)
{
	if (w->count == w->size) {
		w->size = w->size ? w->size * 2 : 1024;
		w->nodes = reallocarray(w->nodes, w->size, sizeof(*w->nodes));
		if (!w->nodes)
			abort();
	}
	w->nodes[w->count] = (MmdbNode){.records = {both, both}};
	return (uint32_t)w->count++;
}

__attribute__((unused)) static void mmdb_writer_init(
	MmdbWriter *w, unsigned ip_version, unsigned record_size, const char *type)
{
	*w = (MmdbWriter){.ip_version = ip_version, .record_size = record_size, .type = type};
	(void)mmdb_new_node(w, (MmdbRecord){MMDB_EMPTY, 0});
}

__attribute__((unused)) static void mmdb_writer_done(MmdbWriter *w)
{
	free(w->nodes);
	strbuf_done(&w->data);
}

/* ---- data ---- */

static void mmdb_put_number(StrBuf *sb, uint64_t value, unsigned bytes)
{
	while (bytes--)
		strbuf_append_char(sb, (char)(value >> 8 * bytes));
}

/* Control bytes: type and size. */
static void mmdb_put_control(StrBuf *sb, unsigned type, uint32_t size)
{
	unsigned low = size < 29 ? size : size < 285 ? 29 : size < 65821 ? 30 : 31;

	strbuf_append_char(sb, (char)((type <= 7 ? type << 5 : 0) | low));
	if (type > 7)
		strbuf_append_char(sb, (char)(type - 7));
	if (low == 29)
		mmdb_put_number(sb, size - 29, 1);
	else if (low == 30)
		mmdb_put_number(sb, size - 285, 2);
	else if (low == 31)
		mmdb_put_number(sb, size - 65821, 3);
}

static void mmdb_put_string(StrBuf *sb, Span s)
{
	mmdb_put_control(sb, 2, (uint32_t)s.len);
	strbuf_append_span(sb, s);
}

static void mmdb_put_text(StrBuf *sb, const char *s)
{
	mmdb_put_string(sb, span_from_string(s));
}

/* An unsigned integer of a type (5: 16 bits, 6: 32, 9: 64), as short as it gets. */
static void mmdb_put_integer(StrBuf *sb, unsigned type, uint64_t value)
{
	unsigned bytes = 0;

	while (bytes < 8 && value >> 8 * bytes)
		bytes++;
	mmdb_put_control(sb, type, bytes);
	mmdb_put_number(sb, value, bytes);
}

__attribute__((unused)) static void mmdb_put_pointer(StrBuf *sb, uint32_t target)
{
	unsigned form = target < 2048 ? 0 : target < 526336 ? 1 : target < 134744064 ? 2 : 3;
	static const uint32_t base[] = {0, 2048, 526336, 0};
	uint32_t value = target - base[form];

	strbuf_append_char(
		sb, (char)(1U << 5 | form << 3 | (form < 3 ? (value >> 8 * (form + 1)) & 7 : 0)));
	mmdb_put_number(sb, value, form + 1);
}

/* A key: in full the first time, then a pointer, as the real writers do. key is a literal. */
static void mmdb_put_key(MmdbWriter *w, const char *key)
{
	for (size_t i = 0; i < w->key_count; i++) {
		if (!strcmp(w->keys[i].text, key)) {
			mmdb_put_pointer(&w->data, w->keys[i].offset);
			return;
		}
	}
	if (w->key_count == ARRAY_SIZE(w->keys))
		abort();
	w->keys[w->key_count].text = key;
	w->keys[w->key_count++].offset = (uint32_t)w->data.len;
	mmdb_put_text(&w->data, key);
}

/* The offset of a new country record. */
__attribute__((unused)) static uint32_t mmdb_writer_country(
	MmdbWriter *w, MmdbStyle style, const char *code)
{
	StrBuf *sb = &w->data;
	uint32_t offset = (uint32_t)sb->len;

	if (style == MMDB_FLAT) {
		mmdb_put_control(sb, 7, 1);
		mmdb_put_key(w, "country_code");
		mmdb_put_text(sb, code);
		return offset;
	}
	mmdb_put_control(sb, 7, 3);
	mmdb_put_key(w, "continent");
	mmdb_put_control(sb, 7, 2);
	mmdb_put_key(w, "geoname_id");
	mmdb_put_integer(sb, 6, 6255148);
	mmdb_put_key(w, "names");
	mmdb_put_control(sb, 7, 1);
	mmdb_put_key(w, "en");
	mmdb_put_text(sb, "Europe");
	mmdb_put_key(w, "country");
	mmdb_put_control(sb, 7, 2);
	mmdb_put_key(w, "is_in_european_union");
	mmdb_put_control(sb, 14, 1);
	mmdb_put_key(w, "iso_code");
	mmdb_put_text(sb, code);
	mmdb_put_key(w, "registered_country");
	mmdb_put_control(sb, 7, 1);
	mmdb_put_key(w, "iso_code");
	mmdb_put_text(sb, "XX");
	return offset;
}

/* The offset of a new ASN record. */
__attribute__((unused)) static uint32_t mmdb_writer_network(
	MmdbWriter *w, uint32_t asn, Span organisation)
{
	uint32_t offset = (uint32_t)w->data.len;

	mmdb_put_control(&w->data, 7, 2);
	mmdb_put_key(w, "autonomous_system_number");
	mmdb_put_integer(&w->data, 6, asn);
	mmdb_put_key(w, "autonomous_system_organization");
	mmdb_put_string(&w->data, organisation);
	return offset;
}

/* ---- tree ---- */

/*
 * Puts a record at a prefix, over what is there. The bits of the address are the topmost of
 * key.hi, key.lo.
 */
static void mmdb_writer_put(MmdbWriter *w, IpKey key, unsigned bits, MmdbRecord record)
{
	uint32_t node = 0;

	for (unsigned depth = 0;; depth++) {
		unsigned bit = (depth < 64 ? key.hi >> (63 - depth) : key.lo >> (127 - depth)) & 1;
		MmdbRecord *at = &w->nodes[node].records[bit];

		if (depth + 1 == bits) {
			*at = record;
			return;
		}
		if (at->kind != MMDB_NODE) {
			uint32_t new = mmdb_new_node(w, *at);

			w->nodes[node].records[bit] = (MmdbRecord){MMDB_NODE, new};
			at = &w->nodes[node].records[bit];
		}
		node = at->value;
	}
}

/* Where an address stands in this tree: its bits at the top. */
static IpKey mmdb_tree_key(const MmdbWriter *w, IpFamily family, IpKey key)
{
	if (family == IP_V4 && w->ip_version == 4)
		return (IpKey){key.lo << 32, 0};
	return key;
}

/* A range, cut into prefixes. */
__attribute__((unused)) static void mmdb_writer_range(
	MmdbWriter *w, IpFamily family, IpKey first, IpKey last, uint32_t offset)
{
	unsigned width = family == IP_V4 ? 32 : 128, tree = w->ip_version == 4 ? 32 : 128;

	for (;;) {
		unsigned free_bits = 0;
		IpKey end = first;

		/* the greatest block that starts here and does not go beyond the last address */
		while (free_bits < width) {
			IpKey more = end;
			bool odd = free_bits < 64 ? first.lo >> free_bits & 1
						  : first.hi >> (free_bits - 64) & 1;

			if (free_bits < 64)
				more.lo |= 1ULL << free_bits;
			else
				more.hi |= 1ULL << (free_bits - 64);
			if (odd || ipkey_less(last, more))
				break;
			end = more;
			free_bits++;
		}
		mmdb_writer_put(w, mmdb_tree_key(w, family, first), tree - free_bits,
			(MmdbRecord){MMDB_DATA, offset});
		if (!ipkey_less(end, last))
			return;
		first = ipkey_next(end);
	}
}

/* The node of ::/96, made if it isn't there. */
static uint32_t mmdb_v4_root(MmdbWriter *w)
{
	uint32_t node = 0;

	for (unsigned depth = 0; depth < 96; depth++) {
		MmdbRecord at = w->nodes[node].records[0];

		if (at.kind != MMDB_NODE) {
			at = (MmdbRecord){MMDB_NODE, mmdb_new_node(w, at)};
			w->nodes[node].records[0] = at;
		}
		node = at.value;
	}
	return node;
}

/* The prefix leads to the IPv4 part, as MaxMind does for 2002::/16 and others. */
__attribute__((unused)) static void mmdb_writer_alias(MmdbWriter *w, IpKey prefix, unsigned bits)
{
	mmdb_writer_put(w, prefix, bits, (MmdbRecord){MMDB_NODE, mmdb_v4_root(w)});
}

/* ---- file ---- */

/* Numbers the nodes in the order in which a walk meets them; aliases are met a second time. */
static uint32_t mmdb_number(MmdbWriter *w, uint32_t node, uint32_t next)
{
	if (w->nodes[node].number)
		return next;
	w->nodes[node].number = next++;
	for (unsigned i = 0; i < 2; i++)
		if (w->nodes[node].records[i].kind == MMDB_NODE)
			next = mmdb_number(w, w->nodes[node].records[i].value, next);
	return next;
}

static void mmdb_put_metadata(const MmdbWriter *w, uint32_t node_count, StrBuf *sb)
{
	strbuf_append(sb, "\xab\xcd\xefMaxMind.com", 14);
	mmdb_put_control(sb, 7, 9);
	mmdb_put_text(sb, "binary_format_major_version");
	mmdb_put_integer(sb, 5, 2);
	mmdb_put_text(sb, "binary_format_minor_version");
	mmdb_put_integer(sb, 5, 0);
	mmdb_put_text(sb, "build_epoch");
	mmdb_put_integer(sb, 9, MMDB_WRITER_EPOCH);
	mmdb_put_text(sb, "database_type");
	mmdb_put_text(sb, w->type);
	mmdb_put_text(sb, "description");
	mmdb_put_control(sb, 7, 1);
	mmdb_put_text(sb, "en");
	mmdb_put_text(sb, "made by a test");
	mmdb_put_text(sb, "ip_version");
	mmdb_put_integer(sb, 5, w->ip_version);
	mmdb_put_text(sb, "languages");
	mmdb_put_control(sb, 11, 1);
	mmdb_put_text(sb, "en");
	mmdb_put_text(sb, "node_count");
	mmdb_put_integer(sb, 6, node_count);
	mmdb_put_text(sb, "record_size");
	mmdb_put_integer(sb, 5, w->record_size);
}

static uint64_t mmdb_record_value(const MmdbWriter *w, MmdbRecord record, uint32_t node_count)
{
	switch (record.kind) {
	case MMDB_NODE: return w->nodes[record.value].number - 1;
	case MMDB_DATA: return (uint64_t)node_count + 16 + record.value;
	default: return node_count;
	}
}

/* The whole file. */
__attribute__((unused)) static void mmdb_writer_finish(MmdbWriter *w, StrBuf *sb)
{
	uint32_t node_count;
	uint32_t *order;

	for (size_t i = 0; i < w->count; i++)
		w->nodes[i].number = 0;
	node_count = mmdb_number(w, 0, 1) - 1;
	order = calloc(node_count, sizeof(*order));
	if (!order)
		abort();
	for (size_t i = 0; i < w->count; i++)
		if (w->nodes[i].number)
			order[w->nodes[i].number - 1] = (uint32_t)i;
	for (uint32_t i = 0; i < node_count; i++) {
		uint64_t left = mmdb_record_value(w, w->nodes[order[i]].records[0], node_count);
		uint64_t right = mmdb_record_value(w, w->nodes[order[i]].records[1], node_count);

		if (w->record_size == 28) {
			mmdb_put_number(sb, left & 0xffffff, 3);
			mmdb_put_number(sb, left >> 24 << 4 | right >> 24, 1);
			mmdb_put_number(sb, right & 0xffffff, 3);
		} else {
			mmdb_put_number(sb, left, w->record_size / 8);
			mmdb_put_number(sb, right, w->record_size / 8);
		}
	}
	free(order);
	mmdb_put_number(sb, 0, 8);
	mmdb_put_number(sb, 0, 8);
	strbuf_append(sb, strbuf_text(&w->data), w->data.len);
	mmdb_put_metadata(w, node_count, sb);
	if (strbuf_error(sb) || strbuf_error(&w->data))
		abort();
}
