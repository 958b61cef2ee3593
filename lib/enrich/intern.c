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
	free(intern->table);
	free(intern->starts);
	free(intern->hashes);
	*intern = (Intern){.bytes = STRBUF_INIT};
}

Span intern_get(const Intern *intern, uint32_t number)
{
	size_t start = intern->starts[number];
	size_t end = number + 1 < intern->count ? intern->starts[number + 1] : intern->bytes.len;

	return (Span){strbuf_text(&intern->bytes) + start, end - start};
}

static void table_put(uint32_t *table, uint32_t slots, uint32_t hash, uint32_t number)
{
	uint32_t at = hash & (slots - 1);

	while (table[at])
		at = (at + 1) & (slots - 1);
	table[at] = number + 1;
}

static int grow(Intern *intern)
{
	uint32_t size = intern->size ? intern->size * 2 : 1024, *table, *starts, *hashes;

	if (intern->size >= INTERN_MAX)
		return -EFBIG;
	starts = reallocarray(intern->starts, size, sizeof(*starts));
	if (!starts)
		return -ENOMEM;
	intern->starts = starts;
	hashes = reallocarray(intern->hashes, size, sizeof(*hashes));
	if (!hashes)
		return -ENOMEM;
	intern->hashes = hashes;
	table = calloc((size_t)size * 2, sizeof(*table));
	if (!table)
		return -ENOMEM;
	for (uint32_t i = 0; i < intern->count; i++)
		table_put(table, size * 2, hashes[i], i);
	free(intern->table);
	intern->table = table;
	intern->slots = size * 2;
	intern->size = size;
	return 0;
}

int intern_add(Intern *intern, const void *data, size_t len, uint32_t *ret_number)
{
	uint32_t hash = (uint32_t)hash_bytes(intern->key, data, len);
	uint32_t number;
	int r;

	for (uint32_t at = hash; intern->slots; at++) {
		uint32_t found = intern->table[at & (intern->slots - 1)];
		Span bytes;

		if (!found)
			break;
		if (intern->hashes[found - 1] != hash)
			continue;
		bytes = intern_get(intern, found - 1);
		if (bytes.len == len && (!len || !memcmp(bytes.data, data, len))) {
			*ret_number = found - 1;
			return 0;
		}
	}
	if (intern->count == intern->size) {
		r = grow(intern);
		if (r < 0)
			return r;
	}
	number = intern->count;
	intern->starts[number] = (uint32_t)intern->bytes.len;
	strbuf_append(&intern->bytes, data, len);
	r = strbuf_error(&intern->bytes);
	if (r < 0)
		return r;
	intern->hashes[number] = hash;
	intern->count++;
	table_put(intern->table, intern->slots, hash, number);
	*ret_number = number;
	return 0;
}
