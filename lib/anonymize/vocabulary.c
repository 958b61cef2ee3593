/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "anonymize/vocabulary.h"

#include "anonymize/words.h"

#define SLOTS 32768 /* a power of two, several times as many as there are words */

struct Vocabulary {
	char *text;
	size_t len;
	VocabularyWord slots[SLOTS];
};

static const VocabularyWord unknown;

/* The first and the last bytes and the length tell most words apart. */
static size_t hash_word(const char *word, size_t len)
{
	uint64_t first = 0, last = 0;

	if (len >= 8) {
		memcpy(&first, word, 8);
		memcpy(&last, word + len - 8, 8);
	} else if (len >= 4) {
		uint32_t half;

		memcpy(&half, word, 4);
		first = half;
		memcpy(&half, word + len - 4, 4);
		last = half;
	} else {
		first = (unsigned char)word[0] | (uint64_t)(unsigned char)word[len / 2] << 8 |
			(uint64_t)(unsigned char)word[len - 1] << 16;
	}
	first = (first ^ len) * 0x9e3779b97f4a7c15ULL;
	last = (last ^ first >> 29) * 0xbf58476d1ce4e5b9ULL;
	return (first ^ last) >> 40 & (SLOTS - 1);
}

/* Where the word is, or would be. */
static size_t find_slot(const Vocabulary *v, const char *word, size_t len)
{
	size_t at = hash_word(word, len);

	for (;; at = (at + 1) & (SLOTS - 1)) {
		const VocabularyWord *slot = &v->slots[at];

		if (!slot->len || (slot->len == len && !memcmp(v->text + slot->at, word, len)))
			return at;
	}
}

const VocabularyWord *vocabulary_find(const Vocabulary *vocabulary, const char *word, size_t len)
{
	const VocabularyWord *slot;

	if (!len || len > UINT8_MAX)
		return &unknown;
	slot = &vocabulary->slots[find_slot(vocabulary, word, len)];
	return slot->len ? slot : &unknown;
}

/* Words with blanks between them; one that is there already gets the flags, too. */
static void add_words(Vocabulary *v, const WordList *list)
{
	const char *p = list->words;

	while (*p) {
		size_t len = strcspn(p, " ");
		VocabularyWord *slot = &v->slots[find_slot(v, p, len)];

		if (!slot->len) {
			memcpy(v->text + v->len, p, len);
			slot->at = (uint32_t)v->len;
			slot->len = (uint8_t)len;
			v->len += len;
		}
		slot->flags |= list->flags;
		if (list->flags & (WORD_NAMES | WORD_KEY))
			slot->kind = list->kind;
		p += len + (p[len] == ' ');
	}
}

int vocabulary_new(Vocabulary **ret_vocabulary)
{
	_cleanup_(vocabulary_freep) Vocabulary *v = calloc(1, sizeof(*v));
	size_t size = 0;

	if (!v)
		return -ENOMEM;
	for (const WordList *list = words_lists; list->words; list++)
		size += strlen(list->words);
	v->text = malloc(size + 1);
	if (!v->text)
		return -ENOMEM;
	for (const WordList *list = words_lists; list->words; list++)
		add_words(v, list);
	*ret_vocabulary = TAKE(v);
	return 0;
}

void vocabulary_free(Vocabulary *v)
{
	if (!v)
		return;
	free(v->text);
	free(v);
}
