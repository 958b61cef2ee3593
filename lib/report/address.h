/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The form of a mail address (RFC 5321, 4.1.2): a dot-atom or a quoted string, "@", and a domain or
 * an address in brackets; or the first alone ("root"), which the mail server completes. Plain ASCII
 * without control bytes, so that it is the same in an SMTP command, a header and an argument, and
 * can hold nothing else in any of them.
 */

#include "base/base.h"

#define ADDRESS_LOCAL_MAX 64 /* bytes, of what stands before the @ */
#define ADDRESS_MAX 254      /* bytes, of all */

/* 0, or -EINVAL with *ret_why as an end of "ADDRESS ..." ("holds a blank"). */
int address_check(const char *address, Why *ret_why);
