/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * This host's full name ("mail.example.org"), as far as it is known without asking the network: gethostname(2), and where that is
 * short, what /etc/hosts calls it.
 */

#include "base/base.h"

/* Heap memory; NULL without memory. */
char *hostname_dup(void);
