/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/intern.h"

int intern_init(Intern *intern)
{
	*intern = (Intern){.bytes = STRBUF_INIT};
	return hash_key_random(&intern->key);
}

void intern_done(Intern *intern)
{
	strbuf_done(&intern->bytes);
	free(intern->starts);
	free(intern->slots);
	*intern = (Intern){.bytes = STRBUF_INIT};
}

Span intern_get(const Intern *intern, uint32_t number)
{
	size_t start = intern->starts[number];
	size_t end = number + 1 < intern->count ? intern->starts[number + 1] : intern->bytes.len;

	return (Span){strbuf_text(&intern->bytes) + start, end - start};
}

/* The slot of equal bytes, or the free one where they belong. */
static InternSlot *find_slot(const Intern *intern, uint32_t hash, const void *data, size_t len)
{
	uint32_t mask = intern->size * 2 - 1;

	for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
		InternSlot *slot = &intern->slots[at];
		Span bytes;

		if (!slot->number)
			return slot;
		if (slot->hash != hash)
			continue;
		bytes = intern_get(intern, slot->number - 1);
		if (bytes.len == len && (!len || !memcmp(bytes.data, data, len)))
			return slot;
	}
}

static int grow(Intern *intern)
{
	uint32_t size = intern->size ? intern->size * 2 : 1024, mask = size * 2 - 1;
	InternSlot *slots;
	uint32_t *starts;

	if (intern->size >= INTERN_MAX)
		return -EFBIG;
	starts = reallocarray(intern->starts, size, sizeof(*starts));
	if (!starts)
		return -ENOMEM;
	intern->starts = starts;
	slots = calloc((size_t)size * 2, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < (size_t)intern->size * 2; i++) {
		uint32_t at = intern->slots[i].hash & mask;

		if (!intern->slots[i].number)
			continue;
		while (slots[at].number)
			at = (at + 1) & mask;
		slots[at] = intern->slots[i];
	}
	free(intern->slots);
	intern->slots = slots;
	intern->size = size;
	return 0;
}

int intern_add(Intern *intern, const void *data, size_t len, uint32_t *ret_number)
{
	uint32_t hash = (uint32_t)hash_bytes(intern->key, data, len);
	InternSlot *slot;
	int r = 0;

	if (intern->count == intern->size)
		r = grow(intern);
	if (r < 0)
		return r;
	slot = find_slot(intern, hash, data, len);
	if (!slot->number) {
		intern->starts[intern->count] = (uint32_t)intern->bytes.len;
		strbuf_append(&intern->bytes, data, len);
		r = strbuf_error(&intern->bytes);
		if (r < 0)
			return r;
		*slot = (InternSlot){hash, ++intern->count};
	}
	*ret_number = slot->number - 1;
	return 0;
}
