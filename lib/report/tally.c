/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/tally.h"

#define SIZE_FIRST 64U
#define SIZE_LAST (1U << 31)

void tally_init(Tally *tally, HashKey key)
{
	*tally = (Tally){.key = key, .bytes = STRBUF_INIT};
}

void tally_done(Tally *tally)
{
	strbuf_done(&tally->bytes);
	free(tally->entries);
	free(tally->slots);
	*tally = (Tally){.bytes = STRBUF_INIT};
}

static int grow(Tally *tally)
{
	uint32_t size = tally->size ? tally->size * 2 : SIZE_FIRST;
	size_t mask = (size_t)size * 2 - 1;
	TallyEntry *entries;
	TallySlot *slots;

	if (tally->size >= SIZE_LAST)
		return -EFBIG;
	entries = reallocarray(tally->entries, size, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	tally->entries = entries;
	slots = calloc((size_t)size * 2, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < tally->count; i++) {
		uint32_t hash = (uint32_t)entries[i].digest.h0;
		size_t at = hash & mask;

		while (slots[at].number)
			at = (at + 1) & mask;
		slots[at] = (TallySlot){hash, i + 1};
	}
	free(tally->slots);
	tally->slots = slots;
	tally->size = size;
	return 0;
}

/* The slot of equal bytes, or the free one where they belong. */
static TallySlot *find_slot(const Tally *tally, HashDigest digest)
{
	size_t mask = (size_t)tally->size * 2 - 1;

	for (size_t at = (uint32_t)digest.h0 & mask;; at = (at + 1) & mask) {
		TallySlot *slot = &tally->slots[at];
		const TallyEntry *entry;

		if (!slot->number)
			return slot;
		if (slot->hash != (uint32_t)digest.h0)
			continue;
		entry = &tally->entries[slot->number - 1];
		if (entry->digest.h0 == digest.h0 && entry->digest.h1 == digest.h1)
			return slot;
	}
}

HashDigest tally_prepare(const Tally *tally, Span bytes)
{
	HashDigest digest = hash_digest(tally->key, bytes.data, bytes.len);

	if (tally->size)
		__builtin_prefetch(
			&tally->slots[(uint32_t)digest.h0 & ((size_t)tally->size * 2 - 1)]);
	return digest;
}

int tally_add_prepared(
	Tally *tally, Span bytes, HashDigest digest, uint64_t count, uint32_t *ret_number)
{
	TallySlot *slot;
	int r = 0;

	if (tally->count == tally->size)
		r = grow(tally);
	if (r < 0)
		return r;
	slot = find_slot(tally, digest);
	if (!slot->number) {
		size_t start = tally->bytes.len;

		strbuf_append_span(&tally->bytes, bytes);
		r = strbuf_error(&tally->bytes);
		if (r < 0)
			return r;
		tally->entries[tally->count] = (TallyEntry){digest, 0, (uint32_t)start};
		*slot = (TallySlot){(uint32_t)digest.h0, ++tally->count};
	}
	tally->entries[slot->number - 1].count += count;
	*ret_number = slot->number - 1;
	return 0;
}

int tally_add(Tally *tally, Span bytes, uint64_t count, uint32_t *ret_number)
{
	return tally_add_prepared(tally, bytes, tally_prepare(tally, bytes), count, ret_number);
}
