/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/archive.h"

#include "base/calendar.h"
#include "base/file.h"
#include "daemon/archive-copy.h"
#include "daemon/archive-folder.h"
#include "daemon/interrupt.h"
#include "daemon/log.h"
#include "daemon/meter.h"
#include "state/frame.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

#define FORMAT_NAME "archive"
#define FORMAT_VERSION 1

struct Archive {
	const ArchiveOptions *options;
	ArchiveFolder folder;
	char *path, *pending;
};

void archive_free(Archive *archive)
{
	if (!archive)
		return;
	archive_folder_done(&archive->folder);
	free(archive->path);
	free(archive->pending);
	free(archive);
}

const char *archive_path(const Archive *archive)
{
	return archive->path;
}

static int fail(Why *why, const char *path, int error)
{
	why_set(why, "%s: %s", path, strerror(-error));
	return error;
}

static int new_archive(const ArchiveOptions *options, Archive **ret_archive, Why *why)
{
	_cleanup_(archive_freep) Archive *archive = calloc(1, sizeof(*archive));

	if (!archive)
		return fail(why, options->state_dir, -ENOMEM);
	archive->options = options;
	archive->folder = ARCHIVE_FOLDER_INIT(options->seat);
	archive->pending = file_join_dup(options->state_dir, ARCHIVE_PENDING);
	if (!archive->pending)
		return fail(why, options->state_dir, -ENOMEM);
	*ret_archive = TAKE(archive);
	return 0;
}

int archive_new(const ArchiveOptions *options, Archive **ret_archive, Why *ret_why)
{
	_cleanup_(archive_freep) Archive *archive = NULL;
	time_t now = (time_t)(options->now_us / USEC_PER_SEC);
	char name[ARCHIVE_FOLDER_NAME_MAX];
	struct tm civil;
	int r = new_archive(options, &archive, ret_why);

	if (r < 0)
		return r;
	if (!gmtime_r(&now, &civil) ||
		!strftime(name, sizeof(name), ARCHIVE_FOLDER_PREFIX "%Y%m%dT%H%M%SZ", &civil))
		return fail(ret_why, options->state_dir, -ERANGE);
	r = archive_folder_choose(&archive->folder, options->directory, name, ret_why);
	if (r < 0)
		return r;
	archive->path = file_join_dup(archive->folder.directory, archive->folder.name);
	if (!archive->path)
		return fail(ret_why, options->state_dir, -ENOMEM);
	*ret_archive = TAKE(archive);
	return 0;
}

bool archive_is_below(const Archive *archive, const char *path)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	size_t len = real ? strlen(real) : 0;

	return real && !strncmp(archive->folder.directory, real, len) &&
	       (!archive->folder.directory[len] || archive->folder.directory[len] == '/');
}

/* ---- making it -------------------------------------------------------------------------------- */

static int write_contents(const Archive *archive, const Belongings *list, Why *why)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	_cleanup_close_ int fd = seat_openat(archive->options->seat, archive->folder.fd,
		ARCHIVE_CONTENTS, O_WRONLY | O_CREAT | O_EXCL, 0600);
	int r;

	if (fd < 0)
		return fail(why, archive->path, fd);
	frame_begin(&text, FORMAT_NAME, FORMAT_VERSION);
	strbuf_appendf(&text, "command %s\n", archive->options->command);
	belongings_append(list, &text);
	r = frame_end(&text);
	if (!r)
		r = file_write_full(fd, text.data, text.len);
	if (!r && fsync(fd) < 0)
		r = -errno;
	return r < 0 ? fail(why, archive->path, r) : 0;
}

typedef struct Copying {
	const Archive *archive;
	Meter meter;
	uint64_t done_bytes, total_bytes;
} Copying;

static bool on_progress(void *userdata, size_t bytes)
{
	Copying *copying = userdata;

	copying->done_bytes += bytes;
	meter_show(&copying->meter, copying->done_bytes, copying->total_bytes);
	return !interrupt_is_pending();
}

static int open_folder(const Archive *archive, const BelongingFolder *folder)
{
	return seat_openat(archive->options->seat, archive->folder.fd, folder->name,
		O_RDONLY | O_DIRECTORY, 0);
}

/* Whether another file of its folder has the name that it would have when it is packed. */
static bool is_packed_there(const Belongings *list, const Belonging *file)
{
	size_t len = strlen(file->name);

	for (size_t i = 0; i < list->count; i++)
		if (list->files[i].folder == file->folder &&
			!strncmp(list->files[i].name, file->name, len) &&
			!strcmp(list->files[i].name + len, ".gz"))
			return true;
	return false;
}

