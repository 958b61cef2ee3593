/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Functions that this project does not use, because a safer one exists for each: the
 * unbounded writers (strbuf instead), the ones with hidden state, and those that hide errors
 * (base/number instead of the ato* family). Using one does not compile.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets
#pragma GCC poison atoi atol atoll atof
#pragma GCC poison gmtime localtime ctime ctime_r asctime asctime_r
#pragma GCC poison system popen tmpnam mktemp
