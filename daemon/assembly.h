/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A database that is fetched: from one URL or, as parts that become one CSV, from several; compared with its checksums, unpacked, and
 * written to a new file beside the one that it is to replace. All limits are counted: the bytes that come, the bytes that they unpack to (a
 * small file that unpacks to a huge one is refused early), and the time.
 */

#include "daemon/fetched.h"

typedef struct AssemblyRequest {
	Downloader *downloader;
	char *const *urls;          /* NULL-terminated, at least one */
	char *const *checksum_urls; /* none, one for all or one for each */
	const char *
		path; /* of the database; what is temporary is called PATH.new, PATH.part, PATH.fetch */
	const FetchedFile *known; /* about the file that lies there; NULL: nothing */
	/* Parses a part alone, when there are several. 0, or -errno with *ret_why. */
	int (*check)(void *userdata, const char *part_path, Why *ret_why);
	bool (*progress)(void *userdata, uint64_t done_bytes,
		uint64_t total_bytes); /* as of a DownloadRequest */
	void *userdata;
} AssemblyRequest;

enum { ASSEMBLY_UNCHANGED = 1 };

/*
 * 0: PATH.new is there, whole and durable, with mode 0644 and the time of modification that the servers say (the oldest of several parts; now,
 * when that is not sane). ASSEMBLY_UNCHANGED: no server has anything else than what lies there. -errno with *ret_why ("URL: why").
 * But for 0, no temporary file is left. ret_file, which the caller ends, says what was fetched, for next time.
 */
int assembly_fetch(const AssemblyRequest *request, FetchedFile *ret_file, Why *ret_why);

/* Removes what a run that was killed has left beside path. 0 or -errno. */
int assembly_clean(const char *path);