/* The files of one directory. 0 or -errno. */
static int fill_folder(Copying *copying, Belongings *list, size_t number, Why *why)
{
	const Archive *archive = copying->archive;
	const BelongingFolder *folder = &list->folders[number];
	_cleanup_close_ int fd = -1;
	ArchiveCopy copy = {
		.seat = archive->options->seat,
		.where = archive->path,
		.progress = on_progress,
		.userdata = copying,
	};
	int r = 0;

	seat_rise(copy.seat);
	if (mkdirat(archive->folder.fd, folder->name, 0700) < 0)
		r = -errno;
	seat_sit(copy.seat);
	if (r < 0)
		return fail(why, archive->path, r);
	fd = open_folder(archive, folder);
	if (fd < 0)
		return fail(why, archive->path, fd);
	copy.fd = fd;
	for (size_t i = 0; i < list->count && !r; i++) {
		Belonging *file = &list->files[i];

		if (file->folder != number)
			continue;
		copy.gzip = archive->options->gzip && !is_packed_there(list, file);
		r = interrupt_is_pending() ? -EINTR : archive_copy(&copy, file, why);
	}
	return r;
}

/* The folders become as the directories are. 0 or -errno. */
static int finish_folders(const Archive *archive, const Belongings *list, Why *why)
{
	for (size_t i = 0; i < list->folder_count; i++) {
		const BelongingFolder *folder = &list->folders[i];
		_cleanup_close_ int fd = open_folder(archive, folder);
		struct stat st;
		int r;

		if (fd < 0)
			return fail(why, archive->path, fd);
		if (stat(folder->source, &st) < 0)
			return fail(why, folder->source, -errno);
		r = archive_copy_attributes(archive->options->seat, fd, &st);
		if (r < 0)
			return fail(why, archive->path, r);
	}
	return 0;
}

static int fill(const Archive *archive, Belongings *list, Why *why)
{
	Copying copying = {.archive = archive, .total_bytes = list->size_bytes};
	int r = 0;

	meter_init(&copying.meter, archive->options->command);
	for (size_t i = 0; i < list->folder_count && !r; i++)
		r = fill_folder(&copying, list, i, why);
	meter_clear(&copying.meter);
	if (!r)
		r = write_contents(archive, list, why);
	return r ? r : finish_folders(archive, list, why);
}

/* Where files are to be removed. 0 or -errno. */
static int check_removal(const Belongings *list, Why *why)
{
	for (size_t i = 0; i < list->count; i++) {
		_cleanup_free_ char *dir = file_parent_dup(list->files[i].path);

		if (!dir)
			return fail(why, list->files[i].path, -ENOMEM);
		if (!list->files[i].stays && faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) < 0)
			return fail(why, dir, -errno);
	}
	return 0;
}

