/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the file system that a file lies on can be trusted with. */

#include "base/base.h"

/*
 * The name of the file system of the open file where others can change it without this kernel's knowledge (network, FUSE, the
 * like), so that inotify(7) may say nothing; NULL where inotify sees every change. Where nothing is known: NULL.
 */
const char *mount_silent_name(int fd);
