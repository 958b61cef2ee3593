/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/library.h"

#include <dlfcn.h>

const Library library_curl = {
	.name = "libcurl",
	.packages = "package libcurl4, on some systems libcurl",
	.sonames = {"libcurl.so.4", "libcurl-gnutls.so.4"},
};

int library_load(const Library *library, const LibraryFunction *functions, size_t count,
	const char *what, Why *ret_why)
{
	void *handle = NULL;

	/* It is never unloaded: TLS libraries leave handlers for the end of the process behind. */
	for (size_t i = 0; library->sonames[i] && !handle; i++)
		handle = dlopen(library->sonames[i], RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		why_set(ret_why, "%s %s, which is not installed (%s)", what, library->name,
			library->packages);
		return -ENOENT;
	}
	for (size_t i = 0; i < count; i++) {
		void *function = dlsym(handle, functions[i].name);

		if (!function) {
			why_set(ret_why, "the %s that is installed lacks %s", library->name,
				functions[i].name);
			return -ENOENT;
		}
		memcpy(functions[i].place, &function, sizeof(function));
	}
	return 0;
}
