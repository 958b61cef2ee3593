/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Fetches files, over https and http through libcurl's easy interface, and from the disk (file:///). The library is loaded when
 * the first server is asked, so that no other work of the program pays for it and the 30 libraries that it brings along.
 *
 * What a server does is not believed: bytes and time are counted here, the certificate is checked, a redirect from https may
 * lead to https alone (from http: to http or https), at most DOWNLOAD_REDIRECTS_MAX times. Content-Encoding is neither asked for nor undone.
 *
 * The environment's SSL_CERT_FILE and SSL_CERT_DIR name other certificate authorities, https_proxy, http_proxy, all_proxy and no_proxy a
 * proxy, as libcurl has them. The caller ignores SIGPIPE.
 */

#include "base/base.h"

#define DOWNLOAD_REDIRECTS_MAX 5
#define DOWNLOAD_ETAG_SIZE 256
#define DOWNLOAD_SPEED_MIN 1024 /* bytes a second; below, it has stalled */

typedef struct Downloader Downloader;

/* 0 or -ENOMEM. */
int downloader_new(Downloader **ret_downloader);
void downloader_free(Downloader *downloader);
DEFINE_CLEANUP(Downloader *, downloader_freep, downloader_free)

typedef struct DownloadRequest {
	const char *url;     /* as url_check() wants it */
	const char *etag;    /* of the file that the caller has; NULL: none */
	int fd;              /* where the bytes go, from its offset on */
	uint64_t size_max;   /* bytes */
	unsigned connect_ms; /* until there is a connection, with the name and TLS */
	unsigned stall_ms;   /* of less than DOWNLOAD_SPEED_MIN; also until the answer begins */
	unsigned total_ms;   /* until it is done, with all redirects */
	/* Several times a second while something happens, else once: false ends it. total 0: not known. NULL: nobody asks. */
	bool (*progress)(void *userdata, uint64_t done_bytes, uint64_t total_bytes);
	void *userdata;
} DownloadRequest;

typedef struct Download {
	char etag
		[DOWNLOAD_ETAG_SIZE]; /* "" when there is none, or one that is too long or not text */
	int64_t modified_s; /* since the epoch, as the server has it; 0 when it does not say */
	uint64_t size_bytes;
} Download;

enum { DOWNLOAD_UNCHANGED = 1 };

/*
 * 0; DOWNLOAD_UNCHANGED when the server says that the file with the etag is the newest (nothing was written); -ECANCELED when progress
 * ended it; -ENOENT when libcurl is not
 * installed; -EFBIG, -ETIMEDOUT, -errno of the write or -EIO for all else, with *ret_why in words for people. What was
 * written until then is worth nothing.
 */
int downloader_fetch(Downloader *downloader, const DownloadRequest *request, Download *ret_download,
	Why *ret_why);
