/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The CSV as a file that only grows. Rows are gathered in memory, written whole (a write that fails half-way is cut
 * back to the last whole row and tried again), and made durable by csvfile_sync before the checkpoint names the length.
 * At a start the file is found again by its content and cut back to the committed length. Where it is renamed or replaced while it
 * is open, what was not committed of it moves into the file that is opened next.
 */

#include "base/strbuf.h"
#include "state/mark.h"

typedef struct CsvFile CsvFile;

typedef enum CsvStart {
	CSV_CREATED,   /* there was none, or an empty one; it has the header now, durably */
	CSV_CONTINUED, /* it is the committed file (cut back, if it was longer) */
	CSV_ROTATED, /* the committed file was found under another name and cut back; this is a new one, or another */
	CSV_SHORTER,     /* it is shorter than what was committed: rows are missing; appended to */
	CSV_FOREIGN,     /* another file has the name and the committed one is gone; appended to */
	CSV_DISAPPEARED, /* the committed file is gone; this is a new one */
} CsvStart;

/*
 * Opens path for appending and locks it. committed is the mark of the last checkpoint, NULL at a first start; begin is where the
 * rows begin in it that are ours (what stood there before can stand in other files as well). 0;
 * -EEXIST at a first start when it holds rows already; -EBADMSG when it does not start with our header; -EBUSY when
 * another process has locked it; -errno. *ret_why says it with the path.
 */
int csvfile_open(const char *path, const FileMark *committed, uint64_t begin, CsvFile **ret_file,
	CsvStart *ret_start, uint64_t *ret_cut_bytes, Why *ret_why);
/*
 * Cuts the committed file back where it was written as path, under whatever name there it is now; for a CSV that is
 * from now on written elsewhere. 1 when it was found, 0 when not, -errno.
 */
int csvfile_cut_back(const char *path, const FileMark *committed, uint64_t begin,
	uint64_t *ret_cut_bytes, Why *ret_why);

/* Rows that were not flushed are dropped. */
void csvfile_free(CsvFile *file);
DEFINE_CLEANUP(CsvFile *, csvfile_freep, csvfile_free)

/* Where the next row is to be appended (csv_append_row). What is in it is written by csvfile_flush. */
StrBuf *csvfile_buffer(CsvFile *file);

/*
 * Writes the buffer and empties it. 0 or -errno: then the file ends where it ended before, the buffer is kept, and the call can
 * be made again (ENOSPC, EDQUOT, EIO). -ESTALE when somebody else has changed the file, as csvfile_check() says.
 */
int csvfile_flush(CsvFile *file);

enum {
	CSVFILE_MOVED = 1, /* another file has its name, or none */
	CSVFILE_CHANGED =
		2, /* somebody else cut it or wrote to it: what of it is left is for csvfile_open() to find out */
};

/* What others did with the file meanwhile. 0, CSVFILE_MOVED, CSVFILE_CHANGED, -errno. */
int csvfile_check(const CsvFile *file);

/*
 * After CSVFILE_MOVED: what was flushed but lies behind the committed length goes back into the buffer and is cut,
 * durably; then what is to be written next is opened as by csvfile_open(). It takes over by csvfile_replace(), once the
 * checkpoint names it: until then nothing may be flushed. On failure the file is open as before, with nothing
 * behind the committed length, and the call can be made again. 0; -ESTALE as csvfile_flush; else as csvfile_open.
 */
int csvfile_open_next(CsvFile *file, const FileMark *committed, uint64_t begin, CsvFile **ret_next,
	CsvStart *ret_start, uint64_t *ret_cut_bytes, Why *ret_why);

/* Goes on in the file that next has open, and whose own buffer has been flushed, with the buffer of this one. */
void csvfile_replace(CsvFile *file, CsvFile *next_take);

/* Makes what was flushed durable. 0 or -errno. */
int csvfile_sync(CsvFile *file);

/* The mark of the flushed end. 0 or -errno. */
int csvfile_mark(CsvFile *file, FileMark *ret_mark);

const char *csvfile_path(const CsvFile *file);
