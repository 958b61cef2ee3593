/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/metrics-file.h"

#include "base/file.h"
#include "daemon/loop.h"
#include "daemon/metrics.h"

#include <fcntl.h>
#include <sys/stat.h>

#define WARNING_KEY "metrics"

struct MetricsFile {
	Warnings *warnings;
	char *path;
	StrBuf written; /* what the file says; empty: it is to be written */
	uint64_t beat_ms;
	int error; /* of the last time */
};

int metrics_file_new(const char *path, Warnings *warnings, MetricsFile **ret_file)
{
	_cleanup_(metrics_file_freep) MetricsFile *file = calloc(1, sizeof(*file));

	if (!file)
		return -ENOMEM;
	file->warnings = warnings;
	file->path = strdup(path);
	if (!file->path)
		return -ENOMEM;
	*ret_file = TAKE(file);
	return 0;
}

void metrics_file_free(MetricsFile *file)
{
	if (!file)
		return;
	strbuf_done(&file->written);
	free(file->path);
	free(file);
}

int metrics_file_set_path(MetricsFile *file, const char *path)
{
	char *copy;

	if (!strcmp(path, file->path))
		return 0;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	/* What nobody writes any more must not be taken for how things are. */
	if (file->written.len && unlink(file->path) < 0 && errno != ENOENT)
		log_warning("%s: %s", file->path, strerror(errno));
	free(file->path);
	file->path = copy;
	strbuf_reset(&file->written);
	file->error = 0;
	if (!*path)
		warnings_clear(file->warnings, WARNING_KEY, NULL);
	return 0;
}

/* Whether the file is there as it was written; then it is as young as if it had been written now. */
static bool renew(MetricsFile *file, const StrBuf *text, uint64_t now_ms)
{
	if (!file->written.len || text->len != file->written.len ||
		memcmp(text->data, file->written.data, text->len) != 0)
		return false;
	if (now_ms - file->beat_ms < METRICS_FILE_BEAT_MS)
		return true;
	file->beat_ms = now_ms;
	return utimensat(AT_FDCWD, file->path, NULL, 0) == 0;
}

bool metrics_file_write(MetricsFile *file, const Status *status, uint64_t now_ms)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	int before = file->error, r;

	if (!*file->path)
		return false;
	metrics_append(status, &text);
	r = strbuf_error(&text);
	if (!r && renew(file, &text, now_ms))
		return false;
	if (!r)
		r = file_replace_unsynced(file->path, text.data, text.len, 0644);
	file->error = r;
	if (r < 0) {
		strbuf_reset(&file->written);
		warnings_raise(file->warnings, LOG_LEVEL_WARNING, WARNING_KEY, loop_wall_us(),
			"%s: %s; there are no new metrics until that is mended", file->path,
			strerror(-r));
		return r != before;
	}
	warnings_clear(file->warnings, WARNING_KEY, "%s: is written again", file->path);
	file->beat_ms = now_ms;
	strbuf_done(&file->written);
	file->written = text;
	text = STRBUF_INIT;
	return r != before;
}
