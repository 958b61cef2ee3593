/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A library of others, loaded when it is first needed: no other work of the program pays for it and what it brings along (libcurl: 30
 * more), and a host that doesn't use it can do without.
 */

#include "base/base.h"

typedef struct Library {
	const char *name;       /* for people: "libcurl" */
	const char *packages;   /* likewise: "package libcurl4, on some systems libcurl" */
	const char *sonames[3]; /* the first that is there is taken; NULL ends them */
} Library;

extern const Library library_curl;

typedef struct LibraryFunction {
	const char *name;
	void *place; /* the function pointer that it is written to */
} LibraryFunction;

/*
 * Fills the places. The library stays for the life of the process. 0, or -ENOENT with *ret_why:
 * there is none, for which `what` is the start ("downloads need"), or one that is too old.
 */
int library_load(const Library *library, const LibraryFunction *functions, size_t count,
	const char *what, Why *ret_why);
