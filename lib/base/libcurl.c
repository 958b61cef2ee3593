/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/libcurl.h"

#include <dlfcn.h>

int libcurl_load(const LibcurlFunction *functions, size_t count, const char *what, Why *ret_why)
{
	static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
	void *library = NULL;

	/* It is never unloaded: TLS libraries leave handlers for the end of the process behind. */
	for (size_t i = 0; i < ARRAY_SIZE(names) && !library; i++)
		library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		why_set(ret_why,
			"%s libcurl, which is not installed (package libcurl4, on some systems "
			"libcurl)",
			what);
		return -ENOENT;
	}
	for (size_t i = 0; i < count; i++) {
		void *function = dlsym(library, functions[i].name);

		if (!function) {
			why_set(ret_why, "the libcurl that is installed lacks %s",
				functions[i].name);
			return -ENOENT;
		}
		memcpy(functions[i].place, &function, sizeof(function));
	}
	return 0;
}
