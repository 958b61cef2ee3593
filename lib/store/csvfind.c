/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/csvfind.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define ATTEMPTS_MAX 3

void csvfound_done(CsvFound *found)
{
	free(found->path);
	reader_free(found->reader);
	*found = CSV_FOUND_INIT;
}

/* 0 with the open file, or that it is none (*ret_reader NULL), -errno. */
static int open_plain_file(const char *path, Reader **ret_reader, uint64_t *ret_inode)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	*ret_reader = NULL;
	/* Opening must not do something to a device, nor wait for a FIFO. */
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	*ret_inode = st.st_ino;
	return reader_new(take_fd(&fd), ret_reader);
}

/* A compressed stream from its start again, on the same open file. 0 or -errno. */
static int start_over(Reader **reader)
{
	int fd = fcntl(reader_fd(*reader), F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_SET) < 0) {
		int error = -errno;

		(void)close(fd);
		return error;
	}
	reader_free(TAKE(*reader));
	return reader_new(fd, reader);
}

static int compare_plain(const FileMark *mark, int fd, uint64_t *ret_length)
{
	int r = mark_compare_fd(mark, fd);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_length = MIN((uint64_t)st.st_size, mark->offset);
	return r;
}

static int compare_compressed(const FileMark *mark, Reader **reader, uint64_t *ret_length)
{
	int r = mark_compare_reader(mark, *reader, ret_length);
	int again = r == 0 || r == MARK_SHORT ? start_over(reader) : 0;

	return again < 0 ? again : r;
}

/* Whether the file at path holds what is marked. 0, MARK_SHORT, MARK_OTHER, -errno. */
static int try_file(const char *path, const FileMark *mark, CsvFound *ret_found)
{
	_cleanup_csvfound_ CsvFound found = CSV_FOUND_INIT;
	uint64_t inode = 0;
	int r = open_plain_file(path, &found.reader, &inode);

	if (r < 0 || !found.reader)
		return r < 0 ? r : MARK_OTHER;
	found.same = inode == mark->inode;
	r = reader_compressed(found.reader)
		    ? compare_compressed(mark, &found.reader, &found.length)
		    : compare_plain(mark, reader_fd(found.reader), &found.length);
	if (r < 0 || r == MARK_OTHER)
		return r;
	found.path = strdup(path);
	if (!found.path)
		return -ENOMEM;
	*ret_found = found;
	found = CSV_FOUND_INIT;
	return r;
}

static int rank(const CsvFound *found)
{
	return !reader_compressed(found->reader) * 2 + found->named;
}

static bool is_better(int r, const CsvFound *found, int best_r, const CsvFound *best)
{
	if (!best->path || r != best_r)
		return !best->path || r < best_r;
	if (r == MARK_SHORT && found->length != best->length)
		return found->length > best->length;
	if (rank(found) != rank(best))
		return rank(found) > rank(best);
	return strcmp(found->path, best->path) < 0;
}

typedef struct Search {
	const char *dir, *name; /* of the CSV */
	const FileMark *mark;
	CsvFound best;
	int best_r;
	int error; /* why a file that may be the one could not be looked at, or 0 */
} Search;

static void look_at(Search *search, const struct dirent *entry)
{
	_cleanup_csvfound_ CsvFound found = CSV_FOUND_INIT;
	_cleanup_free_ char *path = file_join_dup(search->dir, entry->d_name);
	bool named = !strncmp(entry->d_name, search->name, strlen(search->name));
	int r = path ? try_file(path, search->mark, &found) : -ENOMEM;

	if (r < 0) {
		/* Other files may well be forbidden, or of a format that is not built in. */
		if (!search->error &&
			(r == -ENOMEM || named || entry->d_ino == search->mark->inode))
			search->error = r;
		return;
	}
	found.named = named;
	if (r == MARK_OTHER || !is_better(r, &found, search->best_r, &search->best))
		return;
	csvfound_done(&search->best);
	search->best = found;
	search->best_r = r;
	found = CSV_FOUND_INIT;
}

/* One look at the directory, first at what has the marked inode: that comes before all copies. As csvfind. */
static int look(Search *search)
{
	DIR *stream = opendir(search->dir);
	struct dirent *entry;

	if (!stream)
		return errno == ENOENT ? CSVFIND_GONE : -errno;
	csvfound_done(&search->best);
	search->best_r = CSVFIND_GONE;
	search->error = 0;
	for (int others = 0; others < 2 && search->best_r; others++) {
		rewinddir(stream);
		while ((errno = 0, entry = readdir(stream)))
			if ((entry->d_ino != search->mark->inode) == others)
				look_at(search, entry);
		if (errno && !search->error)
			search->error = -errno;
	}
	(void)closedir(stream);
	/* Perhaps it is the one that can't be looked at: nothing is decided before it can. */
	return search->best_r && search->error ? search->error : search->best_r;
}

int csvfind(const char *path, const FileMark *mark, CsvFound *ret_found)
{
	_cleanup_free_ char *dir = file_parent_dup(path);
	const char *slash = strrchr(path, '/');
	Search search = {dir, slash ? slash + 1 : path, mark, CSV_FOUND_INIT, CSVFIND_GONE, 0};
	int r = CSVFIND_GONE;

	if (!dir)
		return -ENOMEM;
	/* Names move while a rotation runs, and it may be missed on its way: then look again. */
	for (int attempt = 0; attempt < ATTEMPTS_MAX && r; attempt++)
		r = look(&search);
	if (r == 0 || r == CSVFIND_SHORT)
		*ret_found = search.best;
	else
		csvfound_done(&search.best);
	return r;
}
