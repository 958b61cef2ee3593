/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A file that is mapped read-only and shared, without the danger that belongs to it: when somebody makes the file
 * shorter, touching what is gone raises SIGBUS. While there are mappings a handler puts zeros in the place of the
 * whole mapping, and the reader goes on. Who reads tells by a mark of his own at the end of the file whose very
 * last byte is not zero: the kernel zeroes the rest of the last page that is left, without a signal. SIGBUS for any
 * other reason is left to whoever handled it before.
 *
 * For one thread. At most MAPPINGS_MAX at a time, as the handler can look only into a table that is always there.
 */

#include "base/base.h"

#define MAPPINGS_MAX 16

typedef struct Mapping Mapping;

/* The first size bytes of the file, size not 0; the descriptor can be closed. 0, -EMFILE (too many), -errno. */
int mapping_new(int fd, size_t size, Mapping **ret_mapping);
void mapping_free(Mapping *mapping);
DEFINE_CLEANUP(Mapping *, mapping_freep, mapping_free)

/* At a page's start. */
const uint8_t *mapping_data(const Mapping *mapping);
