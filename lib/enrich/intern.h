/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Equal byte strings get equal numbers: 0, 1, 2, ... in the order of their first appearance.
 * Keeps one copy of each. The hash is keyed at random, so that nobody who writes into a database
 * can slow it down.
 */

#include "base/hash.h"
#include "base/strbuf.h"

#define INTERN_MAX ((uint32_t)1 << 24)

typedef struct InternSlot {
	uint32_t hash;
	uint32_t number; /* + 1; 0: the slot is free */
} InternSlot;

typedef struct Intern {
	HashKey key;
	StrBuf bytes;
	uint32_t *starts; /* of each number, in bytes */
	uint32_t count, size;
	InternSlot *slots; /* 2 * size: a power of two, and never more than half full */
} Intern;

/* 0, or -errno when the kernel has no random bytes. End it with intern_done. */
int intern_init(Intern *intern);
void intern_done(Intern *intern);

/* The number of the bytes. 0, -ENOMEM, or -EFBIG when there are INTERN_MAX of them. */
int intern_add(Intern *intern, const void *data, size_t len, uint32_t *ret_number);

/* The bytes of a number that intern_add gave out, borrowed until the next intern_add. */
Span intern_get(const Intern *intern, uint32_t number);
