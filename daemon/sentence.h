/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* How things are in one sentence, for `systemctl status`. It changes with what it says alone: nothing in it grows by itself. */

#include "state/status.h"

#define SENTENCE_MAX 400 /* bytes */

/* Appends it, escaped. Of what is longer than SENTENCE_MAX the end is left out. */
void sentence_append(const Status *status, StrBuf *sb);