static int sync_directory(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

int archive_make(Archive *archive, Belongings *list, Why *ret_why)
{
	const char *state_dir = archive->options->state_dir;
	int r = check_removal(list, ret_why);

	if (!r)
		r = archive_folder_make(&archive->folder, ret_why);
	if (r)
		return r;
	r = fill(archive, list, ret_why);
	if (!r)
		r = archive_folder_publish(&archive->folder, ret_why);
	if (!r && symlink(archive->path, archive->pending) < 0)
		r = fail(ret_why, archive->pending, -errno);
	else if (!r && sync_directory(state_dir) < 0) {
		r = fail(ret_why, state_dir, -errno);
		(void)unlink(archive->pending);
	}
	if (r < 0)
		archive_folder_remove(&archive->folder);
	return r;
}

int archive_take_back(Archive *archive, Why *ret_why)
{
	int r = unlink(archive->pending) < 0 ? -errno : 0;

	if (!r)
		r = sync_directory(archive->options->state_dir);
	if (r < 0)
		return fail(ret_why, archive->pending, r);
	archive_folder_remove(&archive->folder);
	return 0;
}

/* ---- what was left ---------------------------------------------------------------------------- */

/* The link that state_dir may have. 0, ARCHIVE_NONE or -errno. */
static int read_pending(Archive *archive, Why *why)
{
	char path[PATH_MAX];
	ssize_t n = readlink(archive->pending, path, sizeof(path));

	if (n < 0)
		return errno == ENOENT ? ARCHIVE_NONE : fail(why, archive->pending, -errno);
	archive->path = span_dup((Span){path, (size_t)n});
	return archive->path ? 0 : fail(why, archive->pending, -ENOMEM);
}

static int parse_contents(StrBuf *lines, Belongings *ret_list, char **ret_command)
{
	_cleanup_free_ char *command = NULL;
	char *line;
	size_t at = 0;
	int r = frame_line(lines, &at, &line);

	if (r < 0 || !line || strncmp(line, "command ", 8) != 0)
		return -EBADMSG;
	command = strdup(line + 8);
	r = command ? belongings_parse(lines, &at, ret_list) : -ENOMEM;
	if (!r)
		*ret_command = TAKE(command);
	return r;
}

int archive_find(const ArchiveOptions *options, Archive **ret_archive, Belongings *ret_list,
	char **ret_command, Why *ret_why)
{
	_cleanup_(archive_freep) Archive *archive = NULL;
	_cleanup_strbuf_ StrBuf lines = STRBUF_INIT;
	_cleanup_close_ int fd = -1;
	Why why = {""};
	int r = new_archive(options, &archive, ret_why);

	if (!r)
		r = read_pending(archive, ret_why);
	if (r)
		return r;
	fd = archive_folder_open_file(options->seat, archive->path, ARCHIVE_CONTENTS);
	r = fd < 0 ? fd : frame_read(fd, FORMAT_NAME, FORMAT_VERSION, &lines, &why);
	if (!r) {
		r = parse_contents(&lines, ret_list, ret_command);
		if (r == -EBADMSG)
			why_set(&why, "a line of it can't be read");
	}
	if (r < 0) {
		why_set(ret_why,
			"%s: leads to an archive that was made to start over from, and its "
			"%s/" ARCHIVE_CONTENTS
			" can't be read: %s; put that back, or, to go on with what is left, "
			"remove the link",
			archive->pending, archive->path, *why.text ? why.text : strerror(-r));
		return r;
	}
	*ret_archive = TAKE(archive);
	return 0;
}

/* ---- removing --------------------------------------------------------------------------------- */

/* 0 when it is gone; ARCHIVE_CHANGED, said; -errno. */
static int remove_file(const Belonging *file, bool is_log, bool *begun, Why *why)
{
	struct stat st;

	if (lstat(file->path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail(why, file->path, -errno);
	/* The number of the device is another one after a restart of some systems. */
	if (!S_ISREG(st.st_mode) || st.st_ino != file->inode ||
		(uint64_t)st.st_size != file->size_bytes ||
		st.st_mtim.tv_sec != file->modified.tv_sec ||
		st.st_mtim.tv_nsec != file->modified.tv_nsec) {
		/* Any command may have something to say there, and is not kept from it. */
		if (is_log)
			log_info("%s: has new lines; it stays", file->path);
		else
			log_warning("%s: has changed since it was archived; it stays", file->path);
		return is_log ? 0 : ARCHIVE_CHANGED;
	}
	if (unlink(file->path) < 0)
		return errno == ENOENT ? 0 : fail(why, file->path, -errno);
	*begun = true;
	return 0;
}

/* What was removed up to here stays so when the power goes. */
static int sync_removed(const Belongings *list, BelongingStage stage, Why *why)
{
	_cleanup_free_ char *last = NULL;

	for (size_t i = 0; i < list->count; i++) {
		_cleanup_free_ char *dir = NULL;
		int r;

		if (list->files[i].stage != stage || list->files[i].stays)
			continue;
		dir = file_parent_dup(list->files[i].path);
		if (!dir)
			return fail(why, list->files[i].path, -ENOMEM);
		r = last && !strcmp(last, dir) ? 0 : sync_directory(dir);
		if (r < 0)
			return fail(why, dir, r);
		free(last);
		last = TAKE(dir);
	}
	return 0;
}

int archive_remove(const Archive *archive, const Belongings *list, bool *ret_begun, Why *ret_why)
{
	bool changed = false, begun = false;
	int r = 0;

	*ret_begun = false;
	for (BelongingStage stage = 0; stage < STAGE_COUNT && r >= 0; stage++) {
		for (size_t i = 0; i < list->count && r >= 0; i++) {
			const Belonging *file = &list->files[i];

			if (file->stage != stage || file->stays)
				continue;
			r = remove_file(file, belongings_is_log(&list->folders[file->folder]),
				&begun, ret_why);
			changed |= r == ARCHIVE_CHANGED;
		}
		*ret_begun = begun;
		if (r >= 0)
			r = sync_removed(list, stage, ret_why);
	}
	if (r < 0)
		return r;
	/* One that holds something else stays. */
	for (size_t i = 0; i < list->folder_count; i++)
		if (list->folders[i].leaves)
			(void)rmdir(list->folders[i].source);
	if (unlink(archive->pending) < 0 && errno != ENOENT)
		return fail(ret_why, archive->pending, -errno);
	r = sync_directory(archive->options->state_dir);
	if (r < 0)
		return fail(ret_why, archive->options->state_dir, r);
	return changed ? ARCHIVE_CHANGED : 0;
}
