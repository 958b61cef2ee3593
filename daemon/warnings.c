/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/warnings.h"

#include <stdio.h>

/* A sentence is as long as it may be in the log. */
typedef struct Text {
	char *key, *text;
} Text;

struct Warnings {
	StatusWarning *list;
	Text *texts; /* what list borrows */
	size_t count, size;
	uint64_t more;
	bool more_said;
};

int warnings_new(Warnings **ret_warnings)
{
	*ret_warnings = calloc(1, sizeof(**ret_warnings));
	return *ret_warnings ? 0 : -ENOMEM;
}

static void drop(Warnings *warnings, size_t at)
{
	free(warnings->texts[at].key);
	free(warnings->texts[at].text);
	warnings->count--;
	memmove(&warnings->list[at], &warnings->list[at + 1],
		(warnings->count - at) * sizeof(*warnings->list));
	memmove(&warnings->texts[at], &warnings->texts[at + 1],
		(warnings->count - at) * sizeof(*warnings->texts));
}

void warnings_free(Warnings *warnings)
{
	if (!warnings)
		return;
	while (warnings->count)
		drop(warnings, warnings->count - 1);
	free(warnings->list);
	free(warnings->texts);
	free(warnings);
}

/* Its index, or count. */
static size_t find(const Warnings *warnings, const char *key)
{
	size_t at = 0;

	while (at < warnings->count && strcmp(warnings->list[at].key, key))
		at++;
	return at;
}

const char *warnings_key(char key[WARNINGS_KEY_MAX], const char *condition, const char *name)
{
	(void)snprintf(key, WARNINGS_KEY_MAX, "%s:%s", condition, name);
	return key;
}

static bool grow(Warnings *warnings)
{
	size_t size = MIN(2 * warnings->size + 8, (size_t)WARNINGS_MAX);
	StatusWarning *list;
	Text *texts;

	if (warnings->count < warnings->size)
		return true;
	list = reallocarray(warnings->list, size, sizeof(*list));
	if (list)
		warnings->list = list;
	texts = reallocarray(warnings->texts, size, sizeof(*texts));
	if (texts)
		warnings->texts = texts;
	if (!list || !texts)
		return false;
	warnings->size = size;
	return true;
}

/* Puts it where it belongs by its instant. */
static void insert(Warnings *warnings, int64_t since_us, Text text_take)
{
	size_t at = warnings->count++;

	for (; at && warnings->list[at - 1].since_us > since_us; at--) {
		warnings->list[at] = warnings->list[at - 1];
		warnings->texts[at] = warnings->texts[at - 1];
	}
	warnings->texts[at] = text_take;
	warnings->list[at] = (StatusWarning){since_us, text_take.key, text_take.text};
}

void warnings_raise(
	Warnings *warnings, LogLevel level, const char *key, int64_t since_us, const char *fmt, ...)
{
	char text[LOG_MESSAGE_MAX];
	size_t at = find(warnings, key);
	Text copy;
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		*text = '\0';
	va_end(ap);
	if (at < warnings->count) {
		if (!strcmp(warnings->list[at].text, text))
			return;
		since_us = MIN(since_us, warnings->list[at].since_us);
		drop(warnings, at);
	} else if (warnings->count >= WARNINGS_MAX) {
		/* Which ones they are is not known, so nor is whether this one was counted before. */
		warnings->more++;
		if (!warnings->more_said)
			log_warning("there are more than %d warnings; the others are not told",
				WARNINGS_MAX);
		warnings->more_said = true;
		return;
	}
	log_message_kind(level, message_of_warning(key), "MLS_WARNING", key, "%s", text);
	copy = (Text){strdup(key), strdup(text)};
	if (!copy.key || !copy.text || !grow(warnings)) {
		free(copy.key);
		free(copy.text);
		return;
	}
	insert(warnings, since_us, copy);
}

void warnings_clear(Warnings *warnings, const char *key, const char *fmt, ...)
{
	char text[LOG_MESSAGE_MAX];
	size_t at = find(warnings, key);
	va_list ap;

	if (at == warnings->count)
		return;
	drop(warnings, at);
	/* Those that were not kept come again, if they still last. */
	warnings->more = 0;
	if (!fmt)
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) >= 0)
		log_message_kind(
			LOG_LEVEL_INFO, MESSAGE_WARNING_ENDED, "MLS_WARNING", key, "%s", text);
	va_end(ap);
}

void warnings_forget(Warnings *warnings, const char *prefix, int64_t before_us)
{
	for (size_t at = warnings->count; at-- > 0;)
		if (!strncmp(warnings->list[at].key, prefix, strlen(prefix)) &&
			warnings->list[at].since_us < before_us)
			drop(warnings, at);
}

void warnings_sweep(
	Warnings *warnings, bool (*minds)(void *userdata, const char *key), void *userdata)
{
	for (size_t at = warnings->count; at-- > 0;) {
		if (minds(userdata, warnings->list[at].key))
			continue;
		drop(warnings, at);
		warnings->more = 0;
	}
}

const char *warnings_text(const Warnings *warnings, const char *key)
{
	size_t at = find(warnings, key);

	return at < warnings->count ? warnings->list[at].text : NULL;
}

StatusWarning *warnings_copy_dup(const Warnings *warnings, size_t *ret_count, uint64_t *ret_more)
{
	StatusWarning *copy = warnings->count ? calloc(warnings->count, sizeof(*copy)) : NULL;

	*ret_count = copy ? warnings->count : 0;
	*ret_more = warnings->more + (copy ? 0 : warnings->count);
	if (copy)
		memcpy(copy, warnings->list, warnings->count * sizeof(*copy));
	return copy;
}
