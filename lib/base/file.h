/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Whole reads, whole writes, and files that are replaced in one step. */

#include "base/strbuf.h"

/* Writes all of data, over short writes, EINTR and EAGAIN (it waits); 0 or -errno (bytes before it may be written). */
int file_write_full(int fd, const void *data, size_t len);

/* Reads up to len bytes at offset, over short reads and EINTR; the number read (less at the end), or -errno. */
ssize_t file_pread_full(int fd, void *data, size_t len, off_t offset);

/* The whole file, at most max bytes (-EFBIG above), appended to sb; 0 or -errno. A pipe is waited for. */
int file_read(const char *path, size_t max, StrBuf *sb);

/* The same from a descriptor's position on. */
int file_read_fd(int fd, size_t max, StrBuf *sb);

/*
 * Replaces path by data so that after a crash at any point either the old or the new file is
 * there, whole: temporary file beside it, fsync, rename, fsync of the directory. 0 or -errno; on
 * failure no temporary file is left.
 */
int file_replace(const char *path, const void *data, size_t len, mode_t mode);

/* The same without a sync, for what is made anew after a crash anyway. */
int file_replace_unsynced(const char *path, const void *data, size_t len, mode_t mode);

/* As many open files as the system lets, at most FILE_OPEN_MAX; fewer where it does not. */
#define FILE_OPEN_MAX 65536
void file_raise_open_max(void);

/* fsync of the directory that holds path. 0 or -errno. */
int file_sync_parent(const char *path);

/* The directory part of path ("." when there is none), heap memory; NULL when out of memory. */
char *file_parent_dup(const char *path);

/* dir/name, heap memory; NULL when out of memory. */
char *file_join_dup(const char *dir, const char *name);

/* Whatever look() returns but 0 ends the walk. */
typedef int FileLook(void *userdata, int directory, const char *name);

/* Calls look() for each name in the directory, also "." and "..", in no order. 0, what look() returned, or -errno. */
int file_walk(const char *path, FileLook *look, void *userdata);
