/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What is known of the databases that were fetched, so that what has not changed is not fetched again: state_dir/db/fetched. It holds for
 * the file that lies there as long as that has the size and the time that it had when it was installed. Losing it costs one download.
 */

#include "enrich/geodb.h"
#include "fetch/download.h"
#include "fetch/sha256.h"

typedef struct FetchedPart {
	char *url;
	char sha256[SHA256_TEXT_SIZE]; /* of what came */
	char etag[DOWNLOAD_ETAG_SIZE]; /* "": none */
} FetchedPart;

typedef struct FetchedFile {
	uint64_t size_bytes;
	int64_t mtime_ns;
	FetchedPart *parts; /* in the order of the URLs */
	size_t count;       /* 0: nothing is known */
} FetchedFile;

typedef struct Fetched {
	FetchedFile files[GEO_KINDS];
} Fetched;

/* Nothing, too, where there is no such file or it is damaged. 0 or -ENOMEM. */
int fetched_load(const char *path, Fetched *ret_fetched);

/* 0 or -errno. */
int fetched_save(const char *path, const Fetched *fetched);

void fetched_done(Fetched *fetched);
void fetched_file_done(FetchedFile *file);

/* Adds a part. 0 or -ENOMEM. */
int fetched_file_add(FetchedFile *file, const char *url, const char *sha256, const char *etag);

/* Whether it is about the file that lies at path, fetched from these URLs (NULL-terminated). */
bool fetched_file_fits(const FetchedFile *file, const char *path, char *const *urls);
