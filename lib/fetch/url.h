/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The form of an address to download from: https, http or file, in printable ASCII, without a user name or password (they would be
 * shown wherever it is named).
 */

#include "base/base.h"

#define URL_MAX 2000 /* bytes */

typedef enum UrlScheme {
	URL_HTTPS,
	URL_HTTP,
	URL_FILE,
} UrlScheme;

/* 0, or -EINVAL with *ret_why ("wants https://, http:// or file:///"). */
int url_check(const char *url, UrlScheme *ret_scheme, Why *ret_why);

/* The last part of its path, without what stands behind a '?' or '#'; borrowed from url, empty when there is none. */
Span url_file_name(const char *url);
