/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Finds a CSV file again after it was renamed, copied or compressed: by its content, under whatever name, in the directory where
 * it was written.
 */

#include "base/compress.h"
#include "state/mark.h"

typedef struct CsvFound {
	char *path;      /* heap memory */
	Reader *reader;  /* at the file's start */
	bool same;       /* it is the very file, by its inode; else a copy */
	bool named;      /* its name begins with that of the CSV */
	uint64_t length; /* how much of what was marked it holds */
} CsvFound;

#define CSV_FOUND_INIT ((CsvFound){NULL, NULL, false, false, 0})

void csvfound_done(CsvFound *found);
#define _cleanup_csvfound_ _cleanup_(csvfound_done)

enum {
	CSVFIND_SHORT = 1, /* the longest that begins with it, but ends before the mark */
	CSVFIND_GONE = 2,  /* there is none */
};

/*
 * Looks for the file that mark names beside path (the name that it was written under). Of several the very file
 * comes first, then one that is not compressed, then one that is named after it. A mark that holds no row finds any CSV. 0;
 * CSVFIND_SHORT; CSVFIND_GONE; -errno, also when nothing was found and something could not be looked at.
 */
int csvfind(const char *path, const FileMark *mark, CsvFound *ret_found);
