/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A "download" of a regular file of this machine, file:///PATH with %HH for what an address can't hold. */

#include "fetch/download.h"

/* As downloader_fetch() does it; there is no etag, and it never is unchanged. */
int download_from_disk(const DownloadRequest *request, Download *ret_download, Why *ret_why);

/* Says in *ret_why that there is more than request->size_max. Returns -EFBIG. */
int download_too_large(const DownloadRequest *request, Why *ret_why);
