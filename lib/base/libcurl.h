/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * libcurl, loaded when it is first needed: no other work of the program pays for it and the 30
 * libraries that it brings along, and a host that neither downloads nor sends over SMTP can do
 * without.
 */

#include "base/base.h"

typedef struct LibcurlFunction {
	const char *name;
	void *place; /* the function pointer that it is written to */
} LibcurlFunction;

/*
 * Fills the places. The library stays for the life of the process. 0, or -ENOENT with *ret_why:
 * there is none, for which `what` is the start ("downloads need"), or one that is too old.
 */
int libcurl_load(const LibcurlFunction *functions, size_t count, const char *what, Why *ret_why);
