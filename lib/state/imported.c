/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/imported.h"

#include "base/file.h"
#include "base/number.h"
#include "state/frame.h"

#include <inttypes.h>

#define FORMAT_NAME "imported"
#define FORMAT_VERSION 1
#define FILE_NAME "sql-import.offset"

/* "KEY NUMBER". 0 or -EBADMSG. */
static int read_number(const char *line, const char *key, uint64_t *ret_value)
{
	size_t len = strlen(key);

	if (!line || strncmp(line, key, len) != 0 || line[len] != ' ')
		return -EBADMSG;
	return number_parse_u64(span_from_string(line + len + 1), INT64_MAX, ret_value) ? -EBADMSG
											: 0;
}

int imported_load(const char *state_dir, Imported *ret_imported, Why *ret_why)
{
	_cleanup_free_ char *path = file_join_dup(state_dir, FILE_NAME);
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	static const char *const keys[] = {"sequence", "checked"};
	uint64_t values[ARRAY_SIZE(keys)];
	size_t at = 0;
	int r = path ? frame_load(path, FORMAT_NAME, FORMAT_VERSION, &sb, ret_why) : -ENOMEM;

	if (r)
		return r == FRAME_NONE ? IMPORTED_NONE : r;
	for (size_t i = 0; !r && i < ARRAY_SIZE(keys); i++) {
		char *line = NULL;

		r = frame_line(&sb, &at, &line);
		if (!r)
			r = read_number(line, keys[i], &values[i]);
	}
	if (r) {
		why_set(ret_why, "a line of it can't be read");
		return r;
	}
	*ret_imported = (Imported){.sequence = values[0], .checked_us = (int64_t)values[1]};
	return 0;
}

int imported_save(const char *state_dir, const Imported *imported)
{
	_cleanup_free_ char *path = file_join_dup(state_dir, FILE_NAME);
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	if (!path)
		return -ENOMEM;
	frame_begin(&sb, FORMAT_NAME, FORMAT_VERSION);
	strbuf_appendf(&sb, "sequence %" PRIu64 "\nchecked %" PRId64 "\n", imported->sequence,
		imported->checked_us);
	return frame_save(path, &sb);
}
