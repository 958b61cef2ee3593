/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The rotated files of a log: each line of the input is what stands behind the log's name in the name of a file.
 * What is listed is there, is a sibling, comes once and in order, and the log is last.
 */

#include "fuzz.h"

#include <limits.h>

#include "../unit/scratch.h"
#include "source/siblings.h"

#define NAMES_MAX 24

static void make_files(Span input)
{
	const char *p = input.data, *end = input.data + input.len;

	for (size_t i = 0; p < end && i < NAMES_MAX; i++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((newline ? newline : end) - p);
		char name[NAME_MAX + 1] = "log";

		if (n < sizeof(name) - 3 && !memchr(p, '/', n) && !memchr(p, '\0', n)) {
			int fd;

			memcpy(name + 3, p, n);
			fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
			HOLDS(fd >= 0);
			(void)close(fd);
		}
		p += n + 1;
	}
}

/* The rule in other words: a separator, a digit, digits and separators, and perhaps a compressor's suffix. */
static bool is_sibling(const char *suffix)
{
	size_t n = strspn(suffix, "-_.T:Z0123456789"), digits = 0;

	for (size_t i = 0; i < n; i++)
		digits += suffix[i] >= '0' && suffix[i] <= '9';
	/* the dot of ".gz" */
	if (suffix[n] &&
		(strcmp(suffix + n, "gz") && strcmp(suffix + n, "xz") && strcmp(suffix + n, "zst")))
		return false;
	return n >= 2 && strchr("-_.", suffix[0]) && digits >= 1 && digits <= 32;
}

static void check_list(const SiblingList *list)
{
	bool numbered = false, dated = false;

	for (size_t i = 0; i < list->count; i++) {
		numbered |= list->files[i].kind == SIBLING_NUMBERED;
		dated |= list->files[i].kind == SIBLING_DATED;
	}
	for (size_t i = 0; i < list->count; i++) {
		const Sibling *file = &list->files[i], *before = i ? file - 1 : NULL;
		const char *suffix = file->path + strlen("./log");

		HOLDS(!strncmp(file->path, "./log", 5) && !access(file->path, F_OK));
		HOLDS((file->kind == SIBLING_LOG) == !*suffix);
		HOLDS(file->kind != SIBLING_LOG || i + 1 == list->count);
		HOLDS(file->kind == SIBLING_LOG || is_sibling(suffix));
		for (size_t j = 0; j < i; j++)
			HOLDS(list->files[j].inode != file->inode);
		/* where there are both, the time of writing decides */
		if (!before || file->kind != before->kind || (numbered && dated))
			continue;
		if (file->kind == SIBLING_NUMBERED)
			HOLDS(file->number <= before->number);
		else
			HOLDS(strcmp(file->digits, before->digits) >= 0);
	}
}

/* Kept for the whole process: to close an inotify instance takes the kernel longer than a list. */
static Moment *moment;

FUZZ_TARGET(siblings)
{
	_cleanup_siblings_ SiblingList list = SIBLING_LIST_INIT;

	if (!*scratch_root)
		scratch_enter();
	HOLDS(moment || !moment_new(&moment));
	make_files(fuzz_rest(&(FuzzInput){data, size}));
	HOLDS(!siblings_list("log", moment, &list));
	check_list(&list);
	HOLDS(access("log", F_OK) ||
		(list.count && list.files[list.count - 1].kind == SIBLING_LOG));
	scratch_empty();
	return 0;
}
